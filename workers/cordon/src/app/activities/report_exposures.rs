//! Joins who has access to a batch's buckets with what Macie found in them, and tells Security Hub.
//!
//! Input / output: the batch → how many exposures there are.  Effects, for each bucket: Macie's findings read and put on
//! record with the scan; Access Analyzer read; objects that the last scan did not find looked at in S3; a finding
//! imported or archived in Security Hub; report recorded, bucket settled. Last, the batch's report in S3.
//! Idempotency: the cycle's claim of a bucket, and what it came to, which is kept in the bucket's record; Security Hub's
//! finding id is made from the bucket, so a repetition updates it.
//! Errors: `ScanFailed` for a scan that did not read everything (after what it found was reported), `ImportRejected`,
//! `AccessDenied`, `RequestRejected`; the bucket is due again after a delay that grows up to a day, for a report alone
//! where its scan is on record. After a retryable error the cycle keeps the bucket.  Undo: the next report.

mod objects;

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    exposure::{
        Batch, BatchKind, BucketRecord, BucketResult, Exposure, Failure, JobRecord, PlannedBucket,
        ReportRecord, ScanRecord,
        access_finding::{AccessFinding, AccessStatus},
        back_off,
    },
    time::Time,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{REPORT_INTERVAL, later};
use crate::{
    app::clients::Clients,
    aws::security_hub::asff::Over,
    clock,
    error::{Code, Error, Result},
    store::Settlement,
};

pub(super) const TERMINAL: &[Code] =
    &[Code::ScanFailed, Code::ImportRejected, Code::AccessDenied, Code::RequestRejected];

/// For how long a report has its bucket: longer than the state's timeout.
const CLAIM: SignedDuration = SignedDuration::from_hours(2);
/// How long after a look at a job that is still at work the next one is.
const JOB_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

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

/// What is known of a bucket's scans.
struct Scanned {
    /// The last complete one.
    complete: Option<ScanRecord>,
    /// When the bucket is due again for their sake.
    next_due: Time,
    /// Why the scan that is read now did not read everything, or cannot be read whole.
    problem: Option<Error>,
    /// How many reports in a row were not whole.
    report_failures: u32,
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
        let mut exposures = 0;
        let (mut failure, mut unsettled) = (None, None);
        for bucket in &batch.buckets {
            // One bucket's trouble is not the others': they are reported.
            match self.settle(batch, bucket).await {
                Ok(Some(result)) => {
                    exposures += usize::from(result.exposed);
                    failure = failure.or(result.failure);
                }
                Ok(None) => tracing::info!(bucket.name = bucket.name, "bucket left to another cycle"),
                Err(error) => {
                    tracing::warn!(bucket.name = bucket.name, error.message = %error, "bucket not reported yet");
                    unsettled.get_or_insert(error);
                }
            }
        }
        if let Some(error) = unsettled.or(failure.map(Error::from)) {
            return Err(error);
        }
        let report = json!({"batch": batch.number, "kind": batch.kind, "buckets": batch.buckets.len(), "exposures": exposures});
        self.0.state.put(&report_key(&batch.cycle, batch.number), report.to_string().into_bytes()).await?;
        Ok(Output { buckets: batch.buckets.len(), exposures })
    }
}

impl ReportExposures {
    /// Reports one bucket, and says what this cycle's work on it came to; `None` when another cycle has it by now.
    ///
    /// # Errors
    /// When that cannot be put on record, or may go better when it is repeated.
    async fn settle(&self, batch: &Batch, bucket: &PlannedBucket) -> Result<Option<BucketResult>> {
        let exposures = &self.0.exposures;
        let held = exposures.hold_bucket(&bucket.arn, &batch.cycle, later(CLAIM)).await?;
        let Some(record) = held else {
            let result = exposures.bucket(&bucket.arn).await?.and_then(|record| record.result);
            return Ok(result.filter(|result| result.cycle == batch.cycle));
        };
        let settlement = match self.report(batch, bucket, &record).await {
            Ok(settlement) => settlement,
            Err(error @ Error::Terminal { .. }) => {
                tracing::error!(bucket.name = bucket.name, error.message = %error, "bucket not reported");
                let failures = record.report_failures.saturating_add(1);
                let failure = Some(Failure::from(&error));
                Settlement {
                    result: BucketResult { cycle: batch.cycle.clone(), exposed: false, failure },
                    report_failures: failures,
                    next_due: Some(later(back_off(failures))),
                }
            }
            Err(error) => return Err(error),
        };
        exposures.settle_bucket(bucket, &settlement).await?;
        Ok(Some(settlement.result))
    }

