//! Polls for one activity: reserve a slot, poll, hand the task over.

use std::{sync::Arc, time::Duration};

use aws_sdk_sfn::{Client, config::timeout::TimeoutConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    activity::{SharedActivity, TaskContext},
    answer,
    backoff::Backoff,
    error::{Failure, WORKER_PANICKED, WORKER_SHUTDOWN},
    heartbeat,
};

/// `GetActivityTask` holds a poll for up to 60 s; AWS asks for a client timeout of at least 65 s
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetActivityTask.html>).
const POLL_TIMEOUT: Duration = Duration::from_secs(70);

pub(crate) struct Poller {
    pub(crate) client: Client,
    pub(crate) activity: SharedActivity,
    pub(crate) arn: String,
    pub(crate) worker_name: String,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when polling must end.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the grace is over and tasks in hand are given back.
    pub(crate) abandon: CancellationToken,
}

struct Task {
    token: String,
    input: String,
}

impl Poller {
    /// Polls until stopped. A poll in flight at that moment is waited for: dropping it could lose the task that
    /// Step Functions is just handing over, until its heartbeat timeout.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        loop {
            let slot = tokio::select! {
                slot = Arc::clone(&self.slots).acquire_owned() => match slot { Ok(slot) => slot, Err(_) => return },
                () = self.stop.cancelled() => return,
            };
            let polled = tokio::select! {
                polled = self.poll() => polled,
                () = self.abandon.cancelled() => return,
            };
            match polled {
                Ok(Some(task)) => {
                    backoff.reset();
                    self.hand_over(task, slot);
                }
                Ok(None) => backoff.reset(),
                Err(message) => {
                    tracing::warn!(activity = self.activity.name(), error.message = %message, "poll failed");
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {},
                        () = self.stop.cancelled() => return,
                    }
                }
            }
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    async fn poll(&self) -> Result<Option<Task>, String> {
        let timeouts = TimeoutConfig::builder()
            .read_timeout(POLL_TIMEOUT)
            .operation_attempt_timeout(POLL_TIMEOUT)
            .build();
        let answer = self
            .client
            .get_activity_task()
            .activity_arn(&self.arn)
            .worker_name(&self.worker_name)
            .customize()
            .config_override(aws_sdk_sfn::Config::builder().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| aws_sdk_sfn::error::DisplayErrorContext(error).to_string())?;
        Ok(match (answer.task_token, answer.input) {
            (Some(token), Some(input)) if !token.is_empty() => Some(Task { token, input }),
            _ => None,
        })
    }

    fn hand_over(&self, task: Task, slot: OwnedSemaphorePermit) {
        let (client, activity, abandon) =
            (self.client.clone(), Arc::clone(&self.activity), self.abandon.clone());
        let (heartbeat_timeout, stopping) = (self.heartbeat_timeout, self.stop.is_cancelled());
        let span = tracing::info_span!("task", activity = activity.name());
        self.tasks.spawn(
            async move {
                let _slot = slot;
                if stopping {
                    answer::send(&client, &task.token, &Err(given_back())).await;
                } else {
                    execute(&client, activity, task, heartbeat_timeout, abandon).await;
                }
            }
            .instrument(span),
        );
    }
}

async fn execute(
    client: &Client,
    activity: SharedActivity,
    task: Task,
    heartbeat_timeout: Duration,
    abandon: CancellationToken,
) {
    let started = tokio::time::Instant::now();
    let cancelled = CancellationToken::new();
    let beats = heartbeat::beat(client.clone(), task.token.clone(), heartbeat_timeout, cancelled.clone());
    let _beats = AbortOnDrop(tokio::spawn(beats.in_current_span()));
    let context = TaskContext { cancelled: cancelled.clone() };
    let mut work =
        AbortOnDrop(tokio::spawn(async move { activity.run(task.input, context).await }.in_current_span()));
    let result = tokio::select! {
        joined = &mut work.0 => joined.unwrap_or_else(|_| Err(Failure {
            code: WORKER_PANICKED.into(),
            cause: "The activity ended by a panic; the worker's log has the place. Please report it.".into(),
        })),
        () = cancelled.cancelled() => {
            tracing::info!("task cancelled: the run no longer waits for it");
            return;
        }
        () = abandon.cancelled() => Err(given_back()),
    };
    // What is given back must not go on beside whoever takes it up.
    drop(work);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &result {
        Ok(_) => tracing::info!(duration_ms, "task done"),
        Err(failure) => {
            tracing::warn!(duration_ms, error.code = %failure.code, error.message = %failure.cause, "task failed");
        }
    }
    answer::send(client, &task.token, &result).await;
}

fn given_back() -> Failure {
    Failure {
        code: WORKER_SHUTDOWN.into(),
        cause: "The worker was stopped with the task in hand; another worker takes it up.".into(),
    }
}

/// A task's future and its heartbeat end with the code that waits for them.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
