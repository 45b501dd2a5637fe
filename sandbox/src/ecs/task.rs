//! One task, from PENDING to STOPPED.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    RunningTask, Shared,
    address::Address,
    binary,
    definition::{Container, HealthCheck, ScheduledTask},
    logs::LogStream,
    secrets,
};
use crate::process::{child::Child, emulator::root_config};

/// While nothing is known of a task's health, it is asked more often than declared, so that nobody waits for an interval.
const FIRST_INTERVAL: Duration = Duration::from_millis(300);

pub(super) struct Task {
    shared: Arc<Shared>,
    scheduled: ScheduledTask,
    stop: CancellationToken,
}

/// What a container starts with.
struct Prepared {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    address: Address,
    log: PathBuf,
    log_stream: LogStream,
}

impl Task {
    pub(super) fn new(shared: Arc<Shared>, scheduled: ScheduledTask, stop: CancellationToken) -> Task {
        Task { shared, scheduled, stop }
    }

    fn id(&self) -> &str {
        self.scheduled.task_arn.rsplit('/').next().unwrap_or_default()
    }

    fn definition(&self) -> &str {
        &self.scheduled.task_definition.task_definition_arn
    }

    async fn report(&self, mut report: Value) -> bool {
        report["task"] = json!(self.scheduled.task_arn);
        self.shared.report(&report).await
    }

    pub(super) async fn run(self) {
        let delay = self.shared.delay(self.definition());
        let stopped = tokio::time::timeout(delay, self.stop.cancelled()).await.is_ok();
        if stopped || !self.report(json!({"status": "ACTIVATING"})).await {
            return;
        }
        let began = Instant::now();
        if let Err(why) = self.live().await {
            let why = format!("{why:#}");
            tracing::warn!("ECS: the task {} does not start. {why}", self.id());
            self.report(json!({"status": "STOPPED", "reason": why, "stopCode": "TaskFailedToStart"})).await;
        }
        self.shared.running().remove(&self.scheduled.task_arn);
        self.shared.ended(self.definition(), began, self.stop.is_cancelled());
    }

    /// Starts the container and stays until it has ended and that is reported.
    async fn live(&self) -> anyhow::Result<()> {
        let container = self.scheduled.container()?;
        let prepared = self.prepare(container).await?;
        let Prepared { binary, environment, address, log, .. } = &prepared;
        let argv: Vec<&std::ffi::OsStr> =
            std::iter::once(binary.as_os_str()).chain(container.command.iter().map(AsRef::as_ref)).collect();
        let mut process = Child::start(&container.name, &argv, environment, log).await?;
        tracing::info!("ECS: {} runs as process {} at {}", container.name, process.pid(), address.ip);
        let running = RunningTask {
            arn: self.scheduled.task_arn.clone(),
            cluster: self.scheduled.cluster_arn.rsplit('/').next().unwrap_or_default().to_owned(),
            container: container.name.clone(),
            revision: self.scheduled.task_definition.revision,
            pid: process.pid(),
            log: log.clone(),
            healthy: false,
        };
        self.shared.running().insert(running.arn.clone(), running);
        self.report(json!({"status": "RUNNING", "address": address.ip, "ports": address.ports,
            "runtimeId": process.pid().to_string()}))
            .await;

        let ended = tokio::select! {
            status = process.wait() => Some(status?),
            () = self.stop.cancelled() => None,
            never = self.watch(container, &prepared) => match never {},
        };
        let status = match ended {
            Some(status) => {
                tracing::warn!(
                    "ECS: {} ended by itself ({status}); the end of its log ({}):\n{}",
                    container.name,
                    log.display(),
                    process.end_of_log()
                );
                status
            }
            None => process.terminate_within(container.stop_timeout()).await?,
        };
        prepared.log_stream.end().await;
        let code = exit_code(status);
        self.report(json!({"status": "STOPPED", "exitCode": code})).await;
        Ok(())
    }