    async fn report(
        &self,
        batch: &Batch,
        bucket: &PlannedBucket,
        record: &BucketRecord,
    ) -> Result<Settlement> {
        let scanned = self.scanned(batch, bucket, record).await?;
        let access = self.access(bucket).await?;
        let reachable = access.iter().any(AccessFinding::is_exposing);
        let objects = match reachable {
            true => self.objects(bucket, scanned.complete.as_ref()).await?,
            false => Vec::new(),
        };
        let exposure = Exposure::join(bucket, access, objects);
        self.tell(bucket, exposure.as_ref(), if reachable { Over::Objects } else { Over::Access }).await?;
        Ok(Settlement {
            result: BucketResult {
                cycle: batch.cycle.clone(),
                exposed: exposure.is_some(),
                failure: scanned.problem.as_ref().map(Failure::from),
            },
            report_failures: scanned.report_failures,
            next_due: reachable.then(|| scanned.next_due.min(later(REPORT_INTERVAL))),
        })
    }

    /// Reads what the bucket's scan has found and puts it on record, and with it the scan: whatever fails after that
    /// needs no new job.
    async fn scanned(&self, batch: &Batch, bucket: &PlannedBucket, record: &BucketRecord) -> Result<Scanned> {
        let exposures = &self.0.exposures;
        let complete = exposures.scan(&bucket.arn).await?;
        let (name, job) = match (batch.kind, &record.unread_job) {
            (BatchKind::Scan, _) => (batch.job_record(), Some(self.job(batch, bucket, record).await?)),
            (BatchKind::Report, Some(name)) => (name.clone(), exposures.job(name).await?),
            (BatchKind::Report, None) => (String::new(), None),
        };
        let interval = self.0.config.rescan_interval;
        let soonest = later(back_off(1));
        let next_scan = |scan: Option<&ScanRecord>, record: &BucketRecord| {
            record.next_scan(scan, None, interval).map_or(soonest, |next| next.max(soonest))
        };
        let Some(job) = job.filter(|job| job.finished_at.is_some()) else {
            // A job of an earlier batch may be at work still.
            let next_due = match record.unread_job {
                Some(_) => later(JOB_INTERVAL),
                None => next_scan(complete.as_ref(), record),
            };
            let problem = match &complete {
                Some(scan) => self.read(bucket, scan).await?,
                None => None,
            };
            return Ok(Self::read_again(complete, next_due, problem, record));
        };
        let scan = ScanRecord { job_id: job.job_id.clone(), scanned_at: job.started_at };
        if let Some(problem) = &job.problem {
            let not_before = self.count_failure(batch, bucket, record, &name).await?;
            self.read(bucket, &scan).await?;
            return Ok(Scanned {
                complete,
                next_due: not_before,
                problem: Some(incomplete(problem)),
                report_failures: 0,
            });
        }
        if let Some(problem) = self.read(bucket, &scan).await? {
            return Ok(Self::read_again(complete, soonest, Some(problem), record));
        }
        exposures.record_scan(&bucket.arn, &scan, &name).await?;
        let record = BucketRecord { scan_not_before: None, ..record.clone() };
        let next_due = next_scan(Some(&scan), &record);
        Ok(Scanned { complete: Some(scan), next_due, problem: None, report_failures: 0 })
    }

