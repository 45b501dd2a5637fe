//! Records how a run ended, and has Slack told.
//!
//! Input / output: run and everything the run knows → what was recorded.  Effects: case closed and due for rendering,
//! event `Cordon Case Outcome`.
//! Idempotency: case and outcome; the first close counts.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none; a later generation may follow.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    clients::Clients,
    domain::{
        case::{Case, Decision, Outcome, OutcomeResult, RestoreOutcome, RestoreResult, Status},
        foresight::foresee,
        time,
    },
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct ReportOutcome(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    run: Value,
}

#[derive(Serialize)]
pub(super) struct Output {
    outcome: &'static str,
    detail: String,
}

impl Activity for ReportOutcome {
    const NAME: &'static str = "report_outcome";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        if input.run.get("request_id").is_some() {
            return self.of_restore(&input).await;
        }
        let case_id = input.run.pointer("/triage/case_id").and_then(Value::as_str);
        let case = match case_id {
            Some(case_id) => {
                self.0.cases.get(case_id).await?.filter(|case| case.execution_arn == input.execution_arn)
            }
            None => None,
        };
        let outcome = match &case {
            Some(case) if case.plan.shadow && input.run.get("error").is_none() => shadow(case),
            _ => outcome(&input.run, case.as_ref().and_then(|case| case.decision)),
        };
        if let Some(case) = case.as_ref().filter(|case| case.status == Status::Open) {
            let digest = self.0.cases.digest_for(case).await?;
            self.0.cases.close(case, &outcome, digest.as_deref()).await?;
        }
        let detail = json!({
            "caseId": case_id,
            "executionArn": input.execution_arn,
            "outcome": outcome.result.name(),
            "detail": outcome.detail,
            "code": outcome.code,
            "bucket": case.as_ref().map(|case| &case.object().bucket),
        });
        self.0.events.publish("Cordon Case Outcome", &detail).await?;
        tracing::info!(
            execution.arn = input.execution_arn,
            case.id = case_id,
            case.outcome = outcome.result.name(),
            "outcome recorded"
        );
        Ok(Output { outcome: outcome.result.name(), detail: outcome.detail })
    }
}

impl ReportOutcome {
    async fn of_restore(&self, input: &Input) -> Result<Output> {
        let outcome = restore_outcome(&input.run);
        let case = match input.run.get("case_id").and_then(Value::as_str) {
            Some(case_id) => self.0.cases.get(case_id).await?,
            None => None,
        };
        let ours = |case: &Case| {
            case.open_restore().is_some_and(|restore| restore.execution_arn == input.execution_arn)
        };
        if let Some(case) = case.clone().filter(ours) {
            let ended = case.with_open_restore(|restore| restore.outcome = Some(outcome.clone()));
            self.0.cases.close_restore(&ended).await?;
        }
        let result = match outcome.result {
            RestoreResult::Restored => "restored",
            RestoreResult::Failed => "failed",
        };
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
        Ok(Output { outcome: result, detail: outcome.detail })
    }
}

/// Reads the outcome of a restore from what the states left behind.
fn restore_outcome(run: &Value) -> RestoreOutcome {
    let text = |pointer: &str| run.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let ended = |result, detail: &str, code: Option<&str>| RestoreOutcome {
        result,
        detail: detail.into(),
        code: code.map(str::to_owned),
        at: time::now(),
    };
    if run.get("error").is_some() {
        let code = text("/error/Error").unwrap_or("Unknown");
        let cause = text("/error/Cause").map_or_else(|| format!("A step ended with {code}."), str::to_owned);
        return ended(RestoreResult::Failed, &cause, Some(code));
    }
    match text("/move/result") {
        Some("restored") => {
            ended(RestoreResult::Restored, text("/move/detail").unwrap_or("No further details."), None)
        }
        other => ended(
            RestoreResult::Failed,
            &format!("The run ended in a way that is not foreseen ({other:?})."),
            Some("Unknown"),
        ),
    }
}

/// What would have happened to a case if policy acted.
fn shadow(case: &Case) -> Outcome {
    let detail = format!(
        "Policy is in shadow mode, so nothing was touched. Rule {}: {}",
        case.plan.rule,
        foresee(case.disposition, &case.plan)
    );
    Outcome { result: OutcomeResult::Shadow, detail, code: None }
}

