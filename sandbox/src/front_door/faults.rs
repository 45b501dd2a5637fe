//! Faults that the front door makes on request, each in the form in which the AWS service would show it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// A fault, and which calls it meets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WireFault")]
pub struct Fault {
    /// The service in the credential scope, such as `states`.
    pub service: String,
    /// The API name; any if absent.
    pub operation: Option<String>,
    /// A part of the caller's ARN, such as a role's name; any caller if absent.
    pub principal: Option<String>,
    /// What happens to the call.
    pub kind: FaultKind,
    /// How many calls it meets before it is over.
    pub times: u32,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Refused as too fast; not carried out.
    Throttle,
    /// Refused with a server error; not carried out.
    InternalError,
    /// Carried out after this delay.
    Latency(Duration),
    /// The connection closes without an answer; not carried out.
    Cut,
}

/// A fault as it comes over HTTP.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFault {
    service: String,
    operation: Option<String>,
    principal: Option<String>,
    kind: WireKind,
    times: u32,
    latency_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireKind {
    Throttle,
    InternalError,
    Latency,
    Cut,
}

impl FaultKind {
    /// As it goes over HTTP.
    pub(super) fn to_wire(self) -> Value {
        match self {
            FaultKind::Throttle => json!({"kind": "throttle"}),
            FaultKind::InternalError => json!({"kind": "internal_error"}),
            FaultKind::Cut => json!({"kind": "cut"}),
            FaultKind::Latency(delay) => json!({"kind": "latency", "latency_ms": delay.as_millis() as u64}),
        }
    }
}

/// A call that is made behind the front door, by Step Functions itself, and that a fault may meet all the same.
#[derive(Deserialize)]
pub(super) struct InnerCall {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) principal: String,
}

impl TryFrom<WireFault> for Fault {
    type Error = &'static str;

