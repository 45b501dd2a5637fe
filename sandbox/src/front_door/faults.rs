//! Faults on request, each in the form in which the AWS service would show it.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

/// What can happen to a call, at AWS or on the way there, instead of its own answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused as too fast; by S3 as `SlowDown`.
    Throttle,
    /// A server error, status 500.
    InternalError,
    /// The service is not there, status 503.
    Unavailable,
    /// S3 waited too long for the request, status 400.
    RequestTimeout,
    /// S3 takes the session for expired, status 400.
    ExpiredToken,
    /// STS cannot pack a session policy of more characters than these, with the tags, into what it has room for, status 400.
    /// How full a session is nobody can tell before.
    PackedPolicyTooLarge {
        /// So many it can pack; with 0 none.
        above: usize,
    },
    /// S3 began to answer with status 200 before it failed: the error is in the body.
    ErrorInOk,
    /// It gets its own answer after this delay.
    Latency(Duration),
    /// The connection closes without an answer.
    Cut,
    /// Nothing happens until the client hangs up.
    Hang,
}

/// Which calls get a fault at the front door, which does not carry them out unless the fault is
/// [latency](Fault::Latency).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WireRule")]
pub struct FaultRule {
    /// The service in the credential scope, such as `states`.
    pub service: String,
    /// The API name; any if absent.
    pub operation: Option<String>,
    /// A part of the caller's ARN, such as a role's name; any caller if absent.
    pub principal: Option<String>,
    /// What happens to the call.
    pub kind: Fault,
    /// How many calls it applies to before it is over.
    pub times: u32,
}

/// A rule as it comes over HTTP.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    service: String,
    operation: Option<String>,
    principal: Option<String>,
    kind: WireKind,
    times: u32,
    latency_ms: Option<u64>,
    above: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum WireKind {
    Throttle,
    InternalError,
    Unavailable,
    RequestTimeout,
    ExpiredToken,
    PackedPolicyTooLarge,
    ErrorInOk,
    Latency,
    Cut,
    Hang,
}

impl Fault {
    /// For a call that Step Functions itself makes, which sees less of what happens than an SDK does.
    pub(super) fn to_wire(self) -> Value {
        match self {
            Fault::Throttle => json!({"kind": "throttle"}),
            Fault::Latency(delay) => json!({"kind": "latency", "latency_ms": delay.as_millis() as u64}),
            Fault::Cut | Fault::Hang => json!({"kind": "cut"}),
            Fault::InternalError
            | Fault::Unavailable
            | Fault::RequestTimeout
            | Fault::ExpiredToken
            | Fault::PackedPolicyTooLarge { .. }
            | Fault::ErrorInOk => json!({"kind": "internal_error"}),
        }
    }
}

/// What a rule may be about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) service: &'a str,
    pub(super) operation: &'a str,
    pub(super) principal: Option<&'a str>,
    /// The characters of the session policy that a role is asked for with.
    pub(super) session_policy: Option<usize>,
}

/// A call that is made behind the front door, by Step Functions itself, and that a fault may apply to all the same.
#[derive(Deserialize)]
pub(super) struct InnerCall {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) principal: String,
    /// What the state machine gives it.
    pub(super) input: Value,
}

impl TryFrom<WireRule> for FaultRule {
    type Error = &'static str;

    fn try_from(wire: WireRule) -> Result<FaultRule, Self::Error> {
        let WireRule { service, operation, principal, times, latency_ms, above, .. } = wire;
        if above.is_some() && !matches!(wire.kind, WireKind::PackedPolicyTooLarge) {
            return Err("above belongs to the kind packed_policy_too_large only");
        }
        if latency_ms.is_some() && !matches!(wire.kind, WireKind::Latency) {
            return Err("latency_ms belongs to the kind latency only");
        }
        let kind = match wire.kind {
            WireKind::Throttle => Fault::Throttle,
            WireKind::InternalError => Fault::InternalError,
            WireKind::Unavailable => Fault::Unavailable,
            WireKind::RequestTimeout => Fault::RequestTimeout,
            WireKind::ExpiredToken => Fault::ExpiredToken,
            WireKind::PackedPolicyTooLarge => {
                Fault::PackedPolicyTooLarge { above: above.unwrap_or_default() }
            }
            WireKind::ErrorInOk => Fault::ErrorInOk,
            WireKind::Latency => {
                Fault::Latency(Duration::from_millis(latency_ms.ok_or("latency_ms is missing")?))
            }
            WireKind::Cut => Fault::Cut,
            WireKind::Hang => Fault::Hang,
        };
        Ok(FaultRule { service, operation, principal, kind, times })
    }
}

impl FaultRule {
    fn fits(&self, call: Asked<'_>) -> bool {
        let of_size = match self.kind {
            Fault::PackedPolicyTooLarge { above } => call.session_policy.is_some_and(|size| size > above),
            _ => true,
        };
        of_size
            && self.times > 0
            && self.service == call.service
            && self.operation.as_ref().is_none_or(|name| name == call.operation)
            && self.principal.as_ref().is_none_or(|part| call.principal.is_some_and(|arn| arn.contains(part)))
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    active: Mutex<Vec<FaultRule>>,
}

impl Faults {
    /// Puts a rule in force. Of several that fit a call, the oldest applies.
    pub fn inject(&self, rule: FaultRule) {
        self.active().push(rule);
    }

