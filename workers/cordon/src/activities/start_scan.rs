//! Creates the Macie job of a batch.
//!
//! Input / output: the batch → the job's record.  Effects: macie2:CreateClassificationJob, job record written.
//! Idempotency: the client token is made from cycle and batch, so Macie creates one job.
//! Errors: `ScanFailed` when Macie refuses the job, `AccessDenied`, `RequestRejected`.  Undo: none; an unwanted job is
//! cancelled in Macie.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    clients::Clients,
    domain::{
        exposure::{Batch, JobRecord},
        time,
    },
    error::{Code, Error, Result},
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
    job_id: String,
}

impl Activity for StartScan {
    const NAME: &'static str = "start_scan";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let record = input.batch.job_record();
        let started_at = time::now();
        let created = self.0.macie.create_job(&input.batch).await;
        let job_id = match created {
            Ok(job_id) => job_id,
            Err(error) => {
                if error.code().is_some() {
                    for bucket in &input.batch.buckets {
                        self.0.exposures.release_bucket(&bucket.arn, &input.batch.cycle).await?;
                    }
                }
                return Err(error);
            }
        };
        let job = JobRecord {
            bucket_arn: record.clone(),
            job_id: job_id.clone(),
            started_at,
            task_token: None,
            finished_at: None,
            problem: None,
        };
        self.0.exposures.record_job(&job).await?;
        Ok(Output { record, job_id })
    }
}
