//! Heartbeats of one task, from receipt until it is answered.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::step_functions::{CallError, StepFunctions};

/// Two of three heartbeats may be lost before the state times out.
const HEARTBEATS_PER_TIMEOUT: u32 = 3;

/// Sends heartbeats until dropped; cancels the task when Step Functions no longer waits for it.
///
/// Other errors are only logged: the next heartbeat may get through, and if none does the state times out and its
/// `Retry` hands the task to a worker again.
pub(crate) async fn send_heartbeats(
    client: impl StepFunctions,
    token: String,
    heartbeat_timeout: Duration,
    cancelled: CancellationToken,
) {
    let interval = heartbeat_timeout / HEARTBEATS_PER_TIMEOUT;
    let mut ticks = interval_at(Instant::now() + interval, interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A call that hangs must not take the time of the next one.
        let sent = timeout(interval, client.send_task_heartbeat(&token)).await;
        match sent.unwrap_or_else(|_| Err(CallError::Retryable("no reply".into()))) {
            Ok(()) => {}
            Err(CallError::TaskTimedOut | CallError::InvalidToken) => {
                cancelled.cancel();
                return;
            }
            Err(CallError::Retryable(message) | CallError::Terminal(message)) => {
                tracing::warn!(error.message = %message, "heartbeat failed");
            }
        }
    }
}
