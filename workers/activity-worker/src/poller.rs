//! Polls for one activity: reserve a slot, poll, start the task.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use crate::{
    activity::SharedActivity,
    backoff::Backoff,
    health::PollHealth,
    step_functions::{ActivityTask, StepFunctions},
    task,
};

const FIRST_RETRY_DELAY: Duration = Duration::from_millis(500);
const MAX_RETRY_DELAY: Duration = Duration::from_secs(30);

pub(crate) struct Poller<C> {
    pub(crate) client: C,
    pub(crate) activity: SharedActivity,
    pub(crate) arn: String,
    pub(crate) worker_name: String,
    pub(crate) heartbeat_timeout: Duration,
    pub(crate) health: PollHealth,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when polling must end.
    pub(crate) stop: CancellationToken,
    /// Cancelled when the time for polls and tasks under way is over.
    pub(crate) drain_ended: CancellationToken,
}

impl<C: StepFunctions> Poller<C> {
    /// Polls until stopped. It waits for a poll in flight at that moment: dropping it could lose the task that Step
    /// Functions is just handing over, until its heartbeat timeout.
    pub(crate) async fn run(self) {
        let mut backoff = Backoff::new(FIRST_RETRY_DELAY, MAX_RETRY_DELAY);
        self.health.good(self.activity.name());
        loop {
            let slot = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                slot = self.slot() => slot,
            };
            let polled = tokio::select! {
                polled = self.client.get_activity_task(&self.arn, &self.worker_name) => polled,
                () = self.drain_ended.cancelled() => return,
            };
            match polled {
                Ok(task) => {
                    backoff.reset();
                    self.health.good(self.activity.name());
                    if let Some(task) = task {
                        self.start(task, slot);
                    }
                }
                Err(error) => {
                    tracing::warn!(activity = self.activity.name(), error.message = %error, "poll failed");
                    tokio::select! {
                        () = tokio::time::sleep(backoff.delay()) => {},
                        () = self.stop.cancelled() => return,
                    }
                }
            }
        }
    }

    /// A slot for the next task. While all are taken there is no poll, and nothing wrong with that.
    async fn slot(&self) -> OwnedSemaphorePermit {
        if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            return slot;
        }
        self.health.full(self.activity.name());
        let slot = Arc::clone(&self.slots).acquire_owned().await.expect("it is never closed");
        self.health.good(self.activity.name());
        slot
    }

    fn start(&self, task: ActivityTask, slot: OwnedSemaphorePermit) {
        let (client, activity, drain_ended) =
            (self.client.clone(), Arc::clone(&self.activity), self.drain_ended.clone());
        let (heartbeat_timeout, stopping) = (self.heartbeat_timeout, self.stop.is_cancelled());
        let span = tracing::info_span!("task", activity = activity.name());
        self.tasks.spawn(
            async move {
                let _slot = slot;
                if stopping {
                    task::reject(&client, task).await;
                } else {
                    task::execute(&client, activity, task, heartbeat_timeout, drain_ended).await;
                }
            }
            .instrument(span),
        );
    }
}
