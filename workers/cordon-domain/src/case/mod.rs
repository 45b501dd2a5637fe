//! A case: the record of what happens to one object version.

pub mod known_cases;
pub mod plan;
pub mod vote;

use serde::{Deserialize, Serialize};

use super::{
    case::{
        plan::Plan,
        vote::{Refused, Snooze, Undecidable, Vote, votes_for},
    },
    finding::{Finding, ObjectVersion},
    pause::Pause,
    policy::{Disposition, OnExpiry, answer::PolicyAnswer},
    routes::MoveResult,
};

/// The record in `cases`. Times are [`super::time::stored`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// [`ObjectVersion::case_id`].
    pub case_id: String,
    /// Counts the times that the same object version needed an answer.
    pub generation: u32,
    /// The run that owns this generation.
    pub execution_arn: String,
    /// The findings that this case answers.
    pub finding_ids: Vec<String>,
    /// The finding that opened it.
    pub finding: Finding,
    /// What policy said of it.
    pub policy_answer: PolicyAnswer,
    /// What is done about it: as policy said, or people are asked where policy would move the object.
    pub disposition: Disposition,
    /// The hourly limit because of which people are asked, as a sentence's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<String>,
    /// Since when the open case is about another plan than at first, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// What was pinned.
    pub plan: Plan,
    /// [`Plan::hash`].
    pub plan_hash: String,
    /// Random; names the case's buttons.
    pub approval_id: String,
    /// Whether a run is at work on it.
    pub status: Status,
    /// Which round of asking, from 1; 0 before the first.
    pub round: u32,
    /// When the round ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_ends_at: Option<String>,
    /// Since when the run waits for `cordon resume`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<String>,
    /// Who ordered that, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The token of that wait; a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_token: Option<String>,
    /// The token of the wait for a decision; a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_token: Option<String>,
    /// What was decided; absent while nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// Who voted, in order; each person's latest vote counts.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// Who wants to be asked later, and when; nobody is asked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze: Option<Snooze>,
    /// Who tried to decide and may not, the last few.
    #[serde(default)]
    pub refused: Vec<Refused>,
    /// Since when the fallback approvers may decide too, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// Who could reach the bucket from outside when people were asked last, a line each; absent when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Vec<String>>,
    /// How often people were asked, reminders and repeated rounds included.
    #[serde(default)]
    pub asked: u32,
    /// Which of those times the thread in Slack tells of.
    #[serde(default)]
    pub reminded: u32,
    /// Where its copies are, or are about to be: on record before the first of them is made, and kept whatever the
    /// case comes to. Their manifest says which of them are complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_copy: Option<QuarantineCopy>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<String>,
    /// What was asked back from quarantine, newest last.
    #[serde(default)]
    pub restores: Vec<Restore>,
    /// Who had the quarantined copies deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
    /// Earlier generations, newest last.
    #[serde(default)]
    pub history: Vec<Past>,
    /// The digest that lists the case, where it has no message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The message in Slack, once it was posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_ts: Option<String>,
    /// The channel of that message: the plan's, or the fallback channel where Slack does not take it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_channel: Option<String>,
    /// Set just before the first attempt to post: on a retry the channel is searched before posting again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack_intent_at: Option<String>,
    /// `due` while Slack does not show the record as it is (key of a sparse index).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_due: Option<String>,
    /// When it is due, range key of that index; also tells whether the record changed during a rendering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_due_at: Option<String>,
    /// Who renders holds the case until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub render_claimed_until: Option<String>,
    /// How often in a row Slack has not taken the message.
    #[serde(default)]
    pub render_failures: u32,
    /// When this generation was opened.
    pub opened_at: String,
}

/// Whether a run is at work on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Open,
    /// The response has ended; a restore is under way.
    Restoring,
    /// It has ended.
    Closed,
}

impl Status {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Restoring => "restoring",
            Self::Closed => "closed",
        }
    }
}

variants! {
    /// What was decided.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Decision {
        /// Move the object.
        Quarantine,
        /// Leave it.
        Dismiss,
        /// Nobody decided in time.
        Expired,
    }
}

impl Decision {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantine => "quarantine",
            Self::Dismiss => "dismiss",
            Self::Expired => "expired",
        }
    }
}

/// Since when the fallback approvers may decide too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// When.
    pub at: String,
    /// Why, as a sentence.
    pub why: String,
}

