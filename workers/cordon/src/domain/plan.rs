//! The plan of a case: what exactly is to be done, and who may say so, pinned when the case is opened.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    finding::ObjectVersion,
    policy::{Decided, Verify, Versions},
};

/// What a vote agrees to. Its hash is shown with the buttons and checked again before the first destructive call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The one version that may be moved.
    pub object: ObjectVersion,
    /// The rule that decided, or why none did.
    pub rule: String,
    /// The version id of the policy object that was in force, if it could be read.
    pub policy_version: Option<String>,
    /// Slack user ids that may decide.
    pub approvers: Vec<String>,
    /// The Slack channel of the case.
    pub channel: String,
    /// How often people are asked.
    pub rounds: u32,
    /// Which versions of the key are moved.
    #[serde(default)]
    pub versions: Versions,
    /// How copies are verified.
    #[serde(default)]
    pub verify: Verify,
}

impl Plan {
    /// The plan that a decision of policy makes.
    pub fn new(object: ObjectVersion, decided: &Decided, policy_version: Option<String>) -> Self {
        Self {
            object,
            rule: decided.rule.clone(),
            policy_version,
            approvers: decided.approvers.clone(),
            channel: decided.channel.clone(),
            rounds: decided.rounds,
            versions: decided.versions,
            verify: decided.verify,
        }
    }

    /// Hex SHA-256 of the plan's JSON, whose member order is the declaration's.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("a plan holds only text and numbers");
        hex::encode(Sha256::digest(json))
    }

    /// Whether this person may decide.
    pub fn allows(&self, slack_user: &str) -> bool {
        self.approvers.iter().any(|approver| approver == slack_user)
    }
}
