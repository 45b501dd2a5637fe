//! Brings Slack up to date with the records: at once where an activity asks for it, and again until Slack took it.
//! People who are asked once more are reminded in the thread.
//!
//! What Slack refuses for good ends in something else that people see: a plain message, a new message, the fallback
//! channel; operators are told what to mend.

mod trouble;

use std::time::Duration;

use cordon_domain::{
    case::Case,
    digest::Digest,
    slack_message::{Posted, SlackMessage},
    time::Time,
};
use jiff::{SignedDuration, Timestamp};

pub use self::trouble::Trouble;
use crate::{
    app::clients::Clients,
    error::{Error, Result},
    slack::{
        api::{Refusal, SlackError},
        rendering::{Record, Rendering},
    },
    store::keys,
};

/// A rendering that takes longer than this is taken over by another worker.
const CLAIM_LENGTH: SignedDuration = SignedDuration::from_secs(60);
/// Within the claim, so that no late answer overtakes another worker's.
const RENDER_TIMEOUT: Duration = Duration::from_secs(45);
/// Slack may ask to wait as long as this in a burst; longer is an outage.
const MAX_SHORT_WAIT: Duration = Duration::from_secs(60);
/// Until a message that Slack did not take is tried again; each time in a row that it refuses it, twice as long.
const RETRY_DELAY: SignedDuration = SignedDuration::from_secs(10);
const MAX_RETRY_DELAY: SignedDuration = SignedDuration::from_hours(1);
/// The same for refusals that may pass by themselves.
const MAX_RETRY_DELAY_OF_PASSING: SignedDuration = SignedDuration::from_mins(5);
/// The same while there is no token: an operator who puts it looks on.
const MAX_RETRY_DELAY_WITHOUT_TOKEN: SignedDuration = SignedDuration::from_secs(30);
/// Added at random, so that all that waited for Slack does not come back at once.
const SPREAD: std::ops::Range<i64> = 0..10_000;

/// What came of a rendering.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// Whether Slack shows the record as it is.
    pub shown: Shown,
    /// What operators have to mend, if anything.
    pub trouble: Option<Trouble>,
}

/// Whether Slack shows a record as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// It does.
    Yes,
    /// Slack takes it in a moment, or a digest shows it.
    NotYet,
    /// Somebody else is at it.
    Elsewhere,
    /// Slack is away, or refuses it, for this reason.
    Away(String),
}

impl Shown {
    fn after(error: &SlackError) -> Self {
        match error {
            SlackError::RateLimited(wait) if *wait <= MAX_SHORT_WAIT => Self::NotYet,
            _ => Self::Away(error.to_string()),
        }
    }
}

impl From<Shown> for Rendered {
    fn from(shown: Shown) -> Self {
        Self { shown, trouble: None }
    }
}

/// Renders one case or digest, by the key of the item that is due, unless nobody can at the moment or somebody else is at it.
/// Says whether Slack shows it now.
///
/// # Errors
/// Only those of the store; Slack's are logged, and the record stays due.
pub(crate) async fn render_due(clients: &Clients, key: &str) -> Result<Rendered> {
    if let Some((channel, error)) = held_for(clients, key).await? {
        clients.put_off.remember(key, &channel);
        return Ok(Shown::after(&error).into());
    }
    clients.put_off.forget(key);
    let until = Time::from(Timestamp::now() + CLAIM_LENGTH);
    let Some(due) = clients.cases.claim_rendering(key, until).await? else {
        return Ok(Shown::Elsewhere.into());
    };
    match due.record.clone() {
        Record::Case(case, message) => match &message.digest {
            None => bring_up_to_date(clients, Rendering::of_case(due, &case, message)).await,
            Some(digest) => {
                // A case without a message of its own is shown by its digest.
                clients.cases.digest_changed(digest).await?;
                clients.cases.handed_on(&due).await?;
                Ok(Shown::NotYet.into())
            }
        },
        Record::Digest(digest) => {
            let cases = members(clients, &digest).await?;
            bring_up_to_date(clients, Rendering::of_digest(due, &digest, &cases)).await
        }
    }
}

/// The channel of a due record, and why it still takes nothing. `None` if it takes messages.
async fn held_for(clients: &Clients, key: &str) -> Result<Option<(String, SlackError)>> {
    let channel = match clients.put_off.channel(key) {
        Some(channel) => Some(channel),
        // Which channel it is need not be read while all take messages.
        None if !clients.slack.holds_any() => None,
        None => clients.cases.due_channel(key).await?,
    };
    Ok(channel.and_then(|channel| clients.slack.held(&channel).map(|error| (channel, error))))
}

