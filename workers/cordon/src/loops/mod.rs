//! Three small loops beside the activities. Each is safe to run in many workers at once: whatever it does is
//! conditional or harmless when done twice.

pub mod reconciler;
pub mod renderer;
pub mod scan_watcher;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::Result;

/// Runs `pass` until stopped, `pause` apart; a pass that fails is logged, and the next one tries again.
async fn every<F, P>(name: &'static str, pause: Duration, stop: CancellationToken, pass: F)
where
    F: Fn() -> P,
    P: Future<Output = Result<()>>,
{
    loop {
        if let Err(error) = pass().await {
            tracing::warn!(r#loop = name, error.message = %error, "pass failed");
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
