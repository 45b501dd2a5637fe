//! One sandbox, one Terraform apply, one worker and one gateway for all end-to-end tests of a binary.
//!
//! Tests are kept apart by bucket. A test that disturbs the others (kills a process, changes the policy) asks for the
//! stage [`alone`](Stage::alone), all others for a [`shared`](Stage::shared) one.

use std::{
    io::Write,
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_s3::{operation::put_object::PutObjectOutput, primitives::ByteStream};
use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, HistoryEvent},
};
use cordon::store::Cases;
use cordon_domain::{
    case::Case,
    finding::{ObjectVersion, bare_etag, real_version},
};
use cordon_sandbox::{Options, Sandbox, child::Child, deployment::Deployment};
use serde_json::{Value, json};
use tokio::{
    process::Command,
    runtime::Runtime,
    sync::{Mutex as AsyncMutex, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use crate::{
    finding_document, kms,
    operator::{self, OPERATOR, Said},
};

/// Long enough for everything on a busy machine; what has not happened by then does not happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one round of asking lasts here.
pub const ROUND_SECONDS: u64 = 20;
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

/// The deployed Cordon.
pub struct Stage {
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
    worker: AsyncMutex<Child>,
    gateway: AsyncMutex<Child>,
    gateway_url: String,
    told: Mutex<Vec<String>>,
    operators: (aws_sdk_sqs::Client, String),
    quiet: RwLock<()>,
}

/// An object that a test has put somewhere.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Exactly this version.
    pub version: ObjectVersion,
    /// Bytes.
    pub size: usize,
}

impl Stage {
    /// The stage, for a test that disturbs nobody.
    pub async fn shared() -> Result<(&'static Stage, RwLockReadGuard<'static, ()>)> {
        let stage = stage().await?;
        Ok((stage, stage.quiet.read().await))
    }

    /// The stage, for a test that must have it to itself.
    pub async fn alone() -> Result<(&'static Stage, RwLockWriteGuard<'static, ()>)> {
        let stage = stage().await?;
        Ok((stage, stage.quiet.write().await))
    }

    async fn set() -> Result<Stage> {
        let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
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
            "investigators": [role_arn(&sandbox, OPERATOR)],
            "purgers": [role_arn(&sandbox, OPERATOR)],
            "policy": {"version": 1, "restorers": {"users": [ALICE]}, "operators": {session_arn(&sandbox, "bob"): BOB},
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
                asks("snoozed", json!({"snooze_seconds": 3})),
                asks("reminded", json!({"rounds": 2})),
                asks("expiry-moves", json!({"on_expiry": "quarantine"})),
                asks("expiry-asks", json!({"on_expiry": "ask_again"})),
                rule("credentials", "*", "SensitiveData:S3Object/Credentials", "quarantine", &[]),
                rule("financial", "*", "SensitiveData:S3Object/Financial", "review", &[ALICE]),
            ]},
        });
        let deployment = Deployment::apply(&sandbox, variables).await?;
        let worker = deployment.start_worker(&[]).await?;
        let (gateway, gateway_url) = deployment.start_gateway(&[]).await?;
        let root = sandbox.sdk_config().await;
        operator::give_role(&sandbox, &deployment).await?;
        let operators = listen_to_operators(&root, deployment.output("operators_topic_arn")?).await?;
        Ok(Stage {
            s3: aws_sdk_s3::Client::new(&root),
            sfn: aws_sdk_sfn::Client::new(&root),
            sandbox,
            deployment,
            root,
            worker: AsyncMutex::new(worker),
            gateway: AsyncMutex::new(gateway),
            gateway_url,
            told: Mutex::default(),
            operators,
            quiet: RwLock::default(),
        })
    }

    /// SDK settings of the worker's task role.
    pub async fn worker_config(&self) -> Result<SdkConfig> {
        let keys = self.session(self.deployment.output("worker_role_name")?, "test").await?;
        Ok(self.root.to_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
    }

    /// The keys of a session of a role, by the name that the person gives it.
    async fn session(&self, role: &str, name: &str) -> Result<Credentials> {
        let assumed = aws_sdk_sts::Client::new(&self.root)
            .assume_role()
            .role_arn(role_arn(&self.sandbox, role))
            .role_session_name(name)
            .send()
            .await?;
        let keys = assumed.credentials.context("a session has keys")?;
        Ok(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "test",
        ))
    }

    /// Makes a bucket of its own for a test.
    pub async fn bucket(&self, stem: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.s3.create_bucket().bucket(&name).send().await?;
        Ok(name)
    }

    /// Puts an object.
    pub async fn put(&self, bucket: &str, key: &str, text: &str) -> Result<Placed> {
        let body = ByteStream::from(text.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(bucket).key(key).body(body).send().await?;
        self.placed(bucket, key, &put, text.len())
    }

    /// What a PUT has made.
    pub fn placed(&self, bucket: &str, key: &str, put: &PutObjectOutput, size: usize) -> Result<Placed> {
        let version = ObjectVersion {
            account: self.sandbox.account().to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: real_version(put.version_id()),
            etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).to_owned(),
        };
        Ok(Placed { version, size })
    }

    /// Asks KMS.
    pub async fn kms(&self, action: &str, parameters: Value) -> Result<Value> {
        kms(&self.root, action, parameters).await
    }

    /// Shares a bucket with another account.
    pub async fn share(&self, bucket: &str) -> Result<()> {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
            "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
        self.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
        Ok(())
    }

    /// Whether exactly this key is there.
    pub async fn is_there(&self, bucket: &str, key: &str) -> Result<bool> {
        let listed = self.s3.list_objects_v2().bucket(bucket).prefix(key).send().await?;
        Ok(listed.contents().iter().any(|object| object.key() == Some(key)))
    }

    /// A Macie finding about an object, known to Macie but not published. Gives back its id.
    pub fn finding(&self, kind: &str, object: &Placed) -> String {
        let id = hex_id();
        self.sandbox.macie().put_finding(self.finding_document(&id, kind, object));
        id
    }

    /// The document of a finding about an object.
    pub fn finding_document(&self, id: &str, kind: &str, object: &Placed) -> Value {
        finding_document(self.sandbox.region(), id, kind, &object.version, object.size)
    }

    /// A finding about an object, published. Gives back the run that responds to it.
    pub async fn respond(&self, kind: &str, object: &Placed) -> Result<String> {
        let id = self.finding(kind, object);
        self.sandbox.macie().publish_finding(&id).await?;
        self.run_for(&id).await
    }

    /// The run whose input holds `text`.
    pub async fn run_for(&self, text: &str) -> Result<String> {
        eventually(&format!("a run for {text}"), async || Ok(self.runs_for(text).await?.into_iter().next()))
            .await
    }

    /// Every run of `finding_response` whose input holds `text`.
    pub async fn runs_for(&self, text: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let machine = self.machine("finding_response")?;
        let mut pages = self.sfn.list_executions().state_machine_arn(machine).into_paginator().items().send();
        while let Some(run) = pages.next().await {
            let arn = run?.execution_arn;
            let described = self.sfn.describe_execution().execution_arn(&arn).send().await?;
            if described.input().is_some_and(|input| input.contains(text)) {
                found.push(arn);
            }
        }
        Ok(found)
    }

    /// The ARN of a state machine.
    pub fn machine(&self, stem: &str) -> Result<&str> {
        let machines = self.deployment.outputs().get("state_machine_arns").context("an output")?;
        machines[stem].as_str().context("a state machine")
    }

    /// Waits until a run has ended.
    pub async fn ended(&self, run: &str) -> Result<DescribeExecutionOutput> {
        eventually(&format!("the end of {run}"), async || {
            let described = self.sfn.describe_execution().execution_arn(run).send().await?;
            Ok((described.status != ExecutionStatus::Running).then_some(described))
        })
        .await
    }

    /// Waits until a run has ended well.
    pub async fn succeeded(&self, run: &str) -> Result<()> {
        let ended = self.ended(run).await?;
        if ended.status != ExecutionStatus::Succeeded {
            bail!("{run} ended as {}: {:?} {:?}", ended.status.as_str(), ended.error(), ended.cause());
        }
        Ok(())
    }

    /// Waits until a run is in a state.
    pub async fn reaches(&self, run: &str, state: &str) -> Result<()> {
        eventually(&format!("{state} in {run}"), async || {
            Ok(self.states(run).await?.last().is_some_and(|last| last == state).then_some(()))
        })
        .await
    }

    /// The states that a run has entered, in order.
    pub async fn states(&self, run: &str) -> Result<Vec<String>> {
        let events = self.history(run).await?;
        Ok(events.into_iter().filter_map(|event| Some(event.state_entered_event_details?.name)).collect())
    }

    /// The history of a run.
    pub async fn history(&self, run: &str) -> Result<Vec<HistoryEvent>> {
        let mut pages = self.sfn.get_execution_history().execution_arn(run).into_paginator().items().send();
        let mut events = Vec::new();
        while let Some(event) = pages.next().await {
            events.push(event?);
        }
        Ok(events)
    }

    /// Starts an exposure cycle and waits until it has ended well.
    pub async fn cycle(&self) -> Result<String> {
        let started =
            self.sfn.start_execution().state_machine_arn(self.machine("exposure_cycle")?).send().await?;
        self.succeeded(&started.execution_arn).await?;
        Ok(started.execution_arn)
    }

    /// The records of cases.
    pub fn cases(&self) -> Result<Cases> {
        let client = aws_sdk_dynamodb::Client::new(&self.root);
        Ok(Cases::new(client, self.deployment.output("cases_table")?.to_owned()))
    }

    /// The case about an object, as it is on record.
    pub async fn case(&self, object: &Placed) -> Result<Case> {
        self.cases()?.get(&object.version.case_id()).await?.context("there is no case")
    }

    /// The `cordon` command line of a person with the role [`OPERATOR`], on a machine of their own.
    pub fn cordon_command(&self, arguments: &[&str]) -> Result<Command> {
        operator::command(&self.sandbox, &self.deployment, arguments)
    }

    /// What `cordon` says and how it ends.
    pub async fn cordon(&self, arguments: &[&str]) -> Result<Said> {
        Ok(Said::of(self.cordon_command(arguments)?.output().await?))
    }

    /// The same for whoever names their session of the role so; policy knows [`BOB`]'s.
    pub async fn cordon_as(&self, session: &str, arguments: &[&str]) -> Result<Said> {
        let keys = self.session(OPERATOR, session).await?;
        let mut command = self.cordon_command(arguments)?;
        command.env("AWS_ACCESS_KEY_ID", keys.access_key_id());
        command.env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key());
        command.env("AWS_SESSION_TOKEN", keys.session_token().context("a session has a token")?);
        Ok(Said::of(command.output().await?))
    }

    /// The messages that speak of a bucket.
    pub fn messages(&self, bucket: &str) -> Vec<Value> {
        let all = self.sandbox.slack().messages(CHANNEL);
        all.into_iter().filter(|message| message["blocks"].to_string().contains(bucket)).collect()
    }

    /// Waits until Slack shows a message about a bucket with this in it.
    pub async fn shows(&self, bucket: &str, text: &str) -> Result<Value> {
        eventually(&format!("a message about {bucket} with {text:?}"), async || {
            Ok(self.messages(bucket).into_iter().find(|message| message["blocks"].to_string().contains(text)))
        })
        .await
    }

    /// Waits until Slack asks about a bucket; gives back the message.
    pub async fn asked(&self, bucket: &str) -> Result<Value> {
        self.shows(bucket, "quarantine:").await
    }

    /// Clicks a button of a message; the answer's HTTP status.
    pub async fn click(&self, user: &str, message: &Value, action: &str) -> Result<u16> {
        let ts = message["ts"].as_str().context("a message has a ts")?;
        let id = action_id(message, action).context("the message has such a button")?;
        Ok(self.sandbox.slack().click(user, CHANNEL, ts, &id).await.status)
    }

    /// Clicks a button that asks why, and sends the modal with this reason; the answer's HTTP status.
    pub async fn click_because(&self, user: &str, message: &Value, action: &str, why: &str) -> Result<u16> {
        let status = self.click(user, message, action).await?;
        if status != 200 {
            return Ok(status);
        }
        let modal = self.modal(user, message, action).await?;
        Ok(self.sandbox.slack().submit(&modal, why).await.status)
    }

    /// Waits for the modal that a button of this message opens, and gives its id.
    pub async fn modal(&self, user: &str, message: &Value, action: &str) -> Result<String> {
        let action = action_id(message, action).context("the message has such a button")?;
        eventually(&format!("a modal for {action}"), async || {
            let modals = self.sandbox.slack().modals(user);
            let modal =
                modals.iter().rev().find(|modal| modal["private_metadata"].to_string().contains(&action));
            Ok(modal.and_then(|modal| modal["id"].as_str().map(str::to_owned)))
        })
        .await
    }

    /// Waits until operators were told something with this text.
    pub async fn operators_told(&self, text: &str) -> Result<String> {
        let (sqs, queue) = &self.operators;
        eventually(&format!("a message to operators with {text:?}"), async || {
            let batch = sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            for message in batch.messages() {
                self.told.lock().unwrap().extend(message.body().map(str::to_owned));
                sqs.delete_message()
                    .queue_url(queue)
                    .receipt_handle(message.receipt_handle().unwrap_or(""))
                    .send()
                    .await?;
            }
            Ok(self.told.lock().unwrap().iter().find(|message| message.contains(text)).cloned())
        })
        .await
    }

    /// Where the gateway takes Slack's requests.
    pub fn interactions_url(&self) -> String {
        format!("{}/slack/interactions", self.gateway_url)
    }

    /// Kills the worker, as a machine that loses power does, and starts another.
    pub async fn replace_worker(&self) -> Result<()> {
        let mut worker = self.worker.lock().await;
        worker.kill().await?;
        *worker = self.deployment.start_worker(&[]).await?;
        Ok(())
    }

    /// The worker's resident memory, in MiB.
    pub async fn worker_memory(&self) -> Result<f64> {
        memory(self.worker.lock().await.pid())
    }

    /// The end of worker's and gateway's logs.
    pub async fn logs(&self) -> String {
        format!("{}\n{}", self.worker.lock().await.end_of_log(), self.gateway.lock().await.end_of_log())
    }
}

