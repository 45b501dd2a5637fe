//! `cordon pause` and `cordon resume`.

use clap::Args;
use cordon_domain::pause::Pause;
use serde_json::json;

use super::{
    operator::{Operator, reason},
    terminal,
};
use crate::{clock, store::Conditional};

/// Arguments of `cordon pause`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon pause --reason \"INC-4711: a rule of the policy matches too much\"")]
pub(super) struct PauseArguments {
    /// Why; `cordon resume`, the next `cordon pause` and the runs that wait show it.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Print JSON: `paused`, `changed`, `paused_at`, `paused_by`, `reason`.
    #[arg(long)]
    json: bool,
}

/// Arguments of `cordon resume`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon resume")]
pub(super) struct ResumeArguments {
    /// Print JSON: `paused`, `changed`, and of the pause that ended `paused_at`, `paused_by`, `reason`.
    #[arg(long)]
    json: bool,
}

impl PauseArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let operator = Operator::connect().await?;
        let pause =
            Pause { paused_at: clock::now(), paused_by: operator.caller.clone(), reason: self.reason };
        let earlier = match operator.cases.pause(&pause).await? {
            Conditional::Written(_) | Conditional::Mine(_) => None,
            Conditional::Theirs(earlier) => earlier,
        };
        let line = match &earlier {
            None => "Paused: nothing is moved, into quarantine or back, until `cordon resume`.".to_owned(),
            Some(earlier) => format!("{}; nothing changed.", told("Paused already", earlier)),
        };
        let changed = earlier.is_none();
        print(self.json, &line, true, changed, Some(&earlier.unwrap_or(pause)))
    }
}

impl ResumeArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let operator = Operator::connect().await?;
        let ended = operator.cases.resume().await?;
        let line = match &ended {
            None => "Cordon was not paused; nothing changed.".to_owned(),
            Some(pause) => {
                format!("{}. Runs that wait go on within seconds.", told("Resumed: it was paused", pause))
            }
        };
        print(self.json, &line, false, ended.is_some(), ended.as_ref())
    }
}

fn told(what: &str, pause: &Pause) -> String {
    format!("{what} since {} by {} ({})", pause.paused_at, pause.paused_by, pause.reason)
}

fn print(json: bool, line: &str, paused: bool, changed: bool, pause: Option<&Pause>) -> anyhow::Result<()> {
    if !json {
        return Ok(terminal::say(line)?);
    }
    Ok(terminal::say_json(&json!({
        "paused": paused,
        "changed": changed,
        "paused_at": pause.map(|pause| &pause.paused_at),
        "paused_by": pause.map(|pause| &pause.paused_by),
        "reason": pause.map(|pause| &pause.reason),
    }))?)
}
