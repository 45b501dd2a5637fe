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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{case, time, vote};

    /// Codes of open cases are over these texts: with others an upgrade would leave every open case without a code that fits.
    #[test]
    fn what_the_worker_vouches_for_is_written_as_by_every_release() {
        let case = case(Disposition::Review);
        let (id, approval, hash) = (&case.case_id, &case.approval.id, case.plan.hash());
        assert_eq!(
            case.plan_message(),
            format!(r#"["cordon plan","{id}","arn:run","{approval}","{hash}","people are asked"]"#)
        );
        assert_eq!(
            case.expiry_message(),
            format!(r#"["cordon expiry","{id}","arn:run","{approval}","{hash}"]"#)
        );
        let vote = vote("U0ALICE001", hash);
        let (at, by) = (vote.at, vote.by.to_string());
        assert_eq!(
            case.vote_message(&vote),
            format!(
                r#"["cordon vote","{id}","arn:run","{approval}","{hash}","quarantine","{at}","{}","{by}"]"#,
                vote.by.person()
            )
        );
        let restore = Restore {
            request_id: "a1b2c3".into(),
            execution_arn: "arn:back".into(),
            requested_by: "AIDAEXAMPLE".into(),
            reason: "a test".into(),
            replace: true,
            even_if_exposed: false,
            copy_generation: Some(2),
            requested_at: time("2026-03-11T09:50:00.000Z"),
            mac: None,
            versions_restored: 0,
            last_restored: None,
            outcome: None,
        };
        assert_eq!(
            case.restore_message(&restore),
            format!(
                r#"["cordon restore","{id}","1","a1b2c3","arn:back","replace","-","2","2026-03-11T09:50:00.000Z","AIDAEXAMPLE"]"#
            )
        );
    }
}
