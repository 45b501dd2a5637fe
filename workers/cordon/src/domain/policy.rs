//! Policy: what happens to a finding.
//!
//! Ordered rules, the first match wins. No match, and a policy that cannot be read, mean review by the fallback
//! approvers: never act, never ignore.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::finding::{Finding, Severity};

/// The policy document, `policy.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The document's format: 1.
    pub version: u32,
    /// In order of precedence.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique; shown wherever the rule decided.
    pub name: String,
    /// Globs over finding types.
    #[serde(default = "anything")]
    pub finding_types: Vec<String>,
    /// Matches this severity and above.
    #[serde(default = "lowest")]
    pub minimum_severity: Severity,
    /// Globs over bucket names.
    #[serde(default = "anything")]
    pub buckets: Vec<String>,
    /// What happens.
    pub disposition: Disposition,
    /// Who may decide; nobody named means the fallback approvers.
    #[serde(default)]
    pub approvers: Approvers,
    /// How often people are asked before the case expires.
    #[serde(default = "one")]
    pub rounds: u32,
    /// The Slack channel, when not the default one.
    #[serde(default)]
    pub channel: Option<String>,
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

/// Who may decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvers {
    /// Slack user ids.
    #[serde(default)]
    pub users: Vec<String>,
}

fn anything() -> Vec<String> {
    vec!["*".into()]
}

fn lowest() -> Severity {
    Severity::Low
}

fn one() -> u32 {
    1
}

impl Policy {
    /// Reads and checks a policy document.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let policy: Policy =
            serde_json::from_slice(bytes).map_err(|error| format!("the policy is not valid: {error}"))?;
        if policy.version != 1 {
            return Err(format!("the policy has version {}, this release reads version 1", policy.version));
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            let at = format!("rule {} ({:?})", index + 1, rule.name);
            if rule.name.trim().is_empty() {
                return Err(format!("{at} has no name"));
            }
            if policy.rules[..index].iter().any(|earlier| earlier.name == rule.name) {
                return Err(format!("{at} has the same name as an earlier rule"));
            }
            for (field, globs) in [("finding_types", &rule.finding_types), ("buckets", &rule.buckets)] {
                if globs.is_empty() || globs.iter().any(String::is_empty) {
                    return Err(format!(
                        "{at} has an empty {field}, which would match nothing; leave it out to match all"
                    ));
                }
            }
            if !(1..=30).contains(&rule.rounds) {
                return Err(format!("{at} has {} rounds; 1 to 30 are possible", rule.rounds));
            }
        }
        Ok(policy)
    }

    /// The first rule that matches.
    pub fn rule_for(&self, finding: &Finding) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(finding))
    }
}

impl Rule {
    fn matches(&self, finding: &Finding) -> bool {
        let any = |globs: &[String], text: &str| globs.iter().any(|glob| WildMatch::new(glob).matches(text));
        finding.severity >= self.minimum_severity
            && any(&self.finding_types, &finding.finding_type)
            && any(&self.buckets, &finding.object.bucket)
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
}

/// Decides on a finding: by the first rule that matches, otherwise by review (fail closed).
pub fn decide(policy: Result<&Policy, &str>, finding: &Finding, fallback: &Fallback) -> Decided {
    let review = |rule: String| Decided {
        disposition: Disposition::Review,
        rule,
        approvers: fallback.approvers.clone(),
        channel: fallback.channel.clone(),
        rounds: 1,
    };
    match policy {
        Err(why) => review(format!("no policy: {why}")),
        Ok(policy) => match policy.rule_for(finding) {
            None => review("no rule matches".into()),
            Some(rule) => Decided {
                disposition: rule.disposition,
                rule: rule.name.clone(),
                approvers: match rule.approvers.users.as_slice() {
                    [] => fallback.approvers.clone(),
                    users => users.to_vec(),
                },
                channel: rule.channel.clone().unwrap_or_else(|| fallback.channel.clone()),
                rounds: rule.rounds,
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

    #[test]
    fn a_faulty_policy_is_refused_with_what_is_wrong() {
        for (rules, says) in [
            (json!([{"name": "a", "disposition": "delete"}]), "delete"),
            (json!([{"name": "a", "disposition": "review", "bucket": ["x"]}]), "bucket"),
            (
                json!([{"name": "a", "disposition": "review"}, {"name": "a", "disposition": "review"}]),
                "same name",
            ),
            (json!([{"name": "a", "disposition": "review", "buckets": []}]), "empty buckets"),
            (json!([{"name": " ", "disposition": "review"}]), "no name"),
            (json!([{"name": "a", "disposition": "review", "rounds": 0}]), "rounds"),
        ] {
            let error =
                Policy::parse(json!({"version": 1, "rules": rules}).to_string().as_bytes()).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(Policy::parse(b"{\"version\": 2, \"rules\": []}").unwrap_err().contains("version 2"));
        assert!(Policy::parse(b"{").is_err());
    }
}
