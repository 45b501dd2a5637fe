//! `cordon restore`.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use cordon_domain::case::{Case, Restore, RestoreResult};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::{
    operator::{Operator, case_id_or_input, case_ids, reason},
    report::{Refusal, unavailable},
    terminal::{self, JsonArray, Progress},
};
use crate::{
    app::restores::{self, Request},
    aws::step_functions::StepFunctions,
    error::Error,
};

/// Arguments of `cordon restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon restore 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454 --reason \"test data\"
  cordon quarantine list --bucket 'finance-*' --since 2h | cordon restore - --reason \"INC-4711\"

The exit code is 0 when all were put back, 1 when one was not, 130 after Ctrl-C; restores go on without the command.")]
pub(super) struct RestoreArguments {
    /// The cases whose objects are to be put back; `-` reads them from standard input, the first word of each line.
    #[arg(required = true, value_name = "CASE_ID", value_parser = case_id_or_input)]
    case_ids: Vec<String>,
    /// Why; it is kept in the case and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Put the object back even where another one is by now, which is replaced.
    #[arg(long)]
    replace: bool,
    /// Put the object back even into a bucket that is still shared.
    #[arg(long)]
    even_if_exposed: bool,
    /// Put back the copy that this generation of the case has made, and not the newest one; `cordon quarantine show` lists
    /// them.
    #[arg(long, value_name = "N")]
    generation: Option<u32>,
    /// Start the restores and do not wait for their end.
    #[arg(long)]
    no_wait: bool,
    /// Print a JSON array at the end: `case_id`, `bucket`, `key`, `result` (restored, failed, refused, under_way),
    /// `detail`, `code`, `run`.
    #[arg(long)]
    json: bool,
}

/// Requests, and looks at cases, at once.
const MAX_CONCURRENCY: usize = 8;
/// How long the first look at the cases is waited for, and the most that any is.
const FIRST_LOOK: Duration = Duration::from_millis(300);
const LAST_LOOK: Duration = Duration::from_secs(5);
/// What a shell expects of a command that was ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// What became of one case.
type Report = super::report::Report<Run>;

/// The run that puts the object back.
#[derive(Clone, Debug, Default, Serialize)]
struct Run {
    run: Option<String>,
}

/// Restored, as a report says it; the only end that counts as success.
const RESTORED: &str = "restored";
const UNDER_WAY: &str = "under_way";

impl RestoreArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let ids = case_ids(&self.case_ids)?;
        let operator = Operator::connect().await?;
        let step_functions = StepFunctions::new(aws_sdk_sfn::Client::new(&operator.aws));
        let asking = Asking {
            request: Request {
                by: operator.caller.clone(),
                reason: self.reason.clone(),
                replace: self.replace,
                even_if_exposed: self.even_if_exposed,
                copy_generation: self.generation,
            },
            operator: &operator,
            step_functions: &step_functions,
        };
        let mut reports: Vec<_> = ids.iter().map(|id| Report::on(id, None).refused(not_asked())).collect();
        let mut progress = Progress::new(ids.len());
        let mut shown = Shown { json: self.json, progress: &mut progress };
        let interrupted = {
            let work = async {
                asking.ask_all(&ids, &mut reports, &mut shown, self.no_wait).await?;
                if !self.no_wait {
                    operator.follow(&mut reports, &mut shown).await?;
                }
                anyhow::Ok(())
            };
            tokio::select! {
                done = work => {
                    done?;
                    false
                }
                Ok(()) = tokio::signal::ctrl_c() => true,
            }
        };
        drop(progress);
        self.end(&reports, interrupted)
    }

    fn end(&self, reports: &[Report], interrupted: bool) -> anyhow::Result<ExitCode> {
        let under_way = reports.iter().filter(|report| report.result == UNDER_WAY).count();
        let restored = reports.iter().filter(|report| report.result == RESTORED).count();
        if self.json {
            let mut array = JsonArray::default();
            for report in reports {
                array.push(report)?;
            }
            array.end()?;
        } else if self.no_wait {
            terminal::say(&format!("{under_way} of {} were started.", reports.len()))?;
        } else if reports.len() > 1 {
            terminal::say(&format!("{restored} of {} were put back.", reports.len()))?;
        }
        if interrupted {
            terminal::note(&format!(
                "Stopped waiting. {under_way} of {} restores have not ended; what was asked for goes on without this \
                 command. `cordon quarantine show <case-id>` tells how each stands.",
                reports.len()
            ));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let good = if self.no_wait { under_way } else { restored };
        Ok(if good == reports.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Where reports go as they come.
struct Shown<'a> {
    json: bool,
    progress: &'a mut Progress,
}

impl Shown<'_> {
    /// A case has come to its end, as far as this command goes.
    fn ended(&mut self, report: &Report) -> std::io::Result<()> {
        let json = self.json;
        self.progress.step(|| if json { Ok(()) } else { terminal::say(&report.line()) })
    }

    fn note(&self, note: &str) -> std::io::Result<()> {
        self.progress.beside(|| {
            terminal::note(note);
            Ok(())
        })
    }
}

/// Asking for restores.
struct Asking<'a> {
    request: Request,
    operator: &'a Operator,
    step_functions: &'a StepFunctions,
}

