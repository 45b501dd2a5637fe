//! A set of activities, polled for until told to stop.

use std::{sync::Arc, time::Duration};

use aws_sdk_sfn::Client;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    activity::{Activity, SharedActivity, TaskContext},
    error::{Failure, INVALID_INPUT},
    poller::Poller,
};

/// How a [`Worker`] works.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// What every activity's ARN begins with; the activity's name follows.
    pub arn_prefix: String,
    /// Shown in the run's history beside each task.
    pub name: String,
    /// The `HeartbeatSeconds` of the activity states; a beat is sent every third of it.
    pub heartbeat_timeout: Duration,
    /// Tasks of one activity at once.
    pub slots: usize,
    /// How long tasks in hand, and polls in flight, may go on after the stop.
    pub grace: Duration,
}

/// Polls Step Functions for the tasks of its activities and runs them.
pub struct Worker {
    client: Client,
    settings: WorkerSettings,
    activities: Vec<SharedActivity>,
}

impl Worker {
    /// A worker without activities.
    pub fn new(client: Client, settings: WorkerSettings) -> Self {
        Self { client, settings, activities: Vec::new() }
    }

    /// Adds an activity.
    #[must_use]
    pub fn with(mut self, activity: impl Activity) -> Self {
        self.activities.push(Arc::new(activity));
        self
    }

    /// The names of the activities, in the order in which they were added.
    pub fn names(&self) -> Vec<&'static str> {
        self.activities.iter().map(|activity| activity.name()).collect()
    }

    /// Does one task that is given by hand, outside Step Functions: nothing is polled and nobody is told.
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

    /// Works until `stop` is cancelled, then ends in this order: no new polls; polls in flight return (a task that
    /// they bring is given back at once); tasks in hand finish within the grace; what is left is given back as
    /// `WorkerShutdown`, so that the retry is immediate.
    pub async fn run(self, stop: CancellationToken) {
        let (tasks, pollers, abandon) = (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        for activity in &self.activities {
            pollers.spawn(
                Poller {
                    client: self.client.clone(),
                    activity: Arc::clone(activity),
                    arn: format!("{}{}", self.settings.arn_prefix, activity.name()),
                    worker_name: self.settings.name.clone(),
                    heartbeat_timeout: self.settings.heartbeat_timeout,
                    slots: Arc::new(Semaphore::new(self.settings.slots)),
                    tasks: tasks.clone(),
                    stop: stop.clone(),
                    abandon: abandon.clone(),
                }
                .run(),
            );
        }
        pollers.close();
        tracing::info!(activities = self.activities.len(), "worker ready");
        stop.cancelled().await;
        tracing::info!(grace_seconds = self.settings.grace.as_secs(), "worker stopping");
        let drained = async {
            pollers.wait().await;
            tasks.close();
            tasks.wait().await;
        };
        if tokio::time::timeout(self.settings.grace, drained).await.is_err() {
            abandon.cancel();
            pollers.wait().await;
            tasks.close();
            tasks.wait().await;
        }
        tracing::info!("worker stopped");
    }
}
