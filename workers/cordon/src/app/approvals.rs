//! What people say of a case: votes, snoozes, and attempts of those who may not decide. Slack's buttons and
//! `cordon approvals` come here.

use std::fmt;

use cordon_domain::{
    case::{
        Case, Counted,
        vote::{Refused, Snooze, Vote, Voter},
    },
    time::Time,
};
use jiff::SignedDuration;

use crate::{
    aws::step_functions::{StepFunctions, Woken},
    clock,
    error::Result,
    store::{Cases, Unseen, Voted},
};

/// Records what people say, and wakes the execution that waits for it.
#[derive(Clone, Debug)]
pub struct Approvals {
    cases: Cases,
    step_functions: StepFunctions,
}

/// The execution that a decision or a snooze is for.
#[derive(Clone, PartialEq, Eq)]
pub struct Waiting {
    case_id: String,
    /// A secret.
    token: Option<String>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Waiting").field("case_id", &self.case_id).finish_non_exhaustive()
    }
}

impl From<&Case> for Waiting {
    fn from(case: &Case) -> Self {
        Self { case_id: case.case_id.clone(), token: case.waits.task_token.clone() }
    }
}

/// What became of a vote.
#[derive(Clone, Debug, PartialEq)]
pub enum VoteOutcome {
    /// It is on record and decides the case.
    Decided(Box<Case>),
    /// It is on record; so many more people have to vote the same.
    Counted(usize),
    /// The person has voted the same before.
    Repeated,
    /// The person has voted otherwise since.
    Superseded,
    /// The person has voted so often that no further vote is taken.
    TooMany,
    /// It is not on record: [`Case::undecidable`] says why, or the case is about another plan by now.
    NotTaken(Box<Case>),
    /// There is no such case.
    UnknownCase,
}

/// What became of a snooze.
#[derive(Clone, Debug, PartialEq)]
pub enum SnoozeOutcome {
    /// Nobody is asked until its end.
    Snoozed(Box<Case>, Snooze),
    /// It is not on record, as with [`VoteOutcome::NotTaken`].
    NotTaken(Box<Case>),
    /// There is no such case.
    UnknownCase,
}

impl Approvals {
    /// Records votes in this table.
    pub fn new(cases: Cases, step_functions: StepFunctions) -> Self {
        Self { cases, step_functions }
    }

    /// Records a vote of somebody who may decide, on the case as it was `seen`.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote(&self, seen: &Case, vote: &Vote) -> Result<VoteOutcome> {
        Ok(match self.cases.vote(seen, vote).await? {
            Voted::Counted(case, Counted::Decides) => VoteOutcome::Decided(case),
            Voted::Counted(_, Counted::Missing(missing)) => VoteOutcome::Counted(missing),
            Voted::Counted(_, Counted::Repeated) => VoteOutcome::Repeated,
            Voted::Counted(_, Counted::Superseded) => VoteOutcome::Superseded,
            Voted::Counted(_, Counted::TooMany) => VoteOutcome::TooMany,
            Voted::Not(None) => VoteOutcome::UnknownCase,
            Voted::Not(Some(case)) if case.takes_votes(&seen.approval.id, &seen.approval.plan_hash) => {
                VoteOutcome::Repeated
            }
            Voted::Not(Some(case)) => VoteOutcome::NotTaken(case),
        })
    }

    /// Records a vote without a look at the case before, as [`Cases::vote_unseen`] can, and gives back the execution that
    /// waits for it. `None` when it can not, and the case has to be looked at.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote_unseen(
        &self,
        case_id: &str,
        approval_id: &str,
        channel: Option<&str>,
        vote: &Vote,
    ) -> Result<Option<Waiting>> {
        Ok(match self.cases.vote_unseen(case_id, approval_id, channel, vote).await? {
            Unseen::Decided(token) => Some(Waiting { case_id: case_id.to_owned(), token }),
            Unseen::Not => None,
        })
    }

    /// Has nobody asked for as long as the plan says, from `at` on.
    ///
    /// # Errors
    /// As classified.
    pub async fn snooze(&self, seen: &Case, by: Voter, at: Time) -> Result<SnoozeOutcome> {
        let until = at + SignedDuration::from_secs(seen.plan.effect.snooze_seconds.into());
        let snooze = Snooze { by, at, until };
        if let Some(case) = self.cases.snooze(seen, &snooze).await? {
            return Ok(SnoozeOutcome::Snoozed(Box::new(case), snooze));
        }
        Ok(match self.cases.get(&seen.case_id).await? {
            Some(case) => SnoozeOutcome::NotTaken(Box::new(case)),
            None => SnoozeOutcome::UnknownCase,
        })
    }

    /// Records that somebody asked for `action` who may not.
    ///
    /// # Errors
    /// As classified.
    pub async fn refuse(&self, case: &Case, by: Voter, action: &str) -> Result<()> {
        let refused = Refused { by, asked: action.to_owned(), at: clock::now() };
        self.cases.refuse(case, &refused).await
    }

    /// Wakes the execution that waits for the case, if it waits already. What is on record counts: an execution that
    /// cannot be woken now is woken by the reconciler.
    pub async fn wake(&self, waiting: &Waiting) {
        let Some(token) = &waiting.token else { return };
        match self.step_functions.wake(token).await {
            Ok(Woken::Yes) => {}
            Ok(Woken::Gone) => {
                tracing::info!(case.id = waiting.case_id, "nobody waits with the token; the record decides");
            }
            Err(error) => {
                tracing::warn!(case.id = waiting.case_id, error.message = %error, "execution not woken; the reconciler will");
            }
        }
    }
}
