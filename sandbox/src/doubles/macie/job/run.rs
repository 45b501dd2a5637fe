//! The run of a job: every object of its buckets is read, and each with sensitive data makes a finding.

use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_s3::types::ObjectStorageClass;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    super::{
        Macie, description,
        detection::Scanner,
        finding::{self, ScannedObject},
        keys, scope,
    },
    Status,
    request::looks_for,
};
use crate::doubles::strings;

/// How a run came to its end.
enum End {
    /// All that could be looked at was; `true` if a bucket could not be accessed.
    Complete {
        failed: bool,
    },
    Cancelled,
}

/// Runs a job to its end. `forced_error` makes it end as a job does that could not access its buckets.
pub(in crate::doubles::macie) async fn run(
    macie: Arc<Macie>,
    id: String,
    pace: std::time::Duration,
    forced_error: bool,
) {
    let Some((request, mut status)) =
        macie.with_job(&id, |job| (job.request.clone(), job.status.subscribe()))
    else {
        return;
    };
    tokio::select! {
        () = tokio::time::sleep(pace) => {}
        () = cancelled(status.clone()) => return,
    }
    let end = match forced_error {
        true if may_go_on(&mut status).await => End::Complete { failed: true },
        true => End::Cancelled,
        false => scan_buckets(&macie, &id, &request, &mut status).await,
    };
    if let End::Complete { failed } = end {
        macie.with_job(&id, |job| {
            // A cancellation may have come in since the last object.
            job.failed = failed;
            job.status.send_if_modified(|status| {
                let running = *status == Status::Running;
                if running {
                    *status = Status::Complete;
                }
                running
            });
        });
    }
}

async fn scan_buckets(
    macie: &Arc<Macie>,
    id: &str,
    request: &Value,
    status: &mut watch::Receiver<Status>,
) -> End {
    let mut failed = false;
    for in_account in request["s3JobDefinition"]["bucketDefinitions"].as_array().into_iter().flatten() {
        for bucket in strings(&in_account["buckets"]) {
            if !may_go_on(status).await {
                return End::Cancelled;
            }
            let scanned = match in_account["accountId"] == macie.home.account {
                true => scan_bucket(macie, id, &bucket, request, status).await,
                false => Err(anyhow::anyhow!("the bucket is in another account")),
            };
            match scanned {
                Ok(true) => {}
                Ok(false) => return End::Cancelled,
                Err(error) => {
                    tracing::warn!(
                        job.id = id,
                        bucket,
                        error = format!("{error:#}"),
                        "Macie job cannot scan a bucket"
                    );
                    failed = true;
                }
            }
        }
    }
    if may_go_on(status).await { End::Complete { failed } } else { End::Cancelled }
}

/// Looks at the latest version of every object; `false` if the job was cancelled meanwhile.
async fn scan_bucket(
    macie: &Arc<Macie>,
    id: &str,
    bucket: &str,
    request: &Value,
    status: &mut watch::Receiver<Status>,
) -> anyhow::Result<bool> {
    let s3 = macie.emulator.s3();
    let description = description::describe_bucket(s3, &macie.home, bucket)
        .await?
        .context("there is no such bucket in the account")?;
    let public = description["publicAccess"]["effectivePermission"] == "PUBLIC";
    let scope = scope::of(&request["s3JobDefinition"]).map_err(|error| anyhow::anyhow!(error.message))?;
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page?.contents() {
            let (Some(key), true) = (object.key(), can_be_analyzed(object.storage_class())) else { continue };
            let modified = object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs);
            if !scope.iter().all(|term| term.holds(key, modified, object.size().unwrap_or_default())) {
                continue;
            }
            if !may_go_on(status).await {
                return Ok(false);
            }
            macie.with_job(id, |job| job.objects += 1);
            let Some(scanned) = scan_object(macie, bucket, key, request, public).await? else { continue };
            macie.publish(finding::of_object(&macie.home, id, &description, &scanned)).await;
        }
    }
    Ok(true)
}

/// Reads one object; `None` if there is nothing to report: it holds no sensitive data that can be read, or it went
/// away meanwhile. What Macie may not read leaves no trace in the job.
async fn scan_object(
    macie: &Macie,
    bucket: &str,
    key: &str,
    request: &Value,
    public: bool,
) -> anyhow::Result<Option<ScannedObject>> {
    let s3 = macie.emulator.s3();
    let mut object = match s3.get_object().bucket(bucket).key(key).send().await {
        Ok(object) => object,
        Err(error) => {
            tracing::debug!(bucket, key, %error, "Macie job skips an object that it cannot read");
            return Ok(None);
        }
    };
    // Root reads what Macie may not.
    if let Some(key) = object.ssekms_key_id()
        && !keys::may_use(macie, key).await?
    {
        tracing::debug!(bucket, key, "Macie job skips an object whose KMS key it may not use");
        return Ok(None);
    }
    let mut scanner = Scanner::default();
    while let Some(piece) = object.body.try_next().await? {
        scanner.feed(&piece);
    }
    let mut detections = scanner.finish();
    detections.retain(|detection| looks_for(request, detection.identifier));
    if detections.is_empty() {
        return Ok(None);
    }
    let description = description::describe_object(s3, bucket, key, &object, public).await?;
    Ok(description.map(|description| ScannedObject {
        size: object.content_length().unwrap_or_default(),
        description,
        mime_type: description::mime_type(key).to_owned(),
        detections,
    }))
}

/// Macie analyzes objects only in the storage classes that can be read at once.
fn can_be_analyzed(class: Option<&ObjectStorageClass>) -> bool {
    !matches!(
        class.map(ObjectStorageClass::as_str),
        Some("GLACIER" | "DEEP_ARCHIVE" | "OUTPOSTS" | "SNOW" | "EXPRESS_ONEZONE")
    )
}

/// Waits while the job is paused; `false` once it is cancelled.
async fn may_go_on(status: &mut watch::Receiver<Status>) -> bool {
    let settled = status.wait_for(|status| *status != Status::UserPaused).await;
    settled.is_ok_and(|status| *status == Status::Running)
}

async fn cancelled(mut status: watch::Receiver<Status>) {
    if status.wait_for(|status| *status == Status::Cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
