//! Routes, and the order of checks.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use cordon_domain::request::SlackRequest;
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{answers, connections, parts::Gateway};
use crate::{
    app::clicks::Timing,
    clock, health,
    slack::{interactions::Click, signature},
};

/// Slack's requests are a few KiB; nothing larger is looked at.
const BODY_LIMIT: usize = 256 * 1024;
/// What is too large is read as far as this and thrown away: who still sends would see a broken connection, and not
/// the answer.
const READ_LIMIT: usize = 2 * 1024 * 1024;
/// Slack shows its user an error 3 s after the click, the way to us and back included.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long votes and wake-ups in hand may go on after the last answer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Serves until `stop`, then lets requests in hand, wake-ups and private notes finish.
pub async fn serve(gateway: Gateway, listener: TcpListener, stop: CancellationToken) {
    let gateway = Arc::new(gateway);
    let deregistration_delay = gateway.config.deregistration_delay;
    let router = Router::new()
        .route("/slack/interactions", post(interact))
        .route(
            "/healthz",
            get(async |State(gateway): State<Arc<Gateway>>| gateway.health.check(&gateway).await),
        )
        .route(health::PATH, get(async || "ok\n"))
        .with_state(Arc::clone(&gateway));
    connections::serve(router, listener, stop, deregistration_delay).await;
    gateway.afterwards.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, gateway.afterwards.wait()).await.is_err() {
        tracing::warn!("wake-ups or private notes were cut off; the reconciler wakes the runs");
    }
}

