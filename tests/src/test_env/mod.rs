//! One sandbox, one Terraform apply, one worker and one gateway for all tests of Cordon end to end.
//!
//! Tests are kept apart by bucket. A test that disturbs the others (kills a process, changes the policy) asks for the
//! environment [`alone`](TestEnv::alone), all others for a [`shared`](TestEnv::shared) one.

mod executions;
mod objects;
mod operators;
mod slack;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use cordon_sandbox::{
    Sandbox,
    deployment::Deployment,
    ecs::RunningTask,
    operator,
    slack::{MethodFault, MethodFaultKind, Outage},
};
use serde_json::{Value, json};

use crate::{
    bare::start_sandbox,
    eventually,
    roles::signed_as,
    turns::{Shared, Turn},
};
pub use objects::Placed;
pub use operators::listen_to_operators;

/// Tests that share the environment at once: enough to keep its emulator busy, which is one process of one thread.
const MAX_CONCURRENCY: usize = 4;
/// How long one round of asking lasts here.
pub const ROUND_SECONDS: u64 = 20;
/// A role that may write the policy, which tests make.
pub const POLICY_WRITER: &str = "policy-writer";
/// Who may decide here.
pub const ALICE: &str = "U0ALICE001";
/// Who may decide where two people have to.
pub const BOB: &str = "U0BOB00002";
/// Who may decide as a member of a user group.
pub const CAROL: &str = "U0CAROL004";
/// The group that Carol is in.
pub const GROUP: &str = "S0SECURITY";
/// Who may decide when nobody else is left.
pub const FALLBACK: &str = BOB;
/// The channel of the cases.
pub const CHANNEL: &str = "C0SECURITY";
/// Another channel.
pub const OTHER_CHANNEL: &str = "C0FINANCE1";

/// How long SQS lets a poll wait at most.
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// Slack is back when it ends.
pub struct SlackIsAway<'a>(&'a Sandbox);

impl Drop for SlackIsAway<'_> {
    fn drop(&mut self) {
        self.0.slack().set_outage(Outage::None);
    }
}

/// The channel takes messages again when it ends.
pub struct ChannelRefuses<'a>(&'a Sandbox);

impl Drop for ChannelRefuses<'_> {
    fn drop(&mut self) {
        self.0.slack().clear_faults();
    }
}

/// The deployed Cordon.
pub struct TestEnv {
    /// The sandbox.
    pub sandbox: Sandbox,
    /// What was applied.
    pub deployment: Deployment,
    /// SDK settings of the administrator.
    pub root: SdkConfig,
    /// S3 as the administrator.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions as the administrator.
    pub sfn: aws_sdk_sfn::Client,
    notices: Mutex<Vec<String>>,
    /// The inputs of the executions of `finding_response` that a test has looked at, by their ARNs.
    inputs: Mutex<HashMap<String, Arc<str>>>,
    operators: (aws_sdk_sqs::Client, String),
}

static ENVIRONMENT: LazyLock<Shared<TestEnv>> = LazyLock::new(|| Shared::new(MAX_CONCURRENCY));

impl TestEnv {
    /// For a test that disturbs nobody.
    pub async fn shared() -> Result<(&'static TestEnv, Turn<'static>)> {
        ENVIRONMENT.shared(TestEnv::set_up).await
    }

    /// For a test that must have the environment to itself.
    pub async fn alone() -> Result<(&'static TestEnv, Turn<'static>)> {
        let (env, turn) = ENVIRONMENT.alone(TestEnv::set_up).await?;
        // What a test that failed has left.
        env.sandbox.faults().clear();
        Ok((env, turn))
    }

