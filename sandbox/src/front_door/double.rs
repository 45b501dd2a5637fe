//! Requests to the doubles: named, authorized by the emulator's IAM, subjected to faults, carried out.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::encoding::{decode, query_pairs};
use super::faults::{Asked, Consequence, answer, happen, json_error};
use super::forward::recorded;
use super::signed::Credential;
use super::{Cut, FrontDoor};
use crate::doubles::{ApiError, Call, Operation};
use crate::process::emulator::{ACCOUNT, Authorization};

/// Above what any of the three services takes.
const MAX_BODY_BYTES: usize = 16 << 20;

impl FrontDoor {
    /// Whether a double in this process plays the service.
    pub(super) fn is_double(&self, service: &str) -> bool {
        matches!(service, "macie2" | "access-analyzer" | "securityhub")
    }

    /// Answers a request to a double.
    pub(super) async fn ask_double(
        &self,
        credential: &Credential,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let service = credential.service.as_str();
        let method = parts.method.as_str();
        let raw_path = parts.uri.path();
        let mut call = self.calls.begin(service, method, raw_path, Some(&credential.access_key));
        call.record.operation = format!("{method} {raw_path}");

        let Ok(bytes) = Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes()) else {
            return Ok(recorded(call, json_error(413, "RequestEntityTooLarge", "The request is too large.")));
        };
        let Some(body) = json_body(&bytes) else {
            return Ok(recorded(
                call,
                json_error(400, "SerializationException", "The request body is not JSON."),
            ));
        };
        let path: Vec<String> =
            raw_path.split('/').filter(|segment| !segment.is_empty()).map(decode).collect();
        let pairs = query_pairs(parts.uri.query().unwrap_or_default());
        // Here, unlike in a path, a plus is a blank.
        let query: Vec<(String, String)> =
            pairs.map(|(name, value)| (decode(name), decode(&value.replace('+', " ")))).collect();

        let Some(operation) = self.operation(service, method, &path, &query, &body) else {
            let message = format!("The sandbox's {service} does not have {method} {raw_path}.");
            return Ok(recorded(call, json_error(501, "NotImplementedException", &message)));
        };
        call.record.operation = operation.name.to_owned();

        let authorization = authorization(&parts, credential, &bytes, &operation);
        let verdict = match self.emulator.authorize(&authorization).await {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a call to a double could not be authorized");
                return Ok(recorded(
                    call,
                    json_error(503, "ServiceUnavailableException", &format!("{error:#}")),
                ));
            }
        };
        call.record.principal = verdict.principal.clone().filter(|_| !credential.is_root());
        if !verdict.allowed {
            let code = verdict.code.as_deref().unwrap_or("AccessDeniedException");
            let message = verdict.message.as_deref().unwrap_or("The caller may not do this.");
            return Ok(recorded(call, json_error(403, code, message)));
        }
        let asked = Asked {
            service,
            operation: operation.name,
            principal: call.record.principal.as_deref(),
            session_policy: None,
        };
        if let Some(fault) = self.faults.next_for(asked) {
            match happen(fault, service).await {
                Consequence::GoesOn => {}
                Consequence::Answered(response) => return Ok(recorded(call, response)),
                Consequence::Cut => {
                    call.record.status = 0;
                    return Err(Cut);
                }
            }
        }

        let kept = self.records.request(Some(credential), &parts, Some(&bytes));
        let account = verdict.account.unwrap_or_else(|| ACCOUNT.to_owned());
        let principal = verdict.principal.unwrap_or_else(|| format!("arn:aws:iam::{account}:root"));
        let request = Call { account, region: credential.region.clone(), principal, path, query, body };
        let caller = call.record.principal.clone();
        let response = match self.carry_out(service, &operation, request).await {
            Ok(value) => {
                self.records.write(kept, operation.name, caller.as_deref(), 200, Some(&value));
                answer(200, "application/json", value.to_string())
            }
            Err(error) => {
                self.records.write(kept, operation.name, caller.as_deref(), error.status, None);
                json_error(error.status, error.code, &error.message)
            }
        };
        Ok(recorded(call, response))
    }

    fn operation(
        &self,
        service: &str,
        method: &str,
        path: &[String],
        query: &[(String, String)],
        body: &Value,
    ) -> Option<Operation> {
        match service {
            "macie2" => self.macie.operation(method, path, query, body),
            "access-analyzer" => self.access_analyzer.operation(method, path, query, body),
            _ => self.security_hub.operation(method, path, query, body),
        }
    }

    async fn carry_out(&self, service: &str, operation: &Operation, call: Call) -> Result<Value, ApiError> {
        match service {
            "macie2" => self.macie.call(operation, call).await,
            "access-analyzer" => self.access_analyzer.call(operation, call).await,
            _ => self.security_hub.call(operation, call).await,
        }
    }
}

/// An absent body is an empty request, `None` is not JSON.
fn json_body(bytes: &Bytes) -> Option<Value> {
    if bytes.is_empty() { Some(json!({})) } else { serde_json::from_slice(bytes).ok() }
}

fn authorization<'a>(
    parts: &'a Parts,
    credential: &'a Credential,
    body: &Bytes,
    operation: &'a Operation,
) -> Authorization<'a> {
    let mut headers: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        // A repeated header is signed with its values joined.
        headers
            .entry(name.as_str())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.to_string());
    }
    Authorization {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers,
        body_sha256: hex::encode(Sha256::digest(body)),
        service: &credential.service,
        region: &credential.region,
        action: operation.action,
        resource: &operation.resource,
    }
}
