//! The doubles of Macie, Access Analyzer, Security Hub and Slack, as the AWS SDKs, a browser and an app see them.
//!
//! All tests share one sandbox without Terraform and are kept apart by bucket, finding and message. Tests that turn
//! the controls of a double take it for themselves meanwhile.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        OnceLock,
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
    Options, Sandbox,
    slack::{ClickResult, Outage, RateLimits},
};
use cordon_tests::kms;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{RwLock, mpsc},
    time::Instant,
};

/// Long enough for everything here on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// The shared sandbox, with Macie, an analyzer and Security Hub switched on. It lives on a runtime of its own,
/// because that of a test ends with the test.
fn shared() -> &'static Sandbox {
    static SHARED: OnceLock<Sandbox> = OnceLock::new();
    SHARED.get_or_init(|| {
        let (ready, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
            let _ = ready.send(runtime.block_on(start()));
            runtime.block_on(std::future::pending::<()>());
        });
        started.recv().expect("the sandbox's thread lives").expect("the sandbox starts")
    })
}

async fn start() -> Result<Sandbox> {
    let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
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
struct World {
    sandbox: &'static Sandbox,
    s3: aws_sdk_s3::Client,
    macie: aws_sdk_macie2::Client,
    analyzer: aws_sdk_accessanalyzer::Client,
    hub: aws_sdk_securityhub::Client,
    http: reqwest::Client,
}

impl World {
    async fn new() -> Result<World> {
        // Waiting for the first start would block the test's own runtime.
        let sandbox = tokio::task::spawn_blocking(shared).await?;
        let config = sandbox.sdk_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Ok(World {
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

async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        ensure!(Instant::now() < deadline, "{what} did not come within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
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

#[tokio::test]
async fn a_job_finds_card_numbers_and_keys_in_the_objects_of_its_buckets() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let (plain, versioned) = (world.bucket("plain").await?, world.bucket("versioned").await?);
    let versioning =
        aws_sdk_s3::types::VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let put =
        world.s3.put_bucket_versioning().bucket(&versioned).versioning_configuration(versioning.build());
    put.send().await?;
    world.put(&plain, "2026 cards+é.txt", CARD).await?;
    world.put(&plain, "harmless.txt", "5163200000000009 is no card number\n").await?;
    world.put(&plain, "both", &format!("{CARD}{KEYS}")).await?;
    world.put(&versioned, "keys", CARD).await?;
    let version = world.put(&versioned, "keys", KEYS).await?.context("a version id")?;

    let job = world.scan(&[&plain, &versioned]).await?;
    let findings: HashMap<String, _> = world
        .findings_of(&job)
        .await?
        .into_iter()
        .filter_map(|finding| {
            let object = finding.resources_affected()?.s3_object()?;
            Some((object.key()?.to_owned(), finding))
        })
        .collect();
    let kind = |key: &str| findings.get(key).and_then(|finding| finding.r#type().cloned());
    assert_eq!(findings.len(), 3);
    assert_eq!(kind("2026 cards+é.txt"), Some(FindingType::SensitiveDataS3ObjectFinancial));
    assert_eq!(kind("both"), Some(FindingType::SensitiveDataS3ObjectMultiple));
    assert_eq!(
        kind("keys"),
        Some(FindingType::SensitiveDataS3ObjectCredentials),
        "only the latest version is read"
    );

    let object = |key: &str| findings[key].resources_affected().and_then(|affected| affected.s3_object());
    assert_eq!(object("keys").and_then(|object| object.version_id()), Some(version.as_str()));
    assert_eq!(
        object("both").and_then(|object| object.version_id()),
        Some(""),
        "no version in an unversioned bucket"
    );
    let head = world.s3.head_object().bucket(&plain).key("both").send().await?;
    let tag = head.e_tag().context("an ETag")?.trim_matches('"').to_owned();
    assert_eq!(object("both").and_then(|object| object.e_tag()), Some(tag.as_str()), "bare, without quotes");
    for finding in findings.values() {
        assert_eq!(finding.severity().and_then(|severity| severity.score()), Some(3));
        assert_eq!(finding.count(), Some(1));
        assert_eq!(finding.sample(), Some(false));
        assert_eq!(finding.classification_details().and_then(|details| details.job_id()), Some(job.as_str()));
    }
    Ok(())
}

#[tokio::test]
async fn each_macie_finding_is_published_as_the_event_that_eventbridge_gets_from_macie() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("published").await?;
    world.put(&bucket, "card.txt", CARD).await?;
    let mut events = world.events(json!({"source": ["aws.macie"], "detail-type": ["Macie Finding"]})).await?;
    let job = world.scan(&[&bucket]).await?;
    let of_this_job = |event: &Value| event["detail"]["classificationDetails"]["jobId"] == *job;
    let event = events.next("the finding's event", of_this_job).await?;

    assert_eq!((&event["account"], &event["region"]), (&json!("111122223333"), &json!("us-east-1")));
    assert_eq!(event["resources"], json!([]));
    let expected = "accountId archived category classificationDetails count createdAt description id partition \
                    policyDetails region resourcesAffected sample schemaVersion severity title type updatedAt";
    let detail = &event["detail"];
    let found: Vec<&str> = detail.as_object().context("an object")?.keys().map(String::as_str).collect();
    assert_eq!(found.join(" "), expected);
    let paths = members(detail);
    for path in [
        "/resourcesAffected/s3Bucket/publicAccess/permissionConfiguration/accountLevelPermissions/blockPublicAccess\
         /blockPublicAcls",
        "/resourcesAffected/s3Bucket/defaultServerSideEncryption/kmsMasterKeyId",
        "/resourcesAffected/s3Bucket/allowsUnencryptedObjectUploads",
        "/resourcesAffected/s3Object/etag",
        "/resourcesAffected/s3Object/versionId",
        "/classificationDetails/result/status/reason",
        "/classificationDetails/result/sensitiveData/detections/occurrences/lineRanges/startColumn",
        "/classificationDetails/result/sensitiveData/detections/occurrences/cells",
        "/classificationDetails/result/customDataIdentifiers/totalCount",
        "/classificationDetails/originType",
    ] {
        assert!(paths.iter().any(|found| found == path), "{path} is missing in {paths:#?}");
    }
    assert!(!paths.iter().any(|path| path.ends_with("/eTag")), "the event spells it etag");
    let place =
        &detail["classificationDetails"]["result"]["sensitiveData"][0]["detections"][0]["occurrences"];
    assert_eq!(place["lineRanges"], json!([{"start": 2, "end": 2, "startColumn": 14}]));
    Ok(())
}

#[tokio::test]
async fn the_effective_permission_is_that_of_the_buckets_real_policy() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("open").await?;
    world.put(&bucket, "card.txt", CARD).await?;
    let permission = async || -> Result<String> {
        let job = world.scan(&[&bucket]).await?;
        let findings = world.findings_of(&job).await?;
        let affected = findings.first().and_then(|finding| finding.resources_affected());
        let access =
            affected.and_then(|affected| affected.s3_bucket()).and_then(|bucket| bucket.public_access());
        Ok(access
            .and_then(|access| access.effective_permission())
            .context("a permission")?
            .as_str()
            .to_owned())
    };
    assert_eq!(permission().await?, "NOT_PUBLIC");
    world.unblock(&bucket).await?;
    world.share(&bucket, json!("*"), json!("s3:GetObject")).await?;
    assert_eq!(permission().await?, "PUBLIC");
    Ok(())
}

#[tokio::test]
async fn a_job_reads_every_page_and_skips_what_macie_cannot_read() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("pages").await?;
    let mut puts = tokio::task::JoinSet::new();
    for n in 0..1001 {
        let put = world
            .s3
            .put_object()
            .bucket(&bucket)
            .key(format!("a/{n:04}"))
            .body(ByteStream::from_static(b"x"));
        puts.spawn(put.send());
        if puts.len() >= 32 {
            puts.join_next().await.context("a put")???;
        }
    }
    while let Some(put) = puts.join_next().await {
        put??;
    }
    world.put(&bucket, "z-last", CARD).await?;
    let archived =
        world.s3.put_object().bucket(&bucket).key("z-archived").storage_class(StorageClass::Glacier);
    archived.body(ByteStream::from_static(CARD.as_bytes())).send().await?;
    world.put(&bucket, "z-binary", &format!("\0\0{CARD}")).await?;

    let job = world.scan(&[&bucket]).await?;
    let findings = world.findings_of(&job).await?;
    let keys: Vec<&str> =
        findings.iter().filter_map(|f| f.resources_affected()?.s3_object()?.key()).collect();
    assert_eq!(keys, ["z-last"]);
    let described = world.macie.describe_classification_job().job_id(&job).send().await?;
    let objects = described.statistics().and_then(|s| s.approximate_number_of_objects_to_process());
    assert_eq!(objects, Some(1003.0));
    Ok(())
}

#[tokio::test]
async fn what_is_encrypted_out_of_macies_reach_is_skipped_and_the_job_is_complete_without_an_error()
-> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("encrypted").await?;
    let root = world.sandbox.sdk_config().await;
    let key = kms(&root, "createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
    let key = key.as_str().context("a key has an ARN")?;
    let put = |name: &str| {
        let body = ByteStream::from_static(CARD.as_bytes());
        world.s3.put_object().bucket(&bucket).key(name).body(body)
    };
    put("ours").server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key).send().await?;
    put("managed").server_side_encryption(ServerSideEncryption::AwsKms).send().await?;
    let (customers, md5) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "KYvwGXoFFJ42a2u2GDWhwQ==");
    let closed = put("customers").sse_customer_algorithm("AES256").sse_customer_key(customers);
    closed.sse_customer_key_md5(md5).send().await?;

    let scanned = async || -> Result<Vec<String>> {
        let job = world.scan(&[&bucket]).await?;
        let described = world.macie.describe_classification_job().job_id(&job).send().await?;
        let error = described.last_run_error_status().and_then(|status| status.code().cloned());
        assert_eq!(error, Some(LastRunErrorStatusCode::None));
        let findings = world.findings_of(&job).await?;
        let keys = findings.iter().filter_map(|found| found.resources_affected()?.s3_object()?.key());
        let mut keys: Vec<_> = keys.map(str::to_owned).collect();
        keys.sort();
        Ok(keys)
    };
    assert_eq!(scanned().await?, ["managed"], "the account may use the key, Macie may not");

    let role =
        "arn:aws:iam::111122223333:role/aws-service-role/macie.amazonaws.com/AWSServiceRoleForAmazonMacie";
    let statement = |who: &str, action: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": "*"});
    let policy = json!({"Version": "2012-10-17",
        "Statement": [statement("arn:aws:iam::111122223333:root", "kms:*"), statement(role, "kms:Decrypt")]});
    let parameters = json!({"KeyId": key, "PolicyName": "default", "Policy": policy.to_string()});
    kms(&root, "putKeyPolicy", parameters).await?;
    assert_eq!(scanned().await?, ["managed", "ours"], "the key policy names its service-linked role");
    Ok(())
}

#[tokio::test]
async fn a_client_token_names_one_job_and_only_with_the_same_request() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("token").await?;
    let token = unique("token");
    let first = world.create_job(&token, &[&bucket]).await?;
    assert_eq!(world.create_job(&token, &[&bucket]).await?, first);
    let error = world.create_job(&token, &["another"]).await.err().context("refused")?;
    assert!(format!("{error:?}").contains("ConflictException"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_that_cannot_reach_a_bucket_is_complete_with_an_error_and_not_clean() -> Result<()> {
    let _own = MACIE.write().await;
    let world = World::new().await?;
    let bucket = world.bucket("reachable").await?;
    world.put(&bucket, "card.txt", CARD).await?;
    let outcome = async |job: &str| -> Result<Option<LastRunErrorStatusCode>> {
        let job = world.macie.describe_classification_job().job_id(job).send().await?;
        Ok(job.last_run_error_status().and_then(|status| status.code().cloned()))
    };
    let job = world.scan(&["doubles-no-such-bucket", &bucket]).await?;
    assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::Error));
    assert_eq!(world.findings_of(&job).await?.len(), 1, "the other bucket was scanned");

    world.sandbox.macie().fail_next_job();
    let job = world.scan(&[&bucket]).await?;
    assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::Error));
    let job = world.scan(&[&bucket]).await?;
    assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::None));
    Ok(())
}

