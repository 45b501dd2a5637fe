//! Exposure cycles in which something fails: what they cost, and what they say of a bucket that they could not look at.
//!
//! The tests do what the state machine does, activity by activity, and let time pass by writing it into the records.

mod endings;
mod reports;
mod scans;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_macie2::types::{JobStatus, MacieStatus};
use aws_sdk_s3::types::{
    BucketVersioningStatus, MetadataDirective, ServerSideEncryption, StorageClass, VersioningConfiguration,
};
use cordon::{clock, error::RETRYABLE, store::Exposures};
use cordon_sandbox::{Fault, InterceptedCall, Intervention, doubles::SecurityHub};
use cordon_tests::{eventually, finding_document, kms, run_test};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    fixture::Fixture,
    repeats::{CARD, done, shared},
};

/// How often the state machine repeats a task that ends with a retryable error.
const ATTEMPTS: usize = 7;

/// How a batch ended.
type Ended = Result<Value, (String, String)>;

/// Security Hub, off until this is dropped.
struct Off<'a>(&'a SecurityHub);

impl<'a> Off<'a> {
    fn of(hub: &'a SecurityHub) -> Self {
        hub.set_off(true);
        Self(hub)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        self.0.set_off(false);
    }
}

/// Does what the state machine does in one cycle. Gives the ends of the batches that are about a bucket whose name
/// begins with `about`.
async fn cycle(fixture: &Fixture, name: &str, about: &str) -> Result<Vec<Ended>> {
    let mut ends = Vec::new();
    for batch in plan(fixture, name, about).await? {
        ends.push(match scan(fixture, &batch).await? {
            Ok(_) => report(fixture, &batch).await?,
            Err(failure) => Err(failure),
        });
    }
    Ok(ends)
}

/// Reads Access Analyzer's list and plans a cycle.
async fn plan(fixture: &Fixture, name: &str, about: &str) -> Result<Vec<Value>> {
    done(fixture, "sync_access_findings", &json!({})).await?;
    let planned = done(fixture, "plan_scans", &json!({"cycle": name})).await?;
    batches(fixture, &planned, about).await
}

/// Leaves no bucket due but those whose names begin so: the first that is planned is one of them.
async fn only_due(fixture: &Fixture, about: &str) -> Result<()> {
    let table = fixture.deployment.output("exposures_table")?;
    let mut due = fixture
        .dynamodb
        .query()
        .table_name(table)
        .index_name("due")
        .key_condition_expression("due = :due")
        .expression_attribute_values(":due", AttributeValue::S("bucket".into()))
        .into_paginator()
        .items()
        .send();
    while let Some(item) = due.next().await {
        let mut item = item?;
        let arn = item.remove("bucket_arn").context("a key")?;
        if arn.as_s().is_ok_and(|arn| arn.contains(&format!(":::{about}"))) {
            continue;
        }
        let update = fixture.dynamodb.update_item().table_name(table).key("bucket_arn", arn);
        let update = update.key("item", AttributeValue::S("bucket".into()));
        update.update_expression("REMOVE due, due_at").send().await?;
    }
    Ok(())
}

/// The batches of a plan that are about a bucket whose name begins so.
async fn batches(fixture: &Fixture, planned: &Value, about: &str) -> Result<Vec<Value>> {
    let place = |member: &str| planned[member].as_str().unwrap_or_default();
    let plan = fixture.s3.get_object().bucket(place("bucket")).key(place("key")).send().await?;
    let mut batches: Vec<Value> = serde_json::from_slice(&plan.body.collect().await?.into_bytes())?;
    batches.retain(|batch| batch["buckets"].to_string().contains(&format!("\"name\":\"{about}")));
    Ok(batches)
}

/// Creates the job of a batch, if it needs one, and waits for its end.
async fn scan(fixture: &Fixture, batch: &Value) -> Result<Ended> {
    if batch["kind"] != "scan" {
        return Ok(Ok(Value::Null));
    }
    let started = attempt(fixture, "start_scan", batch).await?;
    if let Ok(job) = &started {
        job_ended(fixture, job).await?;
    }
    Ok(started)
}

/// Waits for a job's end, and records it as the scan watcher does.
async fn job_ended(fixture: &Fixture, job: &Value) -> Result<()> {
    let failed = eventually("the end of the job", async || {
        let jobs = fixture.sandbox.macie().jobs();
        let ended = jobs.iter().find(|one| one["jobId"] == job["job_id"] && one["jobStatus"] == "COMPLETE");
        Ok(ended.map(|job| job["lastRunErrorStatus"]["code"] == "ERROR"))
    })
    .await?;
    let exposures =
        Exposures::new(fixture.dynamodb.clone(), fixture.deployment.output("exposures_table")?.into());
    let problem = failed.then_some("the job could not read all buckets");
    exposures.finish_job(job["record"].as_str().context("a record")?, problem).await?;
    Ok(())
}

async fn report(fixture: &Fixture, batch: &Value) -> Result<Ended> {
    attempt(fixture, "report_exposures", batch).await
}

/// Does a task about a batch, again while it ends with a retryable error.
async fn attempt(fixture: &Fixture, stem: &str, batch: &Value) -> Result<Ended> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match fixture.worker.run_once(stem, json!({"batch": batch}).to_string()).await {
            Err(failure) if failure.code == RETRYABLE => last = Some(failure),
            ended => return Ok(ended.map_err(|failure| (failure.code.into(), failure.cause))),
        }
    }
    Err(anyhow!("{stem} did not end: {last:?}"))
}

