//! Takes people's requests from their queues.

use std::{sync::Arc, time::Duration};

use activity_worker::Backoff;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::MAX_BACKOFF;
use crate::{
    app::{
        clients::Clients,
        requests::{self, Kind},
    },
    aws::queue::{Message, Queue},
};

/// Takes requests of every kind until stopped. What is in hand then is finished.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    join_all(Kind::ALL.map(|kind| take(&clients, kind, &stop))).await;
}

async fn take(clients: &Clients, kind: Kind, stop: &CancellationToken) {
    let queue = kind.queue(clients);
    let mut backoff = Backoff::new(Duration::from_secs(1), MAX_BACKOFF);
    loop {
        let received = tokio::select! {
            received = queue.receive() => received,
            () = stop.cancelled() => return,
        };
        let wait = match received {
            Ok(messages) => {
                backoff.reset();
                join_all(messages.iter().map(|message| handle(clients, kind, queue, message))).await;
                continue;
            }
            Err(error) => {
                let wait = backoff.delay();
                tracing::warn!(r#loop = "requests", queue = ?kind, error.message = %error, retry_in = ?wait, "pass failed");
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// A message stays in the queue, and comes again, until what it asks for is done and answered.
async fn handle(clients: &Clients, kind: Kind, queue: &Queue, message: &Message) {
    let handled = match requests::handle(clients, kind, message).await {
        Ok(()) => queue.delete(message).await,
        Err(error) => Err(error),
    };
    if let Err(error) = handled {
        tracing::warn!(queue = ?kind, sender = message.sender, error.message = %error, "request put off");
    }
}