#[tokio::test]
async fn a_job_keeps_its_pace_and_can_be_paused_resumed_and_cancelled() -> Result<()> {
    let _own = MACIE.write().await;
    let world = World::new().await?;
    let bucket = world.bucket("pace").await?;
    world.put(&bucket, "card.txt", CARD).await?;
    let update = async |job: &str, status: JobStatus| {
        world.macie.update_classification_job().job_id(job).job_status(status).send().await
    };

    world.sandbox.macie().set_pace(Duration::from_secs(3600));
    let cancelled = world.create_job(&unique("pace"), &[&bucket]).await?;
    assert_eq!(world.job_status(&cancelled).await?, JobStatus::Running);
    update(&cancelled, JobStatus::Cancelled).await?;
    assert_eq!(world.job_status(&cancelled).await?, JobStatus::Cancelled);
    assert!(update(&cancelled, JobStatus::Running).await.is_err(), "cancelled is for good");

    world.sandbox.macie().set_pace(Duration::from_millis(300));
    let paused = world.create_job(&unique("pace"), &[&bucket]).await?;
    update(&paused, JobStatus::UserPaused).await?;
    let other = world.create_job(&unique("pace"), &[&bucket]).await?;
    eventually("the other job's end", async || {
        Ok((world.job_status(&other).await? == JobStatus::Complete).then_some(()))
    })
    .await?;
    assert_eq!(world.job_status(&paused).await?, JobStatus::UserPaused);
    assert!(world.findings_of(&paused).await?.is_empty());
    let described = world.macie.describe_classification_job().job_id(&paused).send().await?;
    assert!(described.user_paused_details().is_some_and(|details| details.job_expires_at().is_some()));
    update(&paused, JobStatus::Running).await?;
    eventually("the resumed job's end", async || {
        Ok((world.job_status(&paused).await? == JobStatus::Complete).then_some(()))
    })
    .await?;
    assert_eq!(world.findings_of(&paused).await?.len(), 1);
    world.sandbox.macie().set_pace(Duration::ZERO);
    Ok(())
}

