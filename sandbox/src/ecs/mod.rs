//! The ECS agent: runs the tasks that the emulator's ECS schedules, as processes of this machine.
//!
//! The scheduler is the emulator's (services, rolling deployments, circuit breaker, rollback). For each task the agent does
//! what Fargate does: it takes the execution role, and with it reads secrets and writes the log; starts the image with the
//! command and the environment of the task definition and with the credentials of the task role; runs the health check; and
//! stops with SIGTERM, then SIGKILL after `stopTimeout`.
//!
//! It differs in this, and tells so in its log:
//! - A task has no network of its own, but an address of its own in 127.0.0.0/8: where a variable is `0.0.0.0:PORT` or
//!   `127.0.0.1:PORT`, the task gets its address in place of that one. Where the loopback network has one address only
//!   (macOS), each task gets free ports instead.
//! - `AWS_ENDPOINT_URL`, `CORDON_SLACK_API_URL` and `CORDON_SLACK_HOOKS_URL` lead to the sandbox.
//! - The image is this workspace's binary; a task has one container; user, capabilities and read-only root are not played.

mod address;
pub(crate) mod definition;
mod logs;
mod secrets;
mod task;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::{address::Addresses, definition::ScheduledTask, task::Task};
use crate::{
    front_door::FrontDoor,
    process::{
        child::sibling,
        emulator::{ACCOUNT, Emulator, REGION},
    },
};

/// How long the agent waits after the emulator gave no answer.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// A task that ends sooner by itself counts as short-lived: the next one of its definition waits, as ECS makes it.
const SHORT_LIFE: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// The image that stands for this workspace's `cordon` binary.
pub fn image() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/cordon:sandbox")
}

/// A task that runs.
#[derive(Clone, Debug)]
pub struct RunningTask {
    /// Its ARN.
    pub arn: String,
    /// The cluster's name.
    pub cluster: String,
    /// The name of its container: `worker` or `gateway`.
    pub container: String,
    /// The revision of its task definition.
    pub revision: u64,
    /// The process.
    pub pid: u32,
    /// The file that its output goes to.
    pub log: PathBuf,
    /// Whether its health check passed last.
    pub healthy: bool,
}

/// What tasks of all services share.
struct Shared {
    emulator: Arc<Emulator>,
    /// The front door.
    endpoint: String,
    slack_url: String,
    front_door: Arc<FrontDoor>,
    run_dir: PathBuf,
    running: Mutex<HashMap<String, RunningTask>>,
    addresses: Mutex<Addresses>,
    short_lives: Mutex<HashMap<String, u32>>,
}

/// Runs tasks until it is dropped, which ends all of them at once.
pub(crate) struct Agent {
    shared: Arc<Shared>,
    _follows: AbortOnDropHandle<()>,
}

impl Agent {
    pub(crate) fn start(
        front_door: &Arc<FrontDoor>,
        endpoint: &str,
        slack_url: &str,
        run_dir: PathBuf,
    ) -> Agent {
        let shared = Arc::new(Shared {
            emulator: front_door.emulator.clone(),
            endpoint: endpoint.to_owned(),
            slack_url: slack_url.to_owned(),
            front_door: front_door.clone(),
            run_dir,
            running: Mutex::default(),
            addresses: Mutex::new(Addresses::draw()),
            short_lives: Mutex::default(),
        });
        let follows = AbortOnDropHandle::new(tokio::spawn(follow(shared.clone())));
        Agent { shared, _follows: follows }
    }

    /// The tasks whose processes run at the moment.
    pub(crate) fn running(&self) -> Vec<RunningTask> {
        let mut running: Vec<_> = self.shared.running().values().cloned().collect();
        running.sort_by(|one, other| one.arn.cmp(&other.arn));
        running
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, HashMap<String, RunningTask>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the emulator of a task; false when the task is over there.
    async fn report(&self, report: &serde_json::Value) -> bool {
        loop {
            match self.emulator.report_task(report).await {
                Ok(taken) => return taken,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "a task could not be reported");
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    /// How long the next task of a definition waits.
    fn delay(&self, definition: &str) -> Duration {
        let lives = self.short_lives.lock().unwrap_or_else(PoisonError::into_inner);
        match lives.get(definition) {
            None | Some(0) => Duration::ZERO,
            Some(lives) => FIRST_DELAY.saturating_mul(1 << (*lives - 1).min(10)).min(MAX_DELAY),
        }
    }

    fn ended(&self, definition: &str, began: Instant, was_stopped: bool) {
        let mut lives = self.short_lives.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = lives.entry(definition.to_owned()).or_default();
        *lives = if began.elapsed() < SHORT_LIFE && !was_stopped { lives.saturating_add(1) } else { 0 };
    }
}

/// Keeps what runs equal to what the scheduler wants.
async fn follow(shared: Arc<Shared>) {
    let mut tasks: HashMap<String, (CancellationToken, AbortOnDropHandle<()>)> = HashMap::new();
    let mut change = -1;
    loop {
        let told = match shared.emulator.tasks(change).await {
            Ok(told) => told,
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "ECS gives no answer");
                tokio::time::sleep(RETRY_DELAY).await;
                continue;
            }
        };
        change = told.change;
        tasks.retain(|_, (_, runs)| !runs.is_finished());
        for (arn, (stop, _)) in &tasks {
            if !told.tasks.iter().any(|task| task.task_arn == *arn && task.desired_status != "STOPPED") {
                stop.cancel();
            }
        }
        for task in told.tasks {
            if task.last_status == "PENDING" && !tasks.contains_key(&task.task_arn) {
                start(&shared, &mut tasks, task);
            }
        }
    }
}

fn start(
    shared: &Arc<Shared>,
    tasks: &mut HashMap<String, (CancellationToken, AbortOnDropHandle<()>)>,
    scheduled: ScheduledTask,
) {
    let (arn, stop) = (scheduled.task_arn.clone(), CancellationToken::new());
    let task = Task::new(shared.clone(), scheduled, stop.clone());
    tasks.insert(arn, (stop, AbortOnDropHandle::new(tokio::spawn(task.run()))));
}

/// The binary behind an image.
fn binary(image_of_task: &str) -> anyhow::Result<PathBuf> {
    if image_of_task == image() {
        sibling("cordon")
    } else {
        anyhow::bail!(
            "CannotPullContainerError: the sandbox has one image, {}, and not {image_of_task}",
            image()
        )
    }
}
