//! Starts responses for Macie findings whose event never came: EventBridge delivers them on a best-effort basis. The
//! worker does the same by itself, whether exposure cycles run or not (the sweeper of its loops).
//!
//! Input / output: the cycle → how many findings were looked at and how many responses were started.  Effects: a run
//! of `finding_response` for each finding that was not triaged.
//! Idempotency: the run's name is made from the finding's id, so it is started once; the place up to which was swept
//! only moves forward.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::time::Time;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    app::clients::Clients,
    aws::macie::Known,
    clock,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct SweepFindings(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {}

/// How many findings were looked at, and how many responses were started.
#[derive(Serialize)]
pub(crate) struct Output {
    findings: usize,
    pub(crate) started: usize,
}

/// How far back the very first sweep looks.
const FIRST: SignedDuration = SignedDuration::from_hours(24);
/// How far each sweep looks back behind the last one: Macie may list a finding late.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// How long an event, and the run that it starts, are given.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

impl Activity for SweepFindings {
    const NAME: &'static str = "sweep_findings";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, _: Input, _: TaskContext) -> Result<Output> {
        sweep(&self.0).await
    }
}

/// Starts the responses that are missing.
///
/// # Errors
/// As the activity's.
pub(crate) async fn sweep(clients: &Clients) -> Result<Output> {
    let now = clock::now();
    let since = clients.exposures.swept_until().await?.unwrap_or(now - FIRST);
    let ids = clients.macie.findings_since((since - OVERLAP).timestamp()).await?;
    let mut output = Output { findings: ids.len(), started: 0 };
    for id in &ids {
        if clients.cases.is_triaged(id).await? {
            continue;
        }
        let Some(created_at) = created_at(clients, id).await? else { continue };
        if created_at > now - GRACE {
            continue;
        }
        let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": id}, "swept": true});
        clients
            .step_functions
            .start(&clients.config.finding_response_arn, &format!("sweep-{id}"), &event)
            .await?;
        output.started += 1;
    }
    // What is younger than the grace is looked at again.
    clients.exposures.record_sweep((now - GRACE).max(since)).await?;
    Ok(output)
}

/// When a finding was made; `None` for one that no response is for. One that cannot be read is old enough: its response
/// fails visibly.
async fn created_at(clients: &Clients, id: &str) -> Result<Option<Time>> {
    match clients.macie.finding(id).await {
        Ok(Known::SensitiveData(finding)) => Ok(Some(finding.created_at)),
        Ok(Known::Policy | Known::Unknown) => Ok(None),
        Err(error) if error.code() == Some(Code::InvalidFinding) => Ok(Some(Timestamp::UNIX_EPOCH.into())),
        Err(error) => Err(error),
    }
}