#[tokio::test]
async fn jobs_are_created_at_the_published_rate_when_that_is_asked_for() -> Result<()> {
    let _own = MACIE.write().await;
    let world = World::new().await?;
    let bucket = world.bucket("rate").await?;
    world.sandbox.macie().set_create_interval(Some(Duration::from_secs(3600)));
    world.create_job(&unique("rate"), &[&bucket]).await?;
    // The SDK's own retries meet the limit too, and give up.
    let refused = world.create_job(&unique("rate"), &[&bucket]).await;
    world.sandbox.macie().set_create_interval(None);
    assert!(format!("{:?}", refused.err().context("throttled")?).contains("ThrottlingException"));
    world.create_job(&unique("rate"), &[&bucket]).await?;
    Ok(())
}

#[tokio::test]
async fn findings_are_listed_by_criteria_in_order_and_page_by_page() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let bucket = world.bucket("listed").await?;
    for n in 0..5 {
        world.put(&bucket, &format!("card-{n}.txt"), CARD).await?;
    }
    world.put(&bucket, "keys", KEYS).await?;
    let job = world.scan(&[&bucket]).await?;

    let in_bucket = CriterionAdditionalProperties::builder().eq(&bucket).build();
    let financial =
        CriterionAdditionalProperties::builder().neq("SensitiveData:S3Object/Credentials").build();
    let since = CriterionAdditionalProperties::builder().gte(0).build();
    let criteria = FindingCriteria::builder()
        .criterion("resourcesAffected.s3Bucket.name", in_bucket)
        .criterion("type", financial)
        .criterion("updatedAt", since)
        .build();
    let order = SortCriteria::builder()
        .attribute_name("updatedAt")
        .order_by(aws_sdk_macie2::types::OrderBy::Desc)
        .build();
    let mut ids = vec![];
    let mut token = None;
    loop {
        let list =
            world.macie.list_findings().finding_criteria(criteria.clone()).sort_criteria(order.clone());
        let page = list.max_results(2).set_next_token(token).send().await?;
        ids.extend(page.finding_ids.unwrap_or_default());
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let mut expected: Vec<String> = world
        .findings_of(&job)
        .await?
        .iter()
        .filter(|finding| finding.r#type() == Some(&FindingType::SensitiveDataS3ObjectFinancial))
        .filter_map(|finding| finding.id().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 5);
    expected.sort();
    ids.sort();
    assert_eq!(ids, expected);

    let none = world.macie.get_findings().finding_ids("0".repeat(32)).send().await?;
    assert!(none.findings().is_empty());
    let many = (0..51).map(|n| format!("{n:032x}")).collect();
    let error =
        world.macie.get_findings().set_finding_ids(Some(many)).send().await.err().context("too many")?;
    assert_eq!(error.code(), Some("ValidationException"));
    let misspelt = FindingCriteria::builder()
        .criterion("jobId", CriterionAdditionalProperties::builder().eq(&job).build())
        .build();
    let error =
        world.macie.list_findings().finding_criteria(misspelt).send().await.err().context("unknown field")?;
    assert_eq!(error.code(), Some("ValidationException"));
    Ok(())
}

#[tokio::test]
async fn sample_findings_are_published_and_marked() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let mut events = world.events(json!({"source": ["aws.macie"], "detail": {"sample": [true]}})).await?;
    world.macie.create_sample_findings().send().await?;
    let event = events.next("a sample finding", |_| true).await?;
    assert_eq!(event["detail"]["resourcesAffected"]["s3Bucket"]["name"], "macie-sample-finding-bucket");
    let policy = world.macie.create_sample_findings().finding_types(FindingType::PolicyIamUserS3BucketPublic);
    let error = policy.send().await.err().context("the double has no such sample")?;
    assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(501));
    Ok(())
}

