//! Policy: what happens to a finding.
//!
//! Ordered rules, the first match wins. No match, and a policy that cannot be read, mean review by the fallback
//! approvers: never act, never ignore.

pub mod answer;
mod criteria;
mod document;
pub mod encoding;
mod explanation;
mod globs;
mod json;
pub mod preview;
pub mod scope;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use self::{
    criteria::{Criteria, Detected, Mismatch},
    document::{InvalidPolicy, Problem},
    explanation::{Explanation, Passed},
};
use super::{finding::Finding, quoted::quoted};

/// What is done with findings, as `policy.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whether it acts, or only tells what it would do.
    pub mode: Mode,
    /// In order of precedence.
    pub rules: Vec<Rule>,
    /// The most objects that policy alone moves in a clock hour; above it people are asked.
    pub max_automatic_per_hour: Option<u32>,
    /// The same for each bucket.
    pub max_automatic_per_bucket_per_hour: Option<u32>,
    /// Slack user ids of those who may have objects put back.
    pub restorers: Vec<String>,
    /// Slack user ids of the people who use the command line, by the id that IAM knows them by. Where two people have
    /// to agree, it tells one person from two.
    pub operators: BTreeMap<String, String>,
}

/// Whether policy acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It does.
    #[default]
    Enforce,
    /// It tells what it would do; nobody is asked, and nothing is touched.
    Shadow,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique; shown wherever the rule decided.
    pub name: String,
    /// What it asks of a finding.
    pub criteria: Criteria,
    /// The Slack channel, when not the default one.
    pub channel: Option<String>,
    /// What it gives.
    pub effect: RuleEffect,
}

/// What a rule gives. Rule, decision and plan share it, so that a new member of a rule is one field here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleEffect {
    /// What happens.
    pub disposition: Disposition,
    /// Who may decide; in a rule, nobody named means the fallback approvers.
    pub approvers: Approvers,
    /// How many people have to say the same: 1 or 2.
    #[serde(default = "one")]
    pub approvals: u32,
    /// How often people are asked before the case expires.
    #[serde(default = "one")]
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
    /// What happens to a finding about an object that was put back from quarantine.
    #[serde(default)]
    pub after_restore: AfterRestore,
}

impl RuleEffect {
    /// What a rule gives that says nothing but this.
    pub fn new(disposition: Disposition, approvers: Approvers) -> Self {
        Self {
            disposition,
            approvers,
            approvals: one(),
            rounds: one(),
            on_expiry: OnExpiry::default(),
            snooze_seconds: day(),
            versions: Versions::default(),
            verify: Verify::default(),
            after_restore: AfterRestore::default(),
        }
    }
}

/// What plans meant that were pinned before there was such a member.
const fn one() -> u32 {
    1
}

const fn day() -> u32 {
    86_400
}

/// What policy says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Nothing.
    Ignore,
    /// A person decides.
    Review,
    /// The object is moved at once.
    Quarantine,
}

impl fmt::Display for Disposition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ignore => "Ignore",
            Self::Review => "Review",
            Self::Quarantine => "Quarantine",
        })
    }
}

/// Which versions of a key are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versions {
    /// The one that the finding names.
    #[default]
    Reported,
    /// Every one that there is.
    All,
}

/// How a copy is verified before its source is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// By the size and the checksums that S3 keeps.
    #[default]
    Standard,
    /// By reading both sides too.
    Full,
}

/// Who may decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvers {
    /// Slack user ids.
    pub users: Vec<String>,
    /// Ids of Slack user groups.
    pub groups: Vec<String>,
}

/// What happens when nobody decides in the last round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// The object stays where it is.
    #[default]
    Leave,
    /// People are asked again from the first round on, until they decide.
    AskAgain,
    /// The object is moved.
    Quarantine,
}

/// What happens to a finding about an object that was put back from quarantine: somebody knew what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterRestore {
    /// It joins the case.
    #[default]
    Join,
    /// People are asked again.
    Ask,
}

impl Policy {
    /// Reads and checks a policy document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidPolicy> {
        document::read(bytes)
    }
}

/// Who decides and where, when policy does not say: kept outside the policy, so that it holds when the policy cannot
/// be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallback {
    /// Slack user ids.
    pub approvers: Vec<String>,
    /// The Slack channel.
    pub channel: String,
}

