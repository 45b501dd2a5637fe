//! The workspace's HTTP server: the Web API, response URLs, and the page.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use url::form_urlencoded;

use super::{MethodFaultKind, Slack, api::Arguments, page, workspace, workspace::User};

/// Above any message that Slack takes.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Only what this server serves itself may be loaded, run or posted to.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

impl Slack {
    /// Serves until the returned task is aborted, which closes every connection at once.
    pub fn serve(self: Arc<Self>, listener: TcpListener) -> JoinHandle<Infallible> {
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let stream = match listener.accept().await {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of file descriptors, for one: it passes when other connections end.
                        tracing::warn!(%error, "the Slack workspace cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                };
                let _ = stream.set_nodelay(true);
                let slack = self.clone();
                let service = service_fn(move |request| {
                    let slack = slack.clone();
                    async move { Ok::<_, Infallible>(slack.handle(request).await) }
                });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                while connections.try_join_next().is_some() {}
            }
        })
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await.map(|body| body.to_bytes()) else {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.");
        };
        let path: Vec<&str> = parts.uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
        match (&parts.method, path.as_slice()) {
            (&Method::POST | &Method::GET, ["api", method]) => self.web_api(method, &parts, &body).await,
            (&Method::POST, ["actions", _, _, secret]) => self.response(secret, &body),
            (&Method::GET, []) => redirect(&format!("/channel/{}", workspace::CHANNEL.id)),
            (&Method::GET, ["page.css"]) => file("text/css; charset=utf-8", page::STYLE),
            (&Method::GET, ["page.js"]) => file("text/javascript; charset=utf-8", page::SCRIPT),
            (method, ["channel", channel, rest @ ..]) if workspace::channel(channel) == Some(*channel) => {
                match (method, rest) {
                    (&Method::GET, []) => self.show_page(channel, &parts),
                    (&Method::GET, ["messages"]) => self.show_messages(channel, &parts),
                    (&Method::POST, ["click"]) => self.clicked(channel, &parts.headers, &body).await,
                    (&Method::POST, ["modal"]) => self.answered(channel, &parts.headers, &body).await,
                    _ => text(StatusCode::NOT_FOUND, "There is nothing here."),
                }
            }
            _ => text(StatusCode::NOT_FOUND, "There is nothing here."),
        }
    }

    async fn web_api(&self, method: &str, parts: &Parts, body: &Bytes) -> Response<Body> {
        let bearer = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        let arguments = match arguments(parts, body) {
            Ok(arguments) => arguments,
            Err(error) => return json(StatusCode::OK, &serde_json::json!({"ok": false, "error": error})),
        };
        let fault = self.fault_for(method, &arguments);
        if let Some(MethodFaultKind::Hangs(time)) = fault {
            tokio::time::sleep(time).await;
        }
        let reply = self.api(method, bearer, &arguments, fault);
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, &reply.body);
        if let Ok(scopes) = HeaderValue::from_str(&self.lock().installation.provided_scopes()) {
            response.headers_mut().insert("x-oauth-scopes", scopes);
        }
        if let Some(seconds) = reply.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    fn response(&self, secret: &str, body: &Bytes) -> Response<Body> {
        let outcome = match serde_json::from_slice::<Map<String, Value>>(body) {
            Ok(body) => self.respond(secret, body),
            Err(_) => Err("invalid_payload"),
        };
        match outcome {
            Ok(()) => text(StatusCode::OK, "ok"),
            Err(error) => json(StatusCode::NOT_FOUND, &serde_json::json!({"ok": false, "error": error})),
        }
    }

    fn show_page(&self, channel: &str, parts: &Parts) -> Response<Body> {
        html(page::page(&self.lock(), channel, reader(parts)))
    }

    fn show_messages(&self, channel: &str, parts: &Parts) -> Response<Body> {
        let state = self.lock();
        let version = state.messages.version();
        if pair(parts, "version").is_some_and(|seen| seen == version.to_string()) {
            return empty(StatusCode::NO_CONTENT);
        }
        let mut response = html(page::fragment(&state, channel, reader(parts)));
        response.headers_mut().insert("x-version", HeaderValue::from(version));
        response
    }

    /// A click on the page. Other sites' pages in the same browser must not be able to make one.
    async fn clicked(&self, channel: &str, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        if is_foreign(headers) {
            return text(StatusCode::FORBIDDEN, "Clicks are taken from the workspace's own page only.");
        }
        let user = field(body, "as");
        let result = self.click(&user, channel, &field(body, "ts"), &field(body, "action_id")).await;
        self.note_click(&user, result.error);
        back_to(channel, &user)
    }

    /// A modal sent or closed on the page.
    async fn answered(&self, channel: &str, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        if is_foreign(headers) {
            return text(StatusCode::FORBIDDEN, "Modals are taken from the workspace's own page only.");
        }
        let user = field(body, "as");
        if field(body, "do") == "cancel" {
            self.cancel(&field(body, "modal"));
        } else {
            let result = self.submit(&field(body, "modal"), &field(body, "text")).await;
            self.note_click(&user, result.error);
        }
        back_to(channel, &user)
    }
}

fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_some_and(|origin| !same_origin(origin, headers))
}

fn field(body: &Bytes, name: &str) -> String {
    let found = form_urlencoded::parse(body).find(|(key, _)| key == name);
    found.map_or_else(String::new, |(_, value)| value.into_owned())
}

fn back_to(channel: &str, user: &str) -> Response<Body> {
    let user = workspace::user(user).map_or(workspace::USERS[0].id, |user| user.id);
    redirect(&format!("/channel/{channel}?as={user}"))
}

fn same_origin(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.to_str().is_ok_and(|origin| origin.strip_prefix("http://") == Some(host))
}

/// Arguments of a Web API call: the query, and a form or JSON body, whichever the content type says.
fn arguments(parts: &Parts, body: &Bytes) -> Result<Arguments, &'static str> {
    let kind =
        parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let mut arguments: Map<String, Value> = pairs(query).collect();
    match kind {
        _ if body.is_empty() => {}
        "application/json" => {
            arguments.extend(serde_json::from_slice::<Map<String, Value>>(body).map_err(|_| "invalid_json")?);
        }
        "application/x-www-form-urlencoded" | "" => arguments.extend(pairs(body)),
        _ => return Err("invalid_post_type"),
    }
    Ok(Arguments(arguments))
}

fn pairs(encoded: &[u8]) -> impl Iterator<Item = (String, Value)> {
    form_urlencoded::parse(encoded)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
}

fn pair(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whom the page is shown as; the first user, unless another is chosen.
fn reader(parts: &Parts) -> &'static User {
    pair(parts, "as").and_then(|id| workspace::user(&id)).unwrap_or(&workspace::USERS[0])
}

fn respond(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

fn html(page: String) -> Response<Body> {
    respond(StatusCode::OK, "text/html; charset=utf-8", page)
}

fn file(kind: &'static str, content: &'static str) -> Response<Body> {
    respond(StatusCode::OK, kind, content)
}

fn text(status: StatusCode, sentence: &'static str) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", sentence)
}

fn json(status: StatusCode, body: &Value) -> Response<Body> {
    respond(status, "application/json; charset=utf-8", body.to_string())
}

fn empty(status: StatusCode) -> Response<Body> {
    respond(status, "text/plain; charset=utf-8", Body::empty())
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = empty(StatusCode::SEE_OTHER);
    // The targets are made of this workspace's own ids, which are plain ASCII.
    if let Ok(location) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
