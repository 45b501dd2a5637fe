//! Brings Slack up to date with the records: at once where an activity asks for it, and again until Slack took it.
//! People who are asked once more are reminded in the thread.
//!
//! What Slack refuses for good ends in something else that people see: a plain message, a new message, the fallback
//! channel; operators are told what to mend.

mod trouble;

use std::time::Duration;

use cordon_domain::{case::Case, digest::Digest, time};
use jiff::{SignedDuration, Timestamp};

pub use self::trouble::Trouble;
use crate::{
    app::clients::Clients,
    error::{Error, Result},
    slack::{
        api::{Refusal, SlackError},
        rendering::{Due, Rendering},
    },
};

/// A rendering that takes longer than this is taken over by another worker.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// Within the claim, so that no late answer overtakes another worker's.
const PATIENCE: Duration = Duration::from_secs(45);
/// Slack may ask to wait as long as this in a burst; longer is an outage.
const MOMENT: Duration = Duration::from_secs(60);
/// Until a message that Slack did not take is tried again; each time in a row that it refuses it, twice as long.
const RETRY: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);
/// The same for refusals that may pass by themselves.
const LONGEST_RETRY_OF_PASSING: SignedDuration = SignedDuration::from_mins(5);
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
    /// Another worker is at it, or Slack takes it in a moment.
    NotYet,
    /// Slack is away, or refuses it, for this reason.
    Away(String),
}

impl From<Shown> for Rendered {
    fn from(shown: Shown) -> Self {
        Self { shown, trouble: None }
    }
}

/// Renders one case or digest, if it is due and nobody else is at it. Says whether Slack shows it now.
///
/// # Errors
/// Only those of the store; Slack's are logged, and the record stays due.
pub async fn render(clients: &Clients, case_id: &str) -> Result<Rendered> {
    let until = time::stored(Timestamp::now() + CLAIM);
    match clients.cases.claim_rendering(case_id, &until).await? {
        None => Ok(Shown::NotYet.into()),
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
async fn hand_on(clients: &Clients, case: &Case, digest: &str) -> Result<Rendered> {
    clients.cases.digest_changed(digest).await?;
    clients.cases.no_longer_due(&case.case_id, case.generation, case.render_due_at.as_deref()).await?;
    Ok(Shown::NotYet.into())
}

async fn members(clients: &Clients, digest: &Digest) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for case_id in digest.on_page() {
        cases.extend(clients.cases.get(case_id).await?);
    }
    Ok(cases)
}

async fn bring_up_to_date(clients: &Clients, rendering: Rendering) -> Result<Rendered> {
    let mut showing = Showing { clients, rendering: &rendering, trouble: None };
    let shown = tokio::time::timeout(PATIENCE, showing.show()).await;
    let trouble = showing.trouble;
    match shown.unwrap_or_else(|_| Err(Failed::Slack(SlackError::Unreachable("no answer in time".into())))) {
        Ok(posted) => {
            clients.cases.rendered(&rendering, &posted.channel, &posted.ts).await?;
            Ok(Rendered { shown: Shown::Yes, trouble })
        }
        Err(Failed::Slack(error)) => {
            tracing::warn!(case.id = rendering.case_id, error.message = %error, "Slack does not show the case yet");
            let (wait, failures) = retry(&error, rendering.failures);
            let retry_at = time::stored(Timestamp::now().saturating_add(wait).unwrap_or(Timestamp::MAX));
            clients.cases.postpone_rendering(&rendering, failures, &retry_at).await?;
            let soon = matches!(&error, SlackError::RateLimited(wait) if *wait <= MOMENT);
            let shown = if soon { Shown::NotYet } else { Shown::Away(error.to_string()) };
            let nowhere = error.refusal().is_some();
            Ok(Rendered {
                shown,
                trouble: if nowhere { trouble::nowhere(&rendering, &error) } else { trouble },
            })
        }
        Err(Failed::Store(error)) => Err(error),
    }
}

/// After how long a message that Slack did not take is tried again, and how often in a row it was refused then.
fn retry(error: &SlackError, failures: u32) -> (SignedDuration, u32) {
    let spread = SignedDuration::from_millis(rand::random_range(SPREAD));
    let longest = match error {
        SlackError::RateLimited(wait) => {
            return (SignedDuration::try_from(*wait).unwrap_or(RETRY), failures);
        }
        SlackError::Unreachable(_) => return (RETRY + spread, failures),
        SlackError::Refused { .. } if error.refusal().is_some() => LONGEST_RETRY,
        SlackError::Refused { .. } => LONGEST_RETRY_OF_PASSING,
    };
    let doubled = RETRY.saturating_mul(1i32.checked_shl(failures.min(16)).unwrap_or(i32::MAX));
    (doubled.min(longest) + spread, failures.saturating_add(1))
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

/// Where a message is.
struct Posted {
    channel: String,
    ts: String,
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
        let Rendering { channel, slack_ts, slack_intent_at, .. } = self.rendering;
        // An earlier attempt may have reached Slack although its answer did not reach us.
        let mut earlier = slack_intent_at.as_deref();
        let mut channels = self.channels();
        let mut closed = None;
        if let Some(ts) = slack_ts {
            let Err(error) = self.change(channel, ts).await else {
                return Ok(Posted { channel: channel.clone(), ts: ts.clone() });
            };
            match error.refusal() {
                Some(Refusal::MessageGone) => earlier = None,
                Some(Refusal::MessageFixed) => {
                    self.trouble = Some(trouble::replaced(channel, &error));
                    earlier = None;
                }
                Some(Refusal::Channel) if channels.len() > 1 => {
                    channels.remove(0);
                    closed = Some((channel.as_str(), error));
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
        let Rendering { channel, home, .. } = self.rendering;
        let mut channels = vec![channel.clone()];
        for other in [home, &self.clients.config.common.fallback.channel] {
            if !channels.contains(other) {
                channels.push(other.clone());
            }
        }
        channels
    }

    /// Posts the message, unless it was posted after `earlier`.
    async fn post(&mut self, channel: &str, earlier: Option<&str>) -> std::result::Result<Posted, Failed> {
        let Rendering { case_id, generation, .. } = self.rendering;
        let slack = &self.clients.slack;
        if let Some(earlier) = earlier {
            let since = earlier.parse::<Timestamp>().map_or(0, |time| time.as_second() - 60);
            match slack.find(channel, case_id, *generation, since).await {
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
        self.clients.cases.intend_to_post(case_id).await?;
        let posted = match slack.post(channel, &self.rendering.message).await {
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
        match slack.update(channel, ts, &self.rendering.message).await {
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
        let (mut failures, mut waits) = (0, Vec::new());
        for _ in 0..40 {
            let (wait, so_often) = retry(&refused("is_archived"), failures);
            failures = so_often;
            waits.push(wait.as_secs());
        }
        assert!((10..20).contains(&waits[0]) && (40..50).contains(&waits[2]), "{waits:?}");
        assert!(waits[12..].iter().all(|wait| (3_600..3_610).contains(wait)), "{waits:?}");
        assert_eq!(failures, 40);
        assert!(retry(&refused("internal_error"), 40).0 <= SignedDuration::from_secs(310), "it may pass");
        let (wait, failures) = retry(&SlackError::Unreachable(String::new()), 40);
        assert!(wait <= SignedDuration::from_secs(20) && failures == 40, "as soon as Slack is back");
    }
}
