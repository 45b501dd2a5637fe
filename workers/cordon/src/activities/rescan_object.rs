//! Has Macie look at an object again that was written since the finding: what is there now is not known.
//!
//! Input / output: run and case → the job.  Effects: macie2:CreateClassificationJob for this bucket and key; what it
//! finds comes as an event, like any finding.
//! Idempotency: the client token is made from case and generation, so Macie creates one job.
//! Errors: `NotAuthorised`, `AccessDenied`, `RequestRejected`.  Undo: none; an unwanted job is cancelled in Macie.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    clients::Clients,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::NotAuthorised, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct RescanObject(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    job_id: String,
}

impl Activity for RescanObject {
    const NAME: &'static str = "rescan_object";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let case = self
            .0
            .cases
            .get(&input.case_id)
            .await?
            .filter(|case| case.execution_arn == input.execution_arn)
            .ok_or_else(|| {
                Error::terminal(Code::NotAuthorised, "The case belongs to another run; nothing was scanned.")
            })?;
        let job_id = self.0.macie.create_rescan(&case).await?;
        Ok(Output { job_id })
    }
}
