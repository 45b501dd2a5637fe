//! `cordon approvals list`.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::{
    case::{Case, Status},
    policy::Disposition,
};
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::{
    cli::{
        listing::Listing,
        operator::{Operator, glob},
    },
    store::Page,
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
        let cases = &operator.cases;
        let page_after = async |after| {
            let open = cases.open_cases(Status::Open, after).await?;
            let entries = open.entries.into_iter().map(|case| case.case_id).collect();
            Ok(Page { entries, next: open.next })
        };
        let listing =
            Listing { json: self.json, limit: usize::MAX, nothing: "No case waits for a decision." };
        let entry = async |case: &Case| Ok(entry(case, cases.is_shown(&case.case_id).await?));
        listing.print(&operator, page_after, |case| self.wants(case), line, entry).await
    }

    fn wants(&self, case: &Case) -> bool {
        let waits = case.disposition == Disposition::Review && case.approval.decided.is_none();
        waits && self.bucket.as_ref().is_none_or(|glob| glob.matches(&case.object().bucket))
    }
}

fn line(case: &Case) -> String {
    let object = case.object();
    let votes = match case.approval.votes.len() {
        0 => String::new(),
        n => format!("  {n} of {} votes", case.plan.effect.approvals),
    };
    let snoozed = case.approval.snooze.as_ref().map(|snooze| format!("  snoozed until {}", snooze.until));
    format!(
        "{}  {}  round {} of {}{votes}{}  {}/{}",
        case.case_id,
        case.opened_at,
        case.approval.round,
        case.plan.effect.rounds,
        snoozed.unwrap_or_default(),
        object.bucket,
        object.key
    )
}

fn entry(case: &Case, shown_in_slack: bool) -> Value {
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
        "round": case.approval.round,
        "rounds": case.plan.effect.rounds,
        "round_ends_at": case.approval.round_ends_at,
        "approvals": case.plan.effect.approvals,
        "votes": case.approval.votes,
        "snooze": case.approval.snooze,
        "shown_in_slack": shown_in_slack,
    })
}

#[cfg(test)]
mod tests {
    use cordon_domain::{
        case::vote::{Snooze, Voter},
        fixtures::{case, time, vote},
    };

    use super::*;

    #[test]
    fn a_line_and_an_entry() {
        let mut waits = case(Disposition::Review).with_plan(|plan| plan.effect.approvals = 2);
        waits.approval.round = 1;
        let mut snoozed = waits.clone();
        snoozed.approval.votes = vec![vote("U0ALICE001", &snoozed.approval.plan_hash)];
        let by = Voter::Iam { principal: "AROAADMIN:alice".into(), slack_user: None };
        let until = time("2026-03-12T10:00:00.000Z");
        snoozed.approval.snooze = Some(Snooze { by, at: time("2026-03-11T10:00:00.000Z"), until });
        insta::assert_snapshot!([line(&waits), line(&snoozed)].join("\n"));
        insta::assert_json_snapshot!(entry(&snoozed, true));
    }
}
