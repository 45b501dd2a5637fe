//! What became of the copies of a case, and who decided it.

use cordon_domain::{
    case::{Case, OutcomeResult, Status},
    policy::Disposition,
};

use crate::cli::report::copy;

/// What has become of the quarantined copies of a case; `None` where there never were any.
pub(in crate::cli) fn of_copies(case: &Case) -> Option<&'static str> {
    copy(case)?;
    Some(match (&case.quarantine.purge, case.status) {
        (Some(purge), _) if purge.done_at.is_some() => "purged",
        (Some(_), _) => "being_purged",
        (None, Status::Restoring) => "being_put_back",
        (None, _) if case.quarantine.is_put_back() => "put_back",
        (None, _) => match case.outcome().map(|outcome| outcome.result) {
            Some(OutcomeResult::Quarantined | OutcomeResult::ObjectChanged) => "in_quarantine",
            // The manifest says whether the copy is complete. The object may still be at its source.
            _ => "copied",
        },
    })
}

/// The person whose vote decided, as `slack:<team>/<user>` or an ARN; `None` where policy did.
pub(super) fn decided_by(case: &Case) -> Option<String> {
    let vote = case.approval.votes.last().filter(|_| case.disposition == Disposition::Review)?;
    Some(vote.by.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::case::{Purge, QuarantineCopy, Restore, RestoreOutcome, RestoreResult};
    use cordon_domain::fixtures::{case, closing, time};

    #[test]
    fn the_state_of_a_copy_follows_its_story() {
        let mut case = case(Disposition::Quarantine);
        assert_eq!(of_copies(&case), None, "the response is under way");
        case.quarantine.copies = vec![QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() }];
        let ended = |result| Some(closing(result, ""));
        case.status = Status::Closed;
        case.closing = ended(OutcomeResult::Failed);
        assert_eq!(of_copies(&case), Some("copied"), "the removal was refused, for one");
        case.closing = ended(OutcomeResult::Quarantined);
        assert_eq!(of_copies(&case), Some("in_quarantine"));
        case.status = Status::Restoring;
        assert_eq!(of_copies(&case), Some("being_put_back"));
        case.status = Status::Closed;
        for (result, shown) in [
            (RestoreResult::Failed, "in_quarantine"),
            (RestoreResult::Restored, "put_back"),
            (RestoreResult::Failed, "put_back"),
        ] {
            case.quarantine.restores.push(Restore {
                request_id: "r".into(),
                execution_arn: "arn:run".into(),
                requested_by: "arn:alice".into(),
                reason: "a test".into(),
                replace: false,
                even_if_exposed: false,
                copy_generation: None,
                requested_at: time("2026-03-11T09:47:00.000Z"),
                mac: None,
                versions_restored: 0,
                last_restored: None,
                outcome: Some(RestoreOutcome {
                    result,
                    detail: String::new(),
                    code: None,
                    at: time("2026-03-11T09:50:00.000Z"),
                }),
            });
            assert_eq!(of_copies(&case), Some(shown));
        }
        let mut purge = Purge {
            requested_by: "arn:alice".into(),
            reason: "a test".into(),
            requested_at: time("2026-03-11T09:50:00.000Z"),
            done_at: None,
        };
        case.quarantine.purge = Some(purge.clone());
        assert_eq!(of_copies(&case), Some("being_purged"));
        purge.done_at = Some(time("2026-03-11T09:50:00.000Z"));
        case.quarantine.purge = Some(purge);
        assert_eq!(of_copies(&case), Some("purged"));
    }
}
