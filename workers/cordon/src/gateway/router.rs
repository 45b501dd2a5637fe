//! Routes, and the order of checks.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{
    interactions::{self, Click, Interaction, Verdict},
    signature,
};
use crate::{
    clients::{
        s3::State as StateBucket,
        sfn::{StepFunctions, Woken},
        slack::Slack,
        store::Cases,
    },
    config::GatewayConfig,
};

/// Slack's requests are a few KiB; nothing larger is read.
const BODY_LIMIT: usize = 256 * 1024;
/// Slack shows its user an error after 3 s; what is not done by then is finished by the reconciler.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// The gateway's parts.
#[derive(Debug)]
pub struct Gateway {
    pub(super) cases: Cases,
    pub(super) step_functions: StepFunctions,
    slack: Slack,
    pub(super) state: StateBucket,
    pub(super) config: GatewayConfig,
    /// What goes on after the answer: private notes.
    afterwards: TaskTracker,
}

impl Gateway {
    /// A gateway as configured.
    pub fn new(aws: &aws_config::SdkConfig, config: GatewayConfig) -> Self {
        Self {
            cases: Cases::new(aws_sdk_dynamodb::Client::new(aws), config.common.cases_table.clone()),
            step_functions: StepFunctions::new(aws_sdk_sfn::Client::new(aws)),
            slack: Slack::new(&config.common.slack),
            state: StateBucket::new(
                aws_sdk_s3::Client::new(aws),
                config.state_bucket.clone(),
                config.common.account.clone(),
            ),
            config,
            afterwards: TaskTracker::new(),
        }
    }
}

/// Serves until `stop` resolves, then lets requests in hand and private notes finish.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    gateway: Gateway,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let gateway = Arc::new(gateway);
    let router = Router::new()
        .route("/slack/interactions", post(interact))
        .route("/healthz", get(async || "ok\n"))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::clone(&gateway));
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    gateway.afterwards.close();
    let _ = tokio::time::timeout(Duration::from_secs(10), gateway.afterwards.wait()).await;
    Ok(())
}

async fn interact(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let verified = signature::verify(
        &gateway.config.signing_secrets,
        Timestamp::now().as_second(),
        header("x-slack-request-timestamp"),
        header("x-slack-signature"),
        &body,
    );
    if let Err(refusal) = verified {
        tracing::warn!(reason = %refusal, body_bytes = body.len(), "request refused");
        return StatusCode::UNAUTHORIZED;
    }
    let click = match read(&body) {
        Ok(click) => click,
        Err(what) => {
            tracing::warn!(reason = what, "request not understood");
            return StatusCode::BAD_REQUEST;
        }
    };
    // The vote goes on even when Slack hangs up or the answer is due before it is written.
    let work = gateway.afterwards.spawn(decide(Arc::clone(&gateway), click));
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        Err(_) => {
            tracing::error!(
                "the vote was not on record in time; Slack shows an error, and the click may be repeated"
            );
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Slack sends one form field, `payload`, with JSON in it
/// (<https://docs.slack.dev/interactivity/handling-user-interaction>).
fn read(body: &[u8]) -> Result<Click, &'static str> {
    let (_, payload) = url::form_urlencoded::parse(body)
        .find(|(name, _)| name == "payload")
        .ok_or("no field named payload")?;
    serde_json::from_str::<Interaction>(&payload).map_err(|_| "a payload of another shape")?.click()
}

async fn decide(gateway: Arc<Gateway>, click: Click) -> StatusCode {
    match interactions::judge(&gateway, &click).await {
        Ok(Verdict::Restoring) => {
            tracing::info!(case.id = click.case_id, slack.user = click.user, "restore request recorded");
            StatusCode::OK
        }
        Ok(Verdict::Voted { token }) => {
            tracing::info!(case.id = click.case_id, slack.user = click.user, asks = ?click.asks, "vote recorded");
            if let Some(token) = token {
                wake(&gateway, &click, &token).await;
            }
            StatusCode::OK
        }
        Ok(Verdict::Told(text)) => {
            tracing::info!(case.id = click.case_id, slack.user = click.user, "vote not taken, person told");
            let gateway_then = Arc::clone(&gateway);
            gateway
                .afterwards
                .spawn(async move { interactions::tell(&gateway_then.slack, &click, &text).await });
            StatusCode::OK
        }
        Ok(Verdict::Refused(reason)) => {
            tracing::warn!(reason, slack.user = click.user, slack.team = click.team, "click refused");
            StatusCode::BAD_REQUEST
        }
        Err(error) => {
            tracing::error!(error.message = %error, "the vote could not be recorded");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// The vote is on record and counts; a run that cannot be woken now is woken by the reconciler.
async fn wake(gateway: &Gateway, click: &Click, token: &str) {
    match gateway.step_functions.wake(token).await {
        Ok(Woken::Yes) => {}
        Ok(Woken::Gone) => {
            tracing::info!(case.id = click.case_id, "nobody waits with the token; the record decides")
        }
        Err(error) => {
            tracing::warn!(case.id = click.case_id, error.message = %error, "run not woken; the reconciler will")
        }
    }
}
