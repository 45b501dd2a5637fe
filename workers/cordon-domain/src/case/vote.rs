//! Votes: who said what about a case, and which of them count.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Decision;
use crate::time::Time;

/// One person's vote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// What they voted for.
    pub decision: Decision,
    /// Who.
    pub by: Voter,
    /// Why, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Time,
    /// The plan that they were shown.
    pub plan_hash: String,
    /// The worker's code over [`Case::vote_message`](super::Case::vote_message), without which a vote by the command line
    /// counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

/// A person, as the way that they came by knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "lowercase")]
pub enum Voter {
    /// By Slack: policy says whether they may decide.
    Slack {
        /// The team id of the person's own workspace.
        team: String,
        /// The user id.
        user: String,
        /// The user group of the plan that the person was in, where they are not named themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<String>,
    },
    /// By the command line: who may send to the queue may decide, and SQS attests who has sent.
    Iam {
        /// The id of the IAM user, or of the role and the session, as `AIDA…` or `AROA…:session`.
        #[serde(alias = "arn")]
        principal: String,
        /// Their Slack user id, where policy knows it: only then is it known which person this is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slack_user: Option<String>,
    },
}

impl Voter {
    /// What tells people apart, whichever way they come by.
    pub fn person(&self) -> &str {
        match self {
            Self::Slack { user, .. } => user,
            Self::Iam { principal, slack_user } => slack_user.as_deref().unwrap_or(principal),
        }
    }
}

impl Voter {
    /// Whether both are one person: the same in Slack, or the same principal of IAM, whoever policy took it for at the time.
    pub fn is_same_person(&self, other: &Self) -> bool {
        let principal = |voter: &Self| match voter {
            Self::Iam { principal, .. } => Some(principal.clone()),
            Self::Slack { .. } => None,
        };
        self.person() == other.person() || principal(self).is_some_and(|id| Some(id) == principal(other))
    }
}

impl Vote {
    /// Whether both are one vote, of which the second was only delivered again.
    pub fn is_same(&self, other: &Self) -> bool {
        self.by.is_same_person(&other.by)
            && (self.decision, self.at, &self.plan_hash) == (other.decision, other.at, &other.plan_hash)
    }
}

/// The id of an IAM principal, or a Slack user as `slack:<team>/<user>`.
impl fmt::Display for Voter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slack { team, user, .. } => write!(formatter, "slack:{team}/{user}"),
            Self::Iam { principal, .. } => formatter.write_str(principal),
        }
    }
}

/// Somebody wants to be asked again later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snooze {
    /// Who.
    pub by: Voter,
    /// When they said so.
    pub at: Time,
    /// When it is over.
    pub until: Time,
}

/// Somebody tried to decide who may not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// Who.
    pub by: Voter,
    /// What they asked for, such as `quarantine` or `snooze`.
    pub asked: String,
    /// When.
    pub at: Time,
}

/// The longest reason for a vote or an order, in characters: whoever has more to say names a ticket.
pub const MAX_REASON_CHARS: usize = 1_000;

/// Why nobody can decide a case now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecidable {
    /// It is decided.
    Decided(Decision),
    /// It is closed without a decision.
    Closed,
    /// Nobody is asked: policy decides alone, or only tells what it would do.
    NobodyIsAsked,
}

/// What counts: each person's latest vote for this plan, by the time at which they voted: a vote may have waited on its way.
fn counted<'a>(votes: &'a [Vote], plan_hash: &str) -> Vec<&'a Vote> {
    let mut cast: Vec<&Vote> = votes.iter().filter(|vote| vote.plan_hash == plan_hash).collect();
    cast.sort_by_key(|vote| vote.at);
    let mut counted: Vec<&Vote> = Vec::new();
    for vote in cast {
        counted.retain(|earlier| !earlier.by.is_same_person(&vote.by));
        counted.push(vote);
    }
    counted
}

/// The people whose latest vote for this plan is for `decision`, in the order in which they voted.
pub fn votes_for<'a>(votes: &'a [Vote], plan_hash: &str, decision: Decision) -> Vec<&'a Vote> {
    counted(votes, plan_hash).into_iter().filter(|vote| vote.decision == decision).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::time;

    fn vote(decision: Decision, by: Voter) -> Vote {
        Vote {
            decision,
            by,
            reason: None,
            at: time("2026-03-11T09:50:00.000Z"),
            plan_hash: "plan".into(),
            mac: None,
        }
    }

    fn slack(user: &str) -> Voter {
        Voter::Slack { team: "T0CORDON01".into(), user: user.into(), group: None }
    }

    fn iam(principal: &str, slack_user: Option<&str>) -> Voter {
        Voter::Iam { principal: principal.into(), slack_user: slack_user.map(str::to_owned) }
    }

    #[test]
    fn a_person_has_one_voice_whichever_way_they_come_by() {
        use Decision::{Dismiss, Quarantine};
        let votes =
            [vote(Quarantine, slack("U0ALICE001")), vote(Quarantine, iam("AIDAALICE", Some("U0ALICE001")))];
        assert_eq!(votes_for(&votes, "plan", Quarantine).len(), 1);
        let two =
            [vote(Quarantine, slack("U0ALICE001")), vote(Quarantine, iam("AIDABOB", Some("U0BOB00002")))];
        assert_eq!(votes_for(&two, "plan", Quarantine).len(), 2);
        let renamed = [
            vote(Quarantine, iam("AIDABOB", Some("U0WRONG0001"))),
            vote(Quarantine, iam("AIDABOB", Some("U0BOB00002"))),
        ];
        assert_eq!(
            votes_for(&renamed, "plan", Quarantine).len(),
            1,
            "policy took one principal for two people"
        );
        let older = Vote { at: time("2026-03-11T09:40:00.000Z"), ..vote(Quarantine, slack("U0ALICE001")) };
        let late = [vote(Dismiss, slack("U0ALICE001")), older];
        assert_eq!(
            votes_for(&late, "plan", Quarantine).len(),
            0,
            "what was said later counts, not what came later"
        );
        let changed = [vote(Quarantine, slack("U0ALICE001")), vote(Dismiss, slack("U0ALICE001"))];
        assert_eq!(votes_for(&changed, "plan", Quarantine).len(), 0, "the latest vote counts");
        assert_eq!(votes_for(&changed, "plan", Dismiss).len(), 1);
        assert_eq!(votes_for(&two, "another plan", Quarantine).len(), 0);
    }
}
