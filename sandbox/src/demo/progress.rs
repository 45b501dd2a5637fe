//! The progress printer: findings, jobs, Slack messages and Security Hub as they change. With `--once` it also clicks.

use std::collections::HashMap;

use anyhow::bail;
use serde_json::Value;

use super::{APPROVER, fixtures::SHARED, output::Output};
use crate::sandbox::Sandbox;

/// The channel of the demo's policy.
pub(super) const CHANNEL: &str = "C0SECURITY";

/// What has been printed so far.
pub(super) struct ProgressPrinter {
    output: Output,
    once: bool,
    page: String,
    /// What was printed last, by the id that it is about.
    printed: HashMap<String, String>,
    waiting: bool,
    clicked: bool,
    closed_cases: usize,
    reported: bool,
}

impl ProgressPrinter {
    pub(super) fn new(sandbox: &Sandbox, output: Output, once: bool) -> Self {
        Self {
            output,
            once,
            page: format!("{}/", sandbox.slack_url()),
            printed: HashMap::new(),
            waiting: false,
            clicked: false,
            closed_cases: 0,
            reported: false,
        }
    }

    /// Whether both cases are closed and Security Hub has the exposure.
    pub(super) fn is_complete(&self) -> bool {
        self.closed_cases >= 2 && self.reported
    }

    pub(super) fn is_waiting_for_a_click(&self) -> bool {
        self.waiting
    }

    pub(super) async fn update(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        for finding in sandbox.access_analyzer().findings() {
            let what = format!("{} {}", text(&finding, "/resource"), text(&finding, "/status"));
            self.print(&text(&finding, "/id"), &what, "Access Analyzer finding");
        }
        for job in sandbox.macie().jobs() {
            let what = format!("{} is {}", text(&job, "/name"), text(&job, "/jobStatus"));
            self.print(&text(&job, "/jobId"), &what, "Macie job");
        }
        for finding in sandbox.macie().findings() {
            let what = format!(
                "{} ({}) in {}",
                text(&finding, "/type"),
                text(&finding, "/severity/description"),
                text(&finding, "/resourcesAffected/s3Object/path")
            );
            self.print(&text(&finding, "/id"), &what, "Macie finding");
        }
        for finding in sandbox.security_hub().findings() {
            let what = format!(
                "{} [{}]",
                text(&finding, "/Title"),
                text(&finding, "/FindingProviderFields/Severity/Label")
            );
            self.print(&text(&finding, "/Id"), &what, "Security Hub finding");
            self.reported |= text(&finding, "/Resources/0/Id").ends_with(SHARED);
        }
        self.update_from_slack(sandbox).await
    }

    async fn update_from_slack(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        self.closed_cases = 0;
        self.waiting = false;
        for message in sandbox.slack().messages(CHANNEL) {
            let ts = text(&message, "/ts");
            self.print(&ts, &text(&message, "/text"), "Slack message");
            let Some(button) = quarantine_button(&message) else {
                self.closed_cases += usize::from(is_closed(&message));
                continue;
            };
            if !self.once {
                self.waiting = true;
                let ask = format!("please decide as alice at {}", self.page);
                self.print(&format!("{ts} asks"), &ask, "Slack waits");
            } else if !self.clicked {
                self.clicked = true;
                let click = sandbox.slack().click(APPROVER, CHANNEL, &ts, &button).await;
                self.print(
                    "click",
                    &format!(
                        "Quarantine, as alice: answered {} in {} ms",
                        click.status,
                        click.duration.as_millis()
                    ),
                    "Click",
                );
                if let Some(error) = click.error {
                    bail!("the click was not accepted: {error} ({} {})", click.status, click.body);
                }
            }
        }
        Ok(())
    }

    fn print(&mut self, id: &str, what: &str, kind: &str) {
        if self.printed.insert(id.to_owned(), what.to_owned()).as_deref() != Some(what) {
            self.output.event(format_args!("{kind:<24} {what}"));
        }
    }
}

/// Whether a case's message shows its outcome.
pub(super) fn is_closed(message: &Value) -> bool {
    let header = text(message, "/blocks/0/text/text");
    ["quarantined", "dismissed", "failed", "closed"].iter().any(|end| header.ends_with(end))
}

fn quarantine_button(message: &Value) -> Option<String> {
    let blocks = message["blocks"].as_array()?;
    let actions = blocks.iter().find(|block| block["type"] == "actions")?;
    let elements = actions["elements"].as_array()?;
    let ids = elements.iter().filter_map(|button| button["action_id"].as_str());
    ids.into_iter().find(|id| id.starts_with("quarantine:")).map(str::to_owned)
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned()
}
