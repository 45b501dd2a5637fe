//! Records how a run ended, and has Slack told.
//!
//! Input / output: run and everything the run knows → what is on record; `failure`, what the run is to fail with, if it
//! failed; `notice`, what operators have to know besides, if anything.
//! Effects: case closed and due for rendering, event `Cordon Case Outcome`.
//! Idempotency: case and outcome; the first close counts, and what it recorded is reported.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none; a later generation may follow.

mod run;

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{Case, Decision, Outcome, OutcomeResult, RestoreOutcome, RestoreResult, Status},
    failure::Failure,
    policy::preview::preview,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::run::{Run, outcome, restore_outcome, unscanned};
use crate::{
    app::{clients::Clients, notifications},
    error::{Code, Error, Result},
    store::Conditional,
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// The code of a failure that has none of its own.
const UNKNOWN: &str = "Unknown";

/// See the module.
pub(super) struct ReportOutcome(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    run: Run,
}

#[derive(Serialize)]
pub(super) struct Output {
    outcome: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

impl Activity for ReportOutcome {
    const NAME: &'static str = "report_outcome";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        if input.run.request_id.is_some() {
            return self.of_restore(&input).await;
        }
        let case_id = input.run.triaged_case();
        let case = match case_id {
            Some(case_id) => {
                self.0.cases.get(case_id).await?.filter(|case| case.execution_arn == input.execution_arn)
            }
            None => None,
        };
        let mut ended = match &case {
            Some(case) if case.plan.shadow && input.run.error.is_none() => shadow(case),
            None if case_id.is_some() && input.run.error.is_none() => overtaken(),
            _ => outcome(&input.run, case.as_ref().and_then(Case::decision)),
        };
        let unscanned = unscanned(&input.run);
        if let Some(unscanned) = &unscanned {
            ended.detail = format!("{} {unscanned}", ended.detail);
        }
        let outcome = match &case {
            Some(case) => reported(&ended, self.close(case, &ended).await?),
            None => ended.clone(),
        };
        let failure = failure(&ended).or_else(|| failure(&outcome));
        let notice = unscanned
            .zip(case.as_ref())
            .map(|(what, case)| format!("{what} Case {}, bucket {}.", case.case_id, case.object().bucket));
        let detail = json!({
            "caseId": case_id,
            "executionArn": input.execution_arn,
            "outcome": outcome.result.name(),
            "detail": outcome.detail,
            "code": outcome.code,
            "bucket": case.as_ref().map(|case| &case.object().bucket),
        });
        self.0.events.publish("Cordon Case Outcome", &detail).await?;
        metrics::counter!("Outcomes", "Outcome" => outcome.result.name()).increment(1);
        if let Some(seconds) = case.as_ref().and_then(decision_seconds) {
            metrics::histogram!("DecisionSeconds").record(seconds);
        }
        tracing::info!(
            execution.arn = input.execution_arn,
            case.id = case_id,
            case.outcome = outcome.result.name(),
            "outcome recorded"
        );
        Ok(Output { outcome: outcome.result.name(), detail: outcome.detail, failure, notice })
    }
}

impl ReportOutcome {
    /// Closes a case; gives back the outcome that is on record then. That is another one if somebody was first: this task
    /// before it was repeated, or whoever took the run for dead. `None` when the case is another run's by now.
    async fn close(&self, case: &Case, outcome: &Outcome) -> Result<Option<Outcome>> {
        if case.status != Status::Open {
            return Ok(case.outcome().cloned());
        }
        if case.approval.asked == 0 {
            notifications::list_in_burst(&self.0, case).await?;
        }
        let closed = match self.0.cases.close(case, outcome).await? {
            Conditional::Written(closed) | Conditional::Mine(closed) => Some(closed),
            Conditional::Theirs(other) => other,
        };
        Ok(closed
            .filter(|now| now.execution_arn == case.execution_arn)
            .and_then(|now| now.outcome().cloned()))
    }

    async fn of_restore(&self, input: &Input) -> Result<Output> {
        let ended = restore_outcome(&input.run);
        let case = match input.run.restored_case() {
            Some(case_id) => self.0.cases.get(case_id).await?,
            None => None,
        };
        let recorded = match &case {
            Some(case) => self.close_restore(case, &input.execution_arn, &ended).await?,
            None => None,
        };
        let outcome = reported_restore(&ended, recorded);
        let failure = restore_failure(&ended).or_else(|| restore_failure(&outcome));
        let result = outcome.result.name();
        let case_id = case.as_ref().map(|case| &case.case_id);
        let detail = json!({
            "caseId": case_id,
            "executionArn": input.execution_arn,
            "outcome": result,
            "detail": outcome.detail,
            "code": outcome.code,
            "bucket": case.as_ref().map(|case| &case.object().bucket),
        });
        self.0.events.publish("Cordon Restore Outcome", &detail).await?;
        tracing::info!(
            execution.arn = input.execution_arn,
            case.id = case_id,
            restore.outcome = result,
            "outcome recorded"
        );
        Ok(Output { outcome: result, detail: outcome.detail, failure, notice: None })
    }

