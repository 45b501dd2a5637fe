//! What a command that goes over many cases says of each.

use cordon_domain::{case::Case, request::Answer};
use serde::Serialize;

use crate::{
    app::refusals::Refusal,
    error::{Code, Error, RETRYABLE},
    store::keys,
};

/// Why there is no answer, and what to look at.
pub(super) const NO_WORKER: &str = "no worker has answered within a minute (whether one runs: `aws ecs describe-services \
                                    --cluster NAME --services worker`).";

/// The result of what no worker has answered yet.
pub(super) const UNANSWERED: &str = "unanswered";

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

    /// As the worker says; `None` when it has not said anything in time.
    pub(super) fn answered(self, answer: Option<Answer>) -> Self {
        match answer {
            Some(Answer { result, detail, code, .. }) => Self { result: result.name(), detail, code, ..self },
            None => Self {
                result: UNANSWERED,
                detail: format!("On its way, but {NO_WORKER} It is carried out when one does, within a day."),
                code: Some("NoWorker".into()),
                ..self
            },
        }
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

/// The quarantine key of the copy that the case has made, or was about to make.
pub(super) fn copy(case: &Case) -> Option<&str> {
    Some(case.quarantine.newest_copy()?.key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::{fixtures::case, policy::Disposition};

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
}
