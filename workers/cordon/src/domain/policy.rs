//! Policy: what happens to a finding.
//!
//! Ordered rules, the first match wins. No match, and a policy that cannot be read, mean review by the fallback
//! approvers: never act, never ignore.

mod document;
mod json;

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

pub use self::document::{InvalidPolicy, Problem};
use super::finding::{Finding, Severity};

/// What is done with findings, as `policy.json` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// In order of precedence.
    pub rules: Vec<Rule>,
    /// The most objects that policy alone moves in a clock hour; above it people are asked.
    pub max_automatic_per_hour: Option<u32>,
    /// The same for each bucket.
    pub max_automatic_per_bucket_per_hour: Option<u32>,
    /// Slack user ids of those who may have objects put back.
    pub restorers: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique; shown wherever the rule decided.
    pub name: String,
    /// Globs over finding types.
    pub finding_types: Vec<String>,
    /// Matches this severity and above.
    pub minimum_severity: Severity,
    /// Globs over bucket names.
    pub buckets: Vec<String>,
    /// What happens.
    pub disposition: Disposition,
    /// Slack user ids of those who may decide; nobody named means the fallback approvers.
    pub approvers: Vec<String>,
    /// How often people are asked before the case expires.
    pub rounds: u32,
    /// The Slack channel, when not the default one.
    pub channel: Option<String>,
    /// Which versions of the key are moved.
    pub versions: Versions,
    /// How copies are verified.
    pub verify: Verify,
    /// What happens to a finding about an object that was put back from quarantine.
    pub after_restore: AfterRestore,
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

/// Which versions of a key are moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// The first rule that matches.
    pub fn rule_for(&self, finding: &Finding) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(finding))
    }
}

impl Rule {
    fn matches(&self, finding: &Finding) -> bool {
        let any = |globs: &[String], text: &str| globs.iter().any(|glob| matches(glob, text));
        finding.severity >= self.minimum_severity
            && any(&self.finding_types, &finding.finding_type)
            && any(&self.buckets, &finding.object.bucket)
    }
}

/// Whether a glob matches the whole text: `*` is any text, the empty one too, `?` is any one character.
fn matches(glob: &str, text: &str) -> bool {
    WildMatch::new(glob).matches(text)
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
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// What happens.
    pub disposition: Disposition,
    /// The rule's name, or why none decided.
    pub rule: String,
    /// Slack user ids.
    pub approvers: Vec<String>,
    /// The Slack channel.
    pub channel: String,
    /// How often people are asked.
    pub rounds: u32,
    /// Which versions of the key are moved.
    pub versions: Versions,
    /// How copies are verified.
    pub verify: Verify,
    /// What happens when the object was put back from quarantine.
    pub after_restore: AfterRestore,
}

/// Decides on a finding: by the first rule that matches, otherwise by review (fail closed).
pub fn decide(policy: Result<&Policy, &str>, finding: &Finding, fallback: &Fallback) -> Decided {
    let review = |rule: String| Decided {
        disposition: Disposition::Review,
        rule,
        approvers: fallback.approvers.clone(),
        channel: fallback.channel.clone(),
        rounds: 1,
        versions: Versions::default(),
        verify: Verify::default(),
        after_restore: AfterRestore::default(),
    };
    match policy {
        Err(why) => review(format!("no policy: {why}")),
        Ok(policy) => match policy.rule_for(finding) {
            None => review("no rule matches".into()),
            Some(rule) => Decided {
                disposition: rule.disposition,
                rule: rule.name.clone(),
                approvers: match rule.approvers.as_slice() {
                    [] => fallback.approvers.clone(),
                    users => users.to_vec(),
                },
                channel: rule.channel.clone().unwrap_or_else(|| fallback.channel.clone()),
                rounds: rule.rounds,
                versions: rule.versions,
                verify: rule.verify,
                after_restore: rule.after_restore,
            },
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::finding::{Detection, ObjectVersion};

    pub(crate) fn finding(finding_type: &str, severity: Severity, bucket: &str) -> Finding {
        Finding {
            id: "ba3c75616234b8a67797b8000371aaba".into(),
            finding_type: finding_type.into(),
            severity,
            title: "The S3 object contains credentials".into(),
            region: "us-east-1".into(),
            created_at: "2026-03-11T09:46:53.031Z".into(),
            sample: false,
            object: ObjectVersion {
                account: "111122223333".into(),
                bucket: bucket.into(),
                key: "deploy keys/a&b <prod>".into(),
                version_id: None,
                etag: "07b21b45c9ed4a3fabf8173be102d9c2".into(),
            },
            size: Some(1168),
            last_modified: Some("2026-03-11T09:02:17.000Z".into()),
            detections: vec![Detection {
                category: "CREDENTIALS".into(),
                name: "AWS_CREDENTIALS".into(),
                count: 2,
            }],
            job_id: Some("3ce05dbb7ec5505def334104bde0f1a2".into()),
        }
    }

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
                &fallback(),
            )
        };
        assert_eq!(on("Credentials", Severity::High, "www-site").disposition, Disposition::Ignore);
        assert_eq!(on("Credentials", Severity::High, "finance").disposition, Disposition::Quarantine);
        let review = on("Credentials", Severity::Medium, "finance");
        assert_eq!((review.disposition, review.rounds), (Disposition::Review, 2));
        assert_eq!(review.approvers, ["U0ALICE001"]);
    }

    #[test]
    fn without_a_match_or_a_policy_the_fallback_approvers_review() {
        let finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
        let empty = policy(json!([]));
        for decided in
            [decide(Ok(&empty), &finding, &fallback()), decide(Err("it is cut short"), &finding, &fallback())]
        {
            assert_eq!(decided.disposition, Disposition::Review);
            assert_eq!(decided.approvers, ["U0FALLBACK"]);
        }
    }
}
