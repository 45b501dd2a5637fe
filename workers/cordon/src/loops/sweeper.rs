//! Starts responses for Macie findings whose event never came. Exposure cycles do so too; this one does not depend on
//! them, because they may be off, and a finding that nobody answers must not.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{activities::sweep_findings::sweep, clients::Clients},
    error::Result,
};

/// Between two passes over the findings.
const POLL_INTERVAL: Duration = Duration::from_secs(15 * 60);

/// Sweeps until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("sweeper", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let started = sweep(clients).await?.started;
    if started > 0 {
        tracing::warn!(started, "findings without an event were swept up");
    }
    Ok(())
}
