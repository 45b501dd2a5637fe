//! How a task fails.

use std::borrow::Cow;

/// The worker stopped before the task was finished; a retry finds another worker at once.
pub const WORKER_SHUTDOWN: &str = "WorkerShutdown";
/// The activity panicked; the worker goes on.
pub const WORKER_PANICKED: &str = "WorkerPanicked";
/// The task's input does not have the shape that the activity takes.
pub const INVALID_INPUT: &str = "InvalidInput";
/// The activity's output cannot be written as JSON, or is larger than Step Functions accepts.
pub const INVALID_OUTPUT: &str = "InvalidOutput";

/// An activity's error, as Step Functions is told of it.
pub trait TaskError {
    /// The stable name that `Retry` and `Catch` match, at most 256 characters.
    fn code(&self) -> Cow<'static, str>;
    /// One sentence that a person can act on, without secrets.
    fn cause(&self) -> String;
}

/// How a task failed: what `SendTaskFailure` carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The stable name that `Retry` and `Catch` match.
    pub code: Cow<'static, str>,
    /// One sentence that a person can act on.
    pub cause: String,
}

/// `SendTaskFailure` refuses what is longer
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>). AWS counts
/// characters; bytes are never fewer.
const MAX_CODE_BYTES: usize = 256;
const MAX_CAUSE_BYTES: usize = 32_768;

impl Failure {
    pub(crate) fn of(error: &impl TaskError) -> Self {
        Self { code: error.code(), cause: error.cause() }
    }

    /// Cut to the limits, so that a long sentence does not cost the whole answer.
    pub(crate) fn truncated(mut self) -> Self {
        if self.code.len() > MAX_CODE_BYTES {
            truncate(self.code.to_mut(), MAX_CODE_BYTES);
        }
        truncate(&mut self.cause, MAX_CAUSE_BYTES);
        self
    }
}

fn truncate(text: &mut String, max_bytes: usize) {
    text.truncate(text.floor_char_boundary(max_bytes));
}
