//! Work on one object: the execution that waits, the records of its case, the message in Slack, the copies in quarantine, and
//! what people have asked for and no worker has read.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::primitives::ByteStream;
use cordon::store::keys;
use cordon_domain::case::Case;
use cordon_sandbox::{Fault, FaultRule};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FrozenExecution, Shift, get_item, put_item};
use crate::{
    ALICE, CHANNEL, OPERATOR, Placed, TestEnv, eventually,
    roles::session,
    worker::{vouched, vouched_restore},
};

/// Stands for the version of the copy, which S3 gives anew.
const VERSION: &str = "{{version}}";

/// One case of a release, in the middle of its work.
#[derive(Debug, Serialize, Deserialize)]
pub struct FrozenCase {
    /// What waits, if anything does.
    execution: Option<FrozenExecution>,
    /// Bucket, key and text of the object, as it was put.
    object: [String; 3],
    /// Whether the object is at its place; in the end it is where it is not now.
    is_there: bool,
    /// Whether a click is waited for.
    is_asked: bool,
    /// The items of its case.
    items: Vec<Value>,
    /// Slack's message, with text, blocks and metadata.
    message: Value,
    /// What is in quarantine, by key: the copy first, then its manifest.
    quarantined: Vec<[String; 2]>,
    /// What somebody has asked for.
    request: Option<Request>,
}

/// A message that no worker has read.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    /// The worker's setting that names its queue.
    queue: String,
    /// Its text.
    body: String,
}

/// The session of who asks for something at the command line.
const SENDER: &str = "bob";

impl FrozenCase {
    /// A case that people are asked about.
    pub(super) async fn review(env: &TestEnv, release: &str) -> Result<Self> {
        let object = of_release("upgrade-review", release);
        let (run, placed) = asked(env, &object).await?;
        Self::of(env, Some(&run), object, &placed, true).await
    }

    /// A case that is asked about again later.
    pub(super) async fn snooze(env: &TestEnv, release: &str) -> Result<Self> {
        let object = of_release("snoozed-upgrade", release);
        let (run, placed) = asked(env, &object).await?;
        let message = env.asked(&object[0]).await?;
        ensure!(env.click(ALICE, &message, "snooze:").await? == 200, "the click is not taken");
        env.reaches(&run, "AwaitSnooze").await?;
        env.shows(&object[0], "Snoozed by").await?;
        Self::of(env, Some(&run), object, &placed, true).await
    }

    /// A case with one vote of two, and the other in the queue.
    pub(super) async fn vote(env: &TestEnv, release: &str) -> Result<Self> {
        let object = of_release("two-people-upgrade", release);
        let (run, placed) = asked(env, &object).await?;
        let message = env.asked(&object[0]).await?;
        ensure!(env.click(ALICE, &message, "quarantine:").await? == 200, "the click is not taken");
        env.shows(&object[0], "1 of 2 for quarantine").await?;
        let case_id = placed.version.case_id();
        let approve = ["approvals", "approve", &case_id, "--reason", "a card is in it"];
        let request = unread(env, "CORDON_APPROVALS_QUEUE_URL", &approve).await?;
        let frozen = Self::of(env, Some(&run), object, &placed, false).await?;
        Ok(Self { request: Some(request), ..frozen })
    }

    /// A restore that waits for the end of a pause.
    pub(super) async fn restore(env: &TestEnv, release: &str) -> Result<Self> {
        let object = of_release("upgrade-restore", release);
        let placed = moved(env, &object).await?;
        let case_id = placed.version.case_id();
        for arguments in [
            &["pause", "--reason", "an upgrade"][..],
            &["restore", &case_id, "--reason", "a test", "--no-wait"],
        ] {
            let said = env.cordon(arguments).await?;
            ensure!(said.code == Some(0), "{said:?}");
        }
        let run = restore_of(env, &placed).await?;
        env.reaches(&run, "AwaitResume").await?;
        env.shows(&object[0], "*Paused*").await?;
        let frozen = Self::of(env, Some(&run), object, &placed, false).await;
        env.cordon(&["resume"]).await?;
        frozen
    }

    /// A request to have an object back.
    pub(super) async fn restore_request(env: &TestEnv, release: &str) -> Result<Self> {
        let object = of_release("upgrade-request", release);
        let placed = moved(env, &object).await?;
        let restore = ["restore", &placed.version.case_id(), "--reason", "a test", "--no-wait"];
        let request = unread(env, "CORDON_RESTORES_QUEUE_URL", &restore).await?;
        let frozen = Self::of(env, None, object, &placed, false).await?;
        Ok(Self { request: Some(request), ..frozen })
    }

