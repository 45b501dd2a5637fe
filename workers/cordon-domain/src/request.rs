//! What people ask of the worker by messages, and what it answers.

use serde::{Deserialize, Serialize};

/// What a request is known by: 32 hexadecimal digits, chosen at random by whoever asks. A message that is delivered twice
/// is carried out once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

/// The digits of a request id.
const DIGITS: usize = 32;

impl RequestId {
    /// The id in this text, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then(|| Self(text.to_owned()))
    }

    /// The id made of these bytes.
    pub fn of(bytes: [u8; DIGITS / 2]) -> Self {
        Self(hex::encode(bytes))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a request id has 32 hexadecimal digits")
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

/// `cordon approvals approve`, `dismiss` and `snooze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRequest {
    /// What it is known by.
    pub request_id: RequestId,
    /// The case.
    pub case_id: String,
    /// The question that the person was shown; a later one is not answered by it.
    pub approval_id: String,
    /// The plan that the person was shown.
    pub plan_hash: String,
    /// What they want.
    pub action: ApprovalAction,
    /// Why.
    pub reason: String,
}

/// What an [`ApprovalRequest`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalAction {
    /// Move the object.
    Quarantine,
    /// Leave it where it is.
    Dismiss,
    /// Ask again later.
    Snooze,
}

/// A request to put a quarantined object back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "lowercase")]
pub enum RestoreRequest {
    /// `cordon restore`.
    Iam(IamRestore),
    /// The form behind Slack's *Restore* button.
    Slack(SlackRequest),
}

/// `cordon restore`, as a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IamRestore {
    /// What it is known by; also the name of the execution.
    pub request_id: RequestId,
    /// The case.
    pub case_id: String,
    /// Why.
    pub reason: String,
    /// Whether another object that is at the place by now may be replaced.
    pub replace: bool,
    /// Whether the bucket may still be shared.
    pub even_if_exposed: bool,
    /// Which of the case's copies; the newest where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_generation: Option<u32>,
}

/// A request of Slack as the gateway has received it. The worker verifies the signature and reads the body itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackRequest {
    /// `X-Slack-Request-Timestamp`.
    pub timestamp: String,
    /// `X-Slack-Signature`.
    pub signature: String,
    /// The body. It holds capabilities of Slack's, so it is not printed.
    pub body: String,
}

impl std::fmt::Debug for SlackRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SlackRequest").field("timestamp", &self.timestamp).finish_non_exhaustive()
    }
}

/// What comes before and after the deletion of `cordon quarantine purge`, which the person's own session does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurgeRequest {
    /// What it is known by.
    pub request_id: RequestId,
    /// The case.
    pub case_id: String,
    /// Why.
    pub reason: String,
    /// Before the deletion or after it.
    pub step: PurgeStep,
}

/// The two ends of a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PurgeStep {
    /// The copies are about to be deleted: nothing is restored any more.
    Begin,
    /// They are deleted.
    End,
}

/// What the worker says of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// In one word.
    pub result: AnswerResult,
    /// One sentence for whoever asked.
    pub detail: String,
    /// The stable name of the reason, for `refused` and `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The execution that puts the object back, for `under_way`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_arn: Option<String>,
}

/// What can come of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerResult {
    /// The vote decides the case.
    Decided,
    /// The vote is on record, and more are needed.
    Counted,
    /// Nobody is asked for a while.
    Snoozed,
    /// The execution that puts the object back is started.
    UnderWay,
    /// The purge is on record: the copies may be deleted.
    Accepted,
    /// The copies are gone.
    Purged,
    /// Nothing was done.
    Refused,
    /// It was tried.
    Failed,
}

impl AnswerResult {
    /// As stored and as commands print it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::Counted => "counted",
            Self::Snoozed => "snoozed",
            Self::UnderWay => "under_way",
            Self::Accepted => "accepted",
            Self::Purged => "purged",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Answer {
    /// It was done.
    pub fn done(result: AnswerResult, detail: impl Into<String>) -> Self {
        Self { result, detail: detail.into(), code: None, execution_arn: None }
    }

    /// It was not done, for the reason of this name.
    pub fn refused(code: &str, why: impl Into<String>) -> Self {
        Self { code: Some(code.to_owned()), ..Self::done(AnswerResult::Refused, why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_32_digits_and_nothing_else_gets_into_a_key() {
        let id = RequestId::of([171; 16]);
        assert_eq!(RequestId::parse(id.as_str()), Some(id.clone()));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<RequestId>(&json).unwrap(), id);
        for wrong in
            ["", "ab", &"A".repeat(32), &"g".repeat(32), &"a".repeat(33), "../../../../../../../../../../aa"]
        {
            assert_eq!(RequestId::parse(wrong), None, "{wrong}");
            assert!(serde_json::from_value::<RequestId>(wrong.into()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_later_release_adds_is_refused_and_not_passed_over() {
        let restore = RestoreRequest::Iam(IamRestore {
            request_id: RequestId::of([1; 16]),
            case_id: "c".into(),
            reason: "r".into(),
            replace: false,
            even_if_exposed: false,
            copy_generation: None,
        });
        let mut json = serde_json::to_value(&restore).unwrap();
        assert_eq!(serde_json::from_value::<RestoreRequest>(json.clone()).unwrap(), restore);
        json["dry_run"] = true.into();
        assert!(serde_json::from_value::<RestoreRequest>(json).is_err());
    }
}
