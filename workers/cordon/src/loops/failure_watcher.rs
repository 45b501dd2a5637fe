//! Tells operators of executions whose failure their state machine cannot catch, and so has not told.
//!
//! No rule of EventBridge can: Step Functions leaves the error out of the events of state machines under a KMS key
//! (<https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html>), so that a failure which was told looks
//! like one that was not. Executions that were stopped or timed out have a rule.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{clients::Clients, operator_notices},
    aws::step_functions::{Failed, Run},
    clock,
    error::Result,
};

const POLL_INTERVAL: Duration = Duration::from_secs(20);
/// How long ago an execution may have ended. Shorter than the time after which a notice is repeated: each is told once.
const WINDOW: SignedDuration = SignedDuration::from_hours(12);
/// What no state machine catches (<https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html>), and what
/// ours end with when they could not tell.
const UNTOLD: [&str; 3] = ["OperatorsNotTold", "States.DataLimitExceeded", "States.Runtime"];

/// Watches until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    let done = Mutex::default();
    every("failure_watcher", POLL_INTERVAL, stop, || pass(&clients, &done)).await;
}

/// `done` are the failures of which this worker knows that operators were told.
async fn pass(clients: &Clients, done: &Mutex<HashSet<Failed>>) -> Result<()> {
    let mut done = done.lock().await;
    let mut failed = HashSet::new();
    for machine in &clients.config.state_machine_arns {
        failed.extend(clients.step_functions.failed(machine, clock::now() - WINDOW).await?);
    }
    done.retain(|one| failed.contains(one));
    failed.retain(|one| !done.contains(one));
    for one in failed {
        match is_told(clients, &one).await {
            Ok(true) => {
                done.insert(one);
            }
            // Another worker is at it, or what describes the execution lags behind what lists it.
            Ok(false) => {}
            Err(error) => tracing::warn!(
                execution.arn = one.execution_arn,
                error.message = %error,
                "operators not told of a failure"
            ),
        }
    }
    Ok(())
}

/// Tells operators of a failure unless the state machine has. Whether they are told by now.
async fn is_told(clients: &Clients, failed: &Failed) -> Result<bool> {
    let Run::Ended(ended) = clients.step_functions.run(&failed.execution_arn, clock::now()).await? else {
        return Ok(false);
    };
    // Redriven since, and what lists it lags behind. Not by the time of its end: whether both tell it alike is not documented.
    if ended.status != "FAILED" {
        return Ok(false);
    }
    let error = ended.error.as_deref();
    if error.is_some_and(|error| !UNTOLD.contains(&error)) {
        return Ok(true);
    }
    let restores = clients.config.object_restore_arn.replace(":stateMachine:", ":execution:");
    let again = if failed.execution_arn.starts_with(&restores) {
        "ask for the restore again"
    } else {
        "start it again with the same input"
    };
    let what = format!(
        "An execution failed, and its state machine could not tell: {}. Look at its history in Step Functions; after \
         mending the reason, {again}.",
        ended.cause.as_deref().or(error).unwrap_or("no error is on record")
    );
    let detail = json!({"code": "ExecutionFailed", "what": what, "run": failed.execution_arn});
    // A redriven execution that fails again has another end.
    let about = format!("{} {}", failed.execution_arn, failed.ended_at);
    operator_notices::tell(clients, &about, "Cordon Execution Failed", &detail).await
}