    async fn of(
        env: &TestEnv,
        run: Option<&str>,
        object: [String; 3],
        placed: &Placed,
        is_asked: bool,
    ) -> Result<Self> {
        let case_id = placed.version.case_id();
        let mut items = Vec::new();
        for id in [format!("case#{case_id}"), keys::approval(&case_id), keys::message(&case_id)] {
            items.push(get_item(env, "cases_table", json!({"id": {"S": id}})).await?.into());
        }
        let message = env.messages(&object[0]).pop().context("a message")?;
        let execution = match run {
            Some(run) => Some(FrozenExecution::of(env, run).await?),
            None => None,
        };
        Ok(Self {
            execution,
            is_there: env.is_there(&object[0], &object[1]).await?,
            object,
            is_asked,
            items,
            message: json!({"text": message["text"], "blocks": message["blocks"], "metadata": message["metadata"]}),
            quarantined: quarantined(env, &env.case(placed).await?).await?,
            request: None,
        })
    }

    /// Puts everything in its place and lets it go on from where it was. Gives back the object. The codes are
    /// made anew: their key is the account's.
    ///
    /// # Errors
    /// When something is refused.
    pub async fn resume(&self, env: &TestEnv, shift: Shift) -> Result<Placed> {
        let placed = put(env, &self.object).await?;
        if !self.is_there {
            env.s3.delete_object().bucket(&self.object[0]).key(&self.object[1]).send().await?;
        }
        let mut version = String::new();
        for [key, text] in &self.quarantined {
            let body = ByteStream::from(text.replace(VERSION, &version).into_bytes());
            let bucket = env.deployment.output("quarantine_bucket")?;
            let put = env.s3.put_object().bucket(bucket).key(key).body(body).send().await?;
            version = put.version_id.unwrap_or_default();
        }
        let message = self.post(env).await?;
        for item in &self.items {
            let mut item = shift.of(item);
            if let Some(posted) = item.get_mut("posted") {
                posted["M"]["ts"] = json!({"S": message["ts"]});
            }
            put_item(env, "cases_table", &item).await?;
        }
        self.vouch(env, &placed).await?;
        if let Some(execution) = &self.execution {
            execution.go_on(env, execution.definition.clone(), &shift.of(&execution.input)).await?;
        }
        Ok(placed)
    }

    async fn post(&self, env: &TestEnv) -> Result<Value> {
        let mut body = self.message.clone();
        body["channel"] = json!(CHANNEL);
        let url = format!("{}/api/chat.postMessage", env.sandbox.slack_url());
        let token = env.sandbox.slack().bot_token().to_owned();
        let answer = reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await?;
        let answer: Value = answer.json().await?;
        ensure!(answer["ok"] == true, "Slack does not take its message: {answer}");
        let posted = env.sandbox.slack().messages(CHANNEL).into_iter().find(|one| one["ts"] == answer["ts"]);
        posted.context("the message is there")
    }

    /// Puts the worker's codes in.
    async fn vouch(&self, env: &TestEnv, placed: &Placed) -> Result<()> {
        let (aws, key) = (env.worker_config().await?, env.setting("worker", "CORDON_MAC_KEY_ARN").await?);
        let case = vouched(&aws, &key, env.case(placed).await?).await?;
        let set = async |id: String, expression: &str, value: Value| {
            let request = json!({"TableName": env.deployment.output("cases_table")?, "Key": {"id": {"S": id}},
                "UpdateExpression": expression, "ExpressionAttributeValues": {":mac": value}});
            env.deployment.call("dynamodb", "DynamoDB_20120810.UpdateItem", &request).await
        };
        set(format!("case#{}", case.case_id), "SET plan_mac = :mac", json!({"S": case.plan_mac})).await?;
        if let Some(restore) = case.open_restore() {
            let restore = vouched_restore(&aws, &key, &case, restore.clone()).await?;
            let (id, mac) = (keys::approval(&case.case_id), json!({"S": restore.mac}));
            set(id, "SET restores[0].mac = :mac", mac).await?;
        }
        Ok(())
    }

