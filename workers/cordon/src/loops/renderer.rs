//! Brings Slack up to date with the records: at once where an activity asks for it, and again until Slack took it.
//! People who are asked once more are reminded in the thread.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    clients::{Clients, slack::SlackError},
    domain::{
        case::Case,
        digest::Digest,
        rendering::{Due, Rendering},
        time,
    },
    error::{Error, Result},
};

/// Between two looks at what is due.
const PAUSE: Duration = Duration::from_millis(250);
/// A rendering that takes longer than this is taken over by another worker.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// Within the claim, so that no late answer overtakes another worker's.
const PATIENCE: Duration = Duration::from_secs(45);
/// Slack may ask to wait as long as this in a burst; longer is an outage.
const MOMENT: Duration = Duration::from_secs(60);
/// Until a message that Slack did not take is tried again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);
/// Added at random, so that all that waited for Slack does not come back at once.
const SPREAD: std::ops::Range<i64> = 0..10_000;

/// Renders what is due until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("renderer", PAUSE, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    for case_id in clients.cases.render_due().await? {
        render(clients, &case_id).await?;
    }
    Ok(())
}

/// Whether Slack shows a record as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// It does.
    Yes,
    /// Another worker is at it, or Slack takes it in a moment.
    NotYet,
    /// Slack is away, or refuses it, for this reason.
    Away(String),
}

/// Renders one case or digest, if it is due and nobody else is at it. Says whether Slack shows it now.
///
/// # Errors
/// Only those of the store; Slack's are logged, and the record stays due.
pub async fn render(clients: &Clients, case_id: &str) -> Result<Shown> {
    let until = time::stored(Timestamp::now() + CLAIM);
    match clients.cases.claim_rendering(case_id, &until).await? {
        None => Ok(Shown::NotYet),
        Some(Due::Case(case)) => match &case.digest {
            None => bring_up_to_date(clients, Rendering::of_case(&case)).await,
            Some(digest) => hand_on(clients, &case, digest).await,
        },
        Some(Due::Digest(digest)) => {
            let cases = members(clients, &digest).await?;
            bring_up_to_date(clients, Rendering::of_digest(&digest, &cases)).await
        }
    }
}

/// A case without a message of its own is shown by its digest.
async fn hand_on(clients: &Clients, case: &Case, digest: &str) -> Result<Shown> {
    clients.cases.digest_changed(digest).await?;
    clients.cases.no_longer_due(&case.case_id, case.generation, case.render_due_at.as_deref()).await?;
    Ok(Shown::NotYet)
}

async fn members(clients: &Clients, digest: &Digest) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for case_id in digest.on_page() {
        cases.extend(clients.cases.get(case_id).await?);
    }
    Ok(cases)
}

async fn bring_up_to_date(clients: &Clients, rendering: Rendering) -> Result<Shown> {
    let shown = tokio::time::timeout(PATIENCE, show(clients, &rendering)).await;
    match shown.unwrap_or_else(|_| Err(Failed::Slack(SlackError::Unreachable("no answer in time".into())))) {
        Ok(ts) => {
            clients.cases.rendered(&rendering, &ts).await?;
            Ok(Shown::Yes)
        }
        Err(Failed::Slack(error)) => {
            let wait = match &error {
                SlackError::RateLimited(wait) => SignedDuration::try_from(*wait).unwrap_or(RETRY),
                SlackError::Unreachable(_) | SlackError::Refused { .. } => {
                    RETRY + SignedDuration::from_millis(rand::random_range(SPREAD))
                }
            };
            if matches!(&error, SlackError::Refused { error, .. } if error == "message_not_found") {
                // Somebody removed it: the case gets a new one.
                clients.cases.forget_message(&rendering).await?;
            }
            tracing::warn!(case.id = rendering.case_id, error.message = %error, "Slack does not show the case yet");
            let retry_at = time::stored(Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX));
            clients.cases.postpone_rendering(&rendering, &retry_at).await?;
            let soon = matches!(&error, SlackError::RateLimited(wait) if *wait <= MOMENT);
            Ok(if soon { Shown::NotYet } else { Shown::Away(error.to_string()) })
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

async fn show(clients: &Clients, rendering: &Rendering) -> std::result::Result<String, Failed> {
    let Rendering { channel, message, .. } = rendering;
    let posted = match (&rendering.slack_ts, &rendering.slack_intent_at) {
        (Some(ts), _) => Some(ts.clone()),
        // An earlier attempt may have reached Slack although its answer did not reach us.
        (None, Some(intent)) => {
            let since = intent.parse::<Timestamp>().map_or(0, |time| time.as_second() - 60);
            clients.slack.find(channel, &rendering.case_id, rendering.generation, since).await?
        }
        (None, None) => None,
    };
    let Some(ts) = posted else {
        clients.cases.intend_to_post(&rendering.case_id).await?;
        return Ok(clients.slack.post(channel, message).await?);
    };
    clients.slack.update(channel, &ts, message).await?;
    if let Some(reminder) = &rendering.reminder {
        // An update notifies nobody; an answer in the thread does. It may be there already although its own answer
        // did not reach us.
        if !clients.slack.has_reply(channel, &ts, reminder).await? {
            clients.slack.reply(channel, &ts, reminder).await?;
        }
    }
    Ok(ts)
}
