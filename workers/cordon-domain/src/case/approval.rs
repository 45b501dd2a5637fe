//! What people are asked about a case, and what they said.

use serde::{Deserialize, Serialize};

use super::{
    Decision,
    vote::{Refused, Snooze, Vote},
};
use crate::{pause::Pause, time::Time};

/// What people are asked, and what they said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Random; names the case's buttons.
    #[serde(rename = "approval_id")]
    pub id: String,
    /// The hash of the plan that the buttons are about.
    pub plan_hash: String,
    /// The hourly limit because of which people are asked, as a sentence's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<String>,
    /// Since when the open case is about another plan than at first, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// Which round of asking, from 1; 0 before the first.
    pub round: u32,
    /// When the round ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_ends_at: Option<Time>,
    /// How often people were asked, reminders and repeated rounds included.
    #[serde(default)]
    pub asked: u32,
    /// Who could reach the bucket from outside when people were asked last, a line each; absent when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Vec<String>>,
    /// Since when the fallback approvers may decide too, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// Who voted, in order; each person's latest vote counts.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// Who wants to be asked later, and when; nobody is asked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Snooze>,
    /// Who tried to decide and may not, the last few.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// What was decided; absent while nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

impl Approval {
    /// Nobody has been asked yet.
    pub fn new(id: String, plan_hash: String) -> Self {
        Self {
            id,
            plan_hash,
            over_limit: None,
            renewal: None,
            round: 0,
            round_ends_at: None,
            asked: 0,
            reach: None,
            escalation: None,
            votes: Vec::new(),
            snooze: None,
            refused: Vec::new(),
            decided: None,
        }
    }
}

/// A decision on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What.
    pub what: Decision,
    /// When.
    pub at: Time,
    /// Where nobody decided in time, the worker's code over [`Case::expiry_message`](super::Case::expiry_message).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// What the execution of a case waits for. The tokens are secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// The token of the wait for a decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_token: Option<String>,
    /// That the execution waits for `cordon resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Paused>,
    /// The token of that wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
}

/// That a move met a pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// When.
    pub at: Time,
    /// Who ordered the pause, and why.
    pub by: Pause,
}

/// Since when the fallback approvers may decide too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// When.
    pub at: Time,
    /// Why, as a sentence.
    pub why: String,
}

/// Since when an open case is about another plan than at first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewal {
    /// When.
    pub at: Time,
    /// Why, as a sentence.
    pub why: String,
}

/// What a vote comes to, before it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    /// It decides.
    Decides,
    /// It counts, and so many more people have to say the same.
    Missing(usize),
    /// The person has said so already.
    Repeated,
    /// The person has said something else since.
    Superseded,
    /// The person has voted so often that no further vote is taken.
    TooMany,
}