    async fn set_up() -> Result<TestEnv> {
        let sandbox = start_sandbox().await?;
        let operator_id = operator::create(&sandbox).await?;
        // The tests together scan faster than an account may.
        sandbox.macie().set_create_interval(None);
        // The tests together post faster than one person's channel may.
        sandbox.slack().set_rate_limits(None);
        let rule = |name: &str, buckets: &str, types: &str, disposition: &str, approvers: &[&str]| {
            json!({"name": name, "buckets": [buckets], "finding_types": [types], "disposition": disposition,
                "approvers": {"users": approvers}})
        };
        // Which rule asks is told by the bucket.
        let asks = |name: &str, members: Value| {
            let mut rule = rule(name, &format!("{name}-*"), "*", "review", &[ALICE]);
            rule.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
            rule
        };
        let variables = json!({
            "fallback_approvers": [FALLBACK],
            "schedule_expression": "rate(30 days)",
            "round_seconds": ROUND_SECONDS,
            "activity_heartbeat_seconds": 4,
            "scan_timeout_seconds": 120,
            "investigators": [operator::arn()],
            "policy_writers": [format!("arn:aws:iam::{}:role/{POLICY_WRITER}", sandbox.account())],
            "purgers": [operator::arn()],
            "policy": {"version": 1, "restorers": {"users": [ALICE]}, "operators": {format!("{operator_id}:bob"): BOB},
                "rules": [
                rule("ignored", "ignored-*", "*", "ignore", &[]),
                {"name": "all-versions", "buckets": ["all-*"], "disposition": "quarantine", "versions": "all"},
                {"name": "read-both", "buckets": ["full-*"], "disposition": "quarantine", "verify": "full"},
                {"name": "asks-again", "buckets": ["asks-again-*"], "disposition": "quarantine", "after_restore": "ask"},
                asks("two-people", json!({"approvals": 2, "approvers": {"users": [ALICE, BOB], "groups": [GROUP]},
                    "on_expiry": "ask_again"})),
                asks("closed-channel", json!({"channel": OTHER_CHANNEL})),
                asks("group", json!({"approvers": {"groups": [GROUP]}})),
                asks("departed", json!({"approvers": {"users": ["U0DEPARTED"], "groups": ["S0EMPTY"]}})),
                // Long enough for Slack to show it on a busy machine.
                asks("snoozed", json!({"snooze_seconds": 15})),
                asks("reminded", json!({"rounds": 2})),
                asks("expiry-moves", json!({"on_expiry": "quarantine"})),
                asks("expiry-takes-all", json!({"on_expiry": "quarantine", "versions": "all"})),
                asks("expiry-asks", json!({"on_expiry": "ask_again"})),
                rule("credentials", "*", "SensitiveData:S3Object/Credentials", "quarantine", &[]),
                rule("financial", "*", "SensitiveData:S3Object/Financial", "review", &[ALICE]),
            ]},
        });
        let deployment = Deployment::apply(&sandbox, variables).await?;
        let root = sandbox.sdk_config().await;
        operator::permit(&sandbox, &deployment).await?;
        let operators =
            listen_to_operators(&root, deployment.output("operators_topic_arn")?, "operators").await?;
        Ok(TestEnv {
            s3: aws_sdk_s3::Client::new(&root),
            sfn: aws_sdk_sfn::Client::new(&root),
            sandbox,
            deployment,
            root,
            notices: Mutex::default(),
            inputs: Mutex::default(),
            operators,
        })
    }

    /// SDK settings of the worker's task role.
    pub async fn worker_config(&self) -> Result<SdkConfig> {
        signed_as(&self.root, self.sandbox.account(), self.deployment.output("worker_role_name")?).await
    }

    /// A setting of a service as Terraform declares it.
    pub async fn setting(&self, service: &str, name: &str) -> Result<String> {
        let settings = self.deployment.settings(service).await?;
        let found = settings.into_iter().find_map(|(key, value)| (key == name).then_some(value));
        found.with_context(|| format!("the {service} has no {name}"))
    }

    /// Where the gateway takes Slack's requests.
    pub fn interactions_url(&self) -> Result<&str> {
        self.deployment.output("interactions_url")
    }

    /// Kills the worker, as a machine that loses power does, and waits until ECS has started another. Where ECS is just
    /// replacing it, and two run, both are killed.
    pub async fn replace_worker(&self) -> Result<()> {
        let killed = self.deployment.tasks(&self.sandbox, "worker");
        ensure!(!killed.is_empty(), "no worker runs");
        for worker in &killed {
            rustix::process::kill_process(pid(worker)?, rustix::process::Signal::KILL)?;
        }
        let is_new = |task: &RunningTask| task.healthy && killed.iter().all(|other| other.arn != task.arn);
        let died = Instant::now();
        eventually("another worker", async || {
            Ok(self.deployment.tasks(&self.sandbox, "worker").iter().any(is_new).then_some(()))
        })
        .await?;
        // Until then a poll of the dead worker may take a request, which comes back only when it is visible again.
        eventually("the end of the dead worker's polls", async || {
            Ok((died.elapsed() > LONGEST_POLL).then_some(()))
        })
        .await
    }

    /// Slack is away until the value ends, also where a test fails meanwhile.
    pub fn slack_is_away(&self, how: Outage) -> SlackIsAway<'_> {
        self.sandbox.slack().set_outage(how);
        SlackIsAway(&self.sandbox)
    }

    /// Slack refuses everything that is about a channel until the value ends.
    pub fn channel_refuses(&self, channel: &str, error: &str) -> ChannelRefuses<'_> {
        self.sandbox.slack().inject(MethodFault {
            method: None,
            channel: Some(channel.into()),
            kind: MethodFaultKind::Refused(error.into()),
            times: None,
        });
        ChannelRefuses(&self.sandbox)
    }

    /// The worker's resident memory, in MiB.
    pub async fn worker_memory(&self) -> Result<f64> {
        memory(self.task("worker")?.pid)
    }

    fn task(&self, container: &str) -> Result<RunningTask> {
        let tasks = self.deployment.tasks(&self.sandbox, container);
        tasks.into_iter().next().with_context(|| format!("no task runs the {container}"))
    }

    /// The end of worker's and gateway's logs.
    pub async fn logs(&self) -> String {
        let ends = self.sandbox.tasks().into_iter().map(|task| {
            let log = std::fs::read_to_string(&task.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            lines[lines.len().saturating_sub(15)..].join("\n")
        });
        ends.collect::<Vec<_>>().join("\n")
    }
}

fn pid(task: &RunningTask) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(task.pid.cast_signed()).context("a process id")
}

fn memory(pid: u32) -> Result<f64> {
    let shown = std::process::Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output()?;
    let kib: f64 = String::from_utf8_lossy(&shown.stdout).trim().parse().context("ps shows the memory")?;
    Ok(kib / 1024.0)
}
