//! `cordon restore`.

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use cordon_domain::{
    case::{Case, Restore, RestoreResult},
    request::{AnswerResult, IamRestore, RestoreRequest},
};
use futures::{StreamExt, stream};
use serde::Serialize;

use super::{
    operator::{Operator, case_id_or_input, case_ids, reason},
    requests::{Requests, request_id},
    terminal::{self, JsonArray, Progress},
};
use crate::{app::refusals::Refusal, error::Error};

/// Arguments of `cordon restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon restore 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454 --reason \"test data\"
  cordon quarantine list --bucket 'finance-*' --since 2h | cordon restore - --reason \"INC-4711\"

A worker starts the restore; neither the gateway nor Slack is needed.
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
    /// Print a JSON array at the end: `case_id`, `bucket`, `key`, `result` (restored, failed, refused, under_way,
    /// unanswered), `detail`, `code`, `run`.
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
        let asking = Asking {
            requests: Requests::new(&operator, &operator.config.restores_queue_url),
            arguments: &self,
            operator: &operator,
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
    requests: Requests<'a>,
    arguments: &'a RestoreArguments,
    operator: &'a Operator,
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
        let Self { arguments, requests, .. } = self;
        let request_id = request_id();
        let request = RestoreRequest::Iam(IamRestore {
            request_id: request_id.clone(),
            case_id: case.case_id,
            reason: arguments.reason.clone(),
            replace: arguments.replace,
            even_if_exposed: arguments.even_if_exposed,
            copy_generation: arguments.generation,
        });
        match requests.ask(&request_id, &request).await {
            Ok(answer) => {
                let started = answer.as_ref().filter(|answer| answer.result == AnswerResult::UnderWay);
                let run = started.and_then(|answer| answer.execution_arn.clone());
                Report { more: Run { run }, ..report.answered(answer) }
            }
            Err(error) => report.failed(&error),
        }
    }
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
