//! `cordon approvals list`.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::{
    case::{Case, Status},
    policy::Disposition,
};
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::cli::{
    operator::{Operator, glob},
    terminal::{self, JsonArray},
};

/// Arguments of `cordon approvals list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon approvals list --bucket 'finance-*'
  cordon approvals list --bucket 'scratch-*' | cordon approvals approve - --reason \"INC-4711\"

Each line begins with the case id, as `cordon approvals approve -` reads it.")]
pub(in crate::cli) struct ListArguments {
    /// Only buckets that match: `*` is any text, `?` any one character.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    bucket: Option<WildMatch>,
    /// Print a JSON array, written while the pages come.
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let (mut array, mut printed, mut page) = (JsonArray::default(), 0, None);
        loop {
            let (cases, next) = operator.cases.in_status(Status::Open, page).await?;
            for case in cases.iter().filter(|case| self.wants(case)) {
                printed += 1;
                if self.json {
                    array.push(&entry(case))?;
                } else {
                    terminal::say(&line(case))?;
                }
            }
            page = next;
            if page.is_none() {
                break;
            }
        }
        if self.json {
            array.end()?;
        } else if printed == 0 {
            terminal::note("No case waits for a decision.");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn wants(&self, case: &Case) -> bool {
        let waits = case.disposition == Disposition::Review && case.decision.is_none();
        waits && self.bucket.as_ref().is_none_or(|glob| glob.matches(&case.object().bucket))
    }
}

fn line(case: &Case) -> String {
    let object = case.object();
    let votes = match case.votes.len() {
        0 => String::new(),
        n => format!("  {n} of {} votes", case.plan.approvals),
    };
    let snoozed = case.snooze.as_ref().map(|snooze| format!("  snoozed until {}", snooze.until));
    format!(
        "{}  {}  round {} of {}{votes}{}  {}/{}",
        case.case_id,
        case.opened_at,
        case.round,
        case.plan.rounds,
        snoozed.unwrap_or_default(),
        object.bucket,
        object.key
    )
}

fn entry(case: &Case) -> Value {
    let object = case.object();
    json!({
        "case_id": case.case_id,
        "generation": case.generation,
        "bucket": object.bucket,
        "key": object.key,
        "version_id": object.version_id,
        "severity": case.finding.severity,
        "finding_type": case.finding.finding_type,
        "rule": case.plan.rule,
        "opened_at": case.opened_at,
        "round": case.round,
        "rounds": case.plan.rounds,
        "round_ends_at": case.round_ends_at,
        "approvals": case.plan.approvals,
        "votes": case.votes,
        "snooze": case.snooze,
        "shown_in_slack": case.slack_ts.is_some(),
    })
}