    /// What is known when no scan has become complete; a scan that could not be read whole is read again later.
    fn read_again(
        complete: Option<ScanRecord>,
        next_due: Time,
        problem: Option<Error>,
        record: &BucketRecord,
    ) -> Scanned {
        match problem {
            None => Scanned { complete, next_due, problem, report_failures: 0 },
            Some(_) => {
                let report_failures = record.report_failures.saturating_add(1);
                Scanned { complete, next_due: later(back_off(report_failures)), problem, report_failures }
            }
        }
    }

    /// The job of a batch that was to be scanned.
    async fn job(&self, batch: &Batch, bucket: &PlannedBucket, record: &BucketRecord) -> Result<JobRecord> {
        let name = batch.job_record();
        let Some(job) = self.0.exposures.job(&name).await? else {
            self.count_failure(batch, bucket, record, &name).await?;
            return Err(Error::terminal(
                Code::ScanFailed,
                "The record of the batch's Macie job is gone; its buckets are scanned again later.",
            ));
        };
        if job.finished_at.is_none() {
            return Err(Error::terminal(
                Code::ScanFailed,
                format!(
                    "The wait for the Macie job {} ended before the job did. It goes on, and what it finds is reported \
                     when it ends; no other job is made meanwhile.",
                    job.job_id
                ),
            ));
        }
        Ok(job)
    }

    /// Counts a job that did not read everything, once, and says until when no other is made.
    async fn count_failure(
        &self,
        batch: &Batch,
        bucket: &PlannedBucket,
        record: &BucketRecord,
        job: &str,
    ) -> Result<Time> {
        if record.unread_job.as_deref() != Some(job) {
            let soonest = later(back_off(1));
            return Ok(record.scan_not_before.map_or(soonest, |not_before| not_before.max(soonest)));
        }
        let failures = record.scan_failures.saturating_add(1);
        let not_before = later(back_off(failures));
        let counted = (failures, not_before);
        self.0.exposures.count_failed_scan(&bucket.arn, &batch.cycle, Some(job), counted).await?;
        Ok(not_before)
    }

    /// The access findings of a bucket as Access Analyzer has them. What was on record before its list was read, and is
    /// not in it, is gone; what came on record since counts too.
    async fn access(&self, bucket: &PlannedBucket) -> Result<Vec<AccessFinding>> {
        let exposures = &self.0.exposures;
        let recorded = exposures.access(&bucket.arn).await?;
        let mut current = self.0.access_analyzer.findings(Some(&bucket.arn)).await?;
        let listed: Vec<_> = current.iter().map(|finding| finding.finding_id.clone()).collect();
        let is_missing = |finding: &AccessFinding| !listed.contains(&finding.finding_id);
        for finding in recorded.iter().filter(|finding| is_missing(finding)) {
            if finding.status != AccessStatus::Deleted {
                exposures.mark_missing(finding).await?;
            }
        }
        let since = exposures.access(&bucket.arn).await?;
        current.extend(since.into_iter().filter(|finding| is_missing(finding) && finding.is_exposing()));
        Ok(current)
    }

    /// Imports the finding of an exposure, or archives the one of an exposure that is over.
    async fn tell(&self, bucket: &PlannedBucket, exposure: Option<&Exposure>, over: Over) -> Result<()> {
        let reported = self.0.exposures.report(&bucket.arn).await?;
        let now = clock::now();
        let created_at = reported.as_ref().map_or(now, |report| report.created_at);
        let was_active = reported.is_some_and(|report| report.record_state == "ACTIVE");
        let reporter = self.0.config.reporter();
        let finding = match exposure {
            Some(exposure) => reporter.active(exposure, created_at, now),
            None if was_active => reporter.archived(bucket, over, created_at, now),
            None => return Ok(()),
        };
        let record_state = finding.record_state.to_owned();
        self.0.security_hub.import(&[finding]).await?;
        self.0.exposures.record_report(&bucket.arn, &ReportRecord { created_at, record_state }).await
    }
}

fn incomplete(problem: &str) -> Error {
    Error::terminal(
        Code::ScanFailed,
        format!(
            "Not everything was scanned: {problem}. Nothing is taken for clean; each of the job's buckets is scanned \
             again alone, with a delay that grows up to 24 hours."
        ),
    )
}
