//! Ends waits whose decision is on record, and closes cases whose run has died.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    clients::{Clients, sfn::Run},
    domain::{
        case::{Case, Outcome, OutcomeResult},
        time,
    },
    error::Result,
};

/// Between two passes over the open cases.
const PAUSE: Duration = Duration::from_secs(10);
/// How long the gateway is given to wake a run itself.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Reconciles until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("reconciler", PAUSE, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let mut running = None;
    let mut page = None;
    loop {
        let (cases, next) = clients.cases.open_cases(page).await?;
        if !cases.is_empty() && running.is_none() {
            running = Some(clients.step_functions.running(&clients.config.finding_response_arn).await?);
        }
        let running = running.get_or_insert_default();
        for case in cases {
            if let Err(error) = reconcile(clients, &case, running).await {
                tracing::warn!(case.id = case.case_id, error.message = %error, "case passed over");
            }
        }
        page = next;
        if page.is_none() {
            return Ok(());
        }
    }
}

async fn reconcile(clients: &Clients, case: &Case, running: &HashSet<String>) -> Result<()> {
    let settled = time::stored(Timestamp::now() - GRACE);
    if let (Some(decided_at), Some(token)) = (&case.decided_at, &case.task_token)
        && *decided_at < settled
    {
        clients.step_functions.wake(token).await?;
        clients.cases.forget_token(&case.case_id, token).await?;
    }
    // The list spares a call for each case; it may lag, so a run that is not on it is asked for by name.
    if running.contains(&case.execution_arn) || case.opened_at >= settled {
        return Ok(());
    }
    if let Run::Ended(status, cause) =
        clients.step_functions.run(&case.execution_arn, &case.opened_at).await?
    {
        let why = cause.unwrap_or_else(|| "no cause is on record".into());
        let outcome = Outcome {
            result: OutcomeResult::Failed,
            detail: format!(
                "The run ended as {status} before the case was closed ({why}). A new finding, or a new run, takes it up again."
            ),
            code: Some(status),
            quarantine_key: None,
        };
        if clients.cases.close(&case.case_id, &case.execution_arn, &outcome).await?.is_some() {
            tracing::warn!(
                case.id = case.case_id,
                execution.arn = case.execution_arn,
                "case closed: its run has died"
            );
        }
    }
    Ok(())
}
