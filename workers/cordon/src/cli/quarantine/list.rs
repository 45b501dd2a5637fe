//! `cordon quarantine list`.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::{
    case::{Case, Status},
    time,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::cli::{
    operator::{Operator, glob},
    report::copy,
    since::beginning,
    terminal::{self, JsonArray},
};

/// Arguments of `cordon quarantine list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon quarantine list --bucket 'finance-*' --since 7d
  cordon quarantine list --json | jq -r '.[] | select(.state == \"in_quarantine\") | .case_id'

Each line begins with the case id, as `cordon restore -` reads it.")]
pub(in crate::cli) struct ListArguments {
    /// Only buckets that match: `*` is any text, `?` any one character.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    bucket: Option<WildMatch>,
    /// Only cases that ended in this last length of time, such as 90m, 24h or 7d, and those still open.
    #[arg(long, value_name = "DURATION", value_parser = beginning)]
    since: Option<Timestamp>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print a JSON array, written while the pages come.
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let (mut array, mut printed, mut unreadable) = (JsonArray::default(), 0, false);
        let limit = self.limit.unwrap_or(usize::MAX);
        'all: for status in [Status::Open, Status::Restoring, Status::Closed] {
            let mut page = None;
            loop {
                let (cases, next) = operator.cases.quarantined(status, page).await?;
                for case in cases {
                    if printed == limit {
                        break 'all;
                    }
                    match case {
                        Ok(case) if self.wants(&case) => {
                            printed += 1;
                            if self.json {
                                array.push(&entry(&case))?;
                            } else {
                                terminal::say(&line(&case))?;
                            }
                        }
                        Ok(_) => {}
                        Err(error) => {
                            unreadable = true;
                            terminal::note(&error.to_string());
                        }
                    }
                }
                page = next;
                if page.is_none() || printed == limit {
                    break;
                }
            }
        }
        if self.json {
            array.end()?;
        } else if printed == 0 {
            terminal::note("No case with a quarantined object matches.");
        }
        Ok(if unreadable { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn wants(&self, case: &Case) -> bool {
        let bucket = self.bucket.as_ref().is_none_or(|glob| glob.matches(&case.object().bucket));
        let since = self
            .since
            .is_none_or(|since| case.closed_at.as_ref().is_none_or(|closed| *closed >= time::stored(since)));
        bucket && since
    }
}

fn line(case: &Case) -> String {
    let state = super::state(case).unwrap_or_default().replace('_', " ");
    let by = super::person(case).map_or_else(
        || format!("policy rule {}", case.plan.rule),
        |person| format!("{person}, rule {}", case.plan.rule),
    );
    let object = case.object();
    format!(
        "{}  {}  {state:<14}  {by}  {}/{}",
        case.case_id,
        case.closed_at.as_deref().unwrap_or_default(),
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
        "state": super::state(case),
        "quarantined_at": case.closed_at,
        "quarantine_key": copy(case),
        "rule": case.plan.rule,
        "decided_by": super::person(case),
        "last_restore": case.restores.last(),
        "purge": case.purge,
    })
}
