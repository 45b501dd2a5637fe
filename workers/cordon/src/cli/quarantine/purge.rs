//! `cordon quarantine purge`.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use cordon_domain::{
    case::Case,
    request::{Answer, AnswerResult, PurgeRequest, PurgeStep},
};
use serde::Serialize;

use crate::{
    app::{purges, refusals::unavailable},
    aws::purger::Purgers,
    cli::{
        operator::{Operator, case_id_or_input, case_ids, reason},
        report::NO_WORKER,
        requests::{Requests, request_id},
        terminal::{self, JsonArray, Progress},
    },
    error::Result,
};

/// Arguments of `cordon quarantine purge`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon quarantine purge 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454 --reason \"GDPR-17\"

You need the role in CORDON_PURGER_ROLE_ARN, which Terraform's `purgers` gives: your own session deletes, and a worker
records it before and after. A purge that broke off is finished by the
same command. The exit code is 0 when nothing of the cases is left but their manifests.")]
pub(in crate::cli) struct PurgeArguments {
    /// The cases whose copies are to be deleted; `-` reads them from standard input, the first word of each line.
    #[arg(required = true, value_name = "CASE_ID", value_parser = case_id_or_input)]
    case_ids: Vec<String>,
    /// Why; it is kept in the case and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Do not ask for confirmation.
    #[arg(long)]
    yes: bool,
    /// Print a JSON array at the end: `case_id`, `bucket`, `key`, `result` (purged, failed, refused, unanswered), `detail`,
    /// `code`, `versions` (how many were deleted).
    #[arg(long)]
    json: bool,
}

/// What became of one case.
type Report = crate::cli::report::Report<Deleted>;

/// How many versions of copies there were.
#[derive(Clone, Debug, Default, Serialize)]
struct Deleted {
    versions: usize,
}

const PURGED: &str = "purged";

impl PurgeArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        if !self.yes && (self.case_ids.iter().any(|id| id == "-") || !io::stdin().is_terminal()) {
            bail!("purging cannot be undone and there is no terminal to ask on: add --yes if you are sure");
        }
        let ids = case_ids(&self.case_ids)?;
        let operator = Operator::connect().await?;
        let role_arn = operator.config.purger_role_arn.as_ref().context(
            "CORDON_PURGER_ROLE_ARN is not set: nobody may purge until Terraform's `purgers` names them; its output \
             `operator_environment` then holds the role",
        )?;
        let purgers = Purgers {
            config: &operator.aws,
            caller: &operator.caller,
            role_arn,
            bucket: &operator.config.quarantine_bucket,
            account: &operator.config.account,
        };
        let purging = Purging {
            requests: Requests::new(&operator, &operator.config.purges_queue_url),
            purgers,
            reason: &self.reason,
        };
        let (mut reports, mut to_delete) = (Vec::new(), Vec::new());
        for id in &ids {
            match operator.case(id).await? {
                Ok(case) => match unavailable(&case) {
                    None => to_delete.push(case),
                    Some(refusal) => reports.push(Report::on(id, Some(&case)).refused(refusal)),
                },
                Err(refusal) => reports.push(Report::on(id, None).refused(refusal)),
            }
        }
        if !self.json {
            reports.iter().try_for_each(|report| terminal::say(&report.line()))?;
        }
        if !to_delete.is_empty() && !self.yes {
            confirmed(&to_delete)?;
        }
        let mut progress = Progress::new(to_delete.len());
        for case in &to_delete {
            let purged = purging.purge(case).await;
            let report = purged.unwrap_or_else(|error| Report::on(&case.case_id, Some(case)).failed(&error));
            progress.step(|| if self.json { Ok(()) } else { terminal::say(&report.line()) })?;
            reports.push(report);
        }
        drop(progress);
        if self.json {
            let mut array = JsonArray::default();
            reports.iter().try_for_each(|report| array.push(report))?;
            array.end()?;
        }
        let all = reports.iter().all(|report| report.result == PURGED);
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

struct Purging<'a> {
    requests: Requests<'a>,
    purgers: Purgers<'a>,
    reason: &'a str,
}

impl Purging<'_> {
    /// Deletes every copy of a case. The role comes first, so that nothing is recorded by somebody who may not have it; the
    /// record comes before the first deletion, so that nobody restores what is being deleted.
    async fn purge(&self, case: &Case) -> Result<Report> {
        let report = Report::on(&case.case_id, Some(case));
        // What is deleted has to be the case's own, whoever has written to its record.
        if let Some(refusal) = purges::foreign_copies(case) {
            return Ok(report.refused(refusal));
        }
        let mut sessions = Vec::new();
        for copy in &case.quarantine.copies {
            sessions.push(self.purgers.open(&copy.key).await?);
        }
        // Nobody waits to delete what is recorded later: it would only be kept from being put back.
        let begun = if self.requests.is_silent() { None } else { self.ask(case, PurgeStep::Begin).await? };
        if begun.is_none() {
            return Ok(unanswered(report, "Nothing was deleted"));
        }
        if !begun.as_ref().is_some_and(|answer| answer.result == AnswerResult::Accepted) {
            return Ok(report.answered(begun));
        }
        let mut versions = 0;
        for purger in &sessions {
            versions += purger.purge().await?;
        }
        let report = Report { more: Deleted { versions }, ..report };
        Ok(match self.ask(case, PurgeStep::End).await? {
            None => unanswered(report, "The copies are deleted, and that is not on record yet"),
            ended => report.answered(ended),
        })
    }

    async fn ask(&self, case: &Case, step: PurgeStep) -> Result<Option<Answer>> {
        let request = PurgeRequest {
            request_id: request_id(),
            case_id: case.case_id.clone(),
            reason: self.reason.to_owned(),
            step,
        };
        self.requests.ask(&request.request_id, &request).await
    }
}

fn unanswered(report: Report, what: &str) -> Report {
    let detail = format!("{what}: {NO_WORKER} Run the command again when one does.");
    Report { detail, ..report.answered(None) }
}

/// Has the number of objects typed.
fn confirmed(to_delete: &[Case]) -> anyhow::Result<()> {
    for case in to_delete {
        terminal::note(&format!("  {}/{}", case.object().bucket, case.object().key));
    }
    let number = to_delete.len().to_string();
    terminal::note(&format!(
        "To delete the copies of these from quarantine for good, type their number ({number}):"
    ));
    let mut typed = String::new();
    io::stdin().read_line(&mut typed).context("the terminal cannot be read")?;
    if typed.trim() != number {
        bail!("that is not the number; nothing was deleted");
    }
    Ok(())
}