/// Since when an open case is about another plan than at first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewal {
    /// When.
    pub at: String,
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
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// In one word.
    pub result: OutcomeResult,
    /// One sentence for people.
    pub detail: String,
    /// The error's code, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Where the copies of a case are in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineCopy {
    /// The generation that began to copy; its number is part of the key. A later one goes on with these copies.
    pub generation: u32,
    /// The key of the copy of the object that the finding names; further versions and the manifest lie beside it.
    pub key: String,
}

/// The ends that a case can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeResult {
    /// Moved, verified, attested.
    Quarantined,
    /// Left in place by decision.
    Dismissed,
    /// Left in place because nobody decided.
    Expired,
    /// Left in place: it is no longer the object of the finding.
    ObjectChanged,
    /// Already gone.
    ObjectMissing,
    /// A sample finding: there is no object.
    Sample,
    /// Policy was in shadow mode: told what would have happened, nothing touched.
    Shadow,
    /// Something failed; a person must look.
    Failed,
}

impl OutcomeResult {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::Dismissed => "dismissed",
            Self::Expired => "expired",
            Self::ObjectChanged => "object_changed",
            Self::ObjectMissing => "object_missing",
            Self::Sample => "sample",
            Self::Shadow => "shadow",
            Self::Failed => "failed",
        }
    }
}

impl From<MoveResult> for OutcomeResult {
    fn from(result: MoveResult) -> Self {
        match result {
            MoveResult::Quarantined => Self::Quarantined,
            MoveResult::ObjectChanged => Self::ObjectChanged,
            MoveResult::Sample => Self::Sample,
        }
    }
}

/// A request to put quarantined objects back, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restore {
    /// Random; also the name of the run.
    pub request_id: String,
    /// The run.
    pub execution_arn: String,
    /// An IAM ARN, or a Slack user as `slack:<team>/<user>`.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// Whether another object that is at the place by now may be replaced.
    pub replace: bool,
    /// Whether the bucket may still be shared.
    pub even_if_exposed: bool,
    /// When.
    pub requested_at: String,
    /// The object versions that it has made so far, oldest first.
    pub restored: Vec<ObjectVersion>,
    /// What came of it; absent while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RestoreOutcome>,
}

/// What came of a restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreOutcome {
    /// In one word.
    pub result: RestoreResult,
    /// One sentence for people.
    pub detail: String,
    /// The error's code, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When.
    pub at: String,
}

/// The ends that a restore can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestoreResult {
    /// Put back and verified.
    Restored,
    /// Not put back; the copy is still in quarantine.
    Failed,
}

impl RestoreResult {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Failed => "failed",
        }
    }
}

/// Who had the quarantined copies deleted, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purge {
    /// An IAM ARN.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// When it was asked for; from then on nothing is restored.
    pub requested_at: String,
    /// When the copies were gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<String>,
}

/// An earlier generation, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub generation: u32,
    /// Its run.
    pub execution_arn: String,
    /// Its end.
    pub outcome: Option<Outcome>,
    /// Where its copies are, if it made any or went on with earlier ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine_copy: Option<QuarantineCopy>,
    /// When it ended.
    pub closed_at: Option<String>,
    /// What was asked back from it.
    #[serde(default)]
    pub restores: Vec<Restore>,
    /// Who had its copies deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

/// The most generations that a record remembers; the runs and the logs remember all.
const HISTORY: usize = 20;

impl Case {
    /// The first generation of a case.
    pub fn open(
        finding: Finding,
        policy_answer: PolicyAnswer,
        plan: Plan,
        execution_arn: &str,
        approval_id: String,
        now: &str,
    ) -> Self {
        Self {
            case_id: finding.object.case_id(),
            generation: 1,
            execution_arn: execution_arn.to_owned(),
            finding_ids: vec![finding.id.clone()],
            finding,
            disposition: policy_answer.disposition,
            policy_answer,
            over_limit: None,
            renewal: None,
            plan_hash: plan.hash(),
            plan,
            approval_id,
            status: Status::Open,
            round: 0,
            round_ends_at: None,
            paused_at: None,
            pause: None,
            resume_token: None,
            task_token: None,
            decision: None,
            decided_at: None,
            votes: Vec::new(),
            snooze: None,
            refused: Vec::new(),
            escalation: None,
            reach: None,
            asked: 0,
            reminded: 0,
            quarantine_copy: None,
            outcome: None,
            closed_at: None,
            restores: Vec::new(),
            purge: None,
            history: Vec::new(),
            digest: None,
            slack_ts: None,
            slack_channel: None,
            slack_intent_at: None,
            render_due: None,
            render_due_at: None,
            render_claimed_until: None,
            render_failures: 0,
            opened_at: now.to_owned(),
        }
    }

