//! Records how a run ended, and has Slack told.
//!
//! Input / output: run and everything the run knows → what is on record; `failure`, what the run is to fail with, if it
//! failed; `notice`, what operators have to know besides, if anything.
//! Effects: case closed and due for rendering, event `Cordon Case Outcome`.
//! Idempotency: case and outcome; the first close counts, and what it recorded is reported.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none; a later generation may follow.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{Case, Decision, Outcome, OutcomeResult, RestoreOutcome, RestoreResult, Status},
    failure::Failure,
    policy::preview::foresee,
    quoted::quoted,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{quarantine_object, restore_object};
use crate::{
    app::{clients::Clients, notifications},
    clock,
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

/// What the states of a run have left behind, and what it was started with. Whoever starts a run can put anything there,
/// so a member that is not as expected is as good as none.
#[derive(Default, Deserialize)]
struct Run {
    /// Of a restore: the input names case and request.
    request_id: Option<Value>,
    case_id: Option<Value>,
    triage: Option<Left<Triaged>>,
    #[serde(rename = "move")]
    moved: Option<Value>,
    rescan: Option<Left<Value>>,
    error: Option<Value>,
}

/// What is needed of the output of triage.
#[derive(Deserialize)]
struct Triaged {
    case_id: Option<String>,
}

/// What a state leaves behind: its output, or its failure.
#[derive(Deserialize)]
#[serde(untagged)]
enum Left<T> {
    Failure(Failure),
    Output(T),
    Other(Value),
}

impl Run {
    /// The case of a response.
    fn triaged_case(&self) -> Option<&str> {
        match &self.triage {
            Some(Left::Output(triage)) => triage.case_id.as_deref(),
            _ => None,
        }
    }

    /// The case of a restore.
    fn restored_case(&self) -> Option<&str> {
        self.case_id.as_ref()?.as_str()
    }

    /// What the move has left behind.
    fn moved<T: DeserializeOwned>(&self) -> Option<Left<T>> {
        let moved = self.moved.clone().filter(|moved| !moved.is_null())?;
        Some(Left::deserialize(&moved).unwrap_or(Left::Other(moved)))
    }
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
        notifications::list_in_burst(&self.0, case).await?;
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
            at: ended.at.clone(),
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

/// What a person has to do about the object that was written since the finding, where it could not be scanned.
fn unscanned(run: &Run) -> Option<String> {
    let Some(Left::Failure(rescan)) = &run.rescan else { return None };
    let sentence = rescan.sentence();
    let why = sentence.trim_end_matches('.');
    Some(format!("The new object could not be scanned ({why}). Scan it in Macie by hand."))
}

/// The error that brought the run to its end.
fn error(run: &Run) -> Option<Failure> {
    let error = run.error.as_ref()?;
    let unknown = || Failure { code: UNKNOWN.into(), cause: String::new() };
    Some(serde_json::from_value(error.clone()).unwrap_or_else(|_| unknown()))
}

/// Reads the outcome of a restore from what the states left behind.
fn restore_outcome(run: &Run) -> RestoreOutcome {
    let ended = |result, detail: &str, code: Option<&str>| RestoreOutcome {
        result,
        detail: detail.into(),
        code: code.map(str::to_owned),
        at: clock::now(),
    };
    if let Some(error) = error(run) {
        return ended(RestoreResult::Failed, &error.sentence(), Some(&error.code));
    }
    match run.moved::<restore_object::Output>() {
        Some(Left::Output(output)) if output.result == RestoreResult::Restored => {
            ended(RestoreResult::Restored, &output.detail, None)
        }
        other => ended(RestoreResult::Failed, &unexpected(other.map(result_of)), Some(UNKNOWN)),
    }
}

/// What a state has left behind that no activity answers with, as text.
fn result_of<T>(left: Left<T>) -> String {
    match left {
        Left::Failure(failure) => failure.code,
        Left::Output(_) => String::new(),
        Left::Other(other) => other["result"].as_str().map_or_else(|| other.to_string(), str::to_owned),
    }
}

fn unexpected(result: Option<String>) -> String {
    match result.filter(|result| !result.is_empty()) {
        Some(result) => format!("The execution ended with an unexpected result {}.", quoted(&result)),
        None => "The execution ended without a result.".into(),
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
fn outcome(run: &Run, decision: Option<Decision>) -> Outcome {
    let plain = |result, detail: &str| Outcome { result, detail: detail.into(), code: None };
    if let Some(error) = error(run) {
        return Outcome { code: Some(error.code.clone()), ..plain(OutcomeResult::Failed, &error.sentence()) };
    }
    match (run.moved::<quarantine_object::Output>(), decision) {
        (Some(Left::Output(output)), _) => plain(output.result.into(), &output.detail),
        (Some(Left::Failure(failure)), _) if failure.code == Code::ObjectChanged.name() => {
            plain(OutcomeResult::ObjectChanged, &failure.sentence())
        }
        (Some(Left::Failure(failure)), _) if failure.code == Code::ObjectMissing.name() => {
            plain(OutcomeResult::ObjectMissing, &failure.sentence())
        }
        (None, Some(Decision::Dismiss)) => plain(OutcomeResult::Dismissed, "The object stays where it is."),
        (None, Some(Decision::Expired)) => {
            plain(OutcomeResult::Expired, "Nobody decided in time; the object stays where it is.")
        }
        (other, _) => Outcome {
            code: Some(UNKNOWN.into()),
            ..plain(OutcomeResult::Failed, &unexpected(other.map(result_of)))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::policy::Disposition;

    fn left(run: Value) -> Run {
        serde_json::from_value(run).unwrap()
    }

    /// What the activity answers a finished move with.
    fn quarantined() -> Value {
        json!({"result": "quarantined", "detail": "Moved.", "quarantine_key": "k"})
    }

    fn of(run: Value, decision: Option<Decision>) -> (OutcomeResult, String) {
        let outcome = outcome(&left(run), decision);
        (outcome.result, outcome.detail)
    }

    #[test]
    fn an_error_is_a_failure_whatever_else_happened() {
        let run = json!({"error": {"Error": "AccessDenied", "Cause": "AWS refused."}, "move": quarantined()});
        assert_eq!(of(run, Some(Decision::Quarantine)), (OutcomeResult::Failed, "AWS refused.".into()));
        assert_eq!(
            of(json!({"error": {"Error": "States.Timeout", "Cause": ""}}), None),
            (OutcomeResult::Failed, "A step ended with States.Timeout.".into())
        );
    }

    #[test]
    fn what_a_policy_in_shadow_mode_would_have_done_is_the_outcome() {
        let case = cordon_domain::fixtures::case(Disposition::Review).with_plan(|plan| plan.shadow = true);
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
        let result = |run: Value| restore_outcome(&left(run)).result;
        assert_eq!(
            result(json!({"move": {"result": "restored", "detail": "Put back."}})),
            RestoreResult::Restored
        );
        for failed in [
            json!({}),
            json!({"move": {"result": "restored", "detail": "Put back."}, "error": {"Error": "ObjectExists"}}),
        ] {
            assert_eq!(result(failed), RestoreResult::Failed);
        }
    }

    fn with(result: OutcomeResult, detail: &str, code: Option<&str>) -> Outcome {
        Outcome { result, detail: detail.into(), code: code.map(str::to_owned) }
    }

    #[test]
    fn what_is_on_record_is_reported_and_a_run_that_failed_fails_whatever_is_on_record() {
        let quarantined = with(OutcomeResult::Quarantined, "Moved.", None);
        let failed = with(OutcomeResult::Failed, "AWS refused.", Some("AccessDenied"));
        // This task did it before it was repeated.
        assert_eq!(reported(&quarantined, Some(quarantined.clone())), quarantined);
        assert_eq!(failure(&quarantined), None);
        assert_eq!(reported(&failed, Some(quarantined.clone())), quarantined);
        assert_eq!(failure(&failed).unwrap().code, "AccessDenied");
        // Whoever took the run for dead.
        let dead = with(OutcomeResult::Failed, "The run ended as ABORTED.", Some("ABORTED"));
        let told = reported(&quarantined, Some(dead));
        assert_eq!(failure(&told).unwrap().code, "ABORTED");
        assert!(told.detail.contains("as ABORTED") && told.detail.contains("Moved."), "{}", told.detail);
        // Another run's.
        assert_eq!(failure(&reported(&quarantined, None)).unwrap().code, "NotAuthorized");
        assert_eq!(reported(&failed, None), failed);
    }

    #[test]
    fn a_restore_that_its_case_does_not_know_or_that_was_taken_for_dead_is_a_failure() {
        let ended = |result| RestoreOutcome { result, detail: "d".into(), code: None, at: String::new() };
        let (restored, dead) = (ended(RestoreResult::Restored), ended(RestoreResult::Failed));
        assert_eq!(restore_failure(&reported_restore(&restored, Some(restored.clone()))), None);
        for recorded in [None, Some(dead.clone())] {
            assert!(restore_failure(&reported_restore(&restored, recorded)).is_some());
        }
        assert_eq!(reported_restore(&dead, None), dead);
    }

    #[test]
    fn a_new_object_that_could_not_be_scanned_is_for_a_person_and_changes_no_outcome() {
        let failed = json!({"rescan": {"Error": "AccessDenied", "Cause": "AWS refused."}});
        assert_eq!(
            unscanned(&left(failed.clone())).as_deref(),
            Some("The new object could not be scanned (AWS refused). Scan it in Macie by hand.")
        );
        for scanned in [json!({}), json!({"rescan": {"job_id": "j"}})] {
            assert_eq!(unscanned(&left(scanned)), None);
        }
        let run = json!({"move": {"Error": "ObjectChanged", "Cause": "c"}, "rescan": failed["rescan"]});
        assert_eq!(of(run, None).0, OutcomeResult::ObjectChanged);
    }

    #[test]
    fn every_way_through_the_flow_has_its_outcome() {
        assert_eq!(of(json!({"move": quarantined()}), None).0, OutcomeResult::Quarantined);
        assert_eq!(
            of(json!({"move": {"Error": "ObjectChanged", "Cause": "c"}}), None),
            (OutcomeResult::ObjectChanged, "c".into())
        );
        assert_eq!(
            of(json!({"move": {"result": "sample", "detail": "d", "quarantine_key": null}}), None).0,
            OutcomeResult::Sample
        );
        assert_eq!(of(json!({}), Some(Decision::Dismiss)).0, OutcomeResult::Dismissed);
        assert_eq!(of(json!({}), Some(Decision::Expired)).0, OutcomeResult::Expired);
        assert_eq!(of(json!({}), None).0, OutcomeResult::Failed, "unknown is never a success");
        for (unknown, says) in [
            (json!({"result": "teleported"}), "unexpected result \"teleported\""),
            (json!({"Error": "ObjectGone", "Cause": ""}), "unexpected result \"ObjectGone\""),
            (json!(5), "unexpected result \"5\""),
        ] {
            let (result, detail) = of(json!({"move": unknown}), Some(Decision::Quarantine));
            assert!(result == OutcomeResult::Failed && detail.contains(says), "{detail}");
        }
    }
}
