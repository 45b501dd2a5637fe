//! Creates the Macie job of a batch.
//!
//! Input / output: the batch → the job's record.  Effects: macie2:CreateClassificationJob, job record written, the job
//! put on record with each bucket, so that it is read whatever becomes of the batch.
//! Idempotency: the job's record; before it is written, the client token made from cycle and batch, so that Macie
//! creates one job.
//! Errors: `ScanFailed` when Macie refuses the job, `AccessDenied`, `RequestRejected`; the buckets are due again after a
//! delay that grows up to a day. Nothing was paid for.  Undo: none; an unwanted job is cancelled in Macie.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::exposure::{
    Batch, BucketRecord, BucketResult, Failure, JobRecord, PlannedBucket, back_off,
};
use serde::{Deserialize, Serialize};

use super::{CLAIM, later};
use crate::{
    app::clients::Clients,
    error::{Code, Error, Result},
    store::Settlement,
};

pub(super) const TERMINAL: &[Code] = &[Code::ScanFailed, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct StartScan(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    batch: Batch,
}

#[derive(Serialize)]
pub(super) struct Output {
    record: String,
    /// Absent when other cycles have the buckets by now: then there is nothing to wait for.
    job_id: Option<String>,
}

impl Activity for StartScan {
    const NAME: &'static str = "start_scan";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let batch = &input.batch;
        let record = batch.job_record();
        let job_id = match self.0.exposures.job(&record).await? {
            Some(job) => Some(job.job_id),
            None => self.create(batch, &record).await?,
        };
        if job_id.is_some() {
            let until = self.0.config.scan_claim_end();
            for bucket in &batch.buckets {
                self.0.exposures.expect_job(&bucket.arn, &batch.cycle, &record, until).await?;
            }
        }
        Ok(Output { record, job_id })
    }
}

impl StartScan {
    async fn create(&self, batch: &Batch, record: &str) -> Result<Option<String>> {
        let mut held: Vec<(&PlannedBucket, BucketRecord)> = Vec::new();
        for bucket in &batch.buckets {
            // What another cycle has by now is scanned there.
            if let Some(known) = self.0.exposures.hold_bucket(&bucket.arn, &batch.cycle, later(CLAIM)).await?
            {
                held.push((bucket, known));
            }
        }
        if held.is_empty() {
            return Ok(None);
        }
        let ours =
            Batch { buckets: held.iter().map(|(bucket, _)| (*bucket).clone()).collect(), ..batch.clone() };
        let job_id = match self.0.macie.create_job(&ours).await {
            Ok(job_id) => job_id,
            Err(error) => {
                if error.code().is_some() {
                    for (bucket, known) in held {
                        self.back_off(&batch.cycle, bucket, &known, &error).await?;
                    }
                }
                return Err(error);
            }
        };
        let job = JobRecord {
            bucket_arn: record.to_owned(),
            job_id: job_id.clone(),
            started_at: batch.planned_at,
            task_token: None,
            finished_at: None,
            problem: None,
        };
        self.0.exposures.record_job(&job).await?;
        Ok(Some(job_id))
    }

    /// The job was refused: the bucket is planned again later.
    async fn back_off(
        &self,
        cycle: &str,
        bucket: &PlannedBucket,
        known: &BucketRecord,
        error: &Error,
    ) -> Result<()> {
        let failures = known.scan_failures.saturating_add(1);
        let next = later(back_off(failures));
        self.0.exposures.count_failed_scan(&bucket.arn, cycle, None, (failures, next)).await?;
        let result =
            BucketResult { cycle: cycle.to_owned(), exposed: false, failure: Some(Failure::from(error)) };
        let settlement = Settlement { result, report_failures: known.report_failures, next_due: Some(next) };
        self.0.exposures.settle_bucket(bucket, &settlement).await
    }
}
