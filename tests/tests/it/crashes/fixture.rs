//! A sandbox with Cordon deployed and no worker in it, and processes that do one task each.

use std::{collections::HashMap, fs::File, path::PathBuf, process::Stdio, sync::LazyLock, time::Duration};

use activity_worker::Worker;
use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use cordon::{app::clients::Clients, config::WorkerConfig, error::RETRYABLE, store::Cases};
use cordon_domain::case::{Case, Restore};
use cordon_sandbox::{
    InterceptedCall, InterceptingProxy, Intervention, Sandbox, deployment::Deployment, operator,
};
use cordon_tests::{
    ALICE, BOB, CommandOutput, Shared, Turn, signed_as, start_sandbox, vouched, vouched_restore, worker,
};
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout, Command},
    sync::{OnceCell, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::scenario::{SCENARIOS, Scenario, Task};

/// A task that is not done by then hangs.
const TASK_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a task that ends with a retryable error is done again.
const ATTEMPTS: usize = 10;
/// Tasks at once. Many of them only wait to repeat a call.
const MAX_CONCURRENCY: usize = 16;
/// Tests that share the fixture at once.
const MAX_CONCURRENT_TESTS: usize = 8;
/// What is larger is copied in parts of this size, the smallest that S3 takes.
const PART_BYTES: &str = "5242880";

/// How IAM knows Bob.
pub(super) const BOBS_ID: &str = "AIDABOBBOBBOBBOBBOBB";

/// The only root certificate that the processes get: they talk to the sandbox alone, and to read all that a system has
/// takes them longer than their task.
const ROOT_CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/crashes/amazon_root_ca_3.pem");

/// Where the tasks are done.
pub(crate) struct Fixture {
    pub(crate) sandbox: Sandbox,
    pub(crate) deployment: Deployment,
    /// DynamoDB as the account's administrator.
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    /// S3 as the account's administrator.
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) cases: Cases,
    /// The quarantine bucket.
    pub(super) quarantine: String,
    /// Does tasks in this process.
    pub(super) worker: Worker,
    /// What a worker finds in its environment, its credentials apart.
    pub(super) settings: HashMap<String, String>,
    role: String,
    /// SDK settings of the worker's role.
    worker_aws: SdkConfig,
    undisturbed: OnceCell<Vec<(&'static Scenario, Vec<InterceptedCall>)>>,
    turns: Semaphore,
}

/// What came of one process.
pub(super) struct Run {
    /// The calls that it made.
    pub(super) calls: Vec<InterceptedCall>,
    /// What it printed; nothing if it was killed at a call that was held.
    pub(super) answer: Option<Value>,
}

/// A process at its task.
pub(super) struct Process {
    pub(super) proxy: InterceptingProxy,
    child: Child,
    printed: ChildStdout,
    log: PathBuf,
}

impl Process {
    /// Kills it, if it has not ended.
    pub(super) async fn end(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it has ended, and gives back what it printed; nothing as soon as a call of its is held.
    pub(super) async fn answer(&mut self) -> Result<Option<Value>> {
        let mut answer = Vec::new();
        let ended = async {
            tokio::select! {
                read = self.printed.read_to_end(&mut answer) => { read?; Ok(true) }
                () = self.proxy.held() => Ok::<_, std::io::Error>(false),
            }
        };
        if !timeout(TASK_TIMEOUT, ended).await.context("the process hangs")?? {
            return Ok(None);
        }
        let answer = serde_json::from_slice(&answer);
        answer.map(Some).with_context(|| format!("it ended without an answer; see {}", self.log.display()))
    }
}

static FIXTURE: LazyLock<Shared<Fixture>> = LazyLock::new(|| Shared::new(MAX_CONCURRENT_TESTS));

impl Fixture {
    /// For a test that disturbs nobody.
    pub(super) async fn shared() -> Result<(&'static Fixture, Turn<'static>)> {
        FIXTURE.shared(Fixture::set_up).await
    }

    /// For a test that looks at everything, or turns the controls of a double.
    pub(crate) async fn alone() -> Result<(&'static Fixture, Turn<'static>)> {
        FIXTURE.alone(Fixture::set_up).await
    }

    async fn set_up() -> Result<Fixture> {
        let sandbox = start_sandbox().await?;
        // The tests together post faster than one channel may.
        sandbox.slack().set_rate_limits(None);
        sandbox.macie().set_create_interval(None);
        let asks = |name: &str, buckets: &str, users: &[&str], on_expiry: &str| {
            json!({"name": name, "buckets": [buckets], "disposition": "review", "rounds": 2,
                "approvals": users.len(), "approvers": {"users": users}, "on_expiry": on_expiry})
        };
        let policy = json!({"version": 1, "restorers": {"users": [ALICE]}, "operators": {BOBS_ID: BOB}, "rules": [
            asks("asks-again", "asks-again-*", &[ALICE], "ask_again"),
            asks("expiry-moves", "expiry-moves-*", &[ALICE], "quarantine"),
            asks("two-people", "two-people-*", &[ALICE, BOB], "leave"),
            asks("all", "*", &[ALICE], "leave"),
        ]});
        // Tasks are given to activities by hand here.
        let variables = json!({"schedule_expression": "rate(30 days)", "policy": policy, "worker_count": 0,
            "gateway_count": 0, "deletion_protection": true});
        let deployment = Deployment::apply(&sandbox, variables).await?;
        let mut settings: HashMap<_, _> = deployment.settings("worker").await?.into_iter().collect();
        settings.insert("CORDON_SLACK_API_URL".into(), format!("{}/api", sandbox.slack_url()));
        settings.insert("CORDON_PART_BYTES".into(), PART_BYTES.into());
        operator::create(&sandbox).await?;
        operator::permit(&sandbox, &deployment).await?;
        let role = deployment.output("worker_role_name")?.to_owned();
        let root = sandbox.sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&root)
            // S3 makes a checksum of its own; what the SDK would make and validate takes long without optimization.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let dynamodb = aws_sdk_dynamodb::Client::new(&root);
        let worker_aws = signed_as(&root, sandbox.account(), &role).await?;
        Ok(Fixture {
            s3: aws_sdk_s3::Client::from_conf(s3),
            cases: Cases::new(dynamodb.clone(), deployment.output("cases_table")?.to_owned()),
            dynamodb,
            quarantine: deployment.output("quarantine_bucket")?.to_owned(),
            worker: worker(&worker_aws, WorkerConfig::read(&settings)?),
            worker_aws,
            settings,
            role,
            undisturbed: OnceCell::new(),
            turns: Semaphore::new(MAX_CONCURRENCY),
            sandbox,
            deployment,
        })
    }

    /// The case as the worker would have opened it.
    pub(super) async fn vouched(&self, case: Case) -> Result<Case> {
        vouched(&self.worker_aws, &self.settings["CORDON_MAC_KEY_ARN"], case).await
    }

    /// The request as the worker would have recorded it.
    pub(super) async fn vouched_restore(&self, case: &Case, restore: Restore) -> Result<Restore> {
        vouched_restore(&self.worker_aws, &self.settings["CORDON_MAC_KEY_ARN"], case, restore).await
    }

    /// What `cordon` says to an operator, and how it ends.
    pub(super) async fn cordon(&self, arguments: &[&str]) -> Result<CommandOutput> {
        let mut command = cordon_tests::operator::command(&self.sandbox, &self.deployment, arguments)?;
        Ok(CommandOutput::of(command.output().await?))
    }

    /// What the worker talks to.
    pub(super) fn clients(&self) -> Result<Clients> {
        Ok(Clients::new(&self.worker_aws, WorkerConfig::read(&self.settings)?))
    }

    /// Waits until there is room for one more task.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("it is never closed")
    }

    /// Every scenario and the calls that its task makes when nothing disturbs it.
    pub(super) async fn undisturbed(
        &'static self,
    ) -> Result<&'static [(&'static Scenario, Vec<InterceptedCall>)]> {
        let runs = async || {
            let mut all = Vec::new();
            for scenario in SCENARIOS {
                let _turn = self.turn().await;
                let task = scenario.prepare(self).await?;
                all.push((scenario, self.run(&task, |_| Intervention::Pass).await?.calls));
            }
            Ok(all)
        };
        Ok(self.undisturbed.get_or_try_init::<anyhow::Error, _, _>(runs).await?)
    }

    /// Starts a process that does a task, and whose calls `meet` what it says.
    pub(super) async fn start(
        &self,
        task: &Task,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> Result<Process> {
        self.start_activity(task.stem, &task.input, meet).await
    }

    /// The same for any activity.
    pub(super) async fn start_activity(
        &self,
        stem: &str,
        input: &Value,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> Result<Process> {
        let proxy = self.sandbox.intercept(meet).await?;
        let log = self.sandbox.run_dir().join("one-task.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_one-task"))
            .args([stem, &input.to_string()])
            .env_clear()
            .envs(&self.settings)
            .envs(proxy.environment(&self.role))
            .env("SSL_CERT_FILE", ROOT_CERTIFICATE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        let printed = child.stdout.take().context("an output")?;
        Ok(Process { proxy, child, printed, log })
    }

    /// Does a task in a process of its own, which is killed as soon as a call of its is held.
    pub(super) async fn run(
        &self,
        task: &Task,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> Result<Run> {
        let mut process = self.start(task, meet).await?;
        let answer = process.answer().await?;
        process.child.kill().await?;
        Ok(Run { calls: process.proxy.calls().into_iter().map(|(call, _)| call).collect(), answer })
    }

    /// Does a task as Step Functions does it: again while it ends with a retryable error.
    pub(super) async fn run_to_the_end(
        &self,
        task: &Task,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Clone + Send + 'static,
    ) -> Result<Value> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let answer = self.run(task, meet.clone()).await?.answer.context("nothing is held")?;
            if answer["error"] != RETRYABLE {
                return Ok(answer);
            }
            last = Some(answer);
        }
        bail!("it did not end within {ATTEMPTS} attempts; the last one said {last:?}")
    }
}