async fn interact(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Body) -> Response {
    let timing = Timing { came_at: clock::now(), due: Instant::now() + RESPONSE_TIMEOUT };
    let due = timing.due;
    let body = match whole(body, due).await {
        Ok(body) => body,
        Err(status) => {
            tracing::warn!(reason = %status, "request refused");
            return status.into_response();
        }
    };
    if is_certificate_check(&body) {
        return StatusCode::OK.into_response();
    }
    let (timestamp, signature) =
        (only(&headers, "x-slack-request-timestamp"), only(&headers, "x-slack-signature"));
    let now = Timestamp::now().as_second();
    let verified = signature::verify_with(&gateway.secret, now, timestamp, signature, &body);
    let verified = match timeout_at(due, verified).await {
        Ok(Ok(verified)) => verified,
        Ok(Err(error)) => {
            tracing::error!(error.message = %error, "a request cannot be verified; Slack shows an error");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Err(_) => {
            tracing::error!("Slack's secret was not read in time; Slack shows an error");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    let click = match verified {
        Ok(body) if body.is_self_test() => return StatusCode::OK.into_response(),
        Ok(body) => Click::read(body),
        Err(refusal) => {
            tracing::warn!(reason = %refusal, body_bytes = body.len(), "request refused");
            return StatusCode::UNAUTHORIZED.into_response();
        }
    };
    let click = match click {
        Ok(click) => click,
        Err(what) => {
            tracing::warn!(reason = what, "request not understood");
            return StatusCode::BAD_REQUEST.into_response();
        }
    };
    let Ok(Ok(place)) = timeout_at(due, Arc::clone(&gateway.in_hand).acquire_owned()).await else {
        tracing::error!("too many clicks at once; Slack shows an error, and the click may be repeated");
        let teller = Arc::clone(&gateway);
        gateway
            .afterwards
            .spawn(async move { answers::tell(&teller, &click.by, None, answers::TOO_MANY).await });
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    // The vote goes on even when Slack hangs up or the answer is due before it is written.
    let (answer, mut answered) = oneshot::channel();
    let text = |header: Option<&str>| header.unwrap_or_default().to_owned();
    let request = SlackRequest {
        timestamp: text(timestamp),
        signature: text(signature),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    gateway.afterwards.spawn(answers::attend(Arc::clone(&gateway), click, request, place, timing, answer));
    match timeout_at(due, &mut answered).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => {
            // Whoever sends from now on knows that it is late.
            answered.close();
            answered.try_recv().unwrap_or_else(|_| {
                tracing::error!(
                    "the vote was not on record in time; Slack shows an error, and the click may be repeated"
                );
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            })
        }
    }
}

/// The body, when it comes whole, in time, and is not too large.
async fn whole(mut body: Body, due: Instant) -> Result<Bytes, StatusCode> {
    let mut kept = Vec::new();
    let mut seen = 0;
    loop {
        let frame = match timeout_at(due, body.frame()).await {
            Err(_) => return Err(StatusCode::REQUEST_TIMEOUT),
            Ok(Some(Err(_))) => return Err(StatusCode::BAD_REQUEST),
            Ok(Some(Ok(frame))) => frame,
            Ok(None) if seen > BODY_LIMIT => return Err(StatusCode::PAYLOAD_TOO_LARGE),
            Ok(None) => return Ok(kept.into()),
        };
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen > READ_LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if seen > BODY_LIMIT {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(&data);
        }
    }
}

/// The value of a header that is there exactly once: of two, somebody else may have read the other.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

/// Whether Slack only looks at our certificate, which its own library answers before it looks at the signature
/// (<https://github.com/slackapi/bolt-python>, `middleware/ssl_check`). Bytes are compared, nothing is parsed, and the
/// answer has no effect.
fn is_certificate_check(body: &[u8]) -> bool {
    const LONGEST: usize = 1_024;
    let mut fields = body.split(|&byte| byte == b'&');
    body.len() <= LONGEST && !body.starts_with(b"payload=") && fields.any(|field| field == b"ssl_check=1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::SecretString;
    use serde_json::json;

    use super::*;

    /// What the parser makes of these bytes, signed.
    fn read_signed(body: &[u8]) -> Result<Click, &'static str> {
        let secrets = [SecretString::from("a secret")];
        let signature = signature::sign(&secrets[0], "1531420618", body);
        let verified = signature::verify(&secrets, 1_531_420_618, Some("1531420618"), Some(&signature), body);
        Click::read(verified.unwrap())
    }

    fn form(payload: &serde_json::Value) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("payload", &payload.to_string())
            .finish()
    }

    fn click(action_id: &str, value: &str) -> serde_json::Value {
        json!({"type": "block_actions", "user": {"id": "U0ALICE001", "team_id": "T0CORDON01"},
            "channel": {"id": "C0SECURITY"}, "actions": [{"action_id": action_id, "value": value}]})
    }

    /// Any JSON, a few levels deep.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|flag| json!(flag)),
            any::<i64>().prop_map(|number| json!(number)),
            "\\PC{0,20}".prop_map(|text| json!(text)),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
                prop::collection::btree_map("type|user|team|channel|actions|view|id", inner, 0..5)
                    .prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_signed_bytes_are_read_or_refused_without_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_signed(&body);
        }

        #[test]
        fn json_that_is_no_click_of_ours_is_refused(payload in any_json()) {
            prop_assert!(read_signed(form(&payload).as_bytes()).is_err());
        }

        #[test]
        fn a_click_is_read_as_it_was_meant(approval in "[0-9a-f]{1,40}", case in "[0-9a-f]{64}", plan in "[0-9a-f]{64}") {
            let payload = click(&format!("quarantine:{approval}"), &format!("{case}:{plan}"));
            let click = read_signed(form(&payload).as_bytes()).unwrap();
            prop_assert_eq!((click.approval_id, click.case_id, click.plan_hash), (approval, case, plan));
        }

        #[test]
        fn a_click_with_one_member_of_another_shape_is_refused(
            at in prop::sample::select(vec!["/type", "/user", "/user/id", "/channel", "/channel/id", "/actions",
                "/actions/0", "/actions/0/action_id", "/actions/0/value"]),
            strange in prop_oneof![Just(json!(7)), Just(json!(true)), Just(json!([[]])), Just(json!({"x": {}}))],
        ) {
            let mut payload = click("quarantine:a1", "case:plan");
            *payload.pointer_mut(at).unwrap() = strange;
            prop_assert!(read_signed(form(&payload).as_bytes()).is_err());
        }
    }

    #[test]
    fn a_look_at_the_certificate_is_told_apart_without_parsing() {
        assert!(is_certificate_check(b"ssl_check=1"));
        assert!(is_certificate_check(b"token=x&ssl_check=1"));
        for other in
            [&b"ssl_check=0"[..], b"payload=%7B%7D&ssl_check=1", b"ssl_check=10", b"payload=ssl_check=1", b""]
        {
            assert!(!is_certificate_check(other), "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_header_that_is_there_twice_counts_as_missing() {
        let mut headers = HeaderMap::new();
        headers.append("x-slack-signature", "v0=1".parse().unwrap());
        assert_eq!(only(&headers, "x-slack-signature"), Some("v0=1"));
        headers.append("x-slack-signature", "v0=2".parse().unwrap());
        assert_eq!(only(&headers, "x-slack-signature"), None);
    }
}
