//! Joins who has access to a batch's buckets with what Macie found in them, and tells Security Hub.
//!
//! Input / output: the batch → how many exposures there are.  Effects: Access Analyzer and Macie read, findings
//! imported or archived in Security Hub, scan and report recorded, buckets settled; last, the batch's report in S3.
//! Idempotency: bucket and revision; Security Hub's finding id is made from the bucket, so a repetition updates it.
//! Errors: `ScanFailed` for a scan that did not read everything (after what it found was reported; its buckets stay
//! due), `ImportRejected`, `AccessDenied`, `RequestRejected`.  Undo: the next report.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    clients::Clients,
    domain::{
        access_finding::{AccessFinding, AccessStatus},
        asff::SecurityFinding,
        exposure::{
            Batch, BatchKind, Exposure, JobRecord, PlannedBucket, ReportRecord, ScanRecord, SensitiveObject,
        },
        time,
    },
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] =
    &[Code::ScanFailed, Code::ImportRejected, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct ReportExposures(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    batch: Batch,
}

#[derive(Serialize)]
pub(super) struct Output {
    buckets: usize,
    exposures: usize,
}

/// Where the report of a batch is.
pub(super) fn report_key(cycle: &str, number: u32) -> String {
    format!("{}{number}.json", reports_prefix(cycle))
}

/// Where the reports of a cycle are.
pub(super) fn reports_prefix(cycle: &str) -> String {
    format!("cycles/{cycle}/reports/")
}

impl Activity for ReportExposures {
    const NAME: &'static str = "report_exposures";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let batch = &input.batch;
        let job = match batch.kind {
            BatchKind::Report => None,
            BatchKind::Scan => match self.job(batch).await {
                Ok(job) => Some(job),
                Err(error) => {
                    for bucket in &batch.buckets {
                        self.0.exposures.retry_bucket(&bucket.arn, &batch.cycle).await?;
                    }
                    return Err(error);
                }
            },
        };
        let problem = job.as_ref().and_then(|job| job.problem.clone());
        let mut exposures = 0;
        let mut failure = None;
        for bucket in &batch.buckets {
            match self.report(batch, bucket, job.as_ref()).await {
                Ok(exposed) => exposures += usize::from(exposed),
                Err(error) => {
                    // One bucket's trouble is not the others': it stays due, and they are reported.
                    tracing::error!(bucket.name = bucket.name, error.message = %error, "bucket not reported");
                    self.0.exposures.release_bucket(&bucket.arn, &batch.cycle).await?;
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if let Some(problem) = problem {
            return Err(Error::terminal(
                Code::ScanFailed,
                format!(
                    "Not everything was scanned: {problem}. Nothing is taken for clean; the buckets stay due."
                ),
            ));
        }
        let report = json!({"batch": batch.number, "kind": batch.kind, "buckets": batch.buckets.len(), "exposures": exposures});
        self.0.state.put(&report_key(&batch.cycle, batch.number), report.to_string().into_bytes()).await?;
        Ok(Output { buckets: batch.buckets.len(), exposures })
    }
}

impl ReportExposures {
    async fn job(&self, batch: &Batch) -> Result<JobRecord> {
        let job = self.0.exposures.job(&batch.job_record()).await?.ok_or_else(|| {
            Error::terminal(
                Code::ScanFailed,
                "The record of the batch's Macie job is gone; the buckets stay due.",
            )
        })?;
        if job.finished_at.is_none() {
            return Err(Error::terminal(
                Code::ScanFailed,
                format!(
                    "The wait for the Macie job {} was ended before the job was; the buckets stay due.",
                    job.job_id
                ),
            ));
        }
        Ok(job)
    }

    /// Reports one bucket; says whether it is exposed.
    async fn report(&self, batch: &Batch, bucket: &PlannedBucket, job: Option<&JobRecord>) -> Result<bool> {
        let access = self.access(bucket).await?;
        let exposed = access.iter().any(AccessFinding::is_exposing);
        let scanned = match job {
            Some(job) => Some(job.job_id.clone()),
            None => self.0.exposures.scan(&bucket.arn).await?.map(|scan| scan.job_id),
        };
        let (mut objects, mut unreadable) = (Vec::new(), 0);
        if let Some(job_id) = &scanned {
            let (findings, unread) = self.0.macie.findings_of_job(job_id, &bucket.name).await?;
            unreadable = unread;
            for finding in findings {
                let case = self.0.cases.get(&finding.object.case_id()).await?;
                objects.push(SensitiveObject::new(finding, case.as_ref()));
            }
        }
        let complete = unreadable == 0 && job.is_none_or(|job| job.problem.is_none());
        let exposure = Exposure::join(bucket, access, objects);
        self.tell(bucket, exposure.as_ref(), complete).await?;
        if let (Some(job), true) = (job, complete) {
            let scan = ScanRecord { job_id: job.job_id.clone(), scanned_at: job.started_at.clone() };
            self.0.exposures.record_scan(&bucket.arn, &scan).await?;
        }
        if complete {
            let next_due = exposed.then(|| self.0.config.next_due());
            self.0.exposures.settle_bucket(bucket, &batch.cycle, next_due.as_deref()).await?;
        } else {
            self.0.exposures.retry_bucket(&bucket.arn, &batch.cycle).await?;
        }
        if unreadable > 0 {
            return Err(Error::terminal(
                Code::ScanFailed,
                format!(
                    "{unreadable} Macie findings about {} cannot be read, so nothing is taken for clean. Look at them in Macie.",
                    bucket.name
                ),
            ));
        }
        Ok(exposure.is_some())
    }

    /// The access findings of a bucket as Access Analyzer has them; what it no longer has is gone.
    async fn access(&self, bucket: &PlannedBucket) -> Result<Vec<AccessFinding>> {
        let current = self.0.access_analyzer.findings(Some(&bucket.arn)).await?;
        for recorded in self.0.exposures.access(&bucket.arn).await? {
            let known = current.iter().any(|finding| finding.finding_id == recorded.finding_id);
            if !known && recorded.status != AccessStatus::Deleted {
                let deleted = AccessFinding { status: AccessStatus::Deleted, ..recorded };
                self.0.exposures.record_access(&deleted).await?;
            }
        }
        Ok(current)
    }

    /// Imports the finding of an exposure, or archives the one of an exposure that is over. An incomplete scan ends
    /// no exposure.
    async fn tell(&self, bucket: &PlannedBucket, exposure: Option<&Exposure>, complete: bool) -> Result<()> {
        let reported = self.0.exposures.report(&bucket.arn).await?;
        let now = time::now();
        let created_at = reported.as_ref().map_or_else(|| now.clone(), |report| report.created_at.clone());
        let was_active = reported.is_some_and(|report| report.record_state == "ACTIVE");
        let finding: SecurityFinding = match exposure {
            Some(exposure) => self.0.config.reporter().active(exposure, &created_at, &now),
            None if was_active && complete => self.0.config.reporter().archived(
                &bucket.account,
                &bucket.arn,
                &bucket.name,
                &created_at,
                &now,
            ),
            None => return Ok(()),
        };
        let record_state = finding.record_state.to_owned();
        self.0.security_hub.import(&[finding]).await?;
        self.0.exposures.record_report(&bucket.arn, &ReportRecord { created_at, record_state }).await
    }
}