    /// The generation after `earlier`, which remembers it.
    #[must_use]
    pub fn after(mut self, earlier: Case) -> Self {
        self.generation = earlier.generation + 1;
        // A message that does not show how the last generation ended would keep its dead buttons: it becomes this one's.
        if earlier.render_due.is_some() && earlier.plan.channel == self.plan.channel {
            self.slack_ts = earlier.slack_ts;
            self.slack_channel = earlier.slack_channel;
        }
        // What is in quarantine stays known. What is purged, or about to be, is nothing to go on with.
        self.quarantine_copy = earlier.quarantine_copy.clone().filter(|_| earlier.purge.is_none());
        self.history = earlier.history;
        self.history.push(Past {
            generation: earlier.generation,
            execution_arn: earlier.execution_arn,
            outcome: earlier.outcome,
            quarantine_copy: earlier.quarantine_copy,
            closed_at: earlier.closed_at,
            restores: earlier.restores,
            purge: earlier.purge,
        });
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self
    }

    /// The channel of its message in Slack.
    pub fn channel(&self) -> &str {
        self.slack_channel.as_deref().unwrap_or(&self.plan.channel)
    }

    /// Whether a click in this channel may be on a button of it: in the plan's channel, and where its message is
    /// instead.
    pub fn is_shown_in(&self, channel: &str) -> bool {
        channel == self.plan.channel || channel == self.channel()
    }

    /// The object version that it is about.
    pub fn object(&self) -> &ObjectVersion {
        &self.plan.object
    }

    /// The same case, but people decide, for the reason that is added to the rule.
    #[must_use]
    pub fn reviewed_instead(mut self, why: &str) -> Self {
        self.disposition = Disposition::Review;
        self.plan.rule = format!("{} ({why})", self.plan.rule);
        self.plan_hash = self.plan.hash();
        self
    }

    /// The same case, but people decide, because this hourly limit is reached.
    #[must_use]
    pub fn above_limit(self, limit: String) -> Self {
        Self { over_limit: Some(limit.clone()), ..self.reviewed_instead(&limit) }
    }

    /// The same case, but nothing happens to the object without a person, not even when nobody decides in time.
    #[must_use]
    pub fn only_by_people(mut self, why: &str) -> Self {
        if self.plan.on_expiry == OnExpiry::Quarantine {
            self.plan.on_expiry = OnExpiry::AskAgain;
        }
        self.reviewed_instead(why)
    }

    /// Whether the object is being moved, or about to be: policy or people have decided so.
    pub fn is_being_moved(&self) -> bool {
        self.disposition == Disposition::Quarantine || self.decision == Some(Decision::Quarantine)
    }

    /// Whether an object version is one that a restore of this case has put back.
    pub fn has_restored(&self, object: &ObjectVersion) -> bool {
        self.restores.iter().flat_map(|restore| &restore.restored).any(|restored| restored == object)
    }

    /// The restore that is under way.
    pub fn open_restore(&self) -> Option<&Restore> {
        self.restores.last().filter(|restore| restore.outcome.is_none())
    }

    /// The case with its open restore changed.
    #[must_use]
    pub fn with_open_restore(mut self, change: impl FnOnce(&mut Restore)) -> Self {
        if let Some(restore) = self.restores.last_mut().filter(|restore| restore.outcome.is_none()) {
            change(restore);
        }
        self
    }

    /// What a vote would come to now.
    pub fn count(&self, vote: &Vote) -> Counted {
        let before = votes_for(&self.votes, &self.plan_hash, vote.decision);
        if before.iter().any(|earlier| earlier.by.person() == vote.by.person()) {
            return Counted::Repeated;
        }
        match self.approvals().checked_sub(before.len() + 1) {
            None | Some(0) => Counted::Decides,
            Some(missing) => Counted::Missing(missing),
        }
    }

    /// Why nobody can decide the case now, if so.
    pub fn undecidable(&self) -> Option<Undecidable> {
        if let Some(decision) = self.decision {
            return Some(Undecidable::Decided(decision));
        }
        if self.status != Status::Open {
            return Some(Undecidable::Closed);
        }
        (self.disposition != Disposition::Review || self.plan.shadow).then_some(Undecidable::NobodyIsAsked)
    }

