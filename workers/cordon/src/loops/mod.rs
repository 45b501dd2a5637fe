//! Small loops beside the activities. Each is safe to run in many workers at once: whatever it does is
//! conditional or harmless when done twice.

pub mod policy_watcher;
pub mod reconciler;
pub mod renderer;
pub mod scan_watcher;
pub mod sweeper;

use std::time::Duration;

use activity_worker::Backoff;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{clients::Clients, domain::time, error::Result};

/// Tells operators of something by an event that a rule takes to them, unless they were told of it lately: many workers
/// see it, again and again.
async fn tell_operators(
    clients: &Clients,
    about: &str,
    again_after: SignedDuration,
    detail_type: &str,
    detail: &Value,
) -> Result<()> {
    let now = Timestamp::now();
    let (told, before) = (time::stored(now), time::stored(now - again_after));
    let by = hex::encode(rand::random::<[u8; 8]>());
    if !clients.cases.claim_notice(about, &by, &told, &before).await? {
        return Ok(());
    }
    let published = clients.events.publish(detail_type, detail).await;
    if published.is_err() {
        clients.cases.release_notice(about, &by).await?;
    }
    published
}

/// The longest pause after passes that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs `pass` until stopped, `pause` apart; a pass that fails is logged, and the next one tries again, later each time.
async fn every<F, P>(name: &'static str, pause: Duration, stop: CancellationToken, pass: F)
where
    F: Fn() -> P,
    P: Future<Output = Result<()>>,
{
    let mut backoff = Backoff::new(pause.clamp(Duration::from_secs(1), LONGEST_PAUSE), LONGEST_PAUSE);
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
