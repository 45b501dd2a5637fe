//! The doubles of Macie, Access Analyzer, Security Hub and Slack, as the AWS SDKs, a browser and an app see them.
//!
//! All tests share one sandbox without Terraform and are kept apart by bucket, finding and message. Tests that turn
//! the controls of a double take it for themselves meanwhile.

mod access_analyzer;
mod macie;
mod security_hub;
mod slack;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_macie2::{
    error::ProvideErrorMetadata,
    types::{
        CriterionAdditionalProperties, FindingCriteria, FindingType, JobStatus, JobType,
        LastRunErrorStatusCode, S3BucketDefinitionForJob, S3JobDefinition, SortCriteria,
    },
};
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{
        BucketVersioningStatus, ObjectOwnership, PublicAccessBlockConfiguration, ServerSideEncryption,
        StorageClass,
    },
};
use cordon_sandbox::{
    Sandbox,
    slack::{ClickResult, Outage, RateLimits},
};
use cordon_tests::{Shared, eventually, kms, run_test, start_sandbox, waiting};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{RwLock, mpsc},
};

const CARD: &str =
    "This is a sample file with a dummy credit card\nCard Number: 5163200000000008\nExpiry Date: 08/20\n";
const KEYS: &str = "[default]\naws_access_key_id = AKIAQZ7ZK3MXWEXAMPLE\n\
                    aws_secret_access_key = h7Kq0vYtWc3LmRz8JdPfXs2NbGa5UeTiEXAMPLEK\n";
const PRODUCT: &str = "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default";
const CHANNEL: &str = "C0SECURITY";

/// Held for reading by who uses Macie, for writing by who turns its controls; and so for the others.
static MACIE: RwLock<()> = RwLock::const_new(());
static SECURITY_HUB: RwLock<()> = RwLock::const_new(());
static SLACK: RwLock<()> = RwLock::const_new(());

/// The sandbox that these tests share, with Macie, an analyzer and Security Hub switched on.
static SANDBOX: LazyLock<Shared<Sandbox>> = LazyLock::new(|| Shared::new(4));

fn with_doubles(test: impl Future<Output = Result<()>>) -> Result<()> {
    let test = Box::pin(test);
    run_test(async {
        let (_, _turn) = SANDBOX.shared(start).await?;
        test.await
    })
}

async fn start() -> Result<Sandbox> {
    let sandbox = start_sandbox().await?;
    let config = sandbox.sdk_config().await;
    aws_sdk_macie2::Client::new(&config).enable_macie().send().await?;
    aws_sdk_securityhub::Client::new(&config).enable_security_hub().send().await?;
    aws_sdk_accessanalyzer::Client::new(&config)
        .create_analyzer()
        .analyzer_name("external-access")
        .r#type(aws_sdk_accessanalyzer::types::Type::Account)
        .send()
        .await?;
    sandbox.slack().set_rate_limits(None);
    sandbox.macie().set_create_interval(None);
    Ok(sandbox)
}

/// The clients of a test.
struct Clients {
    sandbox: &'static Sandbox,
    s3: aws_sdk_s3::Client,
    macie: aws_sdk_macie2::Client,
    analyzer: aws_sdk_accessanalyzer::Client,
    hub: aws_sdk_securityhub::Client,
    http: reqwest::Client,
}

impl Clients {
    async fn new() -> Result<Clients> {
        let sandbox = SANDBOX.get();
        let config = sandbox.sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Ok(Clients {
            sandbox,
            s3: aws_sdk_s3::Client::from_conf(s3),
            macie: aws_sdk_macie2::Client::new(&config),
            analyzer: aws_sdk_accessanalyzer::Client::new(&config),
            hub: aws_sdk_securityhub::Client::new(&config),
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
        })
    }

    async fn bucket(&self, stem: &str) -> Result<String> {
        let name = unique(stem);
        self.s3.create_bucket().bucket(&name).send().await?;
        Ok(name)
    }