fn role_arn(sandbox: &Sandbox, role: &str) -> String {
    format!("arn:aws:iam::{}:role/{role}", sandbox.account())
}

/// How AWS knows a person who has named their session of the [`OPERATOR`] role so.
fn session_arn(sandbox: &Sandbox, session: &str) -> String {
    format!("arn:aws:sts::{}:assumed-role/{OPERATOR}/{session}", sandbox.account())
}

/// The action id of a button.
fn action_id(message: &Value, action: &str) -> Option<String> {
    let blocks = message["blocks"].as_array()?;
    let actions = blocks.iter().filter(|block| block["type"] == "actions");
    let buttons = actions.flat_map(|block| block["elements"].as_array().into_iter().flatten());
    // The last, for a page is turned forward.
    let ids: Vec<_> = buttons.filter_map(|button| button["action_id"].as_str()).collect();
    ids.into_iter().rfind(|id| id.starts_with(action)).map(str::to_owned)
}

/// Runs a test on the stage's own runtime: the clients' connections live there, and outlive the test.
///
/// # Errors
/// The test's own.
pub fn on_stage<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    runtime().block_on(test)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts")
    })
}

async fn stage() -> Result<&'static Stage> {
    static STAGE: OnceCell<Result<Stage, String>> = OnceCell::const_new();
    let stage = STAGE.get_or_init(async || Stage::set().await.map_err(|error| format!("{error:#}"))).await;
    stage.as_ref().map_err(|error| anyhow!("the stage could not be set: {error}"))
}

