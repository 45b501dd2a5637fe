//! What Slack is to show of a record that is due.

use cordon_domain::{case::Case, digest::Digest};

use super::blocks::{
    self,
    case::{Message, Reminder},
};

/// A record whose message is behind it.
#[derive(Clone, Debug)]
pub enum Due {
    /// A case.
    Case(Box<Case>),
    /// A digest.
    Digest(Box<Digest>),
}

/// A message, and the record that it is a function of.
#[derive(Clone, Debug)]
pub struct Rendering {
    /// The record's key.
    pub case_id: String,
    /// The record's generation.
    pub generation: u32,
    /// Where the message is, or is to be.
    pub channel: String,
    /// The channel that policy names for it.
    pub home: String,
    /// How often in a row Slack has not taken it.
    pub failures: u32,
    /// The message in Slack, once it was posted.
    pub slack_ts: Option<String>,
    /// When it was about to be posted first.
    pub slack_intent_at: Option<String>,
    /// The change that this is a rendering of.
    pub render_due_at: Option<String>,
    /// Which time people are asked.
    pub asked: u32,
    /// What the message says.
    pub message: Message,
    /// The same in few words, for when Slack does not take that.
    pub plain: Message,
    /// What its thread says besides, if it is to remind.
    pub reminder: Option<Reminder>,
}

impl Rendering {
    /// Of a case with a message of its own.
    pub fn of_case(case: &Case) -> Self {
        Self {
            case_id: case.case_id.clone(),
            generation: case.generation,
            channel: case.channel().to_owned(),
            home: case.plan.channel.clone(),
            failures: case.render_failures,
            slack_ts: case.slack_ts.clone(),
            slack_intent_at: case.slack_intent_at.clone(),
            render_due_at: case.render_due_at.clone(),
            asked: case.asked,
            message: blocks::case::render(case),
            plain: blocks::case::render_plainly(case),
            reminder: blocks::case::reminder(case),
        }
    }

    /// Of a digest, given the cases on its page.
    pub fn of_digest(digest: &Digest, cases: &[Case]) -> Self {
        let asked = cordon_domain::digest::asked(cases).unwrap_or(digest.reminded);
        Self {
            case_id: digest.case_id.clone(),
            generation: digest.generation,
            channel: digest.slack_channel.as_ref().unwrap_or(&digest.channel).clone(),
            home: digest.channel.clone(),
            failures: digest.render_failures,
            slack_ts: digest.slack_ts.clone(),
            slack_intent_at: digest.slack_intent_at.clone(),
            render_due_at: digest.render_due_at.clone(),
            asked,
            message: blocks::digest::render_digest(digest, cases),
            plain: blocks::digest::render_digest_plainly(digest, cases),
            reminder: blocks::digest::digest_reminder(digest, asked),
        }
    }
}
