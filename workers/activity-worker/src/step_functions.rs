//! The calls of Step Functions that a worker makes, and the one place where their errors are classified.

use std::{error::Error, future::Future, time::Duration};

use aws_sdk_sfn::{
    Client,
    config::timeout::TimeoutConfig,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::error::Failure;

/// `GetActivityTask` holds a poll for up to 60 s; AWS asks for a client timeout of at least 65 s
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>).
pub(crate) const POLL_TIMEOUT: Duration = Duration::from_secs(70);

/// A task that Step Functions handed to this worker. It has no `Debug` form: whoever reads the token can answer.
pub struct ActivityTask {
    /// Names the task in every later call.
    pub token: String,
    /// The task's input, as JSON.
    pub input: String,
}

/// Why Step Functions did not accept a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The task timed out, was answered before, or its execution ended (`TaskTimedOut`, `TaskDoesNotExist`).
    #[error("Step Functions no longer waits for the task")]
    TaskTimedOut,
    /// The token belongs to no task.
    #[error("Step Functions does not know the task token")]
    InvalidToken,
    /// The same call may succeed later: throttling, a lost connection, a timeout, a permission that is still missing.
    #[error("{0}")]
    Retryable(String),
    /// The same call never succeeds: Step Functions refuses what it says.
    #[error("{0}")]
    Terminal(String),
}

/// What a worker needs of Step Functions: `aws_sdk_sfn::Client`, or a scripted client in a test.
pub trait StepFunctions: Clone + Send + Sync + 'static {
    /// Waits up to 60 s for a task; `None` when there is none.
    ///
    /// When the answer is lost on its way, so is its task, until the state's `HeartbeatSeconds` have passed.
    fn get_activity_task(
        &self,
        activity_arn: &str,
        worker_name: &str,
    ) -> impl Future<Output = Result<Option<ActivityTask>, CallError>> + Send;

    /// Ends a task with `output`, which is JSON.
    fn send_task_success(
        &self,
        token: &str,
        output: &str,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Ends a task with the error that `Retry` and `Catch` of its state match.
    fn send_task_failure(
        &self,
        token: &str,
        failure: &Failure,
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Restarts the `HeartbeatSeconds` of a task's state.
    fn send_task_heartbeat(&self, token: &str) -> impl Future<Output = Result<(), CallError>> + Send;
}

impl StepFunctions for Client {
    async fn get_activity_task(
        &self,
        activity_arn: &str,
        worker_name: &str,
    ) -> Result<Option<ActivityTask>, CallError> {
        let timeouts = TimeoutConfig::builder()
            .read_timeout(POLL_TIMEOUT)
            .operation_attempt_timeout(POLL_TIMEOUT)
            .build();
        let answer = self
            .get_activity_task()
            .activity_arn(activity_arn)
            .worker_name(worker_name)
            .customize()
            .config_override(aws_sdk_sfn::Config::builder().timeout_config(timeouts))
            .send()
            .await
            .map_err(classify)?;
        Ok(match (answer.task_token, answer.input) {
            (Some(token), Some(input)) if !token.is_empty() => Some(ActivityTask { token, input }),
            _ => None,
        })
    }

    async fn send_task_success(&self, token: &str, output: &str) -> Result<(), CallError> {
        self.send_task_success().task_token(token).output(output).send().await.map_err(classify)?;
        Ok(())
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Result<(), CallError> {
        let call = self.send_task_failure().task_token(token).error(&*failure.code).cause(&failure.cause);
        call.send().await.map_err(classify)?;
        Ok(())
    }

    async fn send_task_heartbeat(&self, token: &str) -> Result<(), CallError> {
        self.send_task_heartbeat().task_token(token).send().await.map_err(classify)?;
        Ok(())
    }
}

fn classify<E>(error: SdkError<E>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error.code() {
        Some("TaskTimedOut" | "TaskDoesNotExist") => CallError::TaskTimedOut,
        Some("InvalidToken") => CallError::InvalidToken,
        Some("ActivityDoesNotExist" | "InvalidArn" | "InvalidOutput" | "ValidationException") => {
            CallError::Terminal(sentence(&error))
        }
        _ => CallError::Retryable(sentence(&error)),
    }
}

/// What the service says, or else every cause in turn. Never the SDK's `Debug` form: it prints the response's body,
/// and with it a task's token and input.
fn sentence<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let (Some(code), Some(message)) = (error.code(), error.message()) {
        return format!("{code}: {message}");
    }
    let causes = std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
