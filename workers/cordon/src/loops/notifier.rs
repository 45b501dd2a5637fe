//! Brings Slack up to date with the records that are due.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{clients::Clients, notifications, operator_notices},
    clock,
    error::Result,
};

const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Renders what is due until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("notifier", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let (now, mut next) = (clock::now(), None);
    loop {
        let page = clients.cases.slack_due(now, next).await?;
        for key in page.entries {
            if let Some(trouble) = notifications::render_due(clients, &key).await?.trouble {
                operator_notices::tell_of_trouble(clients, &trouble, &key).await?;
            }
        }
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}
