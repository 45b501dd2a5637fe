//! Heartbeats of one task, from receipt until it is answered.

use std::time::Duration;

use aws_sdk_sfn::{Client, operation::send_task_heartbeat::SendTaskHeartbeatError};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Beats every third of `timeout` until dropped; cancels the task when Step Functions no longer waits for it.
///
/// Other errors are only logged: the next beat may get through, and if none does the state times out and a retry
/// takes the task up again.
pub(crate) async fn beat(client: Client, token: String, timeout: Duration, cancelled: CancellationToken) {
    let every = timeout / 3;
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = client.send_task_heartbeat().task_token(&token).send().await {
            match error.into_service_error() {
                SendTaskHeartbeatError::TaskTimedOut(_)
                | SendTaskHeartbeatError::TaskDoesNotExist(_)
                | SendTaskHeartbeatError::InvalidToken(_) => {
                    cancelled.cancel();
                    return;
                }
                other => tracing::warn!(error.message = %other, "heartbeat failed"),
            }
        }
    }
}
