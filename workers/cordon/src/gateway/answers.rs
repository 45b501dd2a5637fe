//! What becomes of a click after it was read: it is judged, Slack is answered in time, and the person hears what came of
//! it wherever the message itself does not show it.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use cordon_domain::request::SlackRequest;
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{sleep_until, timeout},
};

use super::parts::Gateway;
use crate::{
    app::{
        clicks::{self, ClickOutcome, Timing},
        private_notes,
    },
    error::Error,
    slack::{
        api::SlackError,
        interactions::{Action, Click, Clicker},
    },
};

/// Slack takes the trigger of a click for three seconds; a form that is not open then never opens.
const FORM_TIMEOUT: Duration = Duration::from_secs(3);

pub(super) const TOO_MANY: &str =
    "Too many people click at once, so your click does not count. Click again in a minute.";
const NOT_YET: &str =
    "Your click is not on record yet: Cordon's records answer slowly. You are told here what comes of it.";
const AFTER_ALL: &str = "Your click is on record now.";
const NOT_OURS: &str = "Your click does not count: it belongs to no case that Cordon knows here. Look at the newest message of the case.";
const EMPTY_REASON: &str = "Your click does not count: the reason was empty. Click again.";
const UNKNOWN: &str = "It is not known whether your click is on record: Cordon's records do not answer. Look at the \
    message in a minute, and click again if it has not changed. No click counts twice.";

/// Judges a click and answers it; when the answer was due before, the person is told.
pub(super) async fn attend(
    gateway: Arc<Gateway>,
    click: Click,
    request: SlackRequest,
    place: OwnedSemaphorePermit,
    timing: Timing,
    answer: oneshot::Sender<Response>,
) {
    let mut note = None;
    let judged = {
        let mut judging = pin!(clicks::handle_click(&gateway.clicks, &click, &request, timing));
        tokio::select! {
            biased;
            judged = &mut judging => judged,
            () = sleep_until(timing.due) => {
                let (teller, clicker) = (Arc::clone(&gateway), click.by.clone());
                note = Some(tokio::spawn(async move { tell(&teller, &clicker, None, NOT_YET).await }));
                judging.await
            }
        }
    };
    drop(place);
    // Who was told to wait hears the end also where Slack just took the answer.
    let late = answer.send(response(&judged, &click)).is_err() || note.is_some();
    // The form opens only soon after the click, and an execution is to go on: neither waits until the person was told.
    let not_opened = match &judged {
        Ok(ClickOutcome::Recorded(Some(case))) => {
            gateway.clicks.wake(case).await;
            None
        }
        Ok(ClickOutcome::Asked(view)) => open(&gateway, &click, view).await,
        _ => None,
    };
    // In their order.
    if let Some(note) = note {
        let _ = note.await;
    }
    match judged {
        Ok(ClickOutcome::Recorded(_)) if late => tell(&gateway, &click.by, None, AFTER_ALL).await,
        Ok(ClickOutcome::Asked(_)) => {
            if let Some(text) = not_opened {
                tell(&gateway, &click.by, None, &text).await;
            }
        }
        Ok(ClickOutcome::Told { channel, text }) => tell(&gateway, &click.by, Some(&channel), &text).await,
        Ok(ClickOutcome::EmptyReason(_)) if late => tell(&gateway, &click.by, None, EMPTY_REASON).await,
        Ok(ClickOutcome::Refused(_)) if late => tell(&gateway, &click.by, None, NOT_OURS).await,
        Ok(ClickOutcome::Recorded(_) | ClickOutcome::EmptyReason(_) | ClickOutcome::Refused(_)) => {}
        Err(_) => tell(&gateway, &click.by, None, UNKNOWN).await,
    }
}

fn response(judged: &Result<ClickOutcome, Error>, click: &Click) -> Response {
    let user = &click.by.user;
    let action = click.action.name();
    let status = match judged {
        Ok(ClickOutcome::Recorded(_)) => {
            tracing::info!(case.id = click.case_id, slack.user = user, action, "click recorded");
            StatusCode::OK
        }
        Ok(ClickOutcome::Asked(_)) => StatusCode::OK,
        Ok(ClickOutcome::Told { .. }) => {
            tracing::info!(
                case.id = click.case_id,
                slack.user = user,
                action,
                "click not taken, person told"
            );
            StatusCode::OK
        }
        Ok(ClickOutcome::EmptyReason(errors)) => return Json(errors).into_response(),
        Ok(ClickOutcome::Refused(reason)) => {
            tracing::warn!(reason, slack.user = user, slack.team = click.team, "click refused");
            StatusCode::BAD_REQUEST
        }
        Err(error) => {
            tracing::error!(error.message = %error, "the vote could not be recorded");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    status.into_response()
}

/// Opens the form that asks why; where it does not open, what the person is to be told.
async fn open(gateway: &Gateway, click: &Click, view: &Value) -> Option<String> {
    let trigger = click.trigger_id.as_ref().map_or("", |trigger| trigger.expose());
    let opened = timeout(FORM_TIMEOUT, gateway.slack.open_modal(trigger, view)).await;
    let opened = opened.unwrap_or_else(|_| Err(SlackError::Unreachable("no answer in time".into())));
    let error = opened.err()?;
    tracing::warn!(case.id = click.case_id, error.message = %error, "a modal was not opened");
    let why = match &error {
        SlackError::RateLimited(wait) => format!("Slack asks to wait {} seconds", wait.as_secs().max(1)),
        SlackError::Unreachable(_) => "Slack did not answer in time".into(),
        SlackError::NoToken(_) => "Cordon's bot token cannot be read".into(),
        SlackError::Refused { error, .. } => format!("Slack answered {error}"),
    };
    let otherwise = if click.action == Action::Restore { "cordon restore" } else { "cordon approvals" };
    Some(format!(
        "The form that asks for your reason did not open ({why}), and nothing has changed. Click again; if that does not \
         help, use `{otherwise}`."
    ))
}

/// Tells the person who clicked something in private, in turn.
pub(super) async fn tell(gateway: &Gateway, clicker: &Clicker, channel: Option<&str>, text: &str) {
    let Ok(_turn) = gateway.notes.acquire().await else { return };
    private_notes::tell(&gateway.slack, clicker, channel, text).await;
}
