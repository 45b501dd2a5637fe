//! What the states of an execution have left behind, and what that comes to.

use cordon_domain::{
    case::{Decision, Outcome, OutcomeResult, RestoreOutcome, RestoreResult},
    failure::Failure,
    quoted::quoted,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    super::{quarantine_object, restore_object},
    UNKNOWN,
};
use crate::{clock, error::Code};

/// What the states of a run have left behind, and what it was started with. Whoever starts a run can put anything there,
/// so a member that is not as expected is as good as none.
#[derive(Default, Deserialize)]
pub(super) struct Run {
    /// Of a restore: the input names case and request.
    pub(super) request_id: Option<Value>,
    case_id: Option<Value>,
    triage: Option<Left<Triaged>>,
    #[serde(rename = "move")]
    moved: Option<Value>,
    rescan: Option<Left<Value>>,
    pub(super) error: Option<Value>,
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
    pub(super) fn triaged_case(&self) -> Option<&str> {
        match &self.triage {
            Some(Left::Output(triage)) => triage.case_id.as_deref(),
            _ => None,
        }
    }

    /// The case of a restore.
    pub(super) fn restored_case(&self) -> Option<&str> {
        self.case_id.as_ref()?.as_str()
    }

    /// What the move has left behind.
    fn moved<T: DeserializeOwned>(&self) -> Option<Left<T>> {
        let moved = self.moved.clone().filter(|moved| !moved.is_null())?;
        Some(Left::deserialize(&moved).unwrap_or(Left::Other(moved)))
    }
}

/// What a person has to do about the object that was written since the finding, where it could not be scanned.
pub(super) fn unscanned(run: &Run) -> Option<String> {
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
pub(super) fn restore_outcome(run: &Run) -> RestoreOutcome {
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

/// Reads the outcome from what the states left behind: an error, the move, or the decision not to move.
pub(super) fn outcome(run: &Run, decision: Option<Decision>) -> Outcome {
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
