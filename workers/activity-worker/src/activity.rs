//! What an activity is, and its type-erased form that a worker can hold many of.

use std::{future::Future, pin::Pin, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::{Failure, INVALID_INPUT, INVALID_OUTPUT, TaskError};

/// One activity: one effect that is idempotent, because it may be killed at any instant and repeated.
///
/// The future may be dropped at any of its await points: when Step Functions no longer waits for the task, and when
/// the worker stops.
pub trait Activity: Send + Sync + 'static {
    /// Its ARN is [`arn_prefix`](crate::WorkerSettings::arn_prefix) followed by this.
    const NAME: &'static str;
    /// The task's input, as JSON.
    type Input: DeserializeOwned + Send;
    /// The task's output, as JSON; at most 256 KiB.
    type Output: Serialize + Send;
    /// The activity's error.
    type Error: TaskError + Send;

    /// Does the work.
    fn run(
        &self,
        input: Self::Input,
        context: TaskContext,
    ) -> impl Future<Output = Result<Self::Output, Self::Error>> + Send;
}

/// What a running task can ask about itself.
#[derive(Clone, Debug)]
pub struct TaskContext {
    pub(crate) cancelled: CancellationToken,
}

impl TaskContext {
    /// Whether Step Functions no longer waits for this task: it timed out, or its execution ended.
    ///
    /// A cancelled task's future is dropped at its next await point. Ask only before an effect that should not start
    /// any more.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// A context that is never cancelled, to run an activity outside a worker.
    pub fn detached() -> Self {
        Self { cancelled: CancellationToken::new() }
    }
}

type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send + 'a>>;

/// An [`Activity`] without its types.
pub(crate) trait ErasedActivity: Send + Sync {
    fn name(&self) -> &'static str;
    fn run(&self, input: String, context: TaskContext) -> RunFuture<'_>;
}

impl<A: Activity> ErasedActivity for A {
    fn name(&self) -> &'static str {
        A::NAME
    }

    fn run(&self, input: String, context: TaskContext) -> RunFuture<'_> {
        Box::pin(async move {
            let input = serde_json::from_str(&input).map_err(|error| Failure {
                code: INVALID_INPUT.into(),
                cause: format!(
                    "The input of {} does not have the expected shape ({error}); compare the state's Parameters \
                     with the activity's documentation.",
                    A::NAME
                ),
            })?;
            let output = Activity::run(self, input, context).await.map_err(|error| Failure::of(&error))?;
            serde_json::to_value(output).map_err(|error| Failure {
                code: INVALID_OUTPUT.into(),
                cause: format!("The output of {} cannot be written as JSON ({error}).", A::NAME),
            })
        })
    }
}

pub(crate) type SharedActivity = Arc<dyn ErasedActivity>;
