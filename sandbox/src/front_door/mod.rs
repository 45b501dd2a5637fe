//! One endpoint for all AWS services.
//!
//! A request goes by the service in its credential scope: to a double in this process, or to the emulator. What goes
//! to the emulator is passed on as it came, Host, path and encoding included, because signatures are verified there.
//! Every call is recorded, and can get a fault.

pub(crate) mod calls;
mod control;
pub(crate) mod credentials;
mod double;
mod encoding;
pub(crate) mod faults;
mod forward;
pub(crate) mod intercepting_proxy;
mod items;
mod operation;
pub(crate) mod records;
mod signed;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::doubles::{AccessAnalyzer, Macie, SecurityHub};
use crate::process::emulator::Emulator;
use calls::Calls;
use credentials::TaskCredentials;
use faults::Faults;
use records::Records;
use signed::Credential;

/// Shorter than the emulator keeps an idle connection, so that none is used that is just being closed.
const UPSTREAM_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the front door stands in front of.
pub(crate) struct FrontDoor {
    pub(crate) emulator: Arc<Emulator>,
    pub(crate) macie: Arc<Macie>,
    pub(crate) access_analyzer: Arc<AccessAnalyzer>,
    pub(crate) security_hub: Arc<SecurityHub>,
    pub(crate) credentials: TaskCredentials,
    pub(crate) calls: Arc<Calls>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) slack_url: String,
    records: Records,
    upstream: Client<HttpConnector, Body>,
    /// ARN by access key: a key keeps its principal, so each is looked up once.
    principals: Mutex<HashMap<String, String>>,
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault cut the connection")
    }
}

impl std::error::Error for Cut {}

/// Serves HTTP until the returned task is aborted, which closes every connection at once.
fn serve<H, A>(listener: TcpListener, handler: H) -> JoinHandle<Infallible>
where
    H: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Response<Body>, Cut>> + Send + 'static,
{
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, for one: it passes when other connections end.
                    tracing::warn!(%error, "the front door cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let service = service_fn(handler.clone());
            // When the client hangs up, hyper drops the handler, and with it the request to the emulator.
            connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            while connections.try_join_next().is_some() {}
        }
    })
}

impl FrontDoor {
    pub(crate) fn new(
        emulator: Arc<Emulator>,
        doubles: (Arc<Macie>, Arc<AccessAnalyzer>, Arc<SecurityHub>),
        credentials: TaskCredentials,
        slack_url: String,
    ) -> FrontDoor {
        let (macie, access_analyzer, security_hub) = doubles;
        let records = Records::open(emulator.endpoint().rsplit(':').next().unwrap_or_default());
        FrontDoor {
            emulator,
            macie,
            access_analyzer,
            security_hub,
            credentials,
            calls: Arc::default(),
            faults: Arc::default(),
            records,
            slack_url,
            upstream: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(UPSTREAM_IDLE_TIMEOUT)
                .build_http(),
            principals: Mutex::default(),
        }
    }

    /// Serves until the returned task is aborted, which closes every connection at once.
    pub(crate) fn serve(self: Arc<Self>, listener: TcpListener) -> JoinHandle<Infallible> {
        serve(listener, move |request| self.clone().handle(request))
    }

    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        if request.uri().path().starts_with(control::PREFIX) {
            return Ok(self.control(request).await);
        }
        let credential = Credential::of(request.headers(), request.uri().query().unwrap_or_default());
        match credential {
            Some(credential) if self.is_double(&credential.service) => {
                self.ask_double(&credential, request).await
            }
            credential => self.forward(credential.as_ref(), request).await,
        }
    }

    /// The ARN that a request's key stands for. The signature may still turn out to be wrong.
    async fn principal(&self, credential: &Credential) -> Option<String> {
        if credential.is_root() {
            return None;
        }
        let known = |principals: &Mutex<HashMap<String, String>>| {
            principals.lock().unwrap_or_else(PoisonError::into_inner).get(&credential.access_key).cloned()
        };
        if let Some(arn) = known(&self.principals) {
            return Some(arn);
        }
        let arn = match self.emulator.principal(&credential.access_key).await {
            Ok(found) => found?,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a caller could not be looked up");
                return None;
            }
        };
        let mut principals = self.principals.lock().unwrap_or_else(PoisonError::into_inner);
        principals.insert(credential.access_key.clone(), arn.clone());
        Some(arn)
    }
}
