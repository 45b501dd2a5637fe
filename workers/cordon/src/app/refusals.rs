//! Why nothing is done with a case that somebody asks about.

use cordon_domain::{
    case::{Case, Status, vote::Undecidable},
    request::Answer,
};

/// Why nothing is done with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The stable name of the reason.
    pub(crate) code: &'static str,
    /// One sentence, with what to do.
    pub(crate) why: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }

    /// Somebody else was at the case between the person's look and our write.
    pub(crate) fn overtaken() -> Self {
        Self::new("CaseChanged", "The case changed at this moment; look at it, and ask again.")
    }

    /// There is no case of the id.
    pub(crate) fn unknown_case() -> Self {
        Self::new(
            "UnknownCase",
            "There is no such case; `cordon approvals list` shows what waits for a decision, `cordon quarantine list` \
             what is in quarantine.",
        )
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.code, refusal.why)
    }
}

/// Why there is nothing to decide, if so.
pub(crate) fn undecidable(case: &Case) -> Option<Refusal> {
    Some(match case.undecidable()? {
        Undecidable::Decided(decision) => {
            let at = case.approval.decided.as_ref().map(|decided| format!(" at {}", decided.at));
            let why = format!("It was decided{}: {}.", at.unwrap_or_default(), decision.name());
            Refusal::new("DecidedBefore", why)
        }
        Undecidable::Closed | Undecidable::NobodyIsAsked => Refusal::new(
            "NothingToDecide",
            "It does not wait for a decision; `cordon approvals show` tells why.",
        ),
    })
}

/// Why the copies of a case can be neither put back nor deleted at this moment, if so: they are not there, or in use.
pub(crate) fn unavailable(case: &Case) -> Option<Refusal> {
    if let Some(restore) = case.open_restore() {
        let why = format!(
            "A restore is under way, asked for by {} at {}; wait for its end.",
            restore.requested_by, restore.requested_at
        );
        return Some(Refusal::new("RestoreUnderWay", why));
    }
    if case.status == Status::Open {
        let why = "The response to its finding is under way; wait for its end.";
        return Some(Refusal::new("ResponseUnderWay", why));
    }
    if case.quarantine.newest_copy().is_none() {
        let ended = case.outcome().map_or("unknown", |outcome| outcome.result.name());
        let why = format!("Nothing of it is in quarantine: the case ended as {ended}.");
        return Some(Refusal::new("NothingInQuarantine", why));
    }
    None
}

#[cfg(test)]
mod tests {
    use cordon_domain::{
        case::{OutcomeResult, QuarantineCopy},
        fixtures::{case, closing},
        policy::Disposition,
    };

    use super::*;

    #[test]
    fn only_what_is_in_quarantine_and_not_in_use_is_available() {
        let mut case = case(Disposition::Quarantine);
        assert_eq!(unavailable(&case).unwrap().code, "ResponseUnderWay");
        case.status = Status::Closed;
        case.closing = Some(closing(OutcomeResult::Failed, ""));
        assert_eq!(unavailable(&case).unwrap().code, "NothingInQuarantine");
        case.quarantine.copies = vec![QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() }];
        assert_eq!(unavailable(&case), None, "whatever the case came to");
    }
}
