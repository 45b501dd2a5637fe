//! An intercepting proxy: a listener of its own in front of the front door, for one process.
//!
//! It counts every AWS call of the process, and a test says call by call what happens to it: so a process can be stopped
//! before or after any of its calls. The front door does not know of the proxy. What is passed on is passed on as it
//! came, Host included, which the signature covers. The sandbox's own routes, the credentials among them, are passed on
//! uncounted.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::faults::{Consequence, Fault, happen};
use super::operation::{self, Named};
use super::signed::Credential;
use super::{Cut, FrontDoor, control, serve};

/// One call of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterceptedCall {
    /// Counts up from 1, in the order in which the calls came.
    pub n: usize,
    /// The service in the credential scope, such as `s3`.
    pub service: String,
    /// The API name, such as `CopyObject`; method and path where it is not known.
    pub operation: String,
    /// Whether all calls before it were answered when it came.
    pub alone: bool,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intervention {
    /// Nothing: it is carried out and answered.
    Pass,
    /// It waits: [`InterceptingProxy::held`] tells. After [`InterceptingProxy::release`] it is carried out and answered.
    Hold,
    /// It gets this fault and is not carried out, unless the fault is latency.
    Instead(Fault),
    /// It is carried out, and gets this fault all the same: its own answer is lost, unless the fault is latency.
    After(Fault),
}

impl InterceptedCall {
    /// Whether it may change what is stored.
    pub fn writes(&self) -> bool {
        let reads = ["BatchGet", "Get", "Head", "List", "Query", "Scan"]
            .iter()
            .any(|verb| self.operation.starts_with(verb));
        !reads && matches!(self.service.as_str(), "s3" | "dynamodb")
    }

    /// Everything that AWS, or the way to it, can do to this call.
    pub fn faults(&self) -> Vec<Intervention> {
        use {Fault::*, Intervention::*};
        let mut faults = vec![
            Instead(Throttle),
            Instead(InternalError),
            Instead(Unavailable),
            Instead(Cut),
            After(Cut),
            After(InternalError),
        ];
        // An answer to HEAD has no body that could name the error, and is a bare 400.
        if self.service == "s3" {
            faults.extend([Instead(RequestTimeout), Instead(ExpiredToken)]);
        }
        if matches!(self.operation.as_str(), "CopyObject" | "UploadPartCopy" | "CompleteMultipartUpload") {
            faults.extend([Instead(ErrorInOk), After(ErrorInOk)]);
        }
        faults
    }
}

/// A running proxy. Dropping it closes every connection through it.
pub struct InterceptingProxy {
    endpoint: String,
    front_door: Arc<FrontDoor>,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<Infallible>,
}

struct Shared {
    upstream: String,
    client: Client<HttpConnector, Body>,
    calls: Mutex<Calls>,
    held: Notify,
    released: Notify,
}

struct Calls {
    all: Vec<(InterceptedCall, Intervention)>,
    unanswered: usize,
    intervene: Box<dyn FnMut(&InterceptedCall) -> Intervention + Send>,
}

impl fmt::Debug for InterceptingProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterceptingProxy")
            .field("endpoint", &self.endpoint)
            .field("calls", &self.calls())
            .finish()
    }
}

impl InterceptingProxy {
    /// Serves `listener`, whose URL is `endpoint`, in front of the front door at `upstream`.
    pub(crate) fn serve(
        (listener, endpoint): (TcpListener, String),
        (front_door, upstream): (Arc<FrontDoor>, String),
        intervene: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> InterceptingProxy {
        let shared = Arc::new(Shared {
            upstream,
            client: Client::builder(TokioExecutor::new()).build_http(),
            calls: Mutex::new(Calls { all: Vec::new(), unanswered: 0, intervene: Box::new(intervene) }),
            held: Notify::new(),
            released: Notify::new(),
        });
        let server = {
            let shared = shared.clone();
            serve(listener, move |request| shared.clone().handle(request))
        };
        InterceptingProxy { endpoint, front_door, shared, _server: AbortOnDropHandle::new(server) }
    }

    /// What the process needs in its environment to be a task with this role, all of whose calls come through here.
    pub fn environment(&self, role: &str) -> Vec<(String, String)> {
        self.front_door.credentials.environment(&self.endpoint, role)
    }

    /// The calls that came so far, and what happened to each.
    pub fn calls(&self) -> Vec<(InterceptedCall, Intervention)> {
        self.shared.calls().all.clone()
    }

    /// Completes when a call is held; one that hangs [after](Intervention::After) it was carried out, then.
    pub async fn held(&self) {
        self.shared.held.notified().await;
    }

    /// Lets one [held](Intervention::Hold) call go on, or the next one.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }
}

/// A call that has no answer yet, until this is dropped.
struct Unanswered(Arc<Shared>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.calls().unanswered -= 1;
    }
}

impl Shared {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        if parts.uri.path().starts_with(control::PREFIX) {
            return self.pass(parts, Body::new(body)).await;
        }
        // The client hung up if this fails.
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let (service, intervention) = self.count(&parts, &body);
        let _unanswered = Unanswered(self.clone());
        let (fault, answer) = match intervention {
            Intervention::Pass => return self.pass(parts, Body::from(body)).await,
            Intervention::Hold => {
                self.held.notify_one();
                self.released.notified().await;
                return self.pass(parts, Body::from(body)).await;
            }
            Intervention::Instead(fault) => (fault, None),
            Intervention::After(fault) => {
                (fault, Some(self.pass(parts.clone(), Body::from(body.clone())).await?))
            }
        };
        if fault == Fault::Hang {
            self.held.notify_one();
        }
        match (happen(fault, &service).await, answer) {
            (Consequence::Answered(response), _) | (Consequence::GoesOn, Some(response)) => Ok(response),
            (Consequence::GoesOn, None) => self.pass(parts, Body::from(body)).await,
            (Consequence::Cut, _) => Err(Cut),
        }
    }

    fn count(&self, parts: &Parts, body: &Bytes) -> (String, Intervention) {
        let credential = Credential::of(&parts.headers, parts.uri.query().unwrap_or_default());
        let service = credential.map_or("-".to_owned(), |credential| credential.service);
        let operation = match operation::name(&service, parts) {
            Named::As(name) => name,
            Named::InForm => operation::action(&String::from_utf8_lossy(body)).unwrap_or_default(),
        };
        let mut calls = self.calls();
        let alone = calls.unanswered == 0;
        let call = InterceptedCall { n: calls.all.len() + 1, service: service.clone(), operation, alone };
        calls.unanswered += 1;
        let intervention = (calls.intervene)(&call);
        calls.all.push((call, intervention));
        (service, intervention)
    }

    async fn pass(&self, mut parts: Parts, body: Body) -> Result<Response<Body>, Cut> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        // An endpoint followed by a target that already was one always is a URI.
        parts.uri = format!("{}{target}", self.upstream).parse().unwrap_or_else(|_| Uri::default());
        let answer = self.client.request(Request::from_parts(parts, body)).await;
        answer.map(|answer| answer.map(Body::new)).map_err(|_| Cut)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