#[tokio::test]
async fn a_hand_made_finding_is_known_to_get_findings_and_published_when_asked() -> Result<()> {
    let _shared = MACIE.read().await;
    let world = World::new().await?;
    let mut events = world.events(json!({"source": ["aws.macie"]})).await?;
    let id = "c1f0a2b9d6d84e0f9a51f1f3b7de4a10";
    world.sandbox.macie().put_finding(json!({
        "id": id, "type": "SensitiveData:S3Object/CustomIdentifier", "severity": {"score": 2, "description": "Medium"},
        "resourcesAffected": {"s3Object": {"key": "k", "etag": "9e107d9d372bb6826bd81d3542a419d6"}},
    }));
    let found = world.macie.get_findings().finding_ids(id).send().await?;
    let object = found.findings()[0].resources_affected().and_then(|affected| affected.s3_object());
    assert_eq!(object.and_then(|object| object.e_tag()), Some("9e107d9d372bb6826bd81d3542a419d6"));
    world.sandbox.macie().publish_finding(id).await?;
    let event = events.next("the event", |event| event["detail"]["id"] == id).await?;
    assert_eq!(event["detail"]["resourcesAffected"]["s3Object"]["etag"], "9e107d9d372bb6826bd81d3542a419d6");
    Ok(())
}

