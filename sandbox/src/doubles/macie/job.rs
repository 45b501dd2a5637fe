//! Classification jobs: what a valid one is, how its status may change, and the run itself.

use std::sync::Arc;

use anyhow::Context as _;
use aws_sdk_s3::types::ObjectStorageClass;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    Macie,
    detection::{Identifier, Scanner},
    finding::{self, ScannedObject},
    keys, scope,
};
use crate::doubles::{ApiError, now, required, strings, timestamp};

/// Buckets that one job may name.
const MOST_BUCKETS: usize = 1000;

/// A paused job expires when nobody resumes it for this long.
const PAUSE_EXPIRES: jiff::SignedDuration = jiff::SignedDuration::from_hours(30 * 24);

/// Status of a one-time job; PAUSED (the monthly quota) is only ever set by Macie itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    UserPaused,
    Cancelled,
    Complete,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::UserPaused => "USER_PAUSED",
            Self::Cancelled => "CANCELLED",
            Self::Complete => "COMPLETE",
        }
    }
}

/// A job and the switch that its run listens to.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) arn: String,
    /// The request, which is immutable.
    pub(super) request: Value,
    created_at: String,
    status: watch::Sender<Status>,
    failed: bool,
    paused_at: Option<jiff::Timestamp>,
    objects: u64,
}

impl Job {
    pub(super) fn new(id: String, arn: String, request: Value) -> Self {
        let status = watch::Sender::new(Status::Running);
        Self { id, arn, request, created_at: now(), status, failed: false, paused_at: None, objects: 0 }
    }

    /// The answer of DescribeClassificationJob, without the tags.
    pub(super) fn describe(&self) -> Value {
        let mut job = self.request.clone();
        job["managedDataIdentifierSelector"] =
            request_or(&self.request, "managedDataIdentifierSelector", json!("RECOMMENDED"));
        job["initialRun"] = request_or(&self.request, "initialRun", json!(false));
        job["samplingPercentage"] = request_or(&self.request, "samplingPercentage", json!(100));
        job["jobId"] = json!(self.id);
        job["jobArn"] = json!(self.arn);
        job["createdAt"] = json!(self.created_at);
        job["lastRunTime"] = json!(self.created_at);
        job["jobStatus"] = json!(self.status.borrow().name());
        job["lastRunErrorStatus"] = json!({"code": if self.failed { "ERROR" } else { "NONE" }});
        job["statistics"] =
            json!({"approximateNumberOfObjectsToProcess": self.objects as f64, "numberOfRuns": 1.0});
        if let Some(paused_at) = self.paused_at {
            job["userPausedDetails"] = json!({
                "jobPausedAt": timestamp(paused_at),
                "jobExpiresAt": timestamp(paused_at + PAUSE_EXPIRES),
            });
        }
        job
    }

    /// The job as ListClassificationJobs shows it.
    pub(super) fn summary(&self) -> Value {
        let full = self.describe();
        let mut summary = json!({"bucketDefinitions": self.request["s3JobDefinition"]["bucketDefinitions"]});
        for name in
            ["createdAt", "jobId", "jobStatus", "jobType", "lastRunErrorStatus", "name", "userPausedDetails"]
        {
            if !full[name].is_null() {
                summary[name] = full[name].clone();
            }
        }
        summary
    }

    /// Does what UpdateClassificationJob asks for, if the present status allows it.
    pub(super) fn change(&mut self, wanted: &str) -> Result<(), ApiError> {
        let present = *self.status.borrow();
        let next = match (present, wanted) {
            (Status::Running | Status::UserPaused, "CANCELLED") => Status::Cancelled,
            (Status::Running, "USER_PAUSED") => Status::UserPaused,
            (Status::UserPaused, "RUNNING") => Status::Running,
            _ => {
                return Err(ApiError::validation(format!(
                    "a job that is {} cannot become {wanted}",
                    present.name()
                )));
            }
        };
        self.paused_at = (next == Status::UserPaused).then(jiff::Timestamp::now);
        self.status.send_replace(next);
        Ok(())
    }
}

