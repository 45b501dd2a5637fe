//! A runtime for AWS Step Functions activity workers.
//!
//! Step Functions holds the flow. A worker polls `GetActivityTask`, runs the activity, sends heartbeats meanwhile, and
//! answers with `SendTaskSuccess` or `SendTaskFailure`. This crate does all of that; you write the activities.
//! `examples/echo.rs` is a whole worker.
//!
//! # Use
//!
//! 1. Implement [`Activity`] for a type of your own: its name, its input and output (JSON through serde), its error.
//!    Make it idempotent: a retry repeats the task after a crash, a timeout or a lost answer.
//! 2. Implement [`TaskError`] for the error: the code that `Retry` and `Catch` of the state match, and a sentence.
//! 3. Build a [`Worker`] with the activities and [`run`](Worker::run) it until SIGTERM or SIGINT.
//!
//! Polls have a timeout of their own, above the 60 s for which Step Functions holds them; every other timeout and retry
//! is the client's.
//!
//! # What to expect
//!
//! | When | Then |
//! |---|---|
//! | all slots of an activity are taken | it is not polled for until one is free |
//! | a poll fails | the next one waits 0.5 s, doubling up to 30 s, with jitter ([`Backoff`]) |
//! | the answer to a poll is lost | its state fails with `States.HeartbeatTimeout`: set `HeartbeatSeconds`, and name the error in `Retry` |
//! | the task times out, or its execution ends | the next heartbeat finds out; the activity's future is dropped |
//! | a heartbeat fails otherwise, or hangs | the next one is sent on time |
//! | the activity panics | the task fails with [`WORKER_PANICKED`]; the worker goes on |
//! | the input cannot be read | the task fails with [`INVALID_INPUT`] |
//! | the output is larger than 256 KiB | the task fails with [`INVALID_OUTPUT`] |
//! | code or cause of an error is too long | it is cut to 256 or 32,768 bytes |
//! | an answer is lost | it is sent again, up to eight times in all |
//! | the worker stops | see [`Worker::run`]; what cannot finish fails with [`WORKER_SHUTDOWN`], to be retried |
//!
//! # Tests
//!
//! An activity runs by itself: [`Worker::run_once`], or [`Activity::run`] with [`TaskContext::detached`]. The runtime
//! depends on the trait [`StepFunctions`] and not on the SDK's client, so its own tests use a scripted client on
//! paused time, without a network.

mod activity;
mod answer;
mod backoff;
mod error;
mod health;
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
pub use health::PollHealth;
pub use step_functions::{ActivityTask, CallError, StepFunctions};
pub use worker::{Worker, WorkerSettings};
