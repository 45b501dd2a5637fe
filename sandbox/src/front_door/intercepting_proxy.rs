//! A tap: a listener of its own in front of the front door, for one process.
//!
//! Every AWS call of the process comes by here and is counted, and a test says call by call what becomes of it: so a
//! process can be stopped before or after any of its calls. The front door knows nothing of it. What is passed on is
//! passed on as it came, Host included, which the signature covers. The sandbox's own routes, the credentials among
//! them, are passed on uncounted.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
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

use super::faults::{s3_error, server_error, throttled, unavailable};
use super::operation::{self, Named};
use super::signed::Credential;
use super::{Cut, FrontDoor, control, serve};

/// One call of the tapped process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TappedCall {
    /// Counts up from 1, in the order in which the calls came.
    pub n: usize,
    /// The service in the credential scope, such as `s3`.
    pub service: String,
    /// The API name, such as `CopyObject`; method and path where it is not known.
    pub operation: String,
    /// Whether all calls before it were answered when it came.
    pub alone: bool,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// It is carried out and answered.
    Passes,
    /// It waits: [`Tap::held`] tells. After [`Tap::release`] it is carried out and answered.
    Late,
    /// It is not carried out, and ends so.
    Instead(Ending),
    /// It is carried out, and ends so nevertheless: its own answer is lost.
    After(Ending),
}

/// How a call ends that does not get its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Never: [`Tap::held`] tells, and the process waits until it is killed.
    Held,
    /// The connection closes.
    Cut,
    /// Refused as too fast; by S3 as `SlowDown`.
    Throttled,
    /// A server error, status 500.
    InternalError,
    /// The service is not there, status 503.
    Unavailable,
    /// S3 waited too long for the request, status 400.
    RequestTimeout,
    /// S3 takes the session for expired, status 400.
    ExpiredToken,
    /// S3 began to answer with status 200 before it failed: the error is in the body.
    ErrorInOk,
}

impl TappedCall {
    /// Whether it may change what is stored.
    pub fn writes(&self) -> bool {
        let reads = ["BatchGet", "Get", "Head", "List", "Query", "Scan"]
            .iter()
            .any(|verb| self.operation.starts_with(verb));
        !reads && matches!(self.service.as_str(), "s3" | "dynamodb")
    }

    /// Everything that AWS, or the way to it, can do to this call.
    pub fn faults(&self) -> Vec<Meeting> {
        use {Ending::*, Meeting::*};
        let mut faults = vec![
            Instead(Throttled),
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

impl Ending {
    async fn happen(self, service: &str, held: &Notify) -> Result<Response<Body>, Cut> {
        Ok(match self {
            Ending::Held => {
                held.notify_one();
                pending().await
            }
            Ending::Cut => return Err(Cut),
            Ending::Throttled => throttled(service),
            Ending::InternalError => server_error(service),
            Ending::Unavailable => unavailable(service),
            Ending::RequestTimeout => s3_error(
                400,
                "RequestTimeout",
                "Your socket connection to the server was not read from or written to within the timeout period.",
            ),
            Ending::ExpiredToken => s3_error(400, "ExpiredToken", "The provided token has expired."),
            Ending::ErrorInOk => {
                s3_error(200, "InternalError", "We encountered an internal error. Please try again.")
            }
        })
    }
}

/// A tap in place. Dropping it closes every connection through it.
pub struct Tap {
    endpoint: String,
    front_door: Arc<FrontDoor>,
    pipe: Arc<Pipe>,
    _server: AbortOnDropHandle<Infallible>,
}

struct Pipe {
    /// The front door's endpoint.
    beyond: String,
    client: Client<HttpConnector, Body>,
    seen: Mutex<Seen>,
    held: Notify,
    released: Notify,
}

struct Seen {
    calls: Vec<(TappedCall, Meeting)>,
    unanswered: usize,
    meet: Box<dyn FnMut(&TappedCall) -> Meeting + Send>,
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("endpoint", &self.endpoint).field("calls", &self.calls()).finish()
    }
}

impl Tap {
    /// Serves `listener`, whose URL is `endpoint`, in front of the front door at `beyond`.
    pub(crate) fn serve(
        (listener, endpoint): (TcpListener, String),
        (front_door, beyond): (Arc<FrontDoor>, String),
        meet: impl FnMut(&TappedCall) -> Meeting + Send + 'static,
    ) -> Tap {
        let pipe = Arc::new(Pipe {
            beyond,
            client: Client::builder(TokioExecutor::new()).build_http(),
            seen: Mutex::new(Seen { calls: Vec::new(), unanswered: 0, meet: Box::new(meet) }),
            held: Notify::new(),
            released: Notify::new(),
        });
        let server = {
            let pipe = pipe.clone();
            serve(listener, move |request| pipe.clone().handle(request))
        };
        Tap { endpoint, front_door, pipe, _server: AbortOnDropHandle::new(server) }
    }

    /// What the process needs in its environment to be a task with this role, all of whose calls come by here.
    pub fn environment(&self, role: &str) -> Vec<(String, String)> {
        self.front_door.credentials.environment(&self.endpoint, role)
    }

    /// The calls that came so far, and what became of each.
    pub fn calls(&self) -> Vec<(TappedCall, Meeting)> {
        self.pipe.seen().calls.clone()
    }

    /// Completes when a call is held; one that is held [after](Meeting::After) it was carried out, then.
    pub async fn held(&self) {
        self.pipe.held.notified().await;
    }

    /// Lets one call go on that is [late](Meeting::Late), or the next that will be.
    pub fn release(&self) {
        self.pipe.released.notify_one();
    }
}

/// A call that has no answer yet, until this is dropped.
struct Unanswered(Arc<Pipe>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.seen().unanswered -= 1;
    }
}

impl Pipe {
    async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        if parts.uri.path().starts_with(control::PREFIX) {
            return self.pass(parts, Body::new(body)).await;
        }
        // The client hung up if this fails.
        let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
        let (service, meeting) = self.count(&parts, &body);
        let _unanswered = Unanswered(self.clone());
        match meeting {
            Meeting::Passes => self.pass(parts, Body::from(body)).await,
            Meeting::Late => {
                self.held.notify_one();
                self.released.notified().await;
                self.pass(parts, Body::from(body)).await
            }
            Meeting::Instead(ending) => ending.happen(&service, &self.held).await,
            Meeting::After(ending) => {
                self.pass(parts, Body::from(body)).await?;
                ending.happen(&service, &self.held).await
            }
        }
    }

    fn count(&self, parts: &Parts, body: &Bytes) -> (String, Meeting) {
        let credential = Credential::of(&parts.headers, parts.uri.query().unwrap_or_default());
        let service = credential.map_or("-".to_owned(), |credential| credential.service);
        let operation = match operation::name(&service, parts) {
            Named::As(name) => name,
            Named::InForm => operation::action(&String::from_utf8_lossy(body)).unwrap_or_default(),
        };
        let mut seen = self.seen();
        let alone = seen.unanswered == 0;
        let call = TappedCall { n: seen.calls.len() + 1, service: service.clone(), operation, alone };
        seen.unanswered += 1;
        let meeting = (seen.meet)(&call);
        seen.calls.push((call, meeting));
        (service, meeting)
    }

    async fn pass(&self, mut parts: Parts, body: Body) -> Result<Response<Body>, Cut> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        // An endpoint followed by a target that already was one always is a URI.
        parts.uri = format!("{}{target}", self.beyond).parse().unwrap_or_else(|_| Uri::default());
        let answer = self.client.request(Request::from_parts(parts, body)).await;
        answer.map(|answer| answer.map(Body::new)).map_err(|_| Cut)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
