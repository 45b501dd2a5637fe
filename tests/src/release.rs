//! What a release has left behind while it was at work: an execution that waits, its definition, the records of its case, the
//! message in Slack, the copies in quarantine. `freeze-release` writes it, once for each release; the next one has to end it.

use std::{fs, path::Path};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use cordon::{clock, store::keys};
use cordon_domain::case::Case;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    ALICE, CHANNEL, Placed, ROUND_SECONDS, TestEnv, eventually,
    worker::{vouched, vouched_restore},
};

/// Where they are, a directory for each release.
pub const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/upgrade");
/// Stands for the version of the copy, which S3 gives anew.
const VERSION: &str = "{{version}}";

/// One execution of a release, in the middle of its work.
#[derive(Debug, Serialize, Deserialize)]
pub struct Frozen {
    /// What it is, which is also the file's name.
    pub name: String,
    /// The stem of its state machine.
    machine: String,
    /// Its name.
    execution: String,
    /// The state that it waits in.
    state: String,
    /// What it holds there.
    input: Value,
    /// The definition that it began with.
    definition: Value,
    /// Bucket, key and text of the object, as it was put.
    object: [String; 3],
    /// Whether the object is at its place.
    is_there: bool,
    /// The items of its case, as DynamoDB writes them.
    items: Vec<Map<String, Value>>,
    /// Slack's message, with text, blocks and metadata.
    message: Value,
    /// What is in quarantine, by key: the copy first, then its manifest.
    quarantined: Vec<[String; 2]>,
}

