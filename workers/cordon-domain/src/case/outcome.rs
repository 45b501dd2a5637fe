//! How a case ends.

use serde::{Deserialize, Serialize};

use crate::{routes::MoveResult, time::Time};

/// That a case has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub at: Time,
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
