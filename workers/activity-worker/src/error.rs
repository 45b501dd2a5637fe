//! How a task fails.

use std::borrow::Cow;

/// The worker was stopped with the task in hand; a retry finds another worker at once.
pub const WORKER_SHUTDOWN: &str = "WorkerShutdown";
/// The activity panicked; the worker goes on.
pub const WORKER_PANICKED: &str = "WorkerPanicked";
/// The task's input does not have the shape that the activity takes.
pub const INVALID_INPUT: &str = "InvalidInput";

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

/// `SendTaskFailure` refuses a longer cause
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html>).
const CAUSE_LIMIT: usize = 32_768;

impl Failure {
    pub(crate) fn of(error: &impl TaskError) -> Self {
        let mut cause = error.cause();
        if cause.len() > CAUSE_LIMIT {
            let end = (0..=CAUSE_LIMIT).rev().find(|&i| cause.is_char_boundary(i)).unwrap_or(0);
            cause.truncate(end);
        }
        Self { code: error.code(), cause }
    }
}
