//! Connections: how many at once, how long one may take to ask, and how all of them end.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The most connections at once; further ones wait in the kernel's queue. With the largest body each, 128 MiB.
const MAX_CONNECTIONS: usize = 512;
/// How long a connection may take to send the head of a request, and how long it may lie idle.
const HEAD: Duration = Duration::from_secs(10);
/// Above the 10,240 bytes of request line and headers that API Gateway lets through
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>).
const HEAD_BYTES: usize = 16 * 1024;
/// How long the requests in hand have when no more are taken.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Until a connection is tried again that could not be taken, as where there are too few file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Takes connections until `deregistration_delay` after `stop`, and returns when all have ended. What routes requests here
/// learns only some time after us that we stop; until then they go on coming.
pub(super) async fn serve(
    router: Router,
    listener: TcpListener,
    stop: CancellationToken,
    deregistration_delay: Duration,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (connections, closing) = (TaskTracker::new(), CancellationToken::new());
    let last_call = async {
        stop.cancelled().await;
        tokio::time::sleep(deregistration_delay).await;
    };
    tokio::pin!(last_call);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            () = &mut last_call => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let attended = attend(stream, router.clone(), closing.clone());
                connections.spawn(async move {
                    attended.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(error.message = %error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
            }
        }
    }
    drop(listener);
    closing.cancel();
    connections.close();
    if tokio::time::timeout_at(Instant::now() + DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut off");
    }
}

/// Answers what comes on one connection. Once `closing`, the request in hand is the last.
async fn attend(stream: TcpStream, router: Router, closing: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error.message = %error, "a connection broke off");
    }
}
