//! `cordon approvals approve`, `dismiss` and `snooze`: the votes of Slack's buttons, by people whom IAM lets.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::{
    case::{
        Case, Counted, Decision, Status,
        vote::{Snooze, Vote, Voter},
    },
    policy::Disposition,
    time,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    aws::step_functions::StepFunctions,
    cli::{
        operator::{Operator, case_id_or_input, case_ids, reason},
        report::{Refusal, Report},
        terminal::{self, JsonArray},
    },
    clock,
    error::Result,
    store::Voted,
};

/// Arguments of the commands that decide.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon approvals list --bucket 'scratch-*' | cordon approvals approve - --reason \"INC-4711: Slack is down\"

The vote is the one of Slack's button: what has been decided stays decided, and a rule that asks for two people gets two.
The exit code is 0 when every vote is on record, 1 when one is not.")]
pub(in crate::cli) struct DecideArguments {
    /// The cases; `-` reads them from standard input, the first word of each line.
    #[arg(required = true, value_name = "CASE_ID", value_parser = case_id_or_input)]
    case_ids: Vec<String>,
    /// Why; it is kept in the case and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Print a JSON array: `case_id`, `bucket`, `key`, `result` (decided, counted, snoozed, refused, failed),
    /// `detail`, `code`.
    #[arg(long)]
    json: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The objects away.
    Quarantine,
    /// The objects left where they are.
    Dismiss,
    /// To be asked later.
    Snooze,
}

/// Nothing more is to be said of a case than of all.
#[derive(Clone, Debug, Default, serde::Serialize)]
struct Nothing {}

impl DecideArguments {
    pub(super) async fn run(self, asks: Asks) -> anyhow::Result<ExitCode> {
        let ids = case_ids(&self.case_ids)?;
        let operator = Operator::connect().await?;
        let step_functions = StepFunctions::new(aws_sdk_sfn::Client::new(&operator.aws));
        let by = Voter::Iam { arn: operator.caller.clone(), slack_user: operator.slack_user().await };
        let (mut array, mut all_recorded) = (JsonArray::default(), true);
        for id in &ids {
            let deciding = Deciding { operator: &operator, step_functions: &step_functions, by: &by, asks };
            let report = deciding.decide(id, &self.reason).await;
            all_recorded &= !matches!(report.result, "refused" | "failed");
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
    step_functions: &'a StepFunctions,
    by: &'a Voter,
    asks: Asks,
}

impl Deciding<'_> {
    async fn decide(&self, case_id: &str, reason: &str) -> Report<Nothing> {
        let case = match self.operator.case(case_id).await {
            Ok(Ok(case)) => case,
            Ok(Err(refusal)) => return Report::on(case_id, None).refused(refusal),
            Err(error) => return Report::on(case_id, None).failed(&error),
        };
        let report = Report::on(case_id, Some(&case));
        if let Some(refusal) = self.undecidable(&case) {
            return report.refused(refusal);
        }
        match self.record(&case, reason).await {
            Ok(Ok((result, detail))) => Report { result, detail, ..report },
            Ok(Err(refusal)) => report.refused(refusal),
            Err(error) => report.failed(&error),
        }
    }

    async fn record(
        &self,
        case: &Case,
        reason: &str,
    ) -> Result<std::result::Result<(&'static str, String), Refusal>> {
        let decision = match self.asks {
            Asks::Quarantine => Decision::Quarantine,
            Asks::Dismiss => Decision::Dismiss,
            Asks::Snooze => return self.snooze(case).await,
        };
        let vote = Vote {
            decision,
            by: self.by.clone(),
            reason: Some(reason.to_owned()),
            at: clock::now(),
            plan_hash: case.plan_hash.clone(),
        };
        Ok(match self.operator.cases.vote(case, &vote).await? {
            Voted::Counted(case, Counted::Decides) => {
                self.wake(&case).await;
                Ok(("decided", format!("{} is decided; the run goes on.", decision.name())))
            }
            Voted::Counted(_, counted) => {
                let missing = if let Counted::Missing(missing) = counted { missing } else { 1 };
                Ok(("counted", format!("The vote is on record; {missing} more must say the same.")))
            }
            Voted::Not(case) => {
                Err(case.as_deref().and_then(|case| self.undecidable(case)).unwrap_or(Refusal {
                    code: "VotedBefore",
                    why: "Your vote is on record already; another person has to say the same.".into(),
                }))
            }
        })
    }

    async fn snooze(&self, case: &Case) -> Result<std::result::Result<(&'static str, String), Refusal>> {
        let now = Timestamp::now();
        let until = now.saturating_add(SignedDuration::from_secs(case.plan.snooze_seconds.into()));
        let until = time::stored(until.unwrap_or(Timestamp::MAX));
        let snooze = Snooze { by: self.by.clone(), at: time::stored(now), until: until.clone() };
        Ok(match self.operator.cases.snooze(case, &snooze).await? {
            Some(case) => {
                self.wake(&case).await;
                Ok(("snoozed", format!("Nobody is asked until {until}.")))
            }
            None => Err(Refusal::overtaken()),
        })
    }

    /// Why there is nothing to decide for this person.
    fn undecidable(&self, case: &Case) -> Option<Refusal> {
        let refusal = |code, why| Some(Refusal { code, why });
        if case.decision.is_some() {
            let at = case.decided_at.as_deref().unwrap_or("an unknown time");
            let what = case.decision.map_or("unknown", Decision::name);
            return refusal("DecidedBefore", format!("It was decided at {at}: {what}."));
        }
        if case.status != Status::Open || case.disposition != Disposition::Review {
            return refusal(
                "NothingToDecide",
                "It does not wait for a decision; `cordon approvals show` tells why.".into(),
            );
        }
        let unknown = matches!(self.by, Voter::Iam { slack_user: None, .. });
        if unknown && case.plan.approvals > 1 && self.asks != Asks::Snooze {
            let why = format!(
                "Two people have to decide it, and policy does not say who {} is in Slack: have it added to `operators`.",
                self.by
            );
            return refusal("UnknownPerson", why);
        }
        None
    }

    /// The record counts; a run that cannot be woken now is woken by the reconciler.
    async fn wake(&self, case: &Case) {
        let Some(token) = &case.task_token else { return };
        if let Err(error) = self.step_functions.wake(token).await {
            tracing::debug!(error.message = %error, "run not woken; the reconciler will");
        }
    }
}
