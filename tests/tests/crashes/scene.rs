//! A sandbox with Cordon deployed and no worker in it, and processes that do one task each.

use std::{collections::HashMap, fs::File, process::Stdio, time::Duration};

use activity_worker::Worker;
use anyhow::{Context, Result, anyhow, bail};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use cordon::{clients::store::Cases, config::WorkerConfig, error::RETRYABLE};
use cordon_sandbox::{Meeting, Options, Sandbox, TappedCall, deployment::Deployment};
use cordon_tests::worker;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    process::Command,
    sync::{OnceCell, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::scenario::Task;

/// A task that is not done by then hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a task that ends with a retryable error is done again.
const ATTEMPTS: usize = 10;
/// Tasks at once.
const AT_ONCE: usize = 6;
/// What is larger is copied in parts of this size, the smallest that S3 takes.
const PART_BYTES: &str = "5242880";

/// Where the tasks are done.
pub(super) struct Scene {
    pub(super) sandbox: Sandbox,
    /// S3 as the account's administrator.
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) cases: Cases,
    /// The quarantine bucket.
    pub(super) quarantine: String,
    /// Does tasks in this process.
    pub(super) worker: Worker,
    /// What a worker finds in its environment, its credentials apart.
    settings: HashMap<String, String>,
    role: String,
    turns: Semaphore,
}

/// What came of one process.
pub(super) struct Run {
    /// The calls that it made.
    pub(super) calls: Vec<TappedCall>,
    /// What it printed; nothing if it was killed at a call that was held.
    pub(super) answer: Option<Value>,
}

impl Scene {
    /// The scene of all tests, set once.
    pub(super) async fn set() -> Result<&'static Scene> {
        static SCENE: OnceCell<Result<Scene, String>> = OnceCell::const_new();
        let scene =
            SCENE.get_or_init(async || Scene::new().await.map_err(|error| format!("{error:#}"))).await;
        scene.as_ref().map_err(|error| anyhow!("the scene could not be set: {error}"))
    }

    async fn new() -> Result<Scene> {
        let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
        let deployment = Deployment::apply(&sandbox, json!({"schedule_expression": "rate(30 days)"})).await?;
        let settings = deployment.outputs().get("worker_environment").and_then(Value::as_object);
        let mut settings: HashMap<_, _> = settings
            .context("the worker's settings")?
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        settings.insert("AWS_REGION".into(), sandbox.region().into());
        settings.insert("CORDON_SLACK_BOT_TOKEN".into(), sandbox.slack().bot_token().to_owned());
        settings.insert("CORDON_PART_BYTES".into(), PART_BYTES.into());
        let role = deployment.output("worker_role_name")?.to_owned();
        let root = sandbox.sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&root)
            // S3 makes a checksum of its own; what the SDK would make and validate takes long without optimisation.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Ok(Scene {
            s3: aws_sdk_s3::Client::from_conf(s3),
            cases: Cases::new(
                aws_sdk_dynamodb::Client::new(&root),
                deployment.output("cases_table")?.to_owned(),
            ),
            quarantine: deployment.output("quarantine_bucket")?.to_owned(),
            worker: worker(
                &signed_as(&root, sandbox.account(), &role).await?,
                WorkerConfig::read(&settings)?,
            ),
            settings,
            role,
            turns: Semaphore::new(AT_ONCE),
            sandbox,
        })
    }

    /// Waits until there is room for one more task.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("it is never closed")
    }

    /// Does a task in a process of its own, whose calls `meet` what it says. The process is killed as soon as one of
    /// them is held.
    pub(super) async fn run(
        &self,
        task: &Task,
        meet: impl FnMut(&TappedCall) -> Meeting + Send + 'static,
    ) -> Result<Run> {
        let tap = self.sandbox.tap(meet).await?;
        let log =
            File::options().create(true).append(true).open(self.sandbox.run_dir().join("one-task.log"))?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_one-task"))
            .args([task.stem, &task.input.to_string()])
            .env_clear()
            .envs(&self.settings)
            .envs(tap.environment(&self.role))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut printed = process.stdout.take().context("an output")?;
        let mut answer = Vec::new();
        let ended = async {
            tokio::select! {
                read = printed.read_to_end(&mut answer) => { read?; Ok(true) }
                () = tap.held() => Ok::<_, std::io::Error>(false),
            }
        };
        let by_itself = timeout(PATIENCE, ended).await.context("the process hangs")??;
        process.kill().await?;
        let calls = tap.calls().into_iter().map(|(call, _)| call).collect();
        if !by_itself {
            return Ok(Run { calls, answer: None });
        }
        let answer = serde_json::from_slice(&answer).with_context(|| {
            format!("the process ended without an answer; see {}", self.sandbox.run_dir().display())
        })?;
        Ok(Run { calls, answer: Some(answer) })
    }

    /// Does a task as Step Functions does it: again while it ends with a retryable error.
    pub(super) async fn run_to_the_end(
        &self,
        task: &Task,
        meet: impl FnMut(&TappedCall) -> Meeting + Clone + Send + 'static,
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

/// SDK settings of a role.
async fn signed_as(root: &SdkConfig, account: &str, role: &str) -> Result<SdkConfig> {
    let arn = format!("arn:aws:iam::{account}:role/{role}");
    let sts = aws_sdk_sts::Client::new(root);
    let session = sts.assume_role().role_arn(arn).role_session_name("crashes").send().await?;
    let keys = session.credentials.context("credentials")?;
    let keys = Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        Some(keys.session_token),
        None,
        "crashes",
    );
    Ok(root.to_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
}