#[tokio::test]
async fn sharing_a_bucket_makes_a_finding_and_ending_it_resolves_that() -> Result<()> {
    let world = World::new().await?;
    let bucket = world.bucket("shared").await?;
    let analyzer = world.analyzer_arn().await?;
    let arn = format!("arn:aws:s3:::{bucket}");
    let mut events =
        world.events(json!({"source": ["aws.access-analyzer"], "detail": {"resource": [arn]}})).await?;

    let external = json!({"AWS": "arn:aws:iam::999988887777:root"});
    world.share(&bucket, external.clone(), json!(["s3:ListBucket", "s3:GetObject"])).await?;
    let event = events.next("the finding's event", |_| true).await?;
    assert_eq!(event["detail-type"], "Access Analyzer Finding");
    assert_eq!(event["resources"], json!([analyzer]));
    let detail = &event["detail"];
    let found: Vec<&str> = detail.as_object().context("an object")?.keys().map(String::as_str).collect();
    assert_eq!(
        found.join(" "),
        "accountId action analyzedAt condition createdAt id isDeleted isPublic principal region resource \
         resourceType status updatedAt version"
    );
    assert_eq!(detail["principal"], json!({"AWS": "999988887777"}));
    assert_eq!(detail["action"], json!(["s3:GetObject", "s3:ListBucket"]));
    assert_eq!((&detail["status"], &detail["isPublic"]), (&json!("ACTIVE"), &json!(false)));

    // Changed access is a new finding, and the old one is resolved.
    world.share(&bucket, external, json!("s3:GetObject")).await?;
    let resolved = events.next("the resolution", |event| event["detail"]["status"] == "RESOLVED").await?;
    assert_eq!(resolved["detail"]["id"], detail["id"]);
    let (id, status) = world.access_findings(&bucket).await?.pop().context("a second finding")?;
    assert_eq!(status, "ACTIVE");
    assert_ne!(detail["id"], id);

    world.s3.delete_bucket_policy().bucket(&bucket).send().await?;
    let is_resolved = |event: &Value| event["detail"]["id"] == id && event["detail"]["status"] == "RESOLVED";
    events.next("the second resolution", is_resolved).await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_bucket_resolves_its_findings() -> Result<()> {
    let world = World::new().await?;
    let bucket = world.bucket("deleted").await?;
    world.share(&bucket, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
    let statuses = async || -> Result<Vec<String>> {
        Ok(world.access_findings(&bucket).await?.into_iter().map(|(_, status)| status).collect())
    };
    eventually("a finding", async || Ok((statuses().await? == ["ACTIVE"]).then_some(()))).await?;
    world.s3.delete_bucket().bucket(&bucket).send().await?;
    eventually("its resolution", async || Ok((statuses().await? == ["RESOLVED"]).then_some(()))).await
}

#[tokio::test]
async fn a_public_bucket_is_reported_only_when_nothing_blocks_it() -> Result<()> {
    let world = World::new().await?;
    let bucket = world.bucket("public").await?;
    let open = async || -> Result<Vec<Value>> {
        let arn = format!("arn:aws:s3:::{bucket}");
        let all = world.sandbox.access_analyzer().findings();
        Ok(all.into_iter().filter(|f| f["resource"] == arn && f["status"] == "ACTIVE").collect())
    };
    world.unblock(&bucket).await?;
    world.share(&bucket, json!("*"), json!("s3:GetObject")).await?;
    let finding = eventually("a public finding", async || Ok(open().await?.pop())).await?;
    assert_eq!((&finding["isPublic"], &finding["principal"]), (&json!(true), &json!({"AWS": "*"})));

    let block = PublicAccessBlockConfiguration::builder().restrict_public_buckets(true).build();
    let put = world.s3.put_public_access_block().bucket(&bucket).public_access_block_configuration(block);
    put.send().await?;
    eventually("its resolution", async || Ok(open().await?.is_empty().then_some(()))).await?;

    world.unblock(&bucket).await?;
    world.s3.delete_bucket_policy().bucket(&bucket).send().await?;
    let rule =
        aws_sdk_s3::types::OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
    let controls = aws_sdk_s3::types::OwnershipControls::builder().rules(rule.build()?).build()?;
    world.s3.put_bucket_ownership_controls().bucket(&bucket).ownership_controls(controls).send().await?;
    let acl = world.s3.put_bucket_acl().bucket(&bucket).acl(aws_sdk_s3::types::BucketCannedAcl::PublicRead);
    acl.send().await?;
    let finding = eventually("a finding about the ACL", async || {
        Ok(open().await?.into_iter().find(|finding| finding["sources"][0]["type"] == "BUCKET_ACL"))
    })
    .await?;
    assert_eq!(finding["isPublic"], true);
    Ok(())
}

#[tokio::test]
async fn both_versions_of_the_finding_lists_are_paged_filtered_and_agree() -> Result<()> {
    use aws_sdk_accessanalyzer::types::Criterion;
    let world = World::new().await?;
    let bucket = world.bucket("versions").await?;
    let analyzer = world.analyzer_arn().await?;
    let principals = ["999988887777", "888877776666", "777766665555"];
    world.share(&bucket, json!({"AWS": principals}), json!("s3:GetObject")).await?;
    eventually("three findings", async || {
        Ok((world.access_findings(&bucket).await?.len() == 3).then_some(()))
    })
    .await?;

    let about = Criterion::builder().eq(format!("arn:aws:s3:::{bucket}")).build();
    let active = Criterion::builder().eq("ACTIVE").build();
    let mut first: Vec<String> = vec![];
    let mut pages = world
        .analyzer
        .list_findings()
        .analyzer_arn(&analyzer)
        .filter("resource", about.clone())
        .filter("status", active);
    pages = pages.max_results(2);
    let mut pages = pages.into_paginator().send();
    while let Some(page) = pages.next().await {
        first.extend(page?.findings.into_iter().map(|finding| finding.id));
    }
    let mut second: Vec<String> = vec![];
    let list =
        world.analyzer.list_findings_v2().analyzer_arn(&analyzer).filter("resource", about).max_results(1);
    let mut pages = list.into_paginator().send();
    while let Some(page) = pages.next().await {
        second.extend(page?.findings.into_iter().map(|finding| finding.id));
    }
    assert_eq!(first.len(), 3);
    assert_eq!(first, second);

    let one = world
        .analyzer
        .get_finding()
        .analyzer_arn(&analyzer)
        .id(&first[0])
        .send()
        .await?
        .finding
        .context("it")?;
    assert_eq!(one.resource_owner_account, "111122223333");
    let two = world.analyzer.get_finding_v2().analyzer_arn(&analyzer).id(&first[0]).send().await?;
    let details = two.finding_details[0].as_external_access_details().ok().context("external access")?;
    assert_eq!(details.principal(), one.principal());
    let error =
        world.analyzer.get_finding().analyzer_arn(&analyzer).id("none").send().await.err().context("none")?;
    assert_eq!(
        aws_sdk_accessanalyzer::error::ProvideErrorMetadata::code(&error),
        Some("ResourceNotFoundException")
    );
    Ok(())
}

#[tokio::test]
async fn an_archived_finding_is_told_and_an_archive_rule_archives_at_once() -> Result<()> {
    use aws_sdk_accessanalyzer::types::{Criterion, FindingStatusUpdate};
    let world = World::new().await?;
    let analyzer = world.analyzer_arn().await?;
    let (by_hand, by_rule) = (world.bucket("by-hand").await?, world.bucket("by-rule").await?);
    let arn = |bucket: &str| format!("arn:aws:s3:::{bucket}");
    let resources = json!([arn(&by_hand), arn(&by_rule)]);
    let mut events =
        world.events(json!({"source": ["aws.access-analyzer"], "detail": {"resource": resources}})).await?;

    world.share(&by_hand, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
    let opened = events.next("the finding", |event| event["detail"]["resource"] == arn(&by_hand)).await?;
    let id = opened["detail"]["id"].as_str().context("an id")?;
    let update = world.analyzer.update_findings().analyzer_arn(&analyzer).ids(id);
    update.status(FindingStatusUpdate::Archived).send().await?;
    let archived =
        events.next("the archived finding", |event| event["detail"]["status"] == "ARCHIVED").await?;
    assert_eq!(archived["detail"]["id"], id);

    let rule =
        world.analyzer.create_archive_rule().analyzer_name("external-access").rule_name(unique("rule"));
    rule.filter("resource", Criterion::builder().eq(arn(&by_rule)).build()).send().await?;
    world.share(&by_rule, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
    let arrived = events.next("the finding", |event| event["detail"]["resource"] == arn(&by_rule)).await?;
    assert_eq!(arrived["detail"]["status"], "ARCHIVED");
    Ok(())
}

mod asff {
    use super::*;
    use aws_sdk_securityhub::types::{
        AwsSecurityFinding, AwsSecurityFindingFilters, AwsSecurityFindingIdentifier, RecordState, Resource,
        Severity, SeverityLabel, StringFilter, StringFilterComparison, WorkflowStatus, WorkflowUpdate,
    };

    fn finding(
        id: &str,
        updated_at: &str,
    ) -> aws_sdk_securityhub::types::builders::AwsSecurityFindingBuilder {
        AwsSecurityFinding::builder()
            .schema_version("2018-10-08")
            .id(id)
            .product_arn(PRODUCT)
            .generator_id("exposed-sensitive-bucket")
            .aws_account_id("111122223333")
            .types("Effects/Data Exposure")
            .created_at("2026-03-11T10:00:00.000Z")
            .updated_at(updated_at)
            .severity(Severity::builder().label(SeverityLabel::High).build())
            .title("Externally accessible S3 bucket holds sensitive data")
            .description("It does.")
            .resources(
                Resource::builder().r#type("AwsS3Bucket").id("arn:aws:s3:::amzn-s3-demo-bucket1").build(),
            )
    }

    fn by_id(comparison: StringFilterComparison, id: &str) -> AwsSecurityFindingFilters {
        let filter = StringFilter::builder().value(id).comparison(comparison).build();
        AwsSecurityFindingFilters::builder().id(filter).build()
    }

    #[tokio::test]
    async fn an_import_tells_which_findings_failed_and_why() -> Result<()> {
        let _shared = SECURITY_HUB.read().await;
        let world = World::new().await?;
        let id = unique("mixed");
        let blank = finding(&format!("{id}-blank"), "2026-03-11T10:00:00Z").title(" ").build();
        let foreign = finding(&format!("{id}-foreign"), "2026-03-11T10:00:00Z");
        let foreign = foreign.product_arn("arn:aws:securityhub:us-east-1::product/aws/macie").build();
        let right = finding(&id, "2026-03-11T10:00:00Z").build();
        let import = world.hub.batch_import_findings().findings(blank).findings(right).findings(foreign);
        let answer = import.send().await?;
        assert_eq!((answer.success_count, answer.failed_count), (Some(1), Some(2)));
        let codes: Vec<&str> =
            answer.failed_findings().iter().filter_map(|failed| failed.error_code()).collect();
        assert_eq!(codes, ["InvalidInput", "InvalidAccess"]);
        assert!(answer.failed_findings()[0].error_message().is_some_and(|message| message.contains("Title")));

        let many = vec![finding(&id, "2026-03-11T10:00:00Z").build(); 101];
        let error =
            world.hub.batch_import_findings().set_findings(Some(many)).send().await.err().context("101")?;
        assert_eq!(
            aws_sdk_securityhub::error::ProvideErrorMetadata::code(&error),
            Some("InvalidInputException")
        );
        Ok(())
    }

    #[tokio::test]
    async fn a_newer_import_updates_and_leaves_to_the_customer_what_is_the_customers() -> Result<()> {
        let _shared = SECURITY_HUB.read().await;
        let world = World::new().await?;
        let id = unique("updated");
        let import = async |finding: AwsSecurityFinding| -> Result<()> {
            let answer = world.hub.batch_import_findings().findings(finding).send().await?;
            ensure!(answer.failed_count == Some(0), "{answer:?}");
            Ok(())
        };
        let get = async || -> Result<AwsSecurityFinding> {
            let filters = by_id(StringFilterComparison::Equals, &id);
            let answer = world.hub.get_findings().filters(filters).send().await?;
            answer.findings.unwrap_or_default().pop().context("the finding")
        };
        import(finding(&id, "2026-03-11T10:00:00Z").build()).await?;
        let identifier = AwsSecurityFindingIdentifier::builder().id(&id).product_arn(PRODUCT).build();
        let workflow = WorkflowUpdate::builder().status(WorkflowStatus::Notified).build();
        let update = world.hub.batch_update_findings().finding_identifiers(identifier).workflow(workflow);
        assert_eq!(update.send().await?.processed_findings().len(), 1);

        import(finding(&id, "2026-03-11T10:00:00Z").title("not newer").build()).await?;
        assert_eq!(
            get().await?.title.as_deref(),
            Some("Externally accessible S3 bucket holds sensitive data")
        );
        let newer =
            finding(&id, "2026-03-11T10:00:00.001Z").title("newer").record_state(RecordState::Archived);
        import(newer.build()).await?;
        let updated = get().await?;
        assert_eq!(updated.title.as_deref(), Some("newer"));
        assert_eq!(updated.record_state(), Some(&RecordState::Archived));
        assert_eq!(
            updated.workflow().and_then(|workflow| workflow.status()),
            Some(&WorkflowStatus::Notified)
        );
        assert_eq!(updated.severity().and_then(|severity| severity.normalized()), Some(70));
        Ok(())
    }

    #[tokio::test]
    async fn findings_are_found_by_id_and_paged() -> Result<()> {
        let _shared = SECURITY_HUB.read().await;
        let world = World::new().await?;
        let prefix = unique("paged");
        let findings =
            (0..5).map(|n| finding(&format!("{prefix}/{n}"), "2026-03-11T10:00:00Z").build()).collect();
        world.hub.batch_import_findings().set_findings(Some(findings)).send().await?;
        let filters = by_id(StringFilterComparison::Prefix, &format!("{prefix}/"));
        let mut pages = world.hub.get_findings().filters(filters).max_results(2).into_paginator().send();
        let mut found = vec![];
        while let Some(page) = pages.next().await {
            found.extend(page?.findings.unwrap_or_default().into_iter().filter_map(|finding| finding.id));
        }
        assert_eq!(found, (0..5).map(|n| format!("{prefix}/{n}")).collect::<Vec<_>>());
        Ok(())
    }

    #[tokio::test]
    async fn every_import_is_published() -> Result<()> {
        let _shared = SECURITY_HUB.read().await;
        let world = World::new().await?;
        let mut events = world.events(json!({"source": ["aws.securityhub"]})).await?;
        let id = unique("published");
        world
            .hub
            .batch_import_findings()
            .findings(finding(&id, "2026-03-11T10:00:00Z").build())
            .send()
            .await?;
        let event = events.next("the import", |event| event["detail"]["findings"][0]["Id"] == id).await?;
        assert_eq!(event["detail-type"], "Security Hub Findings - Imported");
        Ok(())
    }

    #[tokio::test]
    async fn where_it_is_off_every_call_is_refused_and_what_it_knew_is_there_again_after() -> Result<()> {
        let _own = SECURITY_HUB.write().await;
        let world = World::new().await?;
        let id = unique("off");
        let import = async || {
            let finding = finding(&id, "2026-03-11T10:00:00Z").build();
            world.hub.batch_import_findings().findings(finding).send().await
        };
        import().await?;
        world.sandbox.security_hub().set_off(true);
        let error = import().await.err().context("refused")?;
        assert_eq!(
            aws_sdk_securityhub::error::ProvideErrorMetadata::code(&error),
            Some("InvalidAccessException")
        );
        world.sandbox.security_hub().set_off(false);
        let filters = by_id(StringFilterComparison::Equals, &id);
        let found = world.hub.get_findings().filters(filters).send().await?;
        assert_eq!(found.findings().len(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn a_refused_finding_fails_alone_in_an_answer_of_200() -> Result<()> {
        let _shared = SECURITY_HUB.read().await;
        let world = World::new().await?;
        let (refused, taken) = (unique("refused"), unique("taken"));
        let about = |bucket: &str| {
            let resource = Resource::builder().r#type("AwsS3Bucket").id(format!("arn:aws:s3:::{bucket}"));
            finding(bucket, "2026-03-11T10:00:00Z").set_resources(None).resources(resource.build()).build()
        };
        let hub = world.sandbox.security_hub();
        hub.refuse_findings_about(&format!("arn:aws:s3:::{refused}"), true);
        let import = world.hub.batch_import_findings().findings(about(&refused)).findings(about(&taken));
        let answer = import.send().await?;
        assert_eq!((answer.success_count, answer.failed_count), (Some(1), Some(1)));
        assert_eq!(answer.failed_findings()[0].id.as_deref(), Some(refused.as_str()));
        hub.refuse_findings_about(&format!("arn:aws:s3:::{refused}"), false);
        let again = world.hub.batch_import_findings().findings(about(&refused)).send().await?;
        assert_eq!(again.failed_count, Some(0));
        Ok(())
    }
}

/// A small app that takes interactions, and answers each as it is told.
struct App {
    url: String,
    requests: mpsc::UnboundedReceiver<Interaction>,
}

struct Interaction {
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Interaction {
    fn payload(&self) -> Result<Value> {
        let form = reqwest::Url::parse(&format!("http://form/?{}", std::str::from_utf8(&self.body)?))?;
        let (name, value) = form.query_pairs().next().context("a field")?;
        ensure!(name == "payload" && form.query_pairs().count() == 1, "one field, payload");
        Ok(serde_json::from_str(&value)?)
    }
}

impl App {
    async fn answering(status: u16, delay: Duration) -> Result<App> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/slack/interactions", listener.local_addr()?);
        let (sender, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    if let Ok(interaction) = read_request(&mut stream).await {
                        let _ = sender.send(interaction);
                        tokio::time::sleep(delay).await;
                        let answer =
                            format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Ok(App { url, requests })
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Result<Interaction> {
    let mut bytes = vec![];
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        ensure!(read > 0, "the connection ended early");
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&bytes[..end])?;
        let headers: HashMap<String, String> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.get("content-length").context("a length")?.parse()?;
        if bytes.len() >= end + 4 + length {
            return Ok(Interaction { headers, body: bytes[end + 4..].to_vec() });
        }
    }
}

#[tokio::test]
async fn the_web_api_takes_json_and_forms_and_only_the_right_token() -> Result<()> {
    let _shared = SLACK.read().await;
    let world = World::new().await?;
    let (slack, url) = (world.sandbox.slack(), format!("{}/api", world.sandbox.slack_url()));
    assert_eq!(world.slack("auth.test", json!({})).await?["team_id"], "T0CORDON01");
    let text = unique("form");
    let blocks = json!([{"type": "divider"}]).to_string();
    let form = [("channel", CHANNEL), ("text", &text), ("blocks", &blocks)];
    let call = world.http.post(format!("{url}/chat.postMessage")).bearer_auth(slack.bot_token()).form(&form);
    let posted: Value = call.send().await?.json().await?;
    assert_eq!((&posted["ok"], &posted["message"]["text"]), (&json!(true), &json!(text)));
    assert_eq!(posted["message"]["blocks"][0]["type"], "divider");

    let wrong = world.http.post(format!("{url}/auth.test")).bearer_auth("xoxb-wrong").send().await?;
    assert_eq!(wrong.status(), 200, "an application error");
    assert_eq!(wrong.json::<Value>().await?, json!({"ok": false, "error": "invalid_auth"}));
    let none: Value = world.http.post(format!("{url}/auth.test")).send().await?.json().await?;
    assert_eq!(none["error"], "not_authed");
    Ok(())
}

#[tokio::test]
async fn posting_too_fast_and_an_outage_are_felt_as_slack_lets_them_be_felt() -> Result<()> {
    let _own = SLACK.write().await;
    let world = World::new().await?;
    let slack = world.sandbox.slack();
    let post = async || -> Result<reqwest::Response> {
        let call = world.http.post(format!("{}/api/chat.postMessage", world.sandbox.slack_url()));
        let call = call.bearer_auth(slack.bot_token()).json(&json!({"channel": CHANNEL, "text": "fast"}));
        Ok(call.send().await?)
    };
    slack.set_rate_limits(Some(RateLimits {
        posts_per_second: 0.01,
        post_burst: 2,
        ..RateLimits::default()
    }));
    assert_eq!(post().await?.status(), 200);
    assert_eq!(post().await?.status(), 200);
    let limited = post().await?;
    slack.set_rate_limits(None);
    assert_eq!(limited.status(), 429);
    let wait: u64 = limited.headers()["retry-after"].to_str()?.parse()?;
    assert!((90..=100).contains(&wait), "{wait}");

    slack.set_outage(Outage::ServerError);
    let status = post().await?.status();
    slack.set_outage(Outage::OkFalse("internal_error".into()));
    let body: Value = post().await?.json().await?;
    slack.set_outage(Outage::None);
    assert_eq!(status, 503);
    assert_eq!(body, json!({"ok": false, "error": "internal_error"}));
    assert_eq!(post().await?.status(), 200);
    Ok(())
}

#[tokio::test]
async fn a_click_on_the_page_sends_a_signed_interaction_as_the_chosen_user() -> Result<()> {
    let _own = SLACK.write().await;
    let world = World::new().await?;
    let slack = world.sandbox.slack();
    let mut app = App::answering(200, Duration::ZERO).await?;
    slack.set_interactions_url(&app.url);
    let text = unique("click *me*");
    let ts = world.ask(&text).await?;
    let page = world.page("U0BOB00002").await?;
    assert!(page.contains(&format!("name=\"ts\" value=\"{ts}\"")) && page.contains("<b>me</b>"), "{page}");

    let click = world.http.post(format!("{}/channel/{CHANNEL}/click", world.sandbox.slack_url()));
    let form = [("as", "U0BOB00002"), ("ts", &ts), ("action_id", "quarantine")];
    let answer = click.form(&form).send().await?;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], format!("/channel/{CHANNEL}?as=U0BOB00002"));
    let interaction = app.requests.recv().await.context("an interaction")?;
    let timestamp: i64 = interaction.headers["x-slack-request-timestamp"].parse()?;
    assert_eq!(interaction.headers["x-slack-signature"], slack.sign(timestamp, &interaction.body));
    assert_eq!(interaction.headers["content-type"], "application/x-www-form-urlencoded");
    let payload = interaction.payload()?;
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(
        payload["user"],
        json!({"id": "U0BOB00002", "username": "bob", "name": "bob", "team_id": "T0CORDON01"})
    );
    assert_eq!(payload["container"]["message_ts"], *ts);
    assert_eq!(payload["message"]["text"], *text);
    let action = &payload["actions"][0];
    assert_eq!((&action["action_id"], &action["block_id"]), (&json!("quarantine"), &json!("decision")));
    assert_eq!(action["value"], format!("{text}/quarantine"));

    // The response URL is answered to over HTTP, as the app would.
    let response_url = payload["response_url"].as_str().context("a URL")?;
    let noted = world.http.post(response_url).json(&json!({"text": "noted, thank you"})).send().await?;
    assert_eq!(noted.status(), 200);
    assert!(world.page("U0BOB00002").await?.contains("noted, thank you"));
    assert!(!world.page("U0ALICE001").await?.contains("noted, thank you"), "only bob sees it");
    Ok(())
}

#[tokio::test]
async fn a_click_from_another_sites_page_is_refused() -> Result<()> {
    let _own = SLACK.write().await;
    let world = World::new().await?;
    let mut app = App::answering(200, Duration::ZERO).await?;
    world.sandbox.slack().set_interactions_url(&app.url);
    let ts = world.ask(&unique("foreign")).await?;
    let click = world.http.post(format!("{}/channel/{CHANNEL}/click", world.sandbox.slack_url()));
    let form = [("as", "U0ALICE001"), ("ts", &ts), ("action_id", "quarantine")];
    let answer = click.header("origin", "https://evil.example").form(&form).send().await?;
    assert_eq!(answer.status(), 403);
    assert!(app.requests.try_recv().is_err());
    Ok(())
}

#[tokio::test]
async fn an_app_that_fails_or_is_slow_or_missing_shows_the_user_what_slack_would_show() -> Result<()> {
    let _own = SLACK.write().await;
    let world = World::new().await?;
    let slack = world.sandbox.slack();
    let ts = world.ask(&unique("failing")).await?;
    let click = async || -> ClickResult { slack.click("U0ALICE001", CHANNEL, &ts, "dismiss").await };

    let app = App::answering(401, Duration::ZERO).await?;
    slack.set_interactions_url(&app.url);
    let refused = click().await;
    assert_eq!(refused.status, 401);
    assert!(refused.error.is_some_and(|error| error.contains("401")));

    let app = App::answering(200, Duration::from_secs(30)).await?;
    slack.set_interactions_url(&app.url);
    let slow = click().await;
    assert_eq!(slow.status, 0);
    assert!(slow.error.is_some_and(|error| error.contains("within 3 seconds")));
    assert!((Duration::from_secs(3)..Duration::from_secs(5)).contains(&slow.duration), "{:?}", slow.duration);

    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    slack.set_interactions_url(&format!("http://{closed}/"));
    let form = [("as", "U0ALICE001"), ("ts", &ts), ("action_id", "dismiss")];
    world
        .http
        .post(format!("{}/channel/{CHANNEL}/click", world.sandbox.slack_url()))
        .form(&form)
        .send()
        .await?;
    assert!(world.page("U0ALICE001").await?.contains("This app is not responding."));
    let gone = slack.click("U0ALICE001", CHANNEL, &ts, "no_such_action").await;
    assert!(gone.error.is_some_and(|error| error.contains("not there any more")));
    Ok(())
}

#[tokio::test]
async fn the_page_follows_the_channel_and_keeps_hostile_text_text() -> Result<()> {
    let _shared = SLACK.read().await;
    let world = World::new().await?;
    let mark = unique("hostile");
    let hostile = format!("{mark} <script>alert(1)</script> `<img src=x onerror=alert(1)>` &lt;b&gt;");
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": hostile}}]);
    let message = json!({"channel": CHANNEL, "text": hostile, "blocks": blocks});
    let ts = world.slack("chat.postMessage", message).await?["ts"].clone();
    let url = format!("{}/channel/{CHANNEL}/messages?as=U0ALICE001", world.sandbox.slack_url());
    let fragment = world.http.get(&url).send().await?;
    let policy = fragment.headers()["content-security-policy"].to_str()?.to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"));
    let html = fragment.text().await?;
    assert!(html.contains(&mark) && !html.contains("<script") && !html.contains("<img"), "{html}");

    let updated = unique("edited");
    world.slack("chat.update", json!({"channel": CHANNEL, "ts": ts, "text": updated, "blocks": []})).await?;
    world
        .slack("chat.postMessage", json!({"channel": CHANNEL, "text": "in the thread", "thread_ts": ts}))
        .await?;
    let only_bob = json!({"channel": CHANNEL, "user": "U0BOB00002", "text": unique("for-bob")});
    world.slack("chat.postEphemeral", only_bob.clone()).await?;
    let alice = world.page("U0ALICE001").await?;
    assert!(
        alice.contains(&updated) && alice.contains("(edited)") && alice.contains("<div class=\"thread\">")
    );
    assert!(!alice.contains(&mark), "the old text is gone");
    let noted = only_bob["text"].as_str().context("a text")?;
    assert!(!alice.contains(noted) && world.page("U0BOB00002").await?.contains(noted));
    Ok(())
}

#[tokio::test]
async fn a_message_is_found_again_by_its_metadata() -> Result<()> {
    let _shared = SLACK.read().await;
    let world = World::new().await?;
    let case = unique("case");
    let metadata = json!({"event_type": "cordon_case", "event_payload": {"case_id": case}});
    let posted = world
        .slack("chat.postMessage", json!({"channel": CHANNEL, "text": "x", "metadata": metadata}))
        .await?;
    let mut cursor = String::new();
    loop {
        let page = json!({"channel": CHANNEL, "include_all_metadata": true, "limit": 1, "cursor": cursor});
        let page = world.slack("conversations.history", page).await?;
        ensure!(page["ok"] == true, "{page}");
        let message = &page["messages"][0];
        if message["metadata"]["event_payload"]["case_id"] == *case {
            assert_eq!(message["ts"], posted["ts"]);
            return Ok(());
        }
        match page["response_metadata"]["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => bail!("the message is not in the channel's history"),
        }
    }
}
