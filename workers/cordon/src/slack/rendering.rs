//! What Slack is to show of a record that is due.

use cordon_domain::{
    case::Case,
    digest::{self, Digest},
    slack_message::{SlackMessage, shows_end},
    time::Time,
};

use super::blocks::{
    self,
    message::{Message, Reminder},
};

/// A record whose message is behind it, held by one worker.
#[derive(Clone, Debug)]
pub struct Due {
    /// The key of the item that says so.
    pub key: String,
    /// The change that is to be shown.
    pub at: Time,
    /// By which it is held.
    pub claim: Claim,
    /// The record.
    pub record: Record,
}

/// That one worker renders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The key of the item that holds it, with the message.
    pub held: String,
    /// Random; tells it from others.
    pub id: String,
}

/// What Slack shows.
#[derive(Clone, Debug)]
pub enum Record {
    /// A case, by this message.
    Case(Box<Case>, SlackMessage),
    /// A digest.
    Digest(Box<Digest>),
}

/// A message, and the record that it is a function of.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// What it is a rendering of.
    pub due: Due,
    /// The case's or the digest's id, by which a posted message is found again.
    pub id: String,
    /// Where the message is, and how far.
    pub message: SlackMessage,
    /// Which time people are asked.
    pub asked: u32,
    /// Whether it shows how the case ended.
    pub shows_end: bool,
    /// What the message says.
    pub content: Message,
    /// The same in few words, for when Slack does not take that.
    pub plain: Message,
    /// What its thread says besides, if it is to remind.
    pub reminder: Option<Reminder>,
}

impl Rendering {
    /// Of a case with a message of its own.
    pub fn of_case(due: Due, case: &Case, message: SlackMessage) -> Self {
        Self {
            due,
            id: case.case_id.clone(),
            asked: case.approval.asked,
            shows_end: shows_end(case),
            content: blocks::case::render(case),
            plain: blocks::case::render_plainly(case),
            reminder: blocks::case::reminder(case, message.reminded),
            message,
        }
    }

    /// Of a digest, given the cases on its page.
    pub fn of_digest(due: Due, digest: &Digest, cases: &[Case]) -> Self {
        let asked = digest::asked(cases).unwrap_or(digest.message.reminded);
        Self {
            due,
            id: digest.id.clone(),
            asked,
            shows_end: false,
            content: blocks::digest::render_digest(digest, cases),
            plain: blocks::digest::render_digest_plainly(digest, cases),
            reminder: blocks::digest::digest_reminder(digest, asked),
            message: digest.message.clone(),
        }
    }

    /// Where the message is, or is to be.
    pub fn channel(&self) -> &str {
        self.message.posted.as_ref().map_or(&self.message.home, |posted| &posted.channel)
    }
}
