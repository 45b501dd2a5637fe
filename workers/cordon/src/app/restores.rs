//! Asking for quarantined objects back: the request is on record before its run is started, so whoever is ended in
//! between, the reconciler starts it.

use cordon_domain::case::{Case, Restore};
use serde_json::{Value, json};

use crate::{
    aws::step_functions::StepFunctions,
    clock,
    error::Result,
    store::{Cases, keys},
};

/// Who asks, and for what.
#[derive(Clone, Debug)]
pub struct Request {
    /// An IAM ARN, or a Slack user as `slack:<team>/<user>`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Whether another object that is at the place by now may be replaced.
    pub replace: bool,
    /// Whether the bucket may still be shared.
    pub even_if_exposed: bool,
    /// Which of the case's copies; the newest where none is named.
    pub copy_generation: Option<u32>,
}

/// Records the request and starts its run; gives back the run. `None` when there is nothing in quarantine, or
/// something else is being done with it.
///
/// # Errors
/// As classified; when the run could not be started, the request is on record nevertheless.
pub async fn request(
    cases: &Cases,
    step_functions: &StepFunctions,
    object_restore_arn: &str,
    case: &Case,
    request: Request,
) -> Result<Option<String>> {
    let request_id = hex::encode(rand::random::<[u8; 16]>());
    let execution_arn =
        format!("{}:{request_id}", object_restore_arn.replace(":stateMachine:", ":execution:"));
    let restore = Restore {
        request_id,
        execution_arn: execution_arn.clone(),
        requested_by: request.by,
        reason: request.reason,
        replace: request.replace,
        even_if_exposed: request.even_if_exposed,
        copy_generation: request.copy_generation,
        requested_at: clock::now(),
        restored: Vec::new(),
        outcome: None,
    };
    if cases.request_restore(case, &restore).await?.stands().is_none() {
        return Ok(None);
    }
    start(step_functions, object_restore_arn, &case.case_id, &restore).await?;
    Ok(Some(execution_arn))
}

/// Starts the run of a request, unless it was started before.
///
/// # Errors
/// As classified.
pub async fn start(
    step_functions: &StepFunctions,
    object_restore_arn: &str,
    case_id: &str,
    restore: &Restore,
) -> Result<()> {
    step_functions.start(object_restore_arn, &restore.request_id, &input(case_id, restore)).await
}

fn input(case_id: &str, restore: &Restore) -> Value {
    json!({"case_id": case_id, "request_id": restore.request_id, "approval": keys::approval(case_id)})
}