/// Reads the outcome from what the states left behind: an error, the move, or the decision not to move.
fn outcome(run: &Value, decision: Option<Decision>) -> Outcome {
    let text = |pointer: &str| run.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let plain = |result, detail: &str| Outcome { result, detail: detail.into(), code: None };
    if run.get("error").is_some() {
        let code = text("/error/Error").unwrap_or("Unknown");
        let cause = text("/error/Cause").map_or_else(|| format!("A step ended with {code}."), str::to_owned);
        return Outcome { code: Some(code.into()), ..plain(OutcomeResult::Failed, &cause) };
    }
    let moved =
        |result| plain(result, text("/move/detail").or(text("/move/Cause")).unwrap_or("No further details."));
    match (text("/move/result").or(text("/move/Error")), decision) {
        (Some("quarantined"), _) => moved(OutcomeResult::Quarantined),
        (Some("sample"), _) => moved(OutcomeResult::Sample),
        (Some("object_changed" | "ObjectChanged"), _) => moved(OutcomeResult::ObjectChanged),
        (Some("ObjectMissing"), _) => moved(OutcomeResult::ObjectMissing),
        (None, Some(Decision::Dismiss)) => plain(OutcomeResult::Dismissed, "The object stays where it is."),
        (None, Some(Decision::Expired)) => {
            plain(OutcomeResult::Expired, "Nobody decided in time; the object stays where it is.")
        }
        (other, _) => Outcome {
            code: Some("Unknown".into()),
            ..plain(
                OutcomeResult::Failed,
                &format!("The run ended in a way that is not foreseen ({other:?})."),
            )
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Disposition;

    fn of(run: Value, decision: Option<Decision>) -> (OutcomeResult, String) {
        let outcome = outcome(&run, decision);
        (outcome.result, outcome.detail)
    }

    #[test]
    fn an_error_is_a_failure_whatever_else_happened() {
        let run = json!({"error": {"Error": "AccessDenied", "Cause": "AWS refused."}, "move": {"result": "quarantined"}});
        assert_eq!(of(run, Some(Decision::Quarantine)), (OutcomeResult::Failed, "AWS refused.".into()));
        assert_eq!(
            of(json!({"error": {"Error": "States.Timeout", "Cause": ""}}), None),
            (OutcomeResult::Failed, "A step ended with States.Timeout.".into())
        );
    }

    #[test]
    fn what_a_policy_in_shadow_mode_would_have_done_is_the_outcome() {
        let mut case = crate::domain::case::tests::case(Disposition::Review);
        case.plan.shadow = true;
        let outcome = shadow(&case);
        assert_eq!(outcome.result, OutcomeResult::Shadow);
        for says in
            ["nothing was touched", "Rule credentials", "U0ALICE001 or the group S0SECURITY would be asked"]
        {
            assert!(outcome.detail.contains(says), "{}", outcome.detail);
        }
    }

    #[test]
    fn a_restore_has_put_back_only_what_says_so() {
        let result = |run: Value| restore_outcome(&run).result;
        assert_eq!(result(json!({"move": {"result": "restored"}})), RestoreResult::Restored);
        for failed in [json!({}), json!({"move": {"result": "restored"}, "error": {"Error": "ObjectExists"}})]
        {
            assert_eq!(result(failed), RestoreResult::Failed);
        }
    }

    #[test]
    fn every_way_through_the_flow_has_its_outcome() {
        let quarantined = json!({"move": {"result": "quarantined", "detail": "Moved."}});
        assert_eq!(of(quarantined, None).0, OutcomeResult::Quarantined);
        assert_eq!(
            of(json!({"move": {"Error": "ObjectChanged", "Cause": "c"}}), None),
            (OutcomeResult::ObjectChanged, "c".into())
        );
        assert_eq!(of(json!({"move": {"result": "sample"}}), None).0, OutcomeResult::Sample);
        assert_eq!(of(json!({}), Some(Decision::Dismiss)).0, OutcomeResult::Dismissed);
        assert_eq!(of(json!({}), Some(Decision::Expired)).0, OutcomeResult::Expired);
        assert_eq!(of(json!({}), None).0, OutcomeResult::Failed, "unknown is never a success");
    }
}
