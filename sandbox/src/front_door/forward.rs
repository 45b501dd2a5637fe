//! Passing a request on to the emulator, and its answer back, both streamed and unchanged.

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::calls::Open;
use super::faults::{Asked, Consequence, happen, json_error};
use super::items;
use super::operation::{self, Named};
use super::signed::Credential;
use super::{Cut, FrontDoor};

/// Requests that are read before they are passed on: forms are small (the largest hold a policy document), and DynamoDB
/// takes 16 MB.
const MAX_READ_BYTES: usize = 20 << 20;

impl FrontDoor {
    /// Answers a request to an emulated service.
    pub(super) async fn forward(
        &self,
        credential: Option<&Credential>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Cut> {
        let (parts, body) = request.into_parts();
        let service = credential.map_or("-", |credential| &credential.service);
        let path = parts.uri.path().to_owned();
        let access_key = credential.map(|credential| credential.access_key.as_str());
        let mut call = self.calls.begin(service, parts.method.as_str(), &path, access_key);

        let kept;
        let mut session_policy = None;
        let (name, body) = match operation::name(service, &parts) {
            Named::As(name) if service != "dynamodb" && !self.records.wants_body(credential, &parts) => {
                kept = self.records.request(credential, &parts, None);
                (name, Body::new(body))
            }
            named => {
                let Ok(read) = Limited::new(body, MAX_READ_BYTES).collect().await else {
                    return Ok(recorded(
                        call,
                        json_error(413, "RequestEntityTooLarge", "The request is too large."),
                    ));
                };
                let read = read.to_bytes();
                kept = self.records.request(credential, &parts, Some(&read));
                let name = match named {
                    Named::As(name) => {
                        if service == "dynamodb" {
                            call.record.items = items::named(&read);
                        }
                        name
                    }
                    Named::InForm => {
                        let form = String::from_utf8_lossy(&read);
                        session_policy = operation::session_policy(&form);
                        operation::action(&form).unwrap_or_else(|| format!("{} {path}", parts.method))
                    }
                };
                (name, Body::from(read))
            }
        };
        call.record.operation.clone_from(&name);
        if let Some(credential) = credential {
            call.record.principal = self.principal(credential).await;
        }
        let asked =
            Asked { service, operation: &name, principal: call.record.principal.as_deref(), session_policy };
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

        let response = match self.upstream.request(self.addressed(parts, body)).await {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                remove_connection_headers(&mut head.headers);
                if service == "s3" && fails_late(&name, &path, head.status) {
                    head.status = StatusCode::OK;
                }
                Response::from_parts(head, Body::new(body))
            }
            Err(error) => {
                tracing::warn!(error = %error, operation = name, "the emulator did not answer");
                json_error(
                    502,
                    "ServiceUnavailable",
                    "The emulator behind the sandbox's front door did not answer.",
                )
            }
        };
        self.records.write(kept, &name, call.record.principal.as_deref(), response.status().as_u16(), None);
        if service == "s3" && response.status().is_success() && operation::changes_access(&name) {
            self.bucket_changed(operation::bucket(&path));
        }
        Ok(recorded(call, response))
    }

    /// The same request, addressed to the emulator. Only the connection's own headers go: everything else may be
    /// covered by the signature.
    fn addressed(&self, mut parts: axum::http::request::Parts, body: Body) -> Request<Body> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        // The emulator's endpoint followed by a target that already was one always is a URI.
        parts.uri =
            format!("{}{target}", self.emulator.endpoint()).parse().unwrap_or_else(|_| Uri::default());
        remove_connection_headers(&mut parts.headers);
        Request::from_parts(parts, body)
    }

    fn bucket_changed(&self, bucket: String) {
        let access_analyzer = self.access_analyzer.clone();
        tokio::spawn(async move { access_analyzer.bucket_changed(&bucket).await });
    }
}

/// Whether S3 has begun to answer with status 200 when a copy fails: then the error is in the body alone
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>). When it begins nobody can tell; here it is so for
/// about every second key.
fn fails_late(operation: &str, path: &str, status: StatusCode) -> bool {
    let begins_early = matches!(operation, "CopyObject" | "UploadPartCopy" | "CompleteMultipartUpload");
    let is_of_the_copy =
        matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED);
    begins_early && is_of_the_copy && path.bytes().fold(0, |sum: u8, byte| sum ^ byte) & 1 == 1
}

fn remove_connection_headers(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
    headers.remove("keep-alive");
}

/// Ends the record with the answer's status.
pub(super) fn recorded(mut call: Open<'_>, response: Response<Body>) -> Response<Body> {
    call.record.status = response.status().as_u16();
    response
}
