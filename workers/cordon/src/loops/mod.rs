//! Small loops beside the activities. Each is safe to run in many workers at once: whatever it does is
//! conditional or harmless when done twice.

pub mod failure_watcher;
pub mod gateway_probe;
pub mod metrics;
pub mod notifier;
pub mod policy_watcher;
pub mod reconciler;
pub mod requests;
pub mod scan_watcher;
pub mod sweeper;

use std::time::Duration;

use activity_worker::Backoff;
use tokio_util::sync::CancellationToken;

use crate::error::Result;

/// The longest wait after passes that failed.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Runs `pass` until stopped, `pause` apart; a pass that fails is logged, and the next one tries again, later each time.
async fn every<F, P>(name: &'static str, pause: Duration, stop: CancellationToken, pass: F)
where
    F: Fn() -> P,
    P: Future<Output = Result<()>>,
{
    let mut backoff = Backoff::new(pause.clamp(Duration::from_secs(1), MAX_BACKOFF), MAX_BACKOFF);
    loop {
        let next = match pass().await {
            Ok(()) => {
                backoff.reset();
                pause
            }
            Err(error) => {
                let next = backoff.delay();
                tracing::warn!(r#loop = name, error.message = %error, retry_in = ?next, "pass failed");
                next
            }
        };
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = stop.cancelled() => return,
        }
    }
}