    /// Whether the case takes votes, and is the one that these belong to.
    pub fn takes_votes(&self, approval_id: &str, plan_hash: &str) -> bool {
        self.undecidable().is_none() && self.approval_id == approval_id && self.plan_hash == plan_hash
    }

    fn approvals(&self) -> usize {
        usize::try_from(self.plan.approvals.max(1)).unwrap_or(usize::MAX)
    }

    /// Whether nobody is to be asked at this time.
    pub fn is_snoozed(&self, now: &str) -> bool {
        self.snooze.as_ref().is_some_and(|snooze| snooze.until.as_str() > now)
    }

    /// Why the object may be moved, or why not: the case is open and this run's, and policy said so, at once or when
    /// nobody decided, or as many allowed people as it asks for voted for this very plan.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub fn authorization(&self, execution_arn: &str) -> Result<Authorized<'_>, String> {
        if self.execution_arn != execution_arn {
            return Err("the case belongs to another run".into());
        }
        if self.status != Status::Open {
            let why =
                self.outcome.as_ref().map(|outcome| format!(" ({})", outcome.detail)).unwrap_or_default();
            return Err(format!("the case is closed already{why}"));
        }
        if self.plan.hash() != self.plan_hash {
            return Err("the plan on record is not the one that was pinned".into());
        }
        if self.plan.shadow {
            return Err("policy was in shadow mode when it decided".into());
        }
        if self.disposition == Disposition::Quarantine {
            return Ok(Authorized::Policy);
        }
        if self.decision == Some(Decision::Expired) && self.plan.on_expiry == OnExpiry::Quarantine {
            return Ok(Authorized::Policy);
        }
        if self.decision != Some(Decision::Quarantine) {
            return Err("nobody has decided to quarantine".into());
        }
        let mut allowed = votes_for(&self.votes, &self.plan_hash, Decision::Quarantine);
        allowed.retain(|vote| self.plan.allows(&vote.by, self.escalation.is_some()));
        if allowed.len() < self.approvals() {
            return Err("too few votes on record are by allowed people for this plan".into());
        }
        Ok(Authorized::Votes(allowed))
    }
}