    fn try_from(wire: WireFault) -> Result<Fault, Self::Error> {
        let kind = match (wire.kind, wire.latency_ms) {
            (WireKind::Latency, Some(ms)) => FaultKind::Latency(Duration::from_millis(ms)),
            (WireKind::Latency, None) => return Err("latency_ms is missing"),
            (_, Some(_)) => return Err("latency_ms belongs to the kind latency only"),
            (WireKind::Throttle, None) => FaultKind::Throttle,
            (WireKind::InternalError, None) => FaultKind::InternalError,
            (WireKind::Cut, None) => FaultKind::Cut,
        };
        let WireFault { service, operation, principal, times, .. } = wire;
        Ok(Fault { service, operation, principal, kind, times })
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults {
    active: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Puts a fault in force. Of several that fit a call, the first put meets it.
    pub fn inject(&self, fault: Fault) {
        self.active().push(fault);
    }

    /// Ends all of them.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// How many calls are still to meet a fault: what is missing from those injected has come.
    pub fn left(&self) -> u32 {
        self.active().iter().map(|fault| fault.times).sum()
    }

    /// The fault that meets this call, counted.
    pub(super) fn meet(&self, service: &str, operation: &str, principal: Option<&str>) -> Option<FaultKind> {
        let mut active = self.active();
        let index = active.iter().position(|fault| {
            fault.times > 0
                && fault.service == service
                && fault.operation.as_ref().is_none_or(|name| name == operation)
                && fault.principal.as_ref().is_none_or(|part| principal.is_some_and(|arn| arn.contains(part)))
        })?;
        let fault = &mut active[index];
        fault.times -= 1;
        let kind = fault.kind;
        active.retain(|fault| fault.times > 0);
        Some(kind)
    }

    fn active(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a call after its fault.
pub(super) enum Consequence {
    /// It goes on.
    GoesOn,
    /// It is answered with this.
    Answered(Response<Body>),
    /// Its connection is closed.
    Cut,
}

/// Carries out a fault.
pub(super) async fn happen(kind: FaultKind, service: &str) -> Consequence {
    match kind {
        FaultKind::Throttle => Consequence::Answered(throttled(service)),
        FaultKind::InternalError => Consequence::Answered(server_error(service)),
        FaultKind::Latency(delay) => {
            tokio::time::sleep(delay).await;
            Consequence::GoesOn
        }
        FaultKind::Cut => Consequence::Cut,
    }
}

/// How a service writes its errors.
enum Protocol {
    S3,
    Query,
    RestJson,
    Json,
}

fn protocol(service: &str) -> Protocol {
    match service {
        "s3" => Protocol::S3,
        "iam" | "sts" | "sns" | "ec2" | "monitoring" => Protocol::Query,
        "macie2" | "access-analyzer" | "securityhub" | "scheduler" | "apigateway" => Protocol::RestJson,
        _ => Protocol::Json,
    }
}

/// Refused as too fast.
pub(super) fn throttled(service: &str) -> Response<Body> {
    match protocol(service) {
        Protocol::S3 => s3_error(503, "SlowDown", "Please reduce your request rate."),
        Protocol::Query => query_error(400, "Throttling", "Rate exceeded"),
        Protocol::RestJson => json_error(429, "ThrottlingException", "Rate exceeded"),
        Protocol::Json => json_error(400, "ThrottlingException", "Rate exceeded"),
    }
}

/// Refused with a server error.
pub(super) fn server_error(service: &str) -> Response<Body> {
    let message = "An internal error occurred.";
    match protocol(service) {
        Protocol::S3 => s3_error(500, "InternalError", "We encountered an internal error. Please try again."),
        Protocol::Query => query_error(500, "InternalFailure", message),
        Protocol::RestJson => json_error(500, "InternalServerException", message),
        Protocol::Json => json_error(500, "InternalServerError", message),
    }
}

/// Refused because the service is not there for the moment.
pub(super) fn unavailable(service: &str) -> Response<Body> {
    let message = "The service is unavailable. Please try again.";
    match protocol(service) {
        Protocol::S3 => s3_error(503, "ServiceUnavailable", message),
        Protocol::Query => query_error(503, "ServiceUnavailable", message),
        Protocol::RestJson => json_error(503, "ServiceUnavailableException", message),
        Protocol::Json => json_error(503, "ServiceUnavailable", message),
    }
}

/// An error as the JSON protocols write it.
pub(super) fn json_error(status: u16, code: &str, message: &str) -> Response<Body> {
    let body = json!({"__type": code, "message": message, "Message": message});
    let mut response = answer(status, "application/x-amz-json-1.1", body.to_string());
    if let Ok(code) = HeaderValue::from_str(code) {
        response.headers_mut().insert("x-amzn-errortype", code);
    }
    response
}

/// An error as S3 writes it.
pub(super) fn s3_error(status: u16, code: &str, message: &str) -> Response<Body> {
    let error = format!("<Code>{code}</Code><Message>{message}</Message><RequestId>fault</RequestId>");
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{error}</Error>");
    answer(status, "application/xml", body)
}

/// An error as the query protocol writes it.
fn query_error(status: u16, code: &str, message: &str) -> Response<Body> {
    let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>");
    let body = format!("<ErrorResponse><Error>{error}</Error><RequestId>fault</RequestId></ErrorResponse>");
    answer(status, "text/xml", body)
}

pub(super) fn answer(status: u16, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: FaultKind, times: u32) -> Fault {
        Fault { service: "states".into(), operation: None, principal: None, kind, times }
    }

    #[test]
    fn a_fault_meets_as_many_calls_as_asked_and_then_is_over() {
        let faults = Faults::default();
        faults.inject(fault(FaultKind::Throttle, 2));
        assert_eq!(faults.meet("s3", "GetObject", None), None);
        assert_eq!(faults.meet("states", "GetActivityTask", None), Some(FaultKind::Throttle));
        assert_eq!(faults.meet("states", "SendTaskSuccess", None), Some(FaultKind::Throttle));
        assert_eq!(faults.meet("states", "SendTaskSuccess", None), None);
    }

    #[test]
    fn a_fault_for_a_role_spares_the_others() {
        let faults = Faults::default();
        faults.inject(Fault { principal: Some("cordon-worker".into()), ..fault(FaultKind::Cut, 1) });
        assert_eq!(faults.meet("states", "GetActivityTask", None), None);
        assert_eq!(faults.meet("states", "GetActivityTask", Some("arn:…/cordon-gateway/1")), None);
        assert!(faults.meet("states", "GetActivityTask", Some("arn:…/cordon-worker/1")).is_some());
    }

    #[test]
    fn latency_has_to_say_how_long() {
        let text = r#"{"service":"s3","kind":"latency","times":1}"#;
        assert!(serde_json::from_str::<Fault>(text).is_err());
        let text = r#"{"service":"s3","operation":"PutObject","kind":"latency","latency_ms":5,"times":1}"#;
        let fault: Fault = serde_json::from_str(text).expect("a whole fault");
        assert_eq!(fault.kind, FaultKind::Latency(Duration::from_millis(5)));
    }
}
