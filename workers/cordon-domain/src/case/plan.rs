//! The plan of a case: what exactly is to be done, and who may say so, pinned when the case is opened.

use std::{collections::BTreeSet, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};

use super::vote::Voter;
use crate::{
    finding::{Finding, ObjectVersion},
    policy::{Decided, RuleEffect, answer::categories, scope::BucketScope},
};

/// What a vote agrees to.
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
    /// What the rule gives.
    #[serde(flatten)]
    pub effect: RuleEffect,
    /// Slack user ids that may decide too once the case is escalated.
    #[serde(default)]
    pub fallback_approvers: Vec<String>,
    /// The Slack channel of the case.
    pub channel: String,
    /// Whether all this is only told: policy was in shadow mode, or the bucket is protected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
    /// The glob that protects the bucket, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_by: Option<String>,
}

impl Plan {
    /// The plan that a decision of policy on a finding makes.
    pub fn new(finding: &Finding, decided: &Decided, policy_version: Option<String>) -> Self {
        Self {
            object: finding.object.clone(),
            categories: categories(finding),
            rule: decided.rule.clone(),
            policy_version,
            effect: decided.effect.clone(),
            fallback_approvers: decided.fallback_approvers.clone(),
            channel: decided.channel.clone(),
            shadow: decided.shadow,
            protected_by: None,
        }
    }

    /// The same, but only told, where the bucket is one that nothing is moved from.
    pub fn within(self, scope: &BucketScope) -> Self {
        match scope.protecting(&self.object.bucket) {
            Some(glob) => Self { shadow: true, protected_by: Some(glob.to_owned()), ..self },
            None => self,
        }
    }

    /// The people each of whom decides alone, whatever else there is to look up: nearly every click is one of theirs.
    pub fn sole_approvers(&self) -> &[String] {
        if self.effect.approvals > 1 || self.shadow { &[] } else { &self.effect.approvers.users }
    }

    /// Whether this person may decide: one whom the plan names, or who is in a group that it names, or a fallback
    /// approver once the case is escalated. Who comes by the command line has been allowed by IAM; but where two people have
    /// to decide, only somebody whom policy knows is one of them.
    pub fn allows(&self, voter: &Voter, escalated: bool) -> bool {
        let (user, group) = match voter {
            Voter::Slack { user, group, .. } => (user, group),
            Voter::Iam { slack_user, .. } => return self.effect.approvals <= 1 || slack_user.is_some(),
        };
        self.effect.approvers.users.contains(user)
            || group.as_ref().is_some_and(|group| self.effect.approvers.groups.contains(group))
            || escalated && self.fallback_approvers.contains(user)
    }
}

/// A plan as it was pinned. Its text is what is stored and hashed: a member that a later release adds changes the hash of no
/// plan on record, and with it no approval that is open.
#[derive(Clone, Debug, PartialEq)]
pub struct PinnedPlan {
    text: String,
    hash: String,
    plan: Plan,
}

impl PinnedPlan {
    /// Writes the plan down.
    pub fn pin(plan: Plan) -> Self {
        let text = serde_json::to_string(&plan).expect("a plan holds only text and numbers");
        Self { hash: hash(&text), text, plan }
    }

    /// Hex SHA-256 of the text. It is shown with the buttons, and checked again before the first destructive call.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl Deref for PinnedPlan {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

/// As its text.
impl Serialize for PinnedPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for PinnedPlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let plan = serde_json::from_str(&text).map_err(D::Error::custom)?;
        Ok(Self { hash: hash(&text), text, plan })
    }
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixtures::case, policy::Disposition};

    #[test]
    fn a_plan_on_record_keeps_its_hash_whatever_members_a_later_release_knows() {
        let pinned = case(Disposition::Review).plan;
        let mut older: serde_json::Value = serde_json::from_str(&pinned.text).unwrap();
        let members = older.as_object_mut().unwrap();
        assert!(members.remove("verify").is_some());
        members.insert("of_a_later_release".into(), true.into());
        let text = older.to_string();
        let read: PinnedPlan = serde_json::from_value(text.clone().into()).unwrap();
        assert_eq!(read.hash(), hash(&text));
        assert_ne!(read.hash(), pinned.hash());
        assert_eq!(serde_json::to_value(&read).unwrap(), text, "it is stored again as it was");
    }
}