    async fn prepare(&self, container: &Container) -> anyhow::Result<Prepared> {
        let definition = &self.scheduled.task_definition;
        let role = definition.execution_role_arn.as_ref();
        let role =
            role.context("ResourceInitializationError: the task definition names no execution role")?;
        let execution = self.execution(role).await?;
        let binary = binary(&container.image)?;
        let log = self.shared.run_dir.join(format!(
            "{}-{}.log",
            container.name,
            &self.id()[..8.min(self.id().len())]
        ));
        let log_stream = LogStream::open(&execution, container, self.id(), log.clone()).await?;
        let mut address = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut environment = Vec::new();
        for variable in &container.environment {
            environment.push((variable.name.clone(), address.own(&variable.value)?));
        }
        let secrets_manager = aws_sdk_secretsmanager::Client::new(&execution);
        for secret in &container.secrets {
            let value = secrets::resolve(&secrets_manager, &secret.value_from).await?;
            environment.push((secret.name.clone(), value));
        }
        if let Some(role) = &definition.task_role_arn {
            let role = role.rsplit('/').next().unwrap_or_default();
            let credentials = self.shared.front_door.credentials.environment(&self.shared.endpoint, role);
            // What a task definition lacks is not there on AWS either.
            environment.extend(credentials.into_iter().filter(|(name, _)| name != "AWS_REGION"));
        }
        environment.push(("CORDON_SLACK_API_URL".into(), format!("{}/api", self.shared.slack_url)));
        environment.push(("CORDON_SLACK_HOOKS_URL".into(), self.shared.slack_url.clone()));
        Ok(Prepared { binary, environment, address, log, log_stream })
    }

    /// A session of the execution role. The emulator's root stands for ECS, which the role has to trust.
    async fn execution(&self, role: &str) -> anyhow::Result<SdkConfig> {
        let root = root_config(self.shared.emulator.endpoint());
        let sts = aws_sdk_sts::Client::new(&root);
        let session = sts.assume_role().role_arn(role).role_session_name(self.id()).send().await;
        let session = session.map_err(|error| {
            let why =
                aws_sdk_sts::error::ProvideErrorMetadata::message(&error).unwrap_or("no answer").to_owned();
            anyhow::anyhow!("ResourceInitializationError: ECS cannot assume the execution role {role}: {why}")
        })?;
        let keys = session.credentials.context("a session without keys")?;
        let keys = Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "ECS",
        );
        Ok(root.to_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
    }

    /// Runs the health check and reports what changes, until this future is dropped.
    async fn watch(&self, container: &Container, prepared: &Prepared) -> std::convert::Infallible {
        let Some(check) = &container.health_check else { return std::future::pending().await };
        let (began, mut failures, mut known) = (Instant::now(), 0, None);
        loop {
            let interval = Duration::from_secs(check.interval);
            tokio::time::sleep(if known.is_none() { FIRST_INTERVAL } else { interval }).await;
            let passes = passes(check, prepared).await;
            if passes {
                failures = 0;
            } else if began.elapsed() >= Duration::from_secs(check.start_period) {
                failures += 1;
            }
            let healthy = match passes {
                true => Some(true),
                false if failures >= check.retries => Some(false),
                false => known,
            };
            if healthy != known {
                known = healthy;
                let is_healthy = healthy == Some(true);
                if let Some(task) = self.shared.running().get_mut(&self.scheduled.task_arn) {
                    task.healthy = is_healthy;
                }
                let health = if is_healthy { "HEALTHY" } else { "UNHEALTHY" };
                tracing::info!("ECS: {} {} is {health}", container.name, self.id());
                self.report(json!({"health": health})).await;
            }
        }
    }
}

/// Whether the check's command succeeds. The image holds one program, wherever it lies there.
async fn passes(check: &HealthCheck, prepared: &Prepared) -> bool {
    let arguments = check.command.iter().skip(2).map(|argument| prepared.address.argument(argument));
    let run = run(&prepared.binary, arguments, &prepared.environment);
    let within = tokio::time::timeout(Duration::from_secs(check.timeout), run).await;
    within.is_ok_and(|status| status.is_ok_and(|status| status.success()))
}

async fn run(
    binary: &Path,
    arguments: impl Iterator<Item = String>,
    environment: &[(String, String)],
) -> std::io::Result<ExitStatus> {
    let null = std::process::Stdio::null;
    let mut command = tokio::process::Command::new(binary);
    command.args(arguments).env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(null()).stdout(null()).stderr(null()).kill_on_drop(true).status().await
}

/// The supervisor's status is the command's own: its code, or 128 + the signal.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}
