//! Classification jobs: what a valid one is, how its status may change, and the run itself.

mod request;
mod run;

pub(super) use request::check;
pub(super) use run::run;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::doubles::{ApiError, now, timestamp};

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

#[cfg(test)]
mod tests {
    use super::{request::tests::request, *};

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
