//! A set of activities, polled for until told to stop.

use std::{pin::pin, sync::Arc, time::Duration};

use aws_sdk_sfn::Client;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    activity::{Activity, SharedActivity, TaskContext},
    error::{Failure, INVALID_INPUT},
    health::PollHealth,
    poller::Poller,
    step_functions::StepFunctions,
};

/// How a [`Worker`] works.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// For example `arn:aws:states:eu-west-1:111122223333:activity:cordon-`; [`Activity::NAME`] follows it.
    pub arn_prefix: String,
    /// Shown beside each task in the execution's history.
    pub name: String,
    /// The `HeartbeatSeconds` of the activity states; a heartbeat is sent every third of it.
    pub heartbeat_timeout: Duration,
    /// How many tasks of one activity run at once; polling pauses while all slots are taken.
    pub slots: usize,
    /// How long tasks under way and polls in flight may go on after the stop.
    pub drain_timeout: Duration,
}

/// Polls Step Functions for the tasks of its activities and runs them.
///
/// The client is `aws_sdk_sfn::Client` except in tests.
pub struct Worker<C = Client> {
    client: C,
    settings: WorkerSettings,
    activities: Vec<SharedActivity>,
    health: PollHealth,
}

impl<C: StepFunctions> Worker<C> {
    /// A worker without activities.
    pub fn new(client: C, settings: WorkerSettings) -> Self {
        Self { client, settings, activities: Vec::new(), health: PollHealth::default() }
    }

    /// Adds an activity.
    #[must_use]
    pub fn with(mut self, activity: impl Activity) -> Self {
        self.activities.push(Arc::new(activity));
        self
    }

    /// Tells, also while the worker runs, whether it polls.
    pub fn poll_health(&self) -> PollHealth {
        self.health.clone()
    }

    /// The names of the activities, in the order in which they were added.
    pub fn names(&self) -> Vec<&'static str> {
        self.activities.iter().map(|activity| activity.name()).collect()
    }

    /// Runs one activity outside Step Functions: no poll, no heartbeat, no answer.
    ///
    /// # Errors
    /// The activity's failure; [`INVALID_INPUT`] also when there is no activity of this name.
    pub async fn run_once(&self, name: &str, input: String) -> Result<Value, Failure> {
        let Some(activity) = self.activities.iter().find(|activity| activity.name() == name) else {
            return Err(Failure {
                code: INVALID_INPUT.into(),
                cause: format!("There is no activity {name}; there are {}.", self.names().join(", ")),
            });
        };
        activity.run(input, TaskContext::detached()).await
    }

    /// Works until `stop` is cancelled, then ends in this order:
    ///
    /// 1. No poll starts any more.
    /// 2. Polls in flight return; a task that one of them brings fails at once with
    ///    [`WORKER_SHUTDOWN`](crate::WORKER_SHUTDOWN), so that its retry finds another worker.
    /// 3. Tasks under way finish, with heartbeats.
    /// 4. When the drain timeout is over, tasks still under way are dropped and fail with `WORKER_SHUTDOWN` too; polls still in
    ///    flight are dropped.
    pub async fn run(self, stop: CancellationToken) {
        let (tasks, pollers, drain_ended) =
            (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        for activity in &self.activities {
            pollers.spawn(
                Poller {
                    client: self.client.clone(),
                    activity: Arc::clone(activity),
                    arn: format!("{}{}", self.settings.arn_prefix, activity.name()),
                    worker_name: self.settings.name.clone(),
                    heartbeat_timeout: self.settings.heartbeat_timeout,
                    health: self.health.clone(),
                    slots: Arc::new(Semaphore::new(self.settings.slots)),
                    tasks: tasks.clone(),
                    stop: stop.clone(),
                    drain_ended: drain_ended.clone(),
                }
                .run(),
            );
        }
        pollers.close();
        tracing::info!(activities = self.activities.len(), "worker ready");
        stop.cancelled().await;
        tracing::info!(drain_timeout_seconds = self.settings.drain_timeout.as_secs(), "worker stopping");
        let mut drained = pin!(async {
            pollers.wait().await;
            tasks.close();
            tasks.wait().await;
        });
        if tokio::time::timeout(self.settings.drain_timeout, &mut drained).await.is_err() {
            drain_ended.cancel();
            drained.await;
        }
        tracing::info!("worker stopped");
    }
}