/// What was decided for a finding, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decided {
    /// The rule's name, or why none decided.
    pub rule: String,
    /// What the rule gives, with the people who may decide.
    #[serde(flatten)]
    pub effect: RuleEffect,
    /// Slack user ids of those who may too once the case is escalated.
    pub fallback_approvers: Vec<String>,
    /// The Slack channel.
    pub channel: String,
    /// Whether all this is only told, and nothing of it happens.
    pub shadow: bool,
}

/// Decides on a finding: by the first rule that matches, otherwise by review (fail closed). `exposed` says whether the
/// bucket is, if that is known; see [`Policy::explain`].
pub fn decide(
    policy: Result<&Policy, &str>,
    finding: &Finding,
    exposed: Option<bool>,
    fallback: &Fallback,
) -> Decided {
    let fallback_approvers = || Approvers { users: fallback.approvers.clone(), groups: Vec::new() };
    let review = |rule: String, shadow: bool| Decided {
        rule,
        effect: RuleEffect::new(Disposition::Review, fallback_approvers()),
        fallback_approvers: fallback.approvers.clone(),
        channel: fallback.channel.clone(),
        shadow,
    };
    let policy = match policy {
        Err(why) => return review(format!("no policy: {why}"), false),
        Ok(policy) => policy,
    };
    let shadow = policy.mode == Mode::Shadow;
    let explained = policy.explain(finding, exposed);
    let unsure = if explained.unsure { " (whether the bucket is exposed is unknown)" } else { "" };
    let Some(rule) = explained.rule else { return review(format!("no rule matches{unsure}"), shadow) };
    let mut effect = rule.effect.clone();
    if effect.approvers == Approvers::default() {
        effect.approvers = fallback_approvers();
    }
    Decided {
        rule: format!("{}{unsure}", rule.name),
        effect,
        fallback_approvers: fallback.approvers.clone(),
        channel: rule.channel.clone().unwrap_or_else(|| fallback.channel.clone()),
        shadow,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{finding::Severity, fixtures::finding};

    fn fallback() -> Fallback {
        Fallback { approvers: vec!["U0FALLBACK".into()], channel: "C0SECURITY".into() }
    }

    fn policy(rules: serde_json::Value) -> Policy {
        Policy::parse(json!({"version": 1, "rules": rules}).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = policy(json!([
            {"name": "public-is-fine", "buckets": ["www-*"], "disposition": "ignore"},
            {"name": "credentials", "finding_types": ["SensitiveData:S3Object/Credentials"], "minimum_severity": "High",
             "disposition": "quarantine"},
            {"name": "rest", "disposition": "review", "approvers": {"users": ["U0ALICE001"]}, "rounds": 2}
        ]));
        let on = |kind: &str, severity, bucket: &str| {
            decide(
                Ok(&policy),
                &finding(&format!("SensitiveData:S3Object/{kind}"), severity, bucket),
                None,
                &fallback(),
            )
        };
        assert_eq!(on("Credentials", Severity::High, "www-site").effect.disposition, Disposition::Ignore);
        assert_eq!(on("Credentials", Severity::High, "finance").effect.disposition, Disposition::Quarantine);
        let review = on("Credentials", Severity::Medium, "finance");
        assert_eq!((review.effect.disposition, review.effect.rounds), (Disposition::Review, 2));
        assert_eq!(review.effect.approvers.users, ["U0ALICE001"]);
    }

    #[test]
    fn without_a_match_or_a_policy_the_fallback_approvers_review() {
        let finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
        let empty = policy(json!([]));
        for policy in [Ok(&empty), Err("it is cut short")] {
            let decided = decide(policy, &finding, None, &fallback());
            assert_eq!(decided.effect.disposition, Disposition::Review);
            assert_eq!(decided.effect.approvers.users, ["U0FALLBACK"]);
        }
    }

    #[test]
    fn in_shadow_mode_the_same_is_decided_and_marked() {
        let rules = json!([{"name": "all", "disposition": "quarantine"}]);
        let finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
        let decided = |mode: &str, rules: &serde_json::Value| {
            let document = json!({"version": 1, "mode": mode, "rules": rules}).to_string();
            decide(Ok(&Policy::parse(document.as_bytes()).unwrap()), &finding, None, &fallback())
        };
        for rules in [&rules, &json!([])] {
            let (shadow, enforce) = (decided("shadow", rules), decided("enforce", rules));
            assert!(shadow.shadow && !enforce.shadow);
            assert_eq!(shadow, Decided { shadow: true, ..enforce });
        }
    }
}