async fn listen_to_operators(root: &SdkConfig, topic: &str) -> Result<(aws_sdk_sqs::Client, String)> {
    let sqs = aws_sdk_sqs::Client::new(root);
    let created = sqs.create_queue().queue_name("operators").send().await?;
    let queue = created.queue_url().context("a queue has a URL")?.to_owned();
    let arn = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = sqs.get_queue_attributes().queue_url(&queue).attribute_names(arn.clone()).send().await?;
    let endpoint = attributes.attributes().and_then(|all| all.get(&arn)).context("a queue has an ARN")?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": {"Service": "sns.amazonaws.com"}, "Resource": endpoint}]});
    let policy = (aws_sdk_sqs::types::QueueAttributeName::Policy, policy.to_string());
    sqs.set_queue_attributes().queue_url(&queue).set_attributes(Some([policy].into())).send().await?;
    let sns = aws_sdk_sns::Client::new(root);
    sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(endpoint).send().await?;
    Ok((sqs, queue))
}

/// Asks until there is an answer.
///
/// # Errors
/// When it does not come, or asking fails.
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    eventually_within(PATIENCE, what, ask).await
}

/// The same with another deadline.
///
/// # Errors
/// When it does not come, or asking fails.
pub async fn eventually_within<T>(
    patience: Duration,
    what: &str,
    ask: impl AsyncFn() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("{what} did not come within {patience:?}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Prints a line of figures past the test harness, which swallows the output of tests that pass.
pub fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn hex_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{:016x}{:016x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn memory(pid: u32) -> Result<f64> {
    let shown = std::process::Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output()?;
    let kib: f64 = String::from_utf8_lossy(&shown.stdout).trim().parse().context("ps shows the memory")?;
    Ok(kib / 1024.0)
}
