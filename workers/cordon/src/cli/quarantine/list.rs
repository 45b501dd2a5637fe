//! `cordon quarantine list`.

use std::{io, process::ExitCode};

use clap::Args;
use jiff::{Span, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::{
    cli::{
        operator::Operator,
        report::copy,
        terminal::{self, JsonArray},
    },
    domain::{
        case::{Case, Status},
        time,
    },
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
    /// Only what was quarantined in this last length of time, such as 90m, 24h or 7d.
    #[arg(long, value_name = "DURATION", value_parser = beginning)]
    since: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print a JSON array, written while the pages come.
    #[arg(long)]
    json: bool,
}

impl ListArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.list().await {
            // Somebody piped it into `head`, who has seen enough.
            Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
            other => other,
        }
    }

    async fn list(&self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let (mut array, mut printed, mut unreadable) = (JsonArray::default(), 0, false);
        let limit = self.limit.unwrap_or(usize::MAX);
        'all: for status in [Status::Restoring, Status::Closed] {
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
        let since = self.since.as_ref().is_none_or(|since| case.closed_at.as_ref() >= Some(since));
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

fn glob(text: &str) -> Result<WildMatch, String> {
    if text.is_empty() {
        return Err("an empty glob matches no bucket".into());
    }
    Ok(WildMatch::new(text))
}

/// When a length of time that ends now began, as [`time::stored`].
fn beginning(length: &str) -> Result<String, String> {
    let length: Span =
        length.parse().map_err(|_| "it is no length of time such as 90m, 24h or 7d".to_owned())?;
    if !length.is_positive() {
        return Err("it must lie in the past: give it without a minus sign".into());
    }
    // Days have 24 hours in UTC, whatever the clocks did here. What began before there were times began always.
    let began = Zoned::now().with_time_zone(TimeZone::UTC).checked_sub(length);
    Ok(began.map_or_else(|_| String::new(), |began| time::stored(began.timestamp())))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_read_as_people_write_it() {
        let now = time::now();
        for length in ["90m", "24h", "7d", "2 weeks", "1h30m", "9999 years", "19998 years"] {
            assert!(beginning(length).unwrap() < now, "{length}");
        }
        for wrong in ["", "yesterday", "7", "-7d", "0s"] {
            assert!(beginning(wrong).is_err(), "{wrong}");
        }
    }
}