fn request_or(request: &Value, name: &str, default: Value) -> Value {
    request.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(default)
}

/// Refuses what CreateClassificationJob refuses, and what this double would otherwise ignore.
pub(super) fn check(request: &Value) -> Result<(), ApiError> {
    for name in ["clientToken", "name", "jobType"] {
        required(request, name)?;
    }
    for (name, most) in [("clientToken", 64), ("name", 500), ("description", 200)] {
        if request[name].as_str().is_some_and(|text| text.chars().count() > most) {
            return Err(ApiError::validation(format!("{name} must have at most {most} characters")));
        }
    }
    match request["jobType"].as_str() {
        Some("ONE_TIME") if request["scheduleFrequency"].is_null() => {}
        Some("ONE_TIME") => return Err(ApiError::validation("a ONE_TIME job has no scheduleFrequency")),
        Some("SCHEDULED") => return Err(ApiError::lacking("SCHEDULED Macie jobs")),
        _ => return Err(ApiError::validation("jobType must be ONE_TIME or SCHEDULED")),
    }
    let definition = &request["s3JobDefinition"];
    if !definition["bucketCriteria"].is_null() {
        return Err(ApiError::lacking("Macie jobs that choose buckets by criteria"));
    }
    scope::of(definition)?;
    let ids = |name: &str| strings(&request[name]).len();
    let selector = request["managedDataIdentifierSelector"].as_str().unwrap_or("RECOMMENDED");
    match (selector, ids("managedDataIdentifierIds"), ids("customDataIdentifierIds")) {
        ("RECOMMENDED" | "ALL", 0, _) | ("INCLUDE" | "EXCLUDE", 1.., _) | ("NONE", 0, 1..) => {}
        ("RECOMMENDED" | "ALL" | "INCLUDE" | "EXCLUDE" | "NONE", ..) => {
            let message = format!("the identifiers do not go with managedDataIdentifierSelector {selector}");
            return Err(ApiError::validation(message));
        }
        _ => return Err(ApiError::validation("managedDataIdentifierSelector is not one that Macie has")),
    }
    if !matches!(request["samplingPercentage"].as_u64(), None | Some(100)) {
        return Err(ApiError::lacking("Macie jobs that look at a sample of the objects"));
    }
    let Some(accounts) = definition["bucketDefinitions"].as_array().filter(|accounts| !accounts.is_empty())
    else {
        return Err(ApiError::validation("s3JobDefinition needs bucketDefinitions"));
    };
    let mut buckets = 0;
    for in_account in accounts {
        required(in_account, "accountId")?;
        let named = strings(&in_account["buckets"]);
        if named.is_empty() || named.iter().any(String::is_empty) {
            return Err(ApiError::validation("every bucket definition needs buckets"));
        }
        buckets += named.len();
    }
    if buckets > MOST_BUCKETS {
        return Err(ApiError::validation(format!(
            "a job can have at most {MOST_BUCKETS} buckets, this has {buckets}"
        )));
    }
    Ok(())
}

/// Whether a job looks for what one of Macie's own identifiers finds.
fn looks_for(request: &Value, identifier: Identifier) -> bool {
    let named = strings(&request["managedDataIdentifierIds"]).iter().any(|id| id == identifier.name());
    match request["managedDataIdentifierSelector"].as_str() {
        Some("INCLUDE") => named,
        Some("EXCLUDE") => !named,
        Some("NONE") => false,
        _ => true,
    }
}

/// How a run came to its end.
enum End {
    /// All that could be looked at was; `true` if a bucket could not be accessed.
    Complete {
        failed: bool,
    },
    Cancelled,
}

