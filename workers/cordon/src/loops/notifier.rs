//! Brings Slack up to date with the records that are due.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{clients::Clients, notifications, operator_notices},
    error::Result,
};

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Renders what is due until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("notifier", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    for case_id in clients.cases.render_due().await? {
        if let Some(trouble) = notifications::render(clients, &case_id).await?.trouble {
            operator_notices::tell_of_trouble(clients, &trouble, &case_id).await?;
        }
    }
    Ok(())
}
