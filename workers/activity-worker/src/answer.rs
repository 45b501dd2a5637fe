//! Answers of finished tasks.

use std::time::Duration;

use serde_json::Value;

use crate::{
    backoff::Backoff,
    error::Failure,
    step_functions::{CallError, StepFunctions},
};

/// In calls, each with the SDK's own retries; after the last one the state's heartbeat timeout takes over.
const MAX_ATTEMPTS: usize = 8;
const FIRST_RETRY_DELAY: Duration = Duration::from_millis(200);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Tells Step Functions how a task ended. A task that timed out is no error: its state has moved on.
pub(crate) async fn send(client: &impl StepFunctions, token: &str, result: Result<Value, Failure>) {
    let result = result.map(|output| output.to_string());
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
            Err(CallError::Retryable(message) | CallError::Terminal(message)) => {
                tracing::warn!(error.message = %message, "answer failed, trying again");
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
    tracing::error!("answer not sent; the task waits for its heartbeat timeout");
}
