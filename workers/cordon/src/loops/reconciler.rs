//! Goes over the open cases and has each brought together with its execution.

use std::{sync::Arc, time::Duration};

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
    let paused = clients.cases.pause_in_force().await?.is_some();
    let config = &clients.config;
    for (status, machine) in
        [(Status::Open, &config.finding_response_arn), (Status::Restoring, &config.object_restore_arn)]
    {
        let mut running = None;
        let mut page = None;
        loop {
            let (cases, next) = clients.cases.in_status(status, page).await?;
            if !cases.is_empty() && running.is_none() {
                running = Some(clients.step_functions.running(machine).await?);
            }
            let running = running.get_or_insert_default();
            for case in cases {
                if let Err(error) = reconciliation::reconcile(clients, &case, running, paused).await {
                    tracing::warn!(case.id = case.case_id, error.message = %error, "case passed over");
                }
            }
            page = next;
            if page.is_none() {
                break;
            }
        }
    }
    Ok(())
}
