//! What a command that goes over many cases says of each.

use cordon_domain::case::{Case, Status};
use serde::Serialize;

use crate::{
    error::{Code, Error, RETRYABLE},
    store::keys,
};

/// What became of one case; `M` is what only one command has to say.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report<M> {
    pub(super) case_id: String,
    pub(super) bucket: Option<String>,
    pub(super) key: Option<String>,
    pub(super) result: &'static str,
    pub(super) detail: String,
    pub(super) code: Option<String>,
    #[serde(flatten)]
    pub(super) more: M,
}

/// Why nothing is done with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The stable name of the reason.
    pub(super) code: &'static str,
    /// One sentence, with what to do.
    pub(super) why: String,
}

impl<M: Default> Report<M> {
    /// The beginning of a report.
    pub(super) fn on(case_id: &str, case: Option<&Case>) -> Self {
        Self {
            case_id: case.map_or(case_id, |case| &case.case_id).to_owned(),
            bucket: case.map(|case| case.object().bucket.clone()),
            key: case.map(|case| case.object().key.clone()),
            result: "",
            detail: String::new(),
            code: None,
            more: M::default(),
        }
    }

    /// Nothing was done.
    pub(super) fn refused(self, refusal: Refusal) -> Self {
        Self { result: "refused", detail: refusal.why, code: Some(refusal.code.into()), ..self }
    }

    /// It was tried.
    pub(super) fn failed(self, error: &Error) -> Self {
        let code = error.code().map_or(RETRYABLE, Code::name).to_owned();
        Self { result: "failed", detail: error.to_string(), code: Some(code), ..self }
    }
}

impl<M> Report<M> {
    /// For people.
    pub(super) fn line(&self) -> String {
        let result = self.result.replace('_', " ");
        match (&self.bucket, &self.key) {
            (Some(bucket), Some(key)) => {
                let short = self.case_id.get(..keys::SHORT_ID).unwrap_or(&self.case_id);
                format!("{result:<9}  {bucket}/{key}  (case {short})  {}", self.detail)
            }
            _ => format!("{result:<9}  case {}  {}", self.case_id, self.detail),
        }
    }
}

impl Refusal {
    /// Somebody else was at the case between our look and our write.
    pub(super) fn overtaken() -> Self {
        Self {
            code: "CaseChanged",
            why: "The case changed at this moment; look at it, and ask again.".into(),
        }
    }
}

/// Why the copies of a case can be neither put back nor deleted at this moment: they are not there, or in use.
pub(super) fn unavailable(case: &Case) -> Option<Refusal> {
    let refusal = |code, why| Some(Refusal { code, why });
    if let Some(restore) = case.open_restore() {
        return refusal(
            "RestoreUnderWay",
            format!(
                "A restore is under way, asked for by {} at {}; wait for its end.",
                restore.requested_by, restore.requested_at
            ),
        );
    }
    if case.status == Status::Open {
        let why = "The response to its finding is under way; wait for its end.";
        return refusal("ResponseUnderWay", why.into());
    }
    if copy(case).is_none() {
        let ended = case.outcome().map_or("unknown", |outcome| outcome.result.name());
        let why = format!("Nothing of it is in quarantine: the case ended as {ended}.");
        return refusal("NothingInQuarantine", why);
    }
    None
}

/// The quarantine key of the copy that the case has made, or was about to make.
pub(super) fn copy(case: &Case) -> Option<&str> {
    Some(case.quarantine.newest_copy()?.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::fixtures::{case, closing};
    use cordon_domain::{
        case::{OutcomeResult, QuarantineCopy},
        policy::Disposition,
    };

    #[derive(Clone, Debug, Default, Serialize)]
    struct Nothing {}

    #[test]
    fn a_line_for_a_case_and_for_what_is_none() {
        let case = case(Disposition::Quarantine);
        let known = Report::<Nothing>::on(&case.case_id, Some(&case)).refused(Refusal::overtaken());
        let unknown = Report::<Nothing>::on("812a6a9f0f43", None);
        let unknown = unknown.failed(&Error::terminal(Code::AccessDenied, "AWS refused."));
        insta::assert_snapshot!([known.line(), unknown.line()].join("\n"));
        insta::assert_json_snapshot!([known, unknown]);
    }

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