    /// The same for a restore. `None` when the case knows of no restore by this run.
    async fn close_restore(
        &self,
        case: &Case,
        execution_arn: &str,
        outcome: &RestoreOutcome,
    ) -> Result<Option<RestoreOutcome>> {
        let is_ours =
            |case: &Case| case.open_restore().is_some_and(|restore| restore.execution_arn == execution_arn);
        let recorded = |case: &Case| {
            let ours =
                case.quarantine.restores.iter().rev().find(|restore| restore.execution_arn == execution_arn);
            ours.and_then(|restore| restore.outcome.clone())
        };
        if !is_ours(case) {
            return Ok(recorded(case));
        }
        let ended = case.clone().with_open_restore(|restore| restore.outcome = Some(outcome.clone()));
        Ok(match self.0.cases.close_restore(&ended).await? {
            Some(closed) => recorded(&closed),
            None => self.0.cases.get(&case.case_id).await?.as_ref().and_then(recorded),
        })
    }
}

/// What is told of a run that ended so, where this is on record.
fn reported(ended: &Outcome, recorded: Option<Outcome>) -> Outcome {
    match recorded {
        None if ended.result == OutcomeResult::Failed => ended.clone(),
        None => overtaken(),
        Some(recorded)
            if recorded.result == OutcomeResult::Failed && ended.result != OutcomeResult::Failed =>
        {
            let detail = after_all(&recorded.detail, ended.result.name(), &ended.detail);
            Outcome { detail, ..recorded }
        }
        Some(recorded) => recorded,
    }
}

fn reported_restore(ended: &RestoreOutcome, recorded: Option<RestoreOutcome>) -> RestoreOutcome {
    match recorded {
        None if ended.result == RestoreResult::Failed => ended.clone(),
        None => RestoreOutcome {
            result: RestoreResult::Failed,
            detail: format!("The case knows of no restore by this run, which itself says: {}", ended.detail),
            code: Some(Code::NotAuthorized.name().into()),
            at: ended.at,
        },
        Some(recorded)
            if recorded.result == RestoreResult::Failed && ended.result == RestoreResult::Restored =>
        {
            let detail = after_all(&recorded.detail, "restored", &ended.detail);
            RestoreOutcome { detail, ..recorded }
        }
        Some(recorded) => recorded,
    }
}

/// A case that was closed as failed before its run came to its end.
fn after_all(recorded: &str, ended: &str, detail: &str) -> String {
    format!("{recorded} The case was closed with that; the run itself came to the end \"{ended}\": {detail}")
}

/// A run whose case belongs to another one by now, or is gone.
fn overtaken() -> Outcome {
    Outcome {
        result: OutcomeResult::Failed,
        detail: "The case belongs to a newer run, or is gone, so this run's outcome is on no record. Look at the object \
                 and at the case before you start another response."
            .into(),
        code: Some(Code::NotAuthorized.name().into()),
    }
}

/// What a run with this outcome fails with: a failed outcome never ends green.
fn failure(outcome: &Outcome) -> Option<Failure> {
    (outcome.result == OutcomeResult::Failed).then(|| failed(outcome.code.as_deref(), &outcome.detail))
}

fn restore_failure(outcome: &RestoreOutcome) -> Option<Failure> {
    (outcome.result == RestoreResult::Failed).then(|| failed(outcome.code.as_deref(), &outcome.detail))
}

fn failed(code: Option<&str>, detail: &str) -> Failure {
    Failure { code: code.unwrap_or(UNKNOWN).into(), cause: detail.into() }
}

/// How long people took to decide, where they did.
fn decision_seconds(case: &Case) -> Option<f64> {
    let decided = case.approval.decided.as_ref().filter(|decided| decided.what != Decision::Expired)?;
    let took = case.opened_at.timestamp().duration_until(decided.at.timestamp());
    (!case.approval.votes.is_empty()).then(|| took.as_secs_f64())
}

/// What would have happened to a case if policy acted.
fn shadow(case: &Case) -> Outcome {
    let why = match &case.plan.protected_by {
        Some(glob) => format!("The bucket is protected (by {glob})"),
        None => "Policy is in shadow mode".into(),
    };
    let detail = format!(
        "{why}, so nothing was touched. Rule {}: {}",
        case.plan.rule,
        preview(case.disposition, &case.plan)
    );
    Outcome { result: OutcomeResult::Shadow, detail, code: None }
}

#[cfg(test)]
mod tests;