    /// Ends all of them.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// How many calls are still to get a fault: what is missing from those injected has come.
    pub fn left(&self) -> u32 {
        self.active().iter().fold(0, |sum: u32, rule| sum.saturating_add(rule.times))
    }

    /// The fault for this call, which counts as used once.
    pub(super) fn next_for(&self, call: Asked<'_>) -> Option<Fault> {
        let mut active = self.active();
        let index = active.iter().position(|rule| rule.fits(call))?;
        let rule = &mut active[index];
        rule.times -= 1;
        let kind = rule.kind;
        active.retain(|rule| rule.times > 0);
        Some(kind)
    }

    fn active(&self) -> MutexGuard<'_, Vec<FaultRule>> {
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
pub(super) async fn happen(fault: Fault, service: &str) -> Consequence {
    Consequence::Answered(match fault {
        Fault::Throttle => throttled(service),
        Fault::InternalError => server_error(service),
        Fault::Unavailable => unavailable(service),
        Fault::RequestTimeout => s3_error(
            400,
            "RequestTimeout",
            "Your socket connection to the server was not read from or written to within the timeout period.",
        ),
        Fault::ExpiredToken => s3_error(400, "ExpiredToken", "The provided token has expired."),
        Fault::PackedPolicyTooLarge { .. } => query_error(
            400,
            "PackedPolicyTooLarge",
            "Packed policy consumes 104% of allotted space, please use smaller policy.",
        ),
        Fault::ErrorInOk => {
            s3_error(200, "InternalError", "We encountered an internal error. Please try again.")
        }
        Fault::Latency(delay) => {
            tokio::time::sleep(delay).await;
            return Consequence::GoesOn;
        }
        Fault::Cut => return Consequence::Cut,
        Fault::Hang => pending().await,
    })
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
fn throttled(service: &str) -> Response<Body> {
    match protocol(service) {
        Protocol::S3 => s3_error(503, "SlowDown", "Please reduce your request rate."),
        Protocol::Query => query_error(400, "Throttling", "Rate exceeded"),
        Protocol::RestJson => json_error(429, "ThrottlingException", "Rate exceeded"),
        Protocol::Json => json_error(400, "ThrottlingException", "Rate exceeded"),
    }
}

/// Refused with a server error.
fn server_error(service: &str) -> Response<Body> {
    let message = "An internal error occurred.";
    match protocol(service) {
        Protocol::S3 => s3_error(500, "InternalError", "We encountered an internal error. Please try again."),
        Protocol::Query => query_error(500, "InternalFailure", message),
        Protocol::RestJson => json_error(500, "InternalServerException", message),
        Protocol::Json => json_error(500, "InternalServerError", message),
    }
}

/// Refused because the service is not there for the moment.
fn unavailable(service: &str) -> Response<Body> {
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
fn s3_error(status: u16, code: &str, message: &str) -> Response<Body> {
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

    fn rule(kind: Fault, times: u32) -> FaultRule {
        FaultRule { service: "states".into(), operation: None, principal: None, kind, times }
    }

    fn call<'a>(service: &'a str, operation: &'a str, principal: Option<&'a str>) -> Asked<'a> {
        Asked { service, operation, principal, session_policy: None }
    }

    #[test]
    fn a_fault_applies_to_as_many_calls_as_asked_and_then_is_over() {
        let faults = Faults::default();
        faults.inject(rule(Fault::Throttle, 2));
        assert_eq!(faults.next_for(call("s3", "GetObject", None)), None);
        assert_eq!(faults.next_for(call("states", "GetActivityTask", None)), Some(Fault::Throttle));
        assert_eq!(faults.next_for(call("states", "SendTaskSuccess", None)), Some(Fault::Throttle));
        assert_eq!(faults.next_for(call("states", "SendTaskSuccess", None)), None);
    }

    #[test]
    fn a_fault_for_a_role_spares_the_others() {
        let faults = Faults::default();
        faults.inject(FaultRule { principal: Some("cordon-worker".into()), ..rule(Fault::Cut, 1) });
        assert_eq!(faults.next_for(call("states", "GetActivityTask", None)), None);
        assert_eq!(faults.next_for(call("states", "GetActivityTask", Some("arn:…/cordon-gateway/1"))), None);
        assert!(faults.next_for(call("states", "GetActivityTask", Some("arn:…/cordon-worker/1"))).is_some());
    }

    #[test]
    fn a_session_policy_is_too_large_above_a_size() {
        let faults = Faults::default();
        let text = r#"{"service":"sts","kind":"packed_policy_too_large","above":600,"times":9}"#;
        faults.inject(serde_json::from_str(text).expect("a whole rule"));
        let asked = |size| faults.next_for(Asked { session_policy: size, ..call("sts", "AssumeRole", None) });
        assert_eq!((asked(None), asked(Some(600))), (None, None));
        assert_eq!(asked(Some(601)), Some(Fault::PackedPolicyTooLarge { above: 600 }));
    }

    #[test]
    fn latency_has_to_say_how_long() {
        let text = r#"{"service":"s3","kind":"latency","times":1}"#;
        assert!(serde_json::from_str::<FaultRule>(text).is_err());
        let text = r#"{"service":"s3","operation":"PutObject","kind":"latency","latency_ms":5,"times":1}"#;
        let rule: FaultRule = serde_json::from_str(text).expect("a whole rule");
        assert_eq!(rule.kind, Fault::Latency(Duration::from_millis(5)));
    }
}
