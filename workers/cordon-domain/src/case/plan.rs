//! The plan of a case: what exactly is to be done, and who may say so, pinned when the case is opened.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::vote::Voter;
use crate::{
    finding::{Finding, ObjectVersion},
    policy::{Decided, OnExpiry, Verify, Versions, answer::categories},
};

/// What a vote agrees to. Its hash is shown with the buttons and checked again before the first destructive call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The one version that may be moved.
    pub object: ObjectVersion,
    /// What was found in it, see [`categories`]: who agrees to a move agrees to the reason for it.
    #[serde(default)]
    pub categories: BTreeSet<String>,
    /// The rule that decided, or why none did.
    pub rule: String,
    /// The version id of the policy object that was in force, if it could be read.
    pub policy_version: Option<String>,
    /// Slack user ids that may decide.
    pub approvers: Vec<String>,
    /// Slack user groups whose members may.
    #[serde(default)]
    pub approver_groups: Vec<String>,
    /// Slack user ids that may decide too once the case is escalated.
    #[serde(default)]
    pub fallback_approvers: Vec<String>,
    /// How many people have to say the same.
    #[serde(default = "one")]
    pub approvals: u32,
    /// The Slack channel of the case.
    pub channel: String,
    /// How often people are asked.
    pub rounds: u32,
    /// What happens when nobody decides.
    #[serde(default)]
    pub on_expiry: OnExpiry,
    /// How long a snooze lasts.
    #[serde(default = "day")]
    pub snooze_seconds: u32,
    /// Which versions of the key are moved.
    #[serde(default)]
    pub versions: Versions,
    /// How copies are verified.
    #[serde(default)]
    pub verify: Verify,
    /// Whether all this is only told: policy was in shadow mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

impl Plan {
    /// The plan that a decision of policy on a finding makes.
    pub fn new(finding: &Finding, decided: &Decided, policy_version: Option<String>) -> Self {
        Self {
            object: finding.object.clone(),
            categories: categories(finding),
            rule: decided.rule.clone(),
            policy_version,
            approvers: decided.approvers.users.clone(),
            approver_groups: decided.approvers.groups.clone(),
            fallback_approvers: decided.fallback_approvers.clone(),
            approvals: decided.approvals,
            channel: decided.channel.clone(),
            rounds: decided.rounds,
            on_expiry: decided.on_expiry,
            snooze_seconds: decided.snooze_seconds,
            versions: decided.versions,
            verify: decided.verify,
            shadow: decided.shadow,
        }
    }

    /// Hex SHA-256 of the plan's JSON, whose member order is the declaration's.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("a plan holds only text and numbers");
        hex::encode(Sha256::digest(json))
    }

    /// Whether this person may decide: one whom the plan names, or who is in a group that it names, or a fallback
    /// approver once the case is escalated. Who comes by the command line has been allowed by IAM.
    pub fn allows(&self, voter: &Voter, escalated: bool) -> bool {
        let Voter::Slack { user, group, .. } = voter else { return true };
        self.approvers.contains(user)
            || group.as_ref().is_some_and(|group| self.approver_groups.contains(group))
            || escalated && self.fallback_approvers.contains(user)
    }
}

/// What plans of the first release meant.
const fn one() -> u32 {
    1
}

const fn day() -> u32 {
    86_400
}
