//! Prints what shows at the edges: findings, jobs, Slack, Security Hub; and clicks where nobody else will.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::bail;
use serde_json::Value;

use super::{APPROVER, scene::SHARED};
use crate::sandbox::Sandbox;

/// The channel of the demo's policy.
pub(super) const CHANNEL: &str = "C0SECURITY";

/// What has been seen so far.
pub(super) struct Audience {
    began: Instant,
    once: bool,
    page: String,
    seen: HashMap<String, String>,
    waiting: bool,
    clicked: bool,
    closed_cases: usize,
    reported: bool,
}

impl Audience {
    pub(super) fn new(sandbox: &Sandbox, began: Instant, once: bool) -> Self {
        Self {
            began,
            once,
            page: format!("{}/", sandbox.slack_url()),
            seen: HashMap::new(),
            waiting: false,
            clicked: false,
            closed_cases: 0,
            reported: false,
        }
    }

    /// Both cases are closed, and Security Hub knows of the exposure.
    pub(super) fn has_seen_the_end(&self) -> bool {
        self.closed_cases >= 2 && self.reported
    }

    pub(super) fn is_waiting_for_a_click(&self) -> bool {
        self.waiting
    }

    pub(super) async fn look(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        for finding in sandbox.access_analyzer().findings() {
            let what = format!("{} {}", text(&finding, "/resource"), text(&finding, "/status"));
            self.news(&text(&finding, "/id"), &what, "Access Analyzer finding");
        }
        for job in sandbox.macie().jobs() {
            let what = format!("{} is {}", text(&job, "/name"), text(&job, "/jobStatus"));
            self.news(&text(&job, "/jobId"), &what, "Macie job");
        }
        for finding in sandbox.macie().findings() {
            let what = format!(
                "{} ({}) in {}",
                text(&finding, "/type"),
                text(&finding, "/severity/description"),
                text(&finding, "/resourcesAffected/s3Object/path")
            );
            self.news(&text(&finding, "/id"), &what, "Macie finding");
        }
        for finding in sandbox.security_hub().findings() {
            let what = format!(
                "{} [{}]",
                text(&finding, "/Title"),
                text(&finding, "/FindingProviderFields/Severity/Label")
            );
            self.news(&text(&finding, "/Id"), &what, "Security Hub finding");
            self.reported |= text(&finding, "/Resources/0/Id").ends_with(SHARED);
        }
        self.look_at_slack(sandbox).await
    }

    async fn look_at_slack(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        self.closed_cases = 0;
        self.waiting = false;
        for message in sandbox.slack().messages(CHANNEL) {
            let ts = text(&message, "/ts");
            self.news(&ts, &text(&message, "/text"), "Slack message");
            let Some(button) = quarantine_button(&message) else {
                self.closed_cases += usize::from(is_closed(&message));
                continue;
            };
            if !self.once {
                self.waiting = true;
                let ask = format!("please decide as alice at {}", self.page);
                self.news(&format!("{ts} asks"), &ask, "Slack waits");
            } else if !self.clicked {
                self.clicked = true;
                let click = sandbox.slack().click(APPROVER, CHANNEL, &ts, &button).await;
                self.news(
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

    fn news(&mut self, id: &str, what: &str, kind: &str) {
        if self.seen.insert(id.to_owned(), what.to_owned()).as_deref() != Some(what) {
            println!("{:6.1} s  {kind:<24} {what}", self.began.elapsed().as_secs_f32());
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