/// Renders one case.
///
/// # Errors
/// Only those of the store.
pub async fn render_case(clients: &Clients, case_id: &str) -> Result<Rendered> {
    render_due(clients, &keys::approval(case_id)).await
}

/// Has a case that is about to be shown first listed in a digest, if so many came at once that it is not to have a message
/// of its own.
///
/// # Errors
/// As classified.
pub(crate) async fn list_in_burst(clients: &Clients, case: &Case) -> Result<()> {
    let message = clients.cases.message(&case.case_id).await?.unwrap_or_default().for_case(case);
    if message.is_begun() {
        return Ok(());
    }
    match clients.cases.digest_for(case).await? {
        Some(digest) => clients.cases.list(case, &digest).await,
        None => Ok(()),
    }
}

async fn members(clients: &Clients, digest: &Digest) -> Result<Vec<Case>> {
    clients.cases.get_all(digest.on_page()).await?.into_iter().collect()
}

async fn bring_up_to_date(clients: &Clients, rendering: Rendering) -> Result<Rendered> {
    let mut showing = Showing { clients, rendering: &rendering, trouble: None };
    let shown = tokio::time::timeout(RENDER_TIMEOUT, showing.show()).await;
    let trouble = showing.trouble;
    let error = match shown
        .unwrap_or_else(|_| Err(Failed::Slack(SlackError::Unreachable("no answer in time".into()))))
    {
        Ok(posted) => {
            let message = SlackMessage { posted: Some(posted), ..rendering.message.clone() };
            clients.cases.rendered(&Rendering { message, ..rendering }).await?;
            return Ok(Rendered { shown: Shown::Yes, trouble });
        }
        Err(Failed::Store(error)) => return Err(error),
        Err(Failed::Slack(error)) => error,
    };
    tracing::warn!(case.id = rendering.id, error.message = %error, "Slack does not show the case yet");
    match retry(&error, rendering.message.failures) {
        Retry::WithChannel => {
            clients.put_off.remember(&rendering.due.key, rendering.channel());
            clients.cases.release_rendering(&rendering.due.claim).await?;
        }
        Retry::After(wait, failures) => {
            let retry_at = Time::from(Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX));
            clients.cases.postpone_rendering(&rendering, failures, retry_at).await?;
        }
    }
    let nowhere = error.refusal().is_some();
    Ok(Rendered {
        shown: Shown::after(&error),
        trouble: if nowhere { trouble::nowhere(&rendering, &error) } else { trouble },
    })
}

/// When a message that Slack did not take is tried again.
#[derive(Debug)]
enum Retry {
    /// When Slack takes messages in the channel again. Nothing is written meanwhile.
    WithChannel,
    /// After so long; Slack has refused it so often in a row by now.
    After(SignedDuration, u32),
}

fn retry(error: &SlackError, failures: u32) -> Retry {
    let spread = SignedDuration::from_millis(rand::random_range(SPREAD));
    let longest = match error {
        SlackError::RateLimited(_) => return Retry::WithChannel,
        SlackError::Unreachable(_) => return Retry::After(RETRY_DELAY + spread, failures),
        SlackError::NoToken(_) => MAX_RETRY_DELAY_WITHOUT_TOKEN,
        SlackError::Refused { .. } if error.refusal().is_some() => MAX_RETRY_DELAY,
        SlackError::Refused { .. } => MAX_RETRY_DELAY_OF_PASSING,
    };
    let doubled = RETRY_DELAY.saturating_mul(1i32.checked_shl(failures.min(16)).unwrap_or(i32::MAX));
    Retry::After(doubled.min(longest) + spread, failures.saturating_add(1))
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

/// A rendering on its way to Slack.
struct Showing<'a> {
    clients: &'a Clients,
    rendering: &'a Rendering,
    trouble: Option<Trouble>,
}