/// Runs a job to its end. `forced_error` makes it end as a job does that could not access its buckets.
pub(super) async fn run(macie: Arc<Macie>, id: String, pace: std::time::Duration, forced_error: bool) {
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
    let description = finding::describe_bucket(s3, &macie.home, bucket)
        .await?
        .context("there is no such bucket in the account")?;
    let public = description["publicAccess"]["effectivePermission"] == "PUBLIC";
    let scope = scope::of(&request["s3JobDefinition"]).map_err(|error| anyhow::anyhow!(error.message))?;
    let mut pages = s3.list_objects_v2().bucket(bucket).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page?.contents() {
            let (Some(key), true) = (object.key(), can_be_analysed(object.storage_class())) else { continue };
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
    let description = finding::describe_object(s3, bucket, key, &object, public).await?;
    Ok(description.map(|description| ScannedObject {
        size: object.content_length().unwrap_or_default(),
        description,
        mime_type: finding::mime_type(key).to_owned(),
        detections,
    }))
}

/// Macie analyses objects only in the storage classes that can be read at once.
fn can_be_analysed(class: Option<&ObjectStorageClass>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({"clientToken": "t", "name": "n", "jobType": "ONE_TIME",
               "s3JobDefinition": {"bucketDefinitions": [{"accountId": "111122223333", "buckets": ["b"]}]}})
    }

    #[test]
    fn a_job_needs_its_token_name_type_account_and_buckets() {
        assert!(check(&request()).is_ok());
        for pointer in ["/clientToken", "/name", "/jobType", "/s3JobDefinition/bucketDefinitions/0/accountId"]
        {
            let mut request = request();
            *request.pointer_mut(pointer).expect("a member") = Value::Null;
            assert_eq!(check(&request).expect_err(pointer).code, "ValidationException");
        }
        let with_buckets = |buckets: Vec<String>| {
            let mut request = request();
            request["s3JobDefinition"]["bucketDefinitions"][0]["buckets"] = json!(buckets);
            check(&request)
        };
        assert!(with_buckets(vec![]).is_err());
        assert!(with_buckets((0..1000).map(|n| format!("b{n}")).collect()).is_ok());
        assert!(with_buckets((0..1001).map(|n| format!("b{n}")).collect()).is_err());
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (name, value) in [
            ("jobType", json!("SCHEDULED")),
            ("samplingPercentage", json!(10)),
            ("s3JobDefinition", json!({"scoping": {"excludes": {}}})),
        ] {
            let mut request = request();
            request[name] = value;
            assert_eq!(check(&request).expect_err(name).status, 501);
        }
    }

    #[test]
    fn identifiers_go_with_their_selector() {
        for (selector, managed, custom, fits) in [
            (json!("RECOMMENDED"), json!([]), json!(["c"]), true),
            (json!("INCLUDE"), json!(["CREDIT_CARD_NUMBER"]), json!([]), true),
            (json!("NONE"), json!([]), json!(["c"]), true),
            (json!("NONE"), json!([]), json!([]), false),
            (json!("EXCLUDE"), json!([]), json!([]), false),
            (json!("ALL"), json!(["CREDIT_CARD_NUMBER"]), json!([]), false),
            (json!("SOME"), json!([]), json!([]), false),
        ] {
            let mut request = request();
            request["managedDataIdentifierSelector"] = selector;
            request["managedDataIdentifierIds"] = managed;
            request["customDataIdentifierIds"] = custom;
            assert_eq!(check(&request).is_ok(), fits, "{request}");
        }
    }

    #[test]
    fn a_client_token_has_at_most_64_characters() {
        let mut request = request();
        request["clientToken"] = json!("t".repeat(64));
        assert!(check(&request).is_ok());
        request["clientToken"] = json!("t".repeat(65));
        assert_eq!(check(&request).expect_err("too long").code, "ValidationException");
    }

    #[test]
    fn a_job_is_paused_resumed_and_cancelled_but_not_revived() {
        let mut job = Job::new("id".into(), "arn".into(), request());
        assert!(job.change("RUNNING").is_err());
        job.change("USER_PAUSED").expect("pausable");
        assert!(!job.describe()["userPausedDetails"]["jobExpiresAt"].is_null());
        job.change("RUNNING").expect("resumable");
        assert!(job.describe()["userPausedDetails"].is_null());
        job.change("CANCELLED").expect("cancellable");
        assert_eq!(job.describe()["jobStatus"], "CANCELLED");
        assert!(job.change("RUNNING").is_err());
    }
}
