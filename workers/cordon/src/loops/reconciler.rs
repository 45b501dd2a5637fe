//! Goes over the open cases and has each brought together with its execution.

use std::{collections::HashSet, sync::Arc, time::Duration};

use cordon_domain::case::Status;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{clients::Clients, reconciliation},
    error::Result,
};

const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Reconciles until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("reconciler", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    wake_waiting(clients).await?;
    let config = &clients.config;
    for (status, machine) in
        [(Status::Open, &config.finding_response_arn), (Status::Restoring, &config.object_restore_arn)]
    {
        look_after(clients, status, machine).await?;
    }
    Ok(())
}

async fn wake_waiting(clients: &Clients) -> Result<()> {
    let paused = clients.cases.pause_in_force().await?.is_some();
    let mut page = None;
    loop {
        let waiting = clients.cases.waiting_cases(page).await?;
        for case in clients.cases.get_all(&waiting.entries).await? {
            let woken = match &case {
                Ok(case) => reconciliation::wake(clients, case, paused).await,
                Err(error) => Err(error.clone()),
            };
            if let Err(error) = woken {
                tracing::warn!(error.message = %error, "case passed over");
            }
        }
        page = waiting.next;
        if page.is_none() {
            return Ok(());
        }
    }
}

/// The list of running executions and the index of open cases tell whose execution has died, without a look at a case.
async fn look_after(clients: &Clients, status: Status, machine: &str) -> Result<()> {
    let (settled, mut running, mut page) = (reconciliation::settled(), None, None);
    loop {
        let open = clients.cases.open_cases(status, page).await?;
        if !open.entries.is_empty() && running.is_none() {
            running = Some(clients.step_functions.running(machine).await?);
        }
        let running: &HashSet<String> = running.get_or_insert_default();
        let left = open.entries.into_iter().filter(|case| case.since < settled);
        let left: Vec<_> =
            left.filter(|case| !running.contains(&case.execution_arn)).map(|case| case.case_id).collect();
        for case in clients.cases.get_all(&left).await? {
            let reconciled = match &case {
                Ok(case) => reconciliation::reconcile(clients, case).await,
                Err(error) => Err(error.clone()),
            };
            if let Err(error) = reconciled {
                tracing::warn!(error.message = %error, "case passed over");
            }
        }
        page = open.next;
        if page.is_none() {
            return Ok(());
        }
    }
}
