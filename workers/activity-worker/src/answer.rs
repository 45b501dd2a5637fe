//! Answers of finished tasks.

use std::time::Duration;

use aws_sdk_sfn::{
    Client,
    operation::{send_task_failure::SendTaskFailureError, send_task_success::SendTaskSuccessError},
};
use serde_json::Value;

use crate::{backoff::Backoff, error::Failure};

/// Answers are retried this often past the SDK's own retries; then the state's heartbeat timeout takes over.
const ATTEMPTS: usize = 8;

/// Tells Step Functions how a task ended. A token that is gone is no error: the run has moved on.
pub(crate) async fn send(client: &Client, token: &str, result: &Result<Value, Failure>) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    for _ in 0..ATTEMPTS {
        match attempt(client, token, result).await {
            Answered::Yes => return,
            Answered::Gone => {
                tracing::info!("the run no longer waits for this task; its answer was dropped");
                return;
            }
            Answered::Retry(message) => {
                tracing::warn!(error.message = %message, "answer failed, trying again");
                tokio::time::sleep(backoff.delay()).await;
            }
        }
    }
    tracing::error!("answer could not be sent; the task is taken up again after its heartbeat timeout");
}

enum Answered {
    Yes,
    Gone,
    Retry(String),
}

async fn attempt(client: &Client, token: &str, result: &Result<Value, Failure>) -> Answered {
    match result {
        Ok(output) => {
            match client.send_task_success().task_token(token).output(output.to_string()).send().await {
                Ok(_) => Answered::Yes,
                Err(error) => match error.into_service_error() {
                    SendTaskSuccessError::TaskTimedOut(_)
                    | SendTaskSuccessError::TaskDoesNotExist(_)
                    | SendTaskSuccessError::InvalidToken(_) => Answered::Gone,
                    other => Answered::Retry(other.to_string()),
                },
            }
        }
        Err(failure) => {
            let call =
                client.send_task_failure().task_token(token).error(&*failure.code).cause(&failure.cause);
            match call.send().await {
                Ok(_) => Answered::Yes,
                Err(error) => match error.into_service_error() {
                    SendTaskFailureError::TaskTimedOut(_)
                    | SendTaskFailureError::TaskDoesNotExist(_)
                    | SendTaskFailureError::InvalidToken(_) => Answered::Gone,
                    other => Answered::Retry(other.to_string()),
                },
            }
        }
    }
}