impl Asking<'_> {
    async fn ask_all(
        &self,
        ids: &[String],
        reports: &mut [Report],
        shown: &mut Shown<'_>,
        no_wait: bool,
    ) -> anyhow::Result<()> {
        let asked: Vec<_> =
            ids.iter().enumerate().map(|(index, id)| async move { (index, self.ask(id).await) }).collect();
        let mut asked = stream::iter(asked).buffer_unordered(MAX_CONCURRENCY);
        while let Some((index, report)) = asked.next().await {
            if no_wait || report.result != UNDER_WAY {
                shown.ended(&report)?;
            } else if report.code.is_some() {
                shown.note(&report.detail)?;
            }
            reports[index] = report;
        }
        Ok(())
    }

    async fn ask(&self, case_id: &str) -> Report {
        let case = match self.operator.case(case_id).await {
            Ok(Ok(case)) => case,
            Ok(Err(refusal)) => return Report::on(case_id, None).refused(refusal),
            Err(error) => return Report::on(case_id, None).failed(&error),
        };
        let report = Report::on(case_id, Some(&case));
        if let Some(refusal) = refusal(&case) {
            return report.refused(refusal);
        }
        if let Some(refusal) = self.request.copy_generation.and_then(|wanted| without_copy(&case, wanted)) {
            return report.refused(refusal);
        }
        let arn = &self.operator.config.object_restore_arn;
        let asked =
            restores::request(&self.operator.cases, self.step_functions, arn, &case, self.request.clone())
                .await;
        match asked {
            Ok(Some(run)) => under_way(&case, run),
            Ok(None) => report.refused(self.overtaken(&case.case_id).await),
            Err(error) => match self.on_record(&case.case_id).await {
                Some(run) => Report {
                    detail: format!("On record; a worker starts its run, as this command could not: {error}"),
                    code: report.failed(&error).code,
                    ..under_way(&case, run)
                },
                None => report.failed(&error),
            },
        }
    }

    /// Why a case that could be put back a moment ago can't be now.
    async fn overtaken(&self, case_id: &str) -> Refusal {
        let now = self.operator.cases.get(case_id).await.ok().flatten();
        now.as_ref().and_then(refusal).unwrap_or_else(Refusal::overtaken)
    }

    /// The run of a request that is on record although its start was not answered: the reconciler starts it.
    async fn on_record(&self, case_id: &str) -> Option<String> {
        let case = self.operator.cases.get(case_id).await.ok()??;
        let restore = case.open_restore()?;
        let ours = restore.requested_by == self.request.by && restore.reason == self.request.reason;
        ours.then(|| restore.execution_arn.clone())
    }
}

/// Why a case cannot be put back.
fn refusal(case: &Case) -> Option<Refusal> {
    if let Some(purge) = &case.quarantine.purge {
        let why = match &purge.done_at {
            Some(at) => format!("Its copy was deleted from quarantine at {at}"),
            None => "Its copy is being deleted from quarantine".into(),
        };
        let why = format!(
            "{why}, as {} asked ({}); there is nothing to put back.",
            purge.requested_by, purge.reason
        );
        return Some(Refusal { code: "Purged", why });
    }
    unavailable(case)
}

