//! A case: the record of what happens to one object version.

mod approval;
pub mod known_cases;
mod outcome;
pub mod plan;
mod quarantine;
pub mod vote;
mod vouching;

use serde::{Deserialize, Serialize};

pub use self::{
    approval::{Approval, Counted, Decided, Escalation, Paused, Renewal, Waits},
    outcome::{Closing, Outcome, OutcomeResult},
    quarantine::{Purge, Quarantine, QuarantineCopy, Restore, RestoreOutcome, RestoreResult},
};
use super::{
    case::{
        plan::{PinnedPlan, Plan},
        vote::{Undecidable, Vote, votes_for},
    },
    finding::{Finding, ObjectVersion},
    policy::{Disposition, OnExpiry, answer::PolicyAnswer},
};
use crate::time::Time;

/// A case, as it is stored in two items (`store/keys.rs`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// [`ObjectVersion::case_id`].
    pub case_id: String,
    /// Counts the times that the same object version needed an answer.
    pub generation: u32,
    /// The execution that owns this generation.
    pub execution_arn: String,
    /// When this generation was opened.
    pub opened_at: Time,
    /// Whether an execution is at work on it.
    pub status: Status,
    /// The findings that this case answers.
    pub finding_ids: Vec<String>,
    /// The finding that opened it.
    pub finding: Finding,
    /// What policy said of it.
    pub policy_answer: PolicyAnswer,
    /// What is done about it: as policy said, or people are asked where policy would move the object.
    pub disposition: Disposition,
    /// What was pinned.
    pub plan: PinnedPlan,
    /// The worker's code over [`Case::plan_message`], without which nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_mac: Option<String>,
    /// What people are asked, and what they said.
    #[serde(flatten)]
    pub approval: Approval,
    /// What the execution waits for.
    #[serde(flatten)]
    pub waits: Waits,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// What it has in quarantine.
    #[serde(flatten)]
    pub quarantine: Quarantine,
    /// Earlier generations, newest last.
    #[serde(default)]
    pub history: Vec<Past>,
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

/// An earlier generation, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Its number.
    pub generation: u32,
    /// Its execution.
    pub execution_arn: String,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
    /// What it had in quarantine, earlier generations' copies included.
    pub quarantine: Quarantine,
}

/// The most votes of one person about one plan: a record has room for so many.
const MAX_VOTES: usize = 10;
/// The most generations that a record remembers; the executions and the logs remember all.
const HISTORY: usize = 20;

impl Case {
    /// The first generation of a case.
    pub fn open(
        finding: Finding,
        policy_answer: PolicyAnswer,
        plan: Plan,
        execution_arn: &str,
        approval_id: String,
        now: Time,
    ) -> Self {
        let plan = PinnedPlan::pin(plan);
        Self {
            case_id: finding.object.case_id(),
            generation: 1,
            execution_arn: execution_arn.to_owned(),
            opened_at: now,
            status: Status::Open,
            finding_ids: vec![finding.id.clone()],
            finding,
            disposition: policy_answer.disposition,
            policy_answer,
            approval: Approval::new(approval_id, plan.hash().to_owned()),
            plan,
            plan_mac: None,
            waits: Waits::default(),
            closing: None,
            quarantine: Quarantine::default(),
            history: Vec::new(),
        }
    }

    /// The generation after `earlier`, which remembers it.
    #[must_use]
    pub fn after(mut self, earlier: Case) -> Self {
        self.generation = earlier.generation + 1;
        // What is in quarantine stays known. What is purged, or about to be, is nothing to go on with.
        if earlier.quarantine.purge.is_none() {
            self.quarantine.copies.clone_from(&earlier.quarantine.copies);
        }
        self.history = earlier.history;
        self.history.push(Past {
            generation: earlier.generation,
            execution_arn: earlier.execution_arn,
            closing: earlier.closing,
            quarantine: earlier.quarantine,
        });
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self
    }

    /// What was decided, if anything.
    pub fn decision(&self) -> Option<Decision> {
        self.approval.decided.as_ref().map(|decided| decided.what)
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.closing.as_ref().map(|closing| &closing.outcome)
    }

    /// When it ended, if it has.
    pub fn closed_at(&self) -> Option<Time> {
        self.closing.as_ref().map(|closing| closing.at)
    }

    /// The object version that it is about.
    pub fn object(&self) -> &ObjectVersion {
        &self.plan.object
    }

    /// The same case, but people decide, for the reason that is added to the rule.
    #[must_use]
    pub fn reviewed_instead(mut self, why: &str) -> Self {
        self.disposition = Disposition::Review;
        self.with_plan(|plan| plan.rule = format!("{} ({why})", plan.rule))
    }

    /// The same case with another plan, pinned anew.
    #[must_use]
    pub fn with_plan(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = (*self.plan).clone();
        change(&mut plan);
        self.plan = PinnedPlan::pin(plan);
        self.plan.hash().clone_into(&mut self.approval.plan_hash);
        self
    }

    /// The same case, but people decide, because this hourly limit is reached.
    #[must_use]
    pub fn above_limit(self, limit: String) -> Self {
        let mut case = self.reviewed_instead(&limit);
        case.approval.over_limit = Some(limit);
        case
    }