    async fn put(&self, bucket: &str, key: &str, content: &str) -> Result<Option<String>> {
        let body = ByteStream::from(content.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(bucket).key(key).body(body).send().await?;
        Ok(put.version_id().map(str::to_owned))
    }

    async fn share(&self, bucket: &str, principal: Value, actions: Value) -> Result<()> {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": principal, "Action": actions,
            "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        }]});
        self.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
        Ok(())
    }

    async fn unblock(&self, bucket: &str) -> Result<()> {
        let block = PublicAccessBlockConfiguration::builder().build();
        self.s3
            .put_public_access_block()
            .bucket(bucket)
            .public_access_block_configuration(block)
            .send()
            .await?;
        Ok(())
    }

    async fn create_job(&self, token: &str, buckets: &[&str]) -> Result<String> {
        let names = buckets.iter().map(|bucket| (*bucket).to_owned()).collect();
        let definition =
            S3BucketDefinitionForJob::builder().account_id("111122223333").set_buckets(Some(names)).build();
        let job = self
            .macie
            .create_classification_job()
            .client_token(token)
            .job_type(JobType::OneTime)
            .name(token)
            .s3_job_definition(S3JobDefinition::builder().bucket_definitions(definition).build())
            .send()
            .await?;
        job.job_id.context("a job id")
    }

    async fn job_status(&self, id: &str) -> Result<JobStatus> {
        self.macie.describe_classification_job().job_id(id).send().await?.job_status.context("a status")
    }

    /// Runs a job over buckets to its end, and gives its id.
    async fn scan(&self, buckets: &[&str]) -> Result<String> {
        let id = self.create_job(&unique("scan"), buckets).await?;
        eventually("the job's end", async || {
            Ok((self.job_status(&id).await? == JobStatus::Complete).then_some(()))
        })
        .await?;
        Ok(id)
    }

    async fn findings_of(&self, job: &str) -> Result<Vec<aws_sdk_macie2::types::Finding>> {
        let ids = self.macie.list_findings().finding_criteria(of_job(job)).send().await?.finding_ids;
        let Some(ids) = ids.filter(|ids| !ids.is_empty()) else { return Ok(vec![]) };
        Ok(self.macie.get_findings().set_finding_ids(Some(ids)).send().await?.findings.unwrap_or_default())
    }

    async fn analyzer_arn(&self) -> Result<String> {
        Ok(self
            .analyzer
            .get_analyzer()
            .analyzer_name("external-access")
            .send()
            .await?
            .analyzer
            .context("it")?
            .arn)
    }

    /// Findings about a bucket as (id, status), oldest first.
    async fn access_findings(&self, bucket: &str) -> Result<Vec<(String, String)>> {
        let arn = format!("arn:aws:s3:::{bucket}");
        let all = self.sandbox.access_analyzer().findings();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(all
            .iter()
            .filter(|f| f["resource"] == arn)
            .map(|f| (text(&f["id"]), text(&f["status"])))
            .collect())
    }

    async fn slack(&self, method: &str, arguments: Value) -> Result<Value> {
        let call = self.http.post(format!("{}/api/{method}", self.sandbox.slack_url()));
        let call = call.bearer_auth(self.sandbox.slack().bot_token()).json(&arguments);
        Ok(call.send().await?.error_for_status()?.json().await?)
    }

    /// Posts a message with two buttons, and gives its ts.
    async fn ask(&self, text: &str) -> Result<String> {
        let button = |id: &str| {
            json!({"type": "button", "action_id": id, "value": format!("{text}/{id}"), "style": "danger",
                   "text": {"type": "plain_text", "text": id}})
        };
        let blocks = json!([
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "block_id": "decision", "elements": [button("quarantine"), button("dismiss")]},
        ]);
        let posted = self
            .slack("chat.postMessage", json!({"channel": CHANNEL, "text": text, "blocks": blocks}))
            .await?;
        Ok(posted["ts"].as_str().context("a ts")?.to_owned())
    }

    async fn page(&self, user: &str) -> Result<String> {
        let url = format!("{}/channel/{CHANNEL}?as={user}", self.sandbox.slack_url());
        Ok(self.http.get(url).send().await?.error_for_status()?.text().await?)
    }

    async fn events(&self, pattern: Value) -> Result<Events> {
        Events::new(self.sandbox, pattern).await
    }
}

/// Events of a pattern, caught by a queue.
struct Events {
    sqs: aws_sdk_sqs::Client,
    queue: String,
    received: VecDeque<Value>,
}

impl Events {
    async fn new(sandbox: &Sandbox, pattern: Value) -> Result<Events> {
        let config = sandbox.sdk_config().await;
        let (sqs, bus) = (aws_sdk_sqs::Client::new(&config), aws_sdk_eventbridge::Client::new(&config));
        let name = unique("events");
        let queue = sqs.create_queue().queue_name(&name).send().await?.queue_url.context("a queue")?;
        bus.put_rule().name(&name).event_pattern(pattern.to_string()).send().await?;
        let arn = format!("arn:aws:sqs:us-east-1:111122223333:{name}");
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(arn).build()?;
        bus.put_targets().rule(&name).targets(target).send().await?;
        Ok(Events { sqs, queue, received: VecDeque::new() })
    }

    /// The next event for which `wanted` holds; those before it are passed over.
    async fn next(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(what, async || {
            while let Some(event) = self.received.pop_front() {
                if wanted(&event) {
                    return Ok(Some(event));
                }
            }
            let receive = self.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
            for message in receive.send().await?.messages.unwrap_or_default() {
                self.received.push_back(serde_json::from_str(message.body().context("a body")?)?);
                let handle = message.receipt_handle().context("a handle")?;
                self.sqs.delete_message().queue_url(&self.queue).receipt_handle(handle).send().await?;
            }
            Ok(None)
        })
        .await
    }
}

fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("doubles-{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn of_job(job: &str) -> FindingCriteria {
    let is_job = CriterionAdditionalProperties::builder().eq(job).build();
    FindingCriteria::builder().criterion("classificationDetails.jobId", is_job).build()
}

/// Every member of a document, as sorted paths; arrays are looked into through their first element.
fn members(document: &Value) -> Vec<String> {
    fn collect(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    found.push(format!("{at}/{name}"));
                    collect(member, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(items) => items.iter().take(1).for_each(|item| collect(item, at, found)),
            _ => {}
        }
    }
    let mut found = vec![];
    collect(document, "", &mut found);
    found.sort();
    found
}
