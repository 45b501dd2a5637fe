//! `cordon approvals approve`, `dismiss` and `snooze`: the votes of Slack's buttons, by people whom IAM lets.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::request::{ApprovalAction, ApprovalRequest};
use futures::{StreamExt, stream};

use crate::cli::{
    operator::{Operator, case_id_or_input, case_ids, reason},
    report::{Report, UNANSWERED},
    requests::{Requests, request_id},
    terminal::{self, JsonArray},
};

/// Arguments of the commands that decide.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon approvals list --bucket 'scratch-*' | cordon approvals approve - --reason \"INC-4711: Slack is down\"

The vote is the one of Slack's button: what has been decided stays decided, and a rule that asks for two people gets two.
A worker records it; neither the gateway nor Slack is needed.
The exit code is 0 when every vote is on record, 1 when one is not.")]
pub(in crate::cli) struct DecideArguments {
    /// The cases; `-` reads them from standard input, the first word of each line.
    #[arg(required = true, value_name = "CASE_ID", value_parser = case_id_or_input)]
    case_ids: Vec<String>,
    /// Why; it is kept in the case and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Print a JSON array: `case_id`, `bucket`, `key`, `result` (decided, counted, snoozed, refused, failed, unanswered),
    /// `detail`, `code`.
    #[arg(long)]
    json: bool,
}

/// Requests at once.
const MAX_CONCURRENCY: usize = 8;

/// Nothing more is to be said of a case than of all.
#[derive(Clone, Debug, Default, serde::Serialize)]
struct Nothing {}

impl DecideArguments {
    pub(super) async fn run(self, action: ApprovalAction) -> anyhow::Result<ExitCode> {
        let ids = case_ids(&self.case_ids)?;
        let operator = Operator::connect().await?;
        let deciding = Deciding {
            requests: Requests::new(&operator, &operator.config.approvals_queue_url),
            operator: &operator,
            action,
            reason: &self.reason,
        };
        let (mut array, mut all_recorded) = (JsonArray::default(), true);
        let reports: Vec<_> = ids.iter().map(|id| deciding.decide(id)).collect();
        let mut reports = stream::iter(reports).buffered(MAX_CONCURRENCY);
        while let Some(report) = reports.next().await {
            all_recorded &= !matches!(report.result, "refused" | "failed" | UNANSWERED);
            if self.json {
                array.push(&report)?;
            } else {
                terminal::say(&report.line())?;
            }
        }
        if self.json {
            array.end()?;
        }
        Ok(if all_recorded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

struct Deciding<'a> {
    operator: &'a Operator,
    requests: Requests<'a>,
    action: ApprovalAction,
    reason: &'a str,
}

impl Deciding<'_> {
    async fn decide(&self, case_id: &str) -> Report<Nothing> {
        let case = match self.operator.case(case_id).await {
            Ok(Ok(case)) => case,
            Ok(Err(refusal)) => return Report::on(case_id, None).refused(refusal),
            Err(error) => return Report::on(case_id, None).failed(&error),
        };
        let report = Report::on(case_id, Some(&case));
        let request = ApprovalRequest {
            request_id: request_id(),
            case_id: case.case_id,
            approval_id: case.approval.id,
            plan_hash: case.approval.plan_hash,
            action: self.action,
            reason: self.reason.to_owned(),
        };
        match self.requests.ask(&request.request_id, &request).await {
            Ok(answer) => report.answered(answer),
            Err(error) => report.failed(&error),
        }
    }
}
