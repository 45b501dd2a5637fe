//! Brings Slack up to date with the records: at once where an activity asks for it, and again until Slack took it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    clients::{Clients, slack::SlackError},
    domain::{case::Case, message, time},
    error::{Error, Result},
};

/// Between two looks at what is due.
const PAUSE: Duration = Duration::from_millis(250);
/// A rendering that takes longer than this is taken over by another worker.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// Within the claim, so that no late answer overtakes another worker's.
const PATIENCE: Duration = Duration::from_secs(45);
/// Until a message that Slack did not take is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

/// Renders what is due until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("renderer", PAUSE, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    for case in clients.cases.render_due().await? {
        render(clients, &case.case_id).await?;
    }
    Ok(())
}

/// Renders one case, if it is due and nobody else is at it. Says whether Slack shows it now.
///
/// # Errors
/// Only those of the store; Slack's are logged, and the case stays due.
pub async fn render(clients: &Clients, case_id: &str) -> Result<bool> {
    let until = time::stored(Timestamp::now() + CLAIM);
    let Some(case) = clients.cases.claim_rendering(case_id, &until).await? else { return Ok(false) };
    let shown = tokio::time::timeout(PATIENCE, show(clients, &case)).await;
    match shown.unwrap_or_else(|_| Err(Failed::Slack(SlackError::Unreachable("no answer in time".into())))) {
        Ok(ts) => {
            clients.cases.rendered(&case, &ts).await?;
            Ok(true)
        }
        Err(Failed::Slack(error)) => {
            let wait = match &error {
                SlackError::RateLimited(wait) => SignedDuration::try_from(*wait).unwrap_or(RETRY),
                SlackError::Unreachable(_) | SlackError::Refused { .. } => RETRY,
            };
            if matches!(&error, SlackError::Refused { error, .. } if error == "message_not_found") {
                // Somebody removed it: the case gets a new one.
                clients.cases.forget_message(&case).await?;
            }
            tracing::warn!(case.id = case_id, error.message = %error, "Slack does not show the case yet");
            let retry_at = time::stored(Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX));
            clients.cases.postpone_rendering(&case, &retry_at).await?;
            Ok(false)
        }
        Err(Failed::Store(error)) => Err(error),
    }
}

enum Failed {
    Slack(SlackError),
    Store(Error),
}

impl From<SlackError> for Failed {
    fn from(error: SlackError) -> Self {
        Self::Slack(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

async fn show(clients: &Clients, case: &Case) -> std::result::Result<String, Failed> {
    let message = message::render(case);
    let channel = &case.plan.channel;
    let posted = match (&case.slack_ts, &case.slack_intent_at) {
        (Some(ts), _) => Some(ts.clone()),
        // An earlier attempt may have reached Slack although its answer did not reach us.
        (None, Some(intent)) => {
            let since = intent.parse::<Timestamp>().map_or(0, |time| time.as_second() - 60);
            clients.slack.find(channel, &case.case_id, case.generation, since).await?
        }
        (None, None) => None,
    };
    if let Some(ts) = posted {
        clients.slack.update(channel, &ts, &message).await?;
        return Ok(ts);
    }
    clients.cases.intend_to_post(&case.case_id).await?;
    Ok(clients.slack.post(channel, &message).await?)
}
