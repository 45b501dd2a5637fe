//! Reconciles the access records with Access Analyzer's own list.
//!
//! Input / output: the cycle → how many findings there are and how many were news.  Effects: as
//! `record_access_finding`, for every finding of the analyzer; last, when its list was read.
//! Idempotency: finding id and time.
//! Errors: `InvalidFinding`, `AccessDenied`, `RequestRejected`.  Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    app::clients::Clients,
    clock,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::InvalidFinding, Code::RequestRejected];

/// See the module.
pub(super) struct SyncAccessFindings(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {}

#[derive(Serialize)]
pub(super) struct Output {
    findings: usize,
    news: usize,
}

impl Activity for SyncAccessFindings {
    const NAME: &'static str = "sync_access_findings";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, _: Input, _: TaskContext) -> Result<Output> {
        let read_at = clock::now();
        let mut findings = self.0.access_analyzer.findings(None).await?;
        findings.retain(|finding| self.0.answers_for(&finding.bucket_arn));
        let mut news = 0;
        for finding in &findings {
            news += usize::from(self.0.exposures.record_access(finding).await?);
        }
        self.0.exposures.record_sync(read_at).await?;
        Ok(Output { findings: findings.len(), news })
    }
}
