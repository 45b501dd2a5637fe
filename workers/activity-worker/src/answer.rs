//! Answers of finished tasks.

use std::time::Duration;

use serde_json::Value;

use crate::{
    backoff::Backoff,
    error::{Failure, INVALID_OUTPUT},
    step_functions::{CallError, StepFunctions},
};

/// In calls, each with the SDK's own retries; after the last one the state's heartbeat timeout takes over.
const MAX_ATTEMPTS: usize = 8;
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(200);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Step Functions refuses a longer output, and a state that got it another way would fail
/// (<https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>).
const MAX_OUTPUT_BYTES: usize = 262_144;

/// An activity's result as `SendTaskSuccess` takes it.
pub(crate) fn output(value: &Value) -> Result<String, Failure> {
    let output = value.to_string();
    if output.len() <= MAX_OUTPUT_BYTES {
        return Ok(output);
    }
    Err(Failure {
        code: INVALID_OUTPUT.into(),
        cause: format!(
            "The output has {} bytes; Step Functions takes {MAX_OUTPUT_BYTES}. Store the data and return a reference.",
            output.len()
        ),
    })
}

/// Tells Step Functions how a task ended. A task that timed out is no error: its state has moved on.
pub(crate) async fn send(client: &impl StepFunctions, token: &str, result: Result<String, Failure>) {
    let mut result = result.map_err(Failure::truncated);
    let mut backoff = Backoff::new(FIRST_RETRY_DELAY, MAX_RETRY_DELAY);
    for _ in 0..MAX_ATTEMPTS {
        let sent = match &result {
            Ok(output) => client.send_task_success(token, output).await,
            Err(failure) => client.send_task_failure(token, failure).await,
        };
        match sent {
            Ok(()) => return,
            Err(error @ (CallError::TaskTimedOut | CallError::InvalidToken)) => {
                tracing::info!(error.message = %error, "answer dropped");
                return;
            }
            Err(CallError::Retryable(message)) => {
                tracing::warn!(error.message = %message, "answer failed, trying again");
                tokio::time::sleep(backoff.delay()).await;
            }
            Err(CallError::Terminal(message)) if result.is_ok() => {
                tracing::warn!(error.message = %message, "output refused");
                let cause = format!("Step Functions refused the output ({message}).");
                result = Err(Failure { code: INVALID_OUTPUT.into(), cause }.truncated());
            }
            Err(CallError::Terminal(message)) => {
                tracing::error!(error.message = %message, "failure refused; the task waits for its heartbeat timeout");
                return;
            }
        }
    }
    tracing::error!("answer not sent; the task waits for its heartbeat timeout");
}
