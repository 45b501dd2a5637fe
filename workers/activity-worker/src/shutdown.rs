//! SIGTERM and SIGINT as one token.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

impl crate::Worker {
    /// A token that is cancelled by the first SIGTERM (what ECS sends) or SIGINT.
    pub fn stop_on_signals() -> std::io::Result<CancellationToken> {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let token = CancellationToken::new();
        let stop = token.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            stop.cancel();
        });
        Ok(token)
    }
}
