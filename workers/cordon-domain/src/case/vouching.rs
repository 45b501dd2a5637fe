//! What the worker vouches for with a code that only its role can make: texts, each of which stands for one thing alone.

use super::{Case, Restore, vote::Vote};
use crate::policy::Disposition;

/// Tell the messages apart that a code may be over.
const PLAN_MESSAGE: &str = "cordon plan";
const VOTE_MESSAGE: &str = "cordon vote";
const EXPIRY_MESSAGE: &str = "cordon expiry";
const RESTORE_MESSAGE: &str = "cordon restore";
impl Case {
    /// What the worker vouches for when it opens or renews a case: which plan is to be carried out, by which execution,
    /// asked as which approval, and whether somebody is asked at all.
    pub fn plan_message(&self) -> String {
        let asks = match self.disposition {
            Disposition::Quarantine => "nobody is asked",
            Disposition::Review | Disposition::Ignore => "people are asked",
        };
        message(&[
            PLAN_MESSAGE,
            &self.case_id,
            &self.execution_arn,
            &self.approval.id,
            self.plan.hash(),
            asks,
        ])
    }

    /// What the worker vouches for when it records a vote by the command line: whose it is, and what for.
    pub fn vote_message(&self, vote: &Vote) -> String {
        let by = vote.by.to_string();
        let at = vote.at.to_string();
        let (approval, decision) = (&self.approval.id, vote.decision.name());
        let about = [VOTE_MESSAGE, &self.case_id, &self.execution_arn, approval, &vote.plan_hash];
        message(&[&about[..], &[decision, &at, vote.by.person(), &by]].concat())
    }

    /// What the worker vouches for when nobody has decided in time.
    pub fn expiry_message(&self) -> String {
        message(&[EXPIRY_MESSAGE, &self.case_id, &self.execution_arn, &self.approval.id, self.plan.hash()])
    }

    /// What the worker vouches for when it records a restore: who has asked for what.
    pub fn restore_message(&self, restore: &Restore) -> String {
        let copy = restore.copy_generation.map_or_else(|| "newest".to_owned(), |number| number.to_string());
        let at = restore.requested_at.to_string();
        let flag = |is_set, name| if is_set { name } else { "-" };
        message(&[
            RESTORE_MESSAGE,
            &self.case_id,
            &self.generation.to_string(),
            &restore.request_id,
            &restore.execution_arn,
            flag(restore.replace, "replace"),
            flag(restore.even_if_exposed, "even if exposed"),
            &copy,
            &at,
            &restore.requested_by,
        ])
    }
}

/// Several texts as one that no others make, whatever is in them.
fn message(parts: &[&str]) -> String {
    serde_json::to_string(parts).expect("texts are plain")
}