/// Another account gets access, or loses it, so that the bucket is due at once.
async fn access_changes(fixture: &Fixture, bucket: &str, n: usize) -> Result<()> {
    let who = format!("arn:aws:iam::{}:root", ["444455556666", "777788889999"][n % 2]);
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
        "Principal": {"AWS": who}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
    fixture.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    fixture.sandbox.access_analyzer().bucket_changed(bucket).await;
    Ok(())
}

/// The detail of an event about access to a bucket.
fn access_detail(fixture: &Fixture, bucket: &str, id: &str) -> Value {
    json!({"id": id, "resourceType": "AWS::S3::Bucket", "status": "ACTIVE",
        "resource": format!("arn:aws:s3:::{bucket}"), "accountId": fixture.sandbox.account(),
        "updatedAt": "2026-03-11T01:14:07.482Z", "principal": {"AWS": "444455556666"},
        "action": ["s3:GetObject"], "isPublic": false, "isDeleted": false})
}

/// The one object of a bucket that was made [`shared`].
async fn object_in(fixture: &Fixture, bucket: &str) -> Result<cordon_domain::finding::ObjectVersion> {
    let head = fixture.s3.head_object().bucket(bucket).key("cards.txt").send().await?;
    let etag = cordon_domain::finding::bare_etag(head.e_tag().context("an ETag")?).to_owned();
    Ok(cordon_domain::finding::ObjectVersion {
        account: fixture.sandbox.account().into(),
        bucket: bucket.into(),
        key: "cards.txt".into(),
        version_id: None,
        etag,
    })
}

/// What can become of an object so that Macie does not read it, while the job says nothing of it.
#[derive(Clone, Copy, Debug)]
enum Unread {
    Archived,
    UnderAClosedKey,
    UnderACustomersKey,
}

/// Takes the object out of Macie's reach, its content unchanged.
async fn close(fixture: &Fixture, bucket: &str, unread: Unread) -> Result<()> {
    let onto_itself = fixture
        .s3
        .copy_object()
        .bucket(bucket)
        .key("cards.txt")
        .copy_source(format!("{bucket}/cards.txt"))
        .metadata_directive(MetadataDirective::Copy);
    match unread {
        Unread::Archived => {
            onto_itself.storage_class(StorageClass::Glacier).send().await?;
        }
        Unread::UnderAClosedKey => {
            let root = fixture.sandbox.sdk_config().await;
            let key = kms(&root, "createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
            let copy = onto_itself.server_side_encryption(ServerSideEncryption::AwsKms);
            copy.ssekms_key_id(key.as_str().context("a key has an ARN")?).send().await?;
        }
        Unread::UnderACustomersKey => {
            let (key, md5) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "KYvwGXoFFJ42a2u2GDWhwQ==");
            let put =
                fixture.s3.put_object().bucket(bucket).key("cards.txt").body(CARD.as_bytes().to_vec().into());
            let put = put.sse_customer_algorithm("AES256").sse_customer_key(key).sse_customer_key_md5(md5);
            put.send().await?;
        }
    }
    Ok(())
}

/// Lets the time pass that the bucket is left alone for.
async fn make_due(fixture: &Fixture, bucket: &str) -> Result<()> {
    let set = "SET due = :due, due_at = :past REMOVE scan_not_before";
    update(fixture, bucket, "bucket", set, &[(":due", text("bucket")), (":past", long_ago())]).await
}

/// Lets the last scan of a bucket become too old to be used again, and the bucket due.
async fn too_old(fixture: &Fixture, bucket: &str) -> Result<()> {
    let month = ago(SignedDuration::from_hours(24 * 31));
    update(fixture, bucket, "scan#latest", "SET scanned_at = :at", &[(":at", month)]).await?;
    make_due(fixture, bucket).await
}

/// For how long a bucket is left alone from now.
async fn due_in(fixture: &Fixture, bucket: &str) -> Result<SignedDuration> {
    let record = record(fixture, bucket, "bucket").await?.context("a record")?;
    let at = record.get("due_at").and_then(|at| at.as_s().ok()).context("it is due")?;
    Ok(at.parse::<Timestamp>()?.duration_since(Timestamp::now()))
}

type Record = std::collections::HashMap<String, AttributeValue>;

async fn record(fixture: &Fixture, bucket: &str, item: &str) -> Result<Option<Record>> {
    let get = fixture.dynamodb.get_item().table_name(fixture.deployment.output("exposures_table")?);
    let get = get.key("bucket_arn", text(&format!("arn:aws:s3:::{bucket}"))).key("item", text(item));
    Ok(get.consistent_read(true).send().await?.item)
}

async fn update(
    fixture: &Fixture,
    bucket: &str,
    item: &str,
    expression: &str,
    values: &[(&str, AttributeValue)],
) -> Result<()> {
    let update = fixture.dynamodb.update_item().table_name(fixture.deployment.output("exposures_table")?);
    let update = update.key("bucket_arn", text(&format!("arn:aws:s3:::{bucket}"))).key("item", text(item));
    let update = update.update_expression(expression).condition_expression("attribute_exists(bucket_arn)");
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    update.set_expression_attribute_values(Some(values)).send().await?;
    Ok(())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn ago(length: SignedDuration) -> AttributeValue {
    text(&(clock::now() - length).to_string())
}

fn long_ago() -> AttributeValue {
    ago(SignedDuration::from_hours(1))
}

/// What Security Hub has about a bucket.
fn reported(fixture: &Fixture, bucket: &str) -> Option<Value> {
    let arn = format!("arn:aws:s3:::{bucket}");
    fixture.sandbox.security_hub().findings().into_iter().find(|finding| finding["Resources"][0]["Id"] == arn)
}

fn jobs_about(fixture: &Fixture, bucket: &str) -> usize {
    let name = format!("\"{bucket}\"");
    fixture.sandbox.macie().jobs().iter().filter(|job| job.to_string().contains(&name)).count()
}