    /// The same case, but nothing happens to the object without a person, not even when nobody decides in time.
    #[must_use]
    pub fn only_by_people(self, why: &str) -> Self {
        let case = self.with_plan(|plan| {
            if plan.effect.on_expiry == OnExpiry::Quarantine {
                plan.effect.on_expiry = OnExpiry::AskAgain;
            }
        });
        case.reviewed_instead(why)
    }

    /// Whether the object is being moved, or about to be: policy or people have decided so.
    pub fn is_being_moved(&self) -> bool {
        self.disposition == Disposition::Quarantine || self.decision() == Some(Decision::Quarantine)
    }

    /// Whether an object version is what a restore of this case has left on top.
    pub fn has_restored(&self, object: &ObjectVersion) -> bool {
        self.quarantine.restores.iter().any(|restore| restore.last_restored.as_ref() == Some(object))
    }

    /// The restore that is under way.
    pub fn open_restore(&self) -> Option<&Restore> {
        self.quarantine.open_restore()
    }

    /// The case with its open restore changed.
    #[must_use]
    pub fn with_open_restore(mut self, change: impl FnOnce(&mut Restore)) -> Self {
        if let Some(restore) = self.quarantine.restores.last_mut().filter(|restore| restore.outcome.is_none())
        {
            change(restore);
        }
        self
    }

    /// What a vote would come to now.
    pub fn count(&self, vote: &Vote) -> Counted {
        let theirs = || {
            let of_plan = self.approval.votes.iter().filter(|cast| cast.plan_hash == self.approval.plan_hash);
            of_plan.filter(|cast| cast.by.is_same_person(&vote.by))
        };
        let before = votes_for(&self.approval.votes, &self.approval.plan_hash, vote.decision);
        if before.iter().any(|earlier| earlier.by.is_same_person(&vote.by)) {
            return Counted::Repeated;
        }
        if theirs().any(|cast| cast.at > vote.at) {
            return Counted::Superseded;
        }
        if theirs().count() >= MAX_VOTES {
            return Counted::TooMany;
        }
        match self.approvals().checked_sub(before.len() + 1) {
            None | Some(0) => Counted::Decides,
            Some(missing) => Counted::Missing(missing),
        }
    }

    /// What a vote that is on record has come to.
    pub fn recorded(&self, vote: &Vote) -> Counted {
        let same = votes_for(&self.approval.votes, &self.approval.plan_hash, vote.decision).len();
        match self.approvals().saturating_sub(same) {
            _ if self.decision() == Some(vote.decision) => Counted::Decides,
            0 => Counted::Repeated,
            missing => Counted::Missing(missing),
        }
    }

    /// Why nobody can decide the case now, if so.
    pub fn undecidable(&self) -> Option<Undecidable> {
        if let Some(decision) = self.decision() {
            return Some(Undecidable::Decided(decision));
        }
        if self.status != Status::Open {
            return Some(Undecidable::Closed);
        }
        (self.disposition != Disposition::Review || self.plan.shadow).then_some(Undecidable::NobodyIsAsked)
    }

    /// Whether the case takes votes, and is the one that these belong to.
    pub fn takes_votes(&self, approval_id: &str, plan_hash: &str) -> bool {
        self.undecidable().is_none()
            && self.approval.id == approval_id
            && self.approval.plan_hash == plan_hash
    }

    fn approvals(&self) -> usize {
        usize::try_from(self.plan.effect.approvals.max(1)).unwrap_or(usize::MAX)
    }

    /// Whether nobody is to be asked at this time.
    pub fn is_snoozed(&self, now: Time) -> bool {
        self.approval.snooze.as_ref().is_some_and(|snooze| snooze.until > now)
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
            let why = self.outcome().map(|outcome| format!(" ({})", outcome.detail)).unwrap_or_default();
            return Err(format!("the case is closed already{why}"));
        }
        if self.plan.hash() != self.approval.plan_hash {
            return Err("the plan on record is not the one that was pinned".into());
        }
        if let Some(glob) = &self.plan.protected_by {
            return Err(format!("the bucket is protected (by {glob})"));
        }
        if self.plan.shadow {
            return Err("policy was in shadow mode when it decided".into());
        }
        if self.disposition == Disposition::Quarantine {
            return Ok(Authorized::Policy);
        }
        if self.decision() == Some(Decision::Expired) && self.plan.effect.on_expiry == OnExpiry::Quarantine {
            return Ok(Authorized::Expiry);
        }
        if self.decision() != Some(Decision::Quarantine) {
            return Err("nobody has decided to quarantine".into());
        }
        let mut allowed = votes_for(&self.approval.votes, &self.approval.plan_hash, Decision::Quarantine);
        allowed.retain(|vote| self.plan.allows(&vote.by, self.approval.escalation.is_some()));
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
    /// Nobody has decided in time, and policy moves the object then.
    Expiry,
    /// People.
    Votes(Vec<&'a Vote>),
}

#[cfg(test)]
mod tests;