/// Why the copies of this generation cannot be put back, if there are none.
fn without_copy(case: &Case, wanted: u32) -> Option<Refusal> {
    let generations: Vec<_> = case.quarantine.copies.iter().map(|copy| copy.generation).collect();
    (!generations.contains(&wanted)).then(|| {
        let there = generations.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let why = format!("It has no copy of generation {wanted}, but of {there}; name one of these.");
        Refusal { code: "UnknownCopy", why }
    })
}

impl Operator {
    /// Looks at the cases until every restore that was asked for has ended.
    async fn follow(&self, reports: &mut [Report], shown: &mut Shown<'_>) -> anyhow::Result<()> {
        let (mut pause, mut told) = (FIRST_LOOK, String::new());
        loop {
            let open: Vec<_> =
                (0..reports.len()).filter(|&index| reports[index].result == UNDER_WAY).collect();
            if open.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            let looks: Vec<_> = open
                .iter()
                .map(|&index| {
                    let id = reports[index].case_id.clone();
                    async move { (index, self.cases.get(&id).await) }
                })
                .collect();
            let mut looks = stream::iter(looks).buffer_unordered(MAX_CONCURRENCY);
            let (mut ended, mut waits) = (0, None);
            while let Some((index, look)) = looks.next().await {
                match look {
                    Ok(case) => match after(&reports[index], case.as_ref()) {
                        Some(report) => {
                            ended += 1;
                            shown.ended(&report)?;
                            reports[index] = report;
                        }
                        None if case.is_some_and(|case| case.waits.paused.is_some()) => {
                            waits =
                                Some("Cordon is paused; restores go on after `cordon resume`.".to_owned());
                        }
                        None => {}
                    },
                    Err(error @ Error::Retryable(_)) => {
                        waits = Some(format!("{error}; the restores go on, and are looked at again."));
                    }
                    Err(error) => {
                        return Err(error).context("the restores go on, but can no longer be followed");
                    }
                }
            }
            // Each state of affairs is told once.
            if let Some(waits) = waits.filter(|waits| *waits != told) {
                shown.note(&waits)?;
                told = waits;
            }
            pause = if ended > 0 { FIRST_LOOK } else { (pause * 3 / 2).min(LAST_LOOK) };
        }
    }
}

/// The report on a case whose restore has ended. A generation that followed it keeps it in its history.
fn after(asked: &Report, case: Option<&Case>) -> Option<Report> {
    let ended = |result, detail: &str, code| Report { result, detail: detail.into(), code, ..asked.clone() };
    let Some(case) = case else {
        let gone = "The case is no longer on record; look at its run in Step Functions.";
        return Some(ended("failed", gone, Some("UnknownCase".into())));
    };
    let earlier = case.history.iter().flat_map(|past| &past.quarantine.restores);
    let ours = |restore: &&Restore| Some(&restore.execution_arn) == asked.more.run.as_ref();
    let outcome = earlier.chain(&case.quarantine.restores).find(ours)?.outcome.as_ref()?;
    let result = match outcome.result {
        RestoreResult::Restored => RESTORED,
        RestoreResult::Failed => "failed",
    };
    Some(ended(result, &outcome.detail, outcome.code.clone()))
}

/// What is reported of the cases that Ctrl-C came before.
fn not_asked() -> Refusal {
    Refusal {
        code: "Interrupted",
        why: "The command was stopped before this was asked for, or answered.".into(),
    }
}

fn under_way(case: &Case, run: String) -> Report {
    Report {
        result: UNDER_WAY,
        detail: "Asked for; the run goes on by itself.".into(),
        more: Run { run: Some(run) },
        ..Report::on(&case.case_id, Some(case))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::{case::QuarantineCopy, fixtures::case, policy::Disposition};

    #[test]
    fn a_generation_that_has_made_no_copy_is_refused_before_anything_starts() {
        let mut case = case(Disposition::Quarantine);
        case.quarantine.copies =
            [1, 3].map(|generation| QuarantineCopy { generation, key: "k".into() }).to_vec();
        assert_eq!(without_copy(&case, 3), None);
        let refusal = without_copy(&case, 9).unwrap();
        assert_eq!(refusal.why, "It has no copy of generation 9, but of 1, 3; name one of these.");
    }
}