/// What authorizes a move.
#[derive(Clone, Debug, PartialEq)]
pub enum Authorized<'a> {
    /// A rule of policy.
    Policy,
    /// People.
    Votes(Vec<&'a Vote>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::vote::Voter;
    use crate::fixtures::{case, vote};

    #[test]
    fn only_an_allowed_vote_for_the_pinned_plan_authorizes_a_reviewed_move() {
        let mut case = case(Disposition::Review);
        assert!(case.authorization("arn:run").is_err());
        case.decision = Some(Decision::Quarantine);
        for refused in
            [vec![], vec![vote("U0MALLORY3", &case.plan_hash)], vec![vote("U0ALICE001", "another plan")]]
        {
            case.votes = refused;
            assert!(case.authorization("arn:run").is_err());
        }
        case.votes = vec![vote("U0ALICE001", &case.plan_hash)];
        assert!(matches!(case.authorization("arn:run"), Ok(Authorized::Votes(_))));
        assert!(case.authorization("arn:another-run").is_err());
        case.plan.object.key = "another key".into();
        assert!(case.authorization("arn:run").is_err());
    }

    #[test]
    fn a_case_that_was_closed_authorizes_nothing() {
        let mut case = case(Disposition::Quarantine);
        assert!(case.authorization("arn:run").is_ok());
        for closed in [Status::Closed, Status::Restoring] {
            case.status = closed;
            assert!(case.authorization("arn:run").is_err(), "{closed:?}");
        }
    }

    #[test]
    fn a_later_generation_knows_the_copies_of_the_one_before_unless_they_are_purged() {
        let mut earlier = case(Disposition::Quarantine);
        earlier.quarantine_copy = Some(QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() });
        let later = case(Disposition::Review).after(earlier.clone());
        assert_eq!(later.quarantine_copy, earlier.quarantine_copy);
        earlier.purge = Some(Purge {
            requested_by: "arn:alice".into(),
            reason: "a test".into(),
            requested_at: String::new(),
            done_at: None,
        });
        let later = case(Disposition::Review).after(earlier.clone());
        assert_eq!(later.quarantine_copy, None);
        assert_eq!(later.history[0].quarantine_copy, earlier.quarantine_copy);
    }

    #[test]
    fn two_people_have_to_say_the_same_where_policy_asks_for_two() {
        let mut case = case(Disposition::Review);
        case.plan.approvals = 2;
        case.plan_hash = case.plan.hash();
        let by = |voter| Vote { by: voter, ..vote("", &case.plan_hash) };
        let alice = vote("U0ALICE001", &case.plan_hash);
        let alice_by_iam = by(Voter::Iam { arn: "arn:alice".into(), slack_user: Some("U0ALICE001".into()) });
        let of_group = |group: &str| {
            by(Voter::Slack { team: "T0CORDON01".into(), user: "U0CAROL".into(), group: Some(group.into()) })
        };
        assert_eq!(case.count(&alice), Counted::Missing(1));
        case.votes = vec![alice.clone()];
        assert_eq!(case.count(&alice_by_iam), Counted::Repeated, "one person by two ways");
        assert_eq!(case.count(&of_group("S0SECURITY")), Counted::Decides);
        case.decision = Some(Decision::Quarantine);
        for (second, authorized) in [
            (alice_by_iam, false),
            (of_group("S0OTHERS"), false),
            (vote("U0FALLBACK", &case.plan_hash), false),
            (of_group("S0SECURITY"), true),
            (by(Voter::Iam { arn: "arn:bob".into(), slack_user: Some("U0BOB00002".into()) }), true),
        ] {
            case.votes = vec![alice.clone(), second];
            assert_eq!(case.authorization("arn:run").is_ok(), authorized, "{:?}", case.votes);
        }
        case.votes = vec![alice, vote("U0FALLBACK", &case.plan_hash)];
        case.escalation = Some(Escalation { at: String::new(), why: String::new() });
        assert!(case.authorization("arn:run").is_ok(), "fallback approvers may after an escalation");
    }

    #[test]
    fn nothing_is_moved_for_a_policy_that_only_tells_what_it_would_do() {
        let mut case = case(Disposition::Quarantine);
        assert!(case.authorization("arn:run").is_ok());
        case.plan.shadow = true;
        case.plan_hash = case.plan.hash();
        assert!(case.authorization("arn:run").is_err());
    }

    #[test]
    fn expiry_moves_an_object_only_where_policy_says_so() {
        let mut case = case(Disposition::Review);
        case.decision = Some(Decision::Expired);
        assert!(case.authorization("arn:run").is_err());
        case.plan.on_expiry = OnExpiry::Quarantine;
        case.plan_hash = case.plan.hash();
        assert_eq!(case.authorization("arn:run"), Ok(Authorized::Policy));
    }

    #[test]
    fn what_only_people_may_move_does_not_move_when_nobody_decides() {
        let mut case = case(Disposition::Quarantine);
        case.plan.on_expiry = OnExpiry::Quarantine;
        let mut case = case.only_by_people("somebody left it");
        assert_eq!(
            (case.disposition, case.policy_answer.disposition),
            (Disposition::Review, Disposition::Quarantine)
        );
        case.decision = Some(Decision::Expired);
        assert!(case.authorization("arn:run").is_err());
    }

    #[test]
    fn a_record_remembers_its_last_twenty_generations() {
        let mut latest = case(Disposition::Review);
        for _ in 0..25 {
            latest = case(Disposition::Review).after(latest);
        }
        assert_eq!(latest.generation, 26);
        assert_eq!(latest.history.len(), HISTORY);
        assert_eq!(latest.history.last().unwrap().generation, 25);
    }

    #[test]
    fn a_message_that_does_not_show_its_end_is_taken_over_and_one_that_does_is_left() {
        let mut earlier = case(Disposition::Review);
        earlier.slack_ts = Some("1773222415.000100".into());
        assert_eq!(case(Disposition::Review).after(earlier.clone()).slack_ts, None);
        earlier.render_due = Some("due".into());
        assert_eq!(case(Disposition::Review).after(earlier.clone()).slack_ts, earlier.slack_ts);
    }

    #[test]
    fn a_case_survives_the_store() {
        let mut case = case(Disposition::Review);
        case.votes = vec![vote("U0ALICE001", &case.plan_hash)];
        let item: serde_dynamo::Item = serde_dynamo::to_item(&case).unwrap();
        let back: Case = serde_dynamo::from_item(item).unwrap();
        assert_eq!(back.plan.hash(), case.plan_hash);
        assert_eq!(back, case);
    }
}