    /// Does what people do, if they are waited for, and delivers what they have asked for. Gives back the execution that
    /// comes to an end.
    ///
    /// # Errors
    /// When the click or the message is not taken.
    pub async fn go_on(&self, env: &TestEnv, placed: &Placed) -> Result<String> {
        if self.is_asked {
            let message = env.asked(&self.object[0]).await?;
            ensure!(env.click(ALICE, &message, "quarantine:").await? == 200, "the click is not taken");
        }
        if let Some(Request { queue, body }) = &self.request {
            let keys = session(&env.root, env.sandbox.account(), OPERATOR, SENDER).await?;
            let provider = SharedCredentialsProvider::new(keys);
            let sqs = aws_sdk_sqs::Client::new(&env.root.to_builder().credentials_provider(provider).build());
            let queue = env.setting("worker", queue).await?;
            sqs.send_message().queue_url(queue).message_body(body).send().await?;
        }
        match &self.execution {
            Some(execution) => execution.arn(env),
            None => restore_of(env, placed).await,
        }
    }

    /// Whether the object is to be at its place in the end.
    pub fn ends_there(&self) -> bool {
        !self.is_there
    }
}

/// Bucket, key and text of an object whose case shows up in no other.
fn of_release(stem: &str, release: &str) -> [String; 3] {
    [&*format!("{stem}-{release}"), "card.txt", "5163200000000008"].map(str::to_owned)
}

async fn put(env: &TestEnv, [bucket, key, text]: &[String; 3]) -> Result<Placed> {
    env.s3.create_bucket().bucket(bucket).send().await?;
    env.put(bucket, key, text).await
}

/// Puts the object; people are asked about it.
async fn asked(env: &TestEnv, object: &[String; 3]) -> Result<(String, Placed)> {
    let placed = put(env, object).await?;
    let run = env.respond("Financial", &placed).await?;
    env.reaches(&run, "AwaitDecision").await?;
    env.asked(&object[0]).await?;
    Ok((run, placed))
}

/// Puts the object, which is quarantined.
async fn moved(env: &TestEnv, object: &[String; 3]) -> Result<Placed> {
    let placed = put(env, object).await?;
    env.succeeded(&env.respond("Credentials", &placed).await?).await?;
    env.shows(&object[0], "Moved to the quarantine bucket").await?;
    Ok(placed)
}

/// The execution of the restore that is under way.
async fn restore_of(env: &TestEnv, placed: &Placed) -> Result<String> {
    eventually("the restore", async || {
        let case = env.case(placed).await?;
        Ok(case.quarantine.restores.last().map(|restore| restore.execution_arn.clone()))
    })
    .await
}

/// What `cordon` sends, before a worker reads it.
async fn unread(env: &TestEnv, queue: &str, arguments: &[&str]) -> Result<Request> {
    let url = env.setting("worker", queue).await?;
    env.sandbox.faults().inject(FaultRule {
        service: "sqs".into(),
        operation: Some("ReceiveMessage".into()),
        principal: Some(env.deployment.output("worker_role_name")?.to_owned()),
        kind: Fault::Unavailable,
        times: u32::MAX,
    });
    // A poll that is under way would still take it.
    let refused_since = Instant::now();
    eventually("the end of the worker's polls", async || {
        Ok((refused_since.elapsed() > Duration::from_secs(20)).then_some(()))
    })
    .await?;
    let sqs = aws_sdk_sqs::Client::new(&env.root);
    let receive = async {
        loop {
            let received = sqs.receive_message().queue_url(&url).wait_time_seconds(1).send().await?;
            let Some(message) = received.messages().first() else { continue };
            let receipt = message.receipt_handle().context("a receipt")?;
            sqs.delete_message().queue_url(&url).receipt_handle(receipt).send().await?;
            return anyhow::Ok(message.body().context("a body")?.to_owned());
        }
    };
    let body = tokio::select! {
        body = receive => body,
        said = env.cordon_as(SENDER, arguments) => bail!("the command ended: {said:?}"),
    };
    env.sandbox.faults().clear();
    Ok(Request { queue: queue.to_owned(), body: body? })
}

/// The copy and the manifest of a case, if it has any.
async fn quarantined(env: &TestEnv, case: &Case) -> Result<Vec<[String; 2]>> {
    let Some(copy) = case.quarantine.newest_copy() else { return Ok(Vec::new()) };
    let bucket = env.deployment.output("quarantine_bucket")?;
    let mut found = Vec::new();
    let mut version = String::new();
    for key in [copy.key.clone(), cordon_domain::manifest::manifest_beside(&copy.key)] {
        let object = env.s3.get_object().bucket(bucket).key(&key).send().await?;
        let of = object.version_id().unwrap_or_default().to_owned();
        let text = String::from_utf8(object.body.collect().await?.to_vec())?;
        let text = if version.is_empty() { text } else { text.replace(&version, VERSION) };
        version = of;
        found.push([key, text]);
    }
    Ok(found)
}
