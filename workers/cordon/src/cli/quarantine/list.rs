//! `cordon quarantine list`.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::{case::Case, time::Time};
use jiff::Timestamp;
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::cli::{
    case_details::without_codes,
    listing::Listing,
    operator::{Operator, glob},
    report::copy,
    since::beginning,
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
        let (cases, bucket) = (&operator.cases, self.bucket_name());
        let page_after = async |after| match &bucket {
            Some(bucket) => cases.cases_of_bucket(bucket, after).await,
            None => cases.quarantined_cases(after).await,
        };
        let listing = Listing {
            json: self.json,
            limit: self.limit.unwrap_or(usize::MAX),
            nothing: "No case with a quarantined object matches.",
        };
        listing
            .print(&operator, page_after, |case| self.wants(case), line, async |case| Ok(entry(case)))
            .await
    }

    /// The bucket that is asked for by its name: an index spares a look at all the others.
    fn bucket_name(&self) -> Option<String> {
        self.bucket.as_ref().map(WildMatch::pattern).filter(|pattern| !pattern.contains(['*', '?']))
    }

    fn wants(&self, case: &Case) -> bool {
        if case.quarantine.copies.is_empty() && case.quarantine.purge.is_none() {
            return false;
        }
        let bucket = self.bucket.as_ref().is_none_or(|glob| glob.matches(&case.object().bucket));
        let since =
            self.since.is_none_or(|since| case.closed_at().is_none_or(|closed| closed >= Time::from(since)));
        bucket && since
    }
}

fn line(case: &Case) -> String {
    let state = super::state::of_copies(case).unwrap_or_default().replace('_', " ");
    let by = super::state::decided_by(case).map_or_else(
        || format!("policy rule {}", case.plan.rule),
        |person| format!("{person}, rule {}", case.plan.rule),
    );
    let object = case.object();
    format!(
        "{}  {}  {state:<14}  {by}  {}/{}",
        case.case_id,
        case.closed_at().map(|at| at.to_string()).unwrap_or_default(),
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
        "state": super::state::of_copies(case),
        "quarantined_at": case.closed_at(),
        "quarantine_key": copy(case),
        "rule": case.plan.rule,
        "decided_by": super::state::decided_by(case),
        "last_restore": without_codes(&case.quarantine.restores.last()),
        "purge": case.quarantine.purge,
    })
}

#[cfg(test)]
mod tests {
    use cordon_domain::{
        case::{OutcomeResult, QuarantineCopy, Status},
        fixtures::{case, closing, vote},
        policy::Disposition,
    };

    use super::*;

    #[test]
    fn a_line_and_an_entry() {
        let ended = |disposition, result| {
            let mut case = case(disposition);
            case.status = Status::Closed;
            case.closing = Some(closing(result, "d"));
            case.quarantine.copies = vec![QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() }];
            case
        };
        let mut by_alice = ended(Disposition::Review, OutcomeResult::Quarantined);
        by_alice.approval.votes = vec![vote("U0ALICE001", &by_alice.approval.plan_hash)];
        let copied = ended(Disposition::Quarantine, OutcomeResult::Failed);
        insta::assert_snapshot!([line(&by_alice), line(&copied)].join("\n"));
        insta::assert_json_snapshot!(entry(&by_alice));
    }
}