impl Showing<'_> {
    /// Brings the message up to date, or posts one: where it cannot be changed any more, where there is none yet, and in
    /// another channel where Slack does not take it in its own.
    async fn show(&mut self) -> std::result::Result<Posted, Failed> {
        let SlackMessage { posted, intent_at, .. } = &self.rendering.message;
        let channel = self.rendering.channel();
        // An earlier attempt may have reached Slack although its answer did not reach us.
        let mut earlier = *intent_at;
        let mut channels = self.channels();
        let mut closed = None;
        if let Some(posted) = posted {
            let Err(error) = self.change(&posted.channel, &posted.ts).await else {
                return Ok(posted.clone());
            };
            match error.refusal() {
                Some(Refusal::MessageGone) => earlier = None,
                Some(Refusal::MessageFixed) => {
                    self.trouble = Some(trouble::replaced(channel, &error));
                    earlier = None;
                }
                Some(Refusal::Channel) if channels.len() > 1 => {
                    channels.remove(0);
                    closed = Some((channel, error));
                }
                _ => return Err(error.into()),
            }
            self.clients.cases.forget_message(self.rendering).await?;
        }
        for candidate in channels {
            match self.post(&candidate, earlier).await {
                Ok(posted) => {
                    let moved = closed.map(|(channel, error)| trouble::moved(channel, &candidate, &error));
                    self.trouble = moved.or(self.trouble.take());
                    return Ok(posted);
                }
                Err(Failed::Slack(error)) if error.refusal() == Some(Refusal::Channel) => {
                    closed = closed.or(Some((channel, error)));
                }
                Err(failed) => return Err(failed),
            }
        }
        let (_, error) = closed.expect("every channel refused it");
        Err(error.into())
    }

    /// Where the message may be, the first choice first.
    fn channels(&self) -> Vec<String> {
        let mut channels = vec![self.rendering.channel().to_owned()];
        for other in [&self.rendering.message.home, &self.clients.config.common.fallback.channel] {
            if !channels.contains(other) {
                channels.push(other.clone());
            }
        }
        channels
    }

    /// Posts the message, unless it was posted after `earlier`.
    async fn post(&mut self, channel: &str, earlier: Option<Time>) -> std::result::Result<Posted, Failed> {
        let Rendering { id, message, .. } = self.rendering;
        let slack = &self.clients.slack;
        if let Some(earlier) = earlier {
            let since = earlier.timestamp().as_second() - 60;
            match slack.find(channel, id, message.generation, since).await {
                Ok(Some(ts)) => {
                    self.change(channel, &ts).await?;
                    return Ok(Posted { channel: channel.to_owned(), ts });
                }
                Ok(None) => {}
                // Who may not look may still be able to post. A question twice is better than none.
                Err(error) if error.refusal().is_some() => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.clients.cases.intend_to_post(self.rendering).await?;
        let posted = match slack.post(channel, &self.rendering.content).await {
            Err(error) if error.refusal() == Some(Refusal::Content) => {
                self.trouble = Some(trouble::simplified(self.rendering, &error));
                slack.post(channel, &self.rendering.plain).await
            }
            posted => posted,
        };
        Ok(Posted { channel: channel.to_owned(), ts: posted? })
    }

    /// Brings a message up to date, and reminds people in its thread if that is due.
    async fn change(&mut self, channel: &str, ts: &str) -> std::result::Result<(), SlackError> {
        let slack = &self.clients.slack;
        match slack.update(channel, ts, &self.rendering.content).await {
            Err(error) if error.refusal() == Some(Refusal::Content) => {
                self.trouble = Some(trouble::simplified(self.rendering, &error));
                slack.update(channel, ts, &self.rendering.plain).await?;
            }
            updated => updated?,
        }
        let Some(reminder) = &self.rendering.reminder else { return Ok(()) };
        // An update notifies nobody; an answer in the thread does. It may be there already although its own answer did
        // not reach us.
        let there = match slack.has_reply(channel, ts, reminder).await {
            Err(error) if error.refusal().is_some() => false,
            there => there?,
        };
        if there { Ok(()) } else { slack.reply(channel, ts, reminder).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_refuses_for_good_is_tried_ever_later_and_at_least_once_an_hour() {
        let refused = |error: &str| SlackError::Refused { method: "chat.postMessage", error: error.into() };
        let record = |error: &SlackError, failures| match retry(error, failures) {
            Retry::After(wait, failures) => (wait, failures),
            other => panic!("{other:?}"),
        };
        let (mut failures, mut waits) = (0, Vec::new());
        for _ in 0..40 {
            let (wait, so_often) = record(&refused("is_archived"), failures);
            failures = so_often;
            waits.push(wait.as_secs());
        }
        assert!((10..20).contains(&waits[0]) && (40..50).contains(&waits[2]), "{waits:?}");
        assert!(waits[12..].iter().all(|wait| (3_600..3_610).contains(wait)), "{waits:?}");
        assert_eq!(failures, 40);
        assert!(record(&refused("internal_error"), 40).0 <= SignedDuration::from_secs(310), "it may pass");
        let (wait, failures) = record(&SlackError::Unreachable(String::new()), 40);
        assert!(wait <= SignedDuration::from_secs(20) && failures == 40, "as soon as Slack is back");
        let (wait, _) = record(&SlackError::NoToken(String::new()), 40);
        assert!(wait <= SignedDuration::from_secs(40), "soon after the token is there");
        assert!(matches!(retry(&SlackError::RateLimited(Duration::from_secs(1)), 40), Retry::WithChannel));
    }
}
