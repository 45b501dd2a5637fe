//! Records one Access Analyzer finding.
//!
//! Input / output: the event → whether it was recorded.  Effects: access record written, its bucket made due.
//! Idempotency: finding id and time; an older state never replaces a newer one.
//! Errors: `InvalidFinding`, `AccessDenied`, `RequestRejected`.  Undo: none; Access Analyzer's own list is synced.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::exposure::access_finding::AccessFinding;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::clients::Clients,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::InvalidFinding, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct RecordAccessFinding(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    event: Value,
}

#[derive(Serialize)]
pub(super) struct Output {
    recorded: bool,
}

impl Activity for RecordAccessFinding {
    const NAME: &'static str = "record_access_finding";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let recorded = match AccessFinding::from_event(&input.event)? {
            Some(finding) if !self.0.answers_for(&finding.bucket_arn) => false,
            Some(finding) => self.0.exposures.record_access(&finding).await?,
            None => false,
        };
        Ok(Output { recorded })
    }
}
