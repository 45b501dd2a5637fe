//! Where Slack shows a record, and how far.

use serde::{Deserialize, Serialize};

use super::case::{Case, Status};
use crate::time::Time;

/// The message of a case or of a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// The generation of the case that it shows; 0 before the first attempt.
    #[serde(default)]
    pub generation: u32,
    /// The channel that the plan names for it.
    #[serde(default)]
    pub home: String,
    /// The message, once it was posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted: Option<Posted>,
    /// Set just before the first attempt to post: on a retry the channel is searched before posting again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_at: Option<Time>,
    /// The digest that lists the case, where it has no message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Up to which time of asking its thread reminds.
    #[serde(default)]
    pub reminded: u32,
    /// Whether it shows how the generation ended.
    #[serde(default)]
    pub shows_end: bool,
    /// How often in a row Slack has not taken it.
    #[serde(default)]
    pub failures: u32,
}

/// Where a message is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// The plan's channel, or the fallback channel where Slack does not take it there.
    pub channel: String,
    /// Slack's name for the message in it.
    pub ts: String,
}

impl SlackMessage {
    /// A message that is yet to be posted in this channel.
    pub fn new(generation: u32, home: &str) -> Self {
        Self { generation, home: home.to_owned(), ..Self::default() }
    }

    /// The message that this case is to be shown by: this one, or a new one where the case has changed its channel, or this
    /// one shows how an earlier generation ended. One that does not would keep its dead buttons, so it is taken over.
    #[must_use]
    pub fn for_case(self, case: &Case) -> Self {
        let new = Self::new(case.generation, &case.plan.channel);
        if self.home != case.plan.channel {
            return new;
        }
        if self.generation == case.generation {
            return self;
        }
        Self { posted: self.posted.filter(|_| !self.shows_end), ..new }
    }

    /// Whether Slack has it.
    pub fn is_posted(&self) -> bool {
        self.posted.is_some()
    }

    /// Whether somebody has tried to show it, or a digest does.
    pub fn is_begun(&self) -> bool {
        self.is_posted() || self.intent_at.is_some() || self.digest.is_some()
    }

    /// Whether a click in this channel may be on a button of it: in the plan's channel, and where it is instead.
    pub fn is_shown_in(&self, channel: &str) -> bool {
        self.home == channel || self.posted.as_ref().is_some_and(|posted| posted.channel == channel)
    }
}

/// Whether there is nothing more to show of a case but what people do with its copies.
pub fn shows_end(case: &Case) -> bool {
    case.status != Status::Open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::case, policy::Disposition};

    #[test]
    fn a_message_that_does_not_show_its_end_is_taken_over_and_one_that_does_is_left() {
        let earlier = case(Disposition::Review);
        let posted = Posted { channel: "C0FALLBACK".into(), ts: "1773222415.000100".into() };
        let shown = SlackMessage {
            posted: Some(posted.clone()),
            reminded: 2,
            ..SlackMessage::new(1, &earlier.plan.channel)
        };
        assert_eq!(shown.clone().for_case(&earlier), shown);
        let later = case(Disposition::Review).after(earlier.clone());
        let taken_over = shown.clone().for_case(&later);
        assert_eq!((taken_over.generation, taken_over.reminded), (2, 0));
        assert_eq!(taken_over.posted, Some(posted));
        let ended = SlackMessage { shows_end: true, ..shown.clone() };
        assert_eq!(ended.for_case(&later), SlackMessage::new(2, &later.plan.channel));
        let elsewhere = earlier.with_plan(|plan| plan.channel = "C0OTHER".into());
        assert_eq!(shown.for_case(&elsewhere), SlackMessage::new(1, "C0OTHER"));
    }
}
