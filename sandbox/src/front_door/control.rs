//! The sandbox's own routes, under a path that no AWS request has: bucket names hold no underscore.

use axum::body::Body;
use axum::http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::FrontDoor;
use super::calls::CallFilter;
use super::credentials::{self, Refusal};
use super::encoding::{decode, query_pairs};
use super::faults::{Asked, Fault, FaultRule, InnerCall, answer};

/// Where the routes lie.
pub(super) const PREFIX: &str = "/_sandbox/";
const MAX_BODY_BYTES: usize = 64 << 10;

impl FrontDoor {
    /// Answers a request to one of the sandbox's own routes.
    pub(super) async fn control(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if let Some(role) = path.strip_prefix(credentials::PATH).filter(|_| parts.method == Method::GET) {
            let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            return match self.credentials.issue(&decode(role), token).await {
                Ok(session) => json_answer(200, &session),
                Err(Refusal::WrongToken) => {
                    refusal(403, "InvalidToken", "The authorization token is not this role's.")
                }
                Err(Refusal::NoSession(why)) => refusal(404, "NoCredentials", &why),
            };
        }
        match (parts.method.as_str(), path) {
            ("GET", "/_sandbox/health") => self.health().await,
            ("GET", "/_sandbox/calls") => match filter(parts.uri.query().unwrap_or_default()) {
                Ok(filter) => json_answer(200, &json!({"calls": self.calls.select(&filter)})),
                Err(why) => refusal(400, "InvalidFilter", &why),
            },
            ("POST", "/_sandbox/faults/next") => match read::<InnerCall>(body).await {
                Ok(call) => {
                    self.records.write_inner(&call);
                    let fault = self.faults.next_for(Asked {
                        service: &call.service,
                        operation: &call.operation,
                        principal: Some(&call.principal),
                        session_policy: None,
                    });
                    json_answer(200, &json!({"fault": fault.map(Fault::to_wire)}))
                }
                Err(why) => refusal(400, "InvalidCall", &format!("This is not a call: {why}.")),
            },
            ("POST", "/_sandbox/faults") => match read::<FaultRule>(body).await {
                Ok(rule) => {
                    self.faults.inject(rule);
                    json_answer(200, &json!({}))
                }
                Err(why) => refusal(400, "InvalidFault", &format!("This is not a fault: {why}.")),
            },
            ("DELETE", "/_sandbox/faults") => {
                self.faults.clear();
                json_answer(200, &json!({}))
            }
            (method, path) => refusal(404, "NoSuchRoute", &format!("The sandbox has no {method} {path}.")),
        }
    }

    async fn health(&self) -> Response<Body> {
        let healthy = self.emulator.is_healthy().await;
        let answer = json!({
            "status": if healthy { "ok" } else { "the emulator does not answer" },
            "account": self.emulator.account(),
            "region": self.emulator.region(),
            "slack_url": self.slack_url,
        });
        json_answer(if healthy { 200 } else { 503 }, &answer)
    }
}

async fn read<T: DeserializeOwned>(body: Incoming) -> Result<T, String> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
}

fn filter(query: &str) -> Result<CallFilter, String> {
    let mut filter = CallFilter::default();
    for (name, value) in query_pairs(query) {
        let value = decode(value);
        match name {
            "after" => {
                filter.after = Some(value.parse().map_err(|_| format!("after={value} is not a number."))?)
            }
            "service" => filter.service = Some(value),
            "operation" => filter.operation = Some(value),
            "principal" => filter.principal = Some(value),
            other => return Err(format!("Calls are not filtered by {other}.")),
        }
    }
    Ok(filter)
}

fn json_answer(status: u16, body: &Value) -> Response<Body> {
    answer(status, "application/json", body.to_string())
}

/// The form in which SDKs expect a credentials endpoint to refuse.
fn refusal(status: u16, code: &str, message: &str) -> Response<Body> {
    json_answer(status, &json!({"code": code, "message": message}))
}
