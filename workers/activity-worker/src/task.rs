//! One task, from receipt to answer.

use std::time::Duration;

use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    activity::{SharedActivity, TaskContext},
    answer,
    error::{Failure, WORKER_PANICKED, WORKER_SHUTDOWN},
    heartbeat::send_heartbeats,
    step_functions::{ActivityTask, StepFunctions},
};

/// Runs the activity, sends heartbeats meanwhile and the answer after it.
///
/// Ends without an answer when Step Functions no longer waits for the task, and with `WorkerShutdown` once
/// `drain_ended` is cancelled.
pub(crate) async fn execute(
    client: &impl StepFunctions,
    activity: SharedActivity,
    task: ActivityTask,
    heartbeat_timeout: Duration,
    drain_ended: CancellationToken,
) {
    let started = Instant::now();
    let cancelled = CancellationToken::new();
    let heartbeats =
        send_heartbeats(client.clone(), task.token.clone(), heartbeat_timeout, cancelled.clone());
    let _heartbeats = AbortOnDrop(tokio::spawn(heartbeats.in_current_span()));
    let context = TaskContext { cancelled: cancelled.clone() };
    let work = async move { answer::output(&activity.run(task.input, context).await?) };
    let mut work = AbortOnDrop(tokio::spawn(work.in_current_span()));
    let result = tokio::select! {
        joined = &mut work.0 => joined.unwrap_or_else(|_| Err(panicked())),
        () = cancelled.cancelled() => {
            tracing::info!("task cancelled: Step Functions no longer waits for it");
            return;
        }
        () = drain_ended.cancelled() => Err(shut_down()),
    };
    // After the answer another worker may have the task.
    drop(work);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &result {
        Ok(_) => tracing::info!(duration_ms, "task done"),
        Err(failure) => {
            metrics::counter!("TaskFailures", "Code" => failure.code.clone()).increment(1);
            tracing::warn!(duration_ms, error.code = %failure.code, error.message = %failure.cause, "task failed");
        }
    }
    answer::send(client, &task.token, result).await;
}

/// Answers a task that was received too late to start.
pub(crate) async fn reject(client: &impl StepFunctions, task: ActivityTask) {
    answer::send(client, &task.token, Err(shut_down())).await;
}

fn panicked() -> Failure {
    Failure {
        code: WORKER_PANICKED.into(),
        cause: "The activity panicked; the worker's log says where. Please report it.".into(),
    }
}

fn shut_down() -> Failure {
    Failure {
        code: WORKER_SHUTDOWN.into(),
        cause: "The worker stopped before the task was finished; a retry finds another worker.".into(),
    }
}

/// The activity and the heartbeats end with the task that waits for them.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
