//! Has Macie look at an object again that was written since the finding: what is there now is not known.
//!
//! Input / output: run and case → the job, if there is still an object to look at.  Effects, in order: mover session opened
//! and the object looked at; what the finding was made by read from Macie; macie2:CreateClassificationJob for this object.
//! What it finds comes as an event, like any finding.
//! Idempotency: the client token is made from the case, the object as it is now and what is looked for, so Macie creates
//! one job.
//! Errors: `NotAuthorized`, `AccessDenied`, `RequestRejected`. Macie takes one job in ten seconds: what comes faster is
//! retryable, and needs a Retry that waits for longer than that.  Undo: none; an unwanted job is cancelled in Macie.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::case::Case;
use serde::{Deserialize, Serialize};

use crate::{
    app::clients::Clients,
    aws::{macie::WrittenObject, object_session::Place},
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::NotAuthorized, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct RescanObject(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    /// None when there was nothing to look at.
    job_id: Option<String>,
    detail: String,
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
                Error::terminal(Code::NotAuthorized, "The case belongs to another run; nothing was scanned.")
            })?;
        let (written, wider) = match self.written(&case).await {
            Ok(Some(written)) => (Some(written), String::new()),
            Ok(None) => {
                let detail = "What was written since is gone too; there was nothing to scan.".into();
                return Ok(Output { job_id: None, detail });
            }
            Err(error @ Error::Retryable(_)) => return Err(error),
            // Macie reads under a role of its own, which may see more.
            Err(error) => {
                tracing::warn!(case.id = case.case_id, error.message = %error, "a rescan cannot be narrowed");
                let wider = " Cordon may not look at the object itself, so the job reads everything whose key begins \
                             like the object's and that was written since.";
                (None, wider.to_owned())
            }
        };
        let rescan = self.0.macie.create_rescan(&case, written.as_ref()).await?;
        let detail = format!("Macie looks for {} (job {}).{wider}", rescan.looks_for, rescan.job_id);
        Ok(Output { job_id: Some(rescan.job_id), detail })
    }
}

impl RescanObject {
    /// The object at the place now.
    async fn written(&self, case: &Case) -> Result<Option<WrittenObject>> {
        let place = Place::of(case.object());
        let mover = self.0.movers.open(&place, &case.case_id).await?;
        let Some(seen) = mover.head_object(&place, None).await? else { return Ok(None) };
        let at = seen.facts.last_modified;
        let at = at.ok_or_else(|| Error::Retryable("s3:HeadObject answered without Last-Modified".into()))?;
        Ok(Some(WrittenObject { etag: seen.etag, size: seen.facts.size, at }))
    }
}