impl Frozen {
    /// A case that people are asked about.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn review(env: &TestEnv, release: &str) -> Result<Frozen> {
        let bucket = format!("upgrade-review-{release}");
        let object = [&bucket, "card.txt", "5163200000000008"].map(str::to_owned);
        let placed = put(env, &object).await?;
        let run = env.respond("Financial", &placed).await?;
        env.reaches(&run, "AwaitDecision").await?;
        env.asked(&object[0]).await?;
        Self::of(env, "review", &run, object, &placed, true).await
    }

    /// A restore that waits for the end of a pause.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn restore(env: &TestEnv, release: &str) -> Result<Frozen> {
        let bucket = format!("upgrade-restore-{release}");
        let object = [&bucket, "key.txt", "the secret"].map(str::to_owned);
        let placed = put(env, &object).await?;
        env.succeeded(&env.respond("Credentials", &placed).await?).await?;
        env.shows(&object[0], "Moved to the quarantine bucket").await?;
        let case_id = placed.version.case_id();
        for arguments in [
            &["pause", "--reason", "an upgrade"][..],
            &["restore", &case_id, "--reason", "a test", "--no-wait"],
        ] {
            let said = env.cordon(arguments).await?;
            ensure!(said.code == Some(0), "{said:?}");
        }
        let run = eventually("the restore", async || {
            Ok(env.case(&placed).await?.open_restore().map(|restore| restore.execution_arn.clone()))
        })
        .await?;
        env.reaches(&run, "AwaitResume").await?;
        env.shows(&object[0], "*Paused*").await?;
        let frozen = Self::of(env, "restore", &run, object, &placed, false).await;
        env.cordon(&["resume"]).await?;
        frozen
    }

    async fn of(
        env: &TestEnv,
        name: &str,
        run: &str,
        object: [String; 3],
        placed: &Placed,
        is_there: bool,
    ) -> Result<Frozen> {
        let case_id = placed.version.case_id();
        let history = env.history(run).await?;
        let entered = history.into_iter().rev().find_map(|event| event.state_entered_event_details);
        let entered = entered.context("it is in a state")?;
        let definition = env.sfn.describe_state_machine_for_execution().execution_arn(run).send().await?;
        let machine = definition.name.rsplit_once('-').map_or(&*definition.name, |(_, stem)| stem).to_owned();
        let mut items = Vec::new();
        for id in [format!("case#{case_id}"), keys::approval(&case_id), keys::message(&case_id)] {
            let request =
                json!({"TableName": env.deployment.output("cases_table")?, "Key": {"id": {"S": id}}});
            let mut answer = env.deployment.call("dynamodb", "DynamoDB_20120810.GetItem", &request).await?;
            let Value::Object(mut item) = answer["Item"].take() else { anyhow::bail!("there is no {id}") };
            // Tokens are of that execution alone.
            item.remove("task_token");
            item.remove("resume_token");
            items.push(item);
        }
        let message = env.messages(&object[0]).pop().context("a message")?;
        Ok(Frozen {
            name: name.into(),
            machine,
            execution: run.rsplit(':').next().unwrap_or_default().into(),
            state: entered.name,
            input: serde_json::from_str(entered.input.as_deref().unwrap_or("{}"))?,
            definition: serde_json::from_str(&definition.definition)?,
            object,
            is_there,
            items,
            message: json!({"text": message["text"], "blocks": message["blocks"], "metadata": message["metadata"]}),
            quarantined: quarantined(env, &env.case(placed).await?).await?,
        })
    }

    /// Writes it for a release.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, release: &str) -> Result<()> {
        let directory = Path::new(DIRECTORY).join(release);
        fs::create_dir_all(&directory)?;
        let text = serde_json::to_string_pretty(self)?;
        Ok(fs::write(directory.join(format!("{}.json", self.name)), text + "\n")?)
    }

    /// All of all releases, with the release's name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all() -> Result<Vec<(String, Frozen)>> {
        let mut all = Vec::new();
        for release in fs::read_dir(DIRECTORY)? {
            let release = release?;
            for file in fs::read_dir(release.path())? {
                let text = fs::read_to_string(file?.path())?;
                all.push((release.file_name().to_string_lossy().into_owned(), serde_json::from_str(&text)?));
            }
        }
        Ok(all)
    }

    /// Puts everything in its place and lets the execution go on from where it was. Gives back its ARN, the object and the
    /// message. Times are today's, and the codes are made anew: their key is the account's.
    ///
    /// # Errors
    /// When something is refused.
    pub async fn resume(&self, env: &TestEnv) -> Result<(String, Placed, Value)> {
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
        let arn = format!(
            "{}:{}",
            env.machine(&self.machine)?.replace(":stateMachine:", ":execution:"),
            self.execution
        );
        for item in &self.items {
            let item = today(item, message["ts"].as_str().context("a ts")?);
            self.put_item(env, &item).await?;
        }
        self.vouch(env, &placed).await?;

        let machine = env.machine(&self.machine)?;
        let mut definition = self.definition.clone();
        definition["StartAt"] = json!(self.state);
        let now = env.sfn.describe_state_machine().state_machine_arn(machine).send().await?.definition;
        let define = async |text: &str| {
            env.sfn.update_state_machine().state_machine_arn(machine).definition(text).send().await
        };
        define(&definition.to_string()).await?;
        let start = env.sfn.start_execution().state_machine_arn(machine).name(&self.execution);
        let started = start.input(self.input.to_string()).send().await;
        // On AWS an execution keeps the definition that it began with, here from its first state on.
        let entered = eventually("the first state", async || {
            Ok(env.states(&arn).await?.first().map(|first| *first == self.state))
        });
        let entered = entered.await;
        define(&now).await?;
        ensure!(started?.execution_arn == arn && entered?, "it is not where {arn} was");
        Ok((arn, placed, message))
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

    async fn put_item(&self, env: &TestEnv, item: &Map<String, Value>) -> Result<()> {
        let request = json!({"TableName": env.deployment.output("cases_table")?, "Item": item});
        env.deployment.call("dynamodb", "DynamoDB_20120810.PutItem", &request).await.map(|_| ())
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

    /// Does what people do, if they are waited for.
    ///
    /// # Errors
    /// When the click is not taken.
    pub async fn decide(&self, env: &TestEnv, message: &Value) -> Result<()> {
        if self.is_there {
            ensure!(env.click(ALICE, message, "quarantine:").await? == 200, "the click is not taken");
        }
        Ok(())
    }

    /// Whether the object is to be at its place in the end.
    pub fn ends_there(&self) -> bool {
        !self.is_there
    }
}

async fn put(env: &TestEnv, [bucket, key, text]: &[String; 3]) -> Result<Placed> {
    env.s3.create_bucket().bucket(bucket).send().await?;
    env.put(bucket, key, text).await
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

/// An item with today's times where the release would act on them, and with the message that was posted.
fn today(item: &Map<String, Value>, ts: &str) -> Map<String, Value> {
    let now = clock::now();
    let round_ends = now + jiff::SignedDuration::from_secs(ROUND_SECONDS.cast_signed());
    let mut item = item.clone();
    for (name, time) in [("opened_at", now), ("round_ends_at", round_ends)] {
        if let Some(value) = item.get_mut(name) {
            *value = json!({"S": time});
        }
    }
    if let Some(since) = item.get_mut("open_since") {
        let text = since["S"].as_str().unwrap_or_default();
        let rest = text.split_once('#').map_or("", |(_, rest)| rest);
        *since = json!({"S": format!("{now}#{rest}")});
    }
    for restore in item.get_mut("restores").and_then(|all| all["L"].as_array_mut()).into_iter().flatten() {
        restore["M"]["requested_at"] = json!({"S": now});
    }
    if let Some(posted) = item.get_mut("posted") {
        posted["M"]["ts"] = json!({"S": ts});
    }
    item
}
