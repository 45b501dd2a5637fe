//! A runtime for AWS Step Functions activity workers.
//!
//! Step Functions holds the flow; an activity worker polls `GetActivityTask`, does one effect, and answers. This
//! crate does the polling, the heartbeats, the answering and the orderly end; it knows nothing of what the
//! activities do.
//!
//! - [`Activity`]: what a user implements, one type an activity.
//! - [`Worker`]: polls for a set of activities until told to stop.
//! - [`Backoff`]: the delays between polls that fail, for loops of a user's own.
//! - [`TaskError`]: how an activity's error becomes the `error` and `cause` of `SendTaskFailure`.

mod activity;
mod answer;
mod backoff;
mod error;
mod heartbeat;
mod poller;
mod shutdown;
mod step_functions;
mod task;
#[cfg(test)]
mod tests;
mod worker;

pub use activity::{Activity, TaskContext};
pub use backoff::Backoff;
pub use error::{Failure, INVALID_INPUT, INVALID_OUTPUT, TaskError, WORKER_PANICKED, WORKER_SHUTDOWN};
pub use step_functions::{ActivityTask, CallError, StepFunctions};
pub use worker::{Worker, WorkerSettings};
