//! What a rule asks of a finding.

use serde::Serialize;
use wildmatch::WildMatch;

use super::quoted;
use crate::finding::{Detection, Finding, Severity};

/// What a rule asks of a finding: all of it has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Criteria {
    /// Globs over finding types.
    pub finding_types: Vec<String>,
    /// This severity and above.
    pub minimum_severity: Severity,
    /// Globs over bucket names.
    pub buckets: Vec<String>,
    /// Globs over object keys.
    pub keys: Vec<String>,
    /// Globs over the ids of the accounts that own the buckets.
    pub accounts: Vec<String>,
    /// What must have been detected; `None` for anything.
    pub detected: Option<Detected>,
    /// Whether somebody outside must be able to reach the bucket, or must not; `None` for either.
    pub exposed: Option<bool>,
}

/// What must have been detected, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct Detected {
    /// Of these categories; empty for any.
    pub categories: Vec<String>,
    /// By identifiers of these names, which are globs; empty for any.
    pub identifiers: Vec<String>,
    /// So many occurrences, all such detections together.
    pub minimum_count: u32,
}

/// Something that a rule asks for and a finding has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The rule's member that asks for it.
    pub member: &'static str,
    /// What was asked for, and what is.
    pub why: String,
}

impl Criteria {
    /// Everything that this asks for and the finding has not; nothing where it matches.
    pub(super) fn mismatches(&self, finding: &Finding, exposed: bool) -> Vec<Mismatch> {
        let object = &finding.object;
        let texts = [
            ("finding_types", "finding type", &self.finding_types, &finding.finding_type),
            ("buckets", "bucket", &self.buckets, &object.bucket),
            ("keys", "key", &self.keys, &object.key),
            ("accounts", "account", &self.accounts, &object.account),
        ];
        let mut found: Vec<_> = texts
            .into_iter()
            .filter(|(_, _, globs, text)| !any(globs, text))
            .map(|(member, what, globs, text)| {
                let why = format!("the {what} {} does not match {}", quoted(text), listed(globs));
                Mismatch { member, why }
            })
            .collect();
        if finding.severity < self.minimum_severity {
            let why = format!("the severity {} is below {}", finding.severity, self.minimum_severity);
            found.push(Mismatch { member: "minimum_severity", why });
        }
        found.extend(self.detected.as_ref().and_then(|detected| detected.mismatch(&finding.detections)));
        if self.exposed.is_some_and(|asked| asked != exposed) {
            let why = if exposed { "the bucket is exposed" } else { "the bucket is not exposed" };
            found.push(Mismatch { member: "exposed", why: why.into() });
        }
        found
    }
}

impl Detected {
    fn mismatch(&self, detections: &[Detection]) -> Option<Mismatch> {
        let selected = || detections.iter().filter(|detection| self.selects(detection));
        // What Macie lists has occurred, whether or not it says how often.
        let count = selected().map(|detection| detection.count.max(1)).fold(0, i64::saturating_add);
        if selected().next().is_some() && count >= i64::from(self.minimum_count) {
            return None;
        }
        let of = match self.categories.as_slice() {
            [] => String::new(),
            categories => format!(" of category {}", categories.join(" or ")),
        };
        let by = match self.identifiers.as_slice() {
            [] => String::new(),
            identifiers => format!(" by an identifier that matches {}", listed(identifiers)),
        };
        let member = match (selected().next(), self.categories.is_empty(), self.identifiers.is_empty()) {
            (None, false, _) => "categories",
            (None, true, false) => "identifiers",
            (Some(_), ..) | (None, true, true) => "minimum_count",
        };
        let why =
            format!("{count} occurrences were detected{of}{by}, and {} are asked for", self.minimum_count);
        Some(Mismatch { member, why })
    }

    fn selects(&self, detection: &Detection) -> bool {
        (self.categories.is_empty() || self.categories.contains(&detection.category))
            && (self.identifiers.is_empty() || any(&self.identifiers, &detection.name))
    }
}

/// Whether a glob matches the whole text: `*` is any text, the empty one too, `?` is any one character.
pub(super) fn matches(glob: &str, text: &str) -> bool {
    WildMatch::new(glob).matches(text)
}

fn any(globs: &[String], text: &str) -> bool {
    globs.iter().any(|glob| matches(glob, text))
}

/// How many globs are shown.
const SHOWN: usize = 5;

fn listed(globs: &[String]) -> String {
    let shown: Vec<_> = globs.iter().take(SHOWN).map(|glob| quoted(glob)).collect();
    let more = globs.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" or {more} more") };
    format!("{}{more}", shown.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::finding;

    fn criteria() -> Criteria {
        let all = || vec!["*".to_owned()];
        Criteria {
            finding_types: all(),
            minimum_severity: Severity::Low,
            buckets: all(),
            keys: all(),
            accounts: all(),
            detected: None,
            exposed: None,
        }
    }

    fn detected(categories: &[&str], identifiers: &[&str], minimum_count: u32) -> Criteria {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let detected =
            Detected { categories: texts(categories), identifiers: texts(identifiers), minimum_count };
        Criteria { detected: Some(detected), ..criteria() }
    }

    fn found(detections: &[(&str, &str, i64)]) -> Finding {
        let mut finding = finding("SensitiveData:S3Object/Multiple", Severity::Medium, "finance");
        finding.detections = detections
            .iter()
            .map(|&(category, name, count)| Detection { category: category.into(), name: name.into(), count })
            .collect();
        finding
    }

    #[test]
    fn each_criterion_decides_by_itself_and_says_why() {
        let finding = found(&[]);
        let globs = |glob: &str| vec![glob.to_owned()];
        for (criteria, member, says) in [
            (
                Criteria { finding_types: globs("*Credentials"), ..criteria() },
                "finding_types",
                r#"the finding type "SensitiveData:S3Object/Multiple" does not match "*Credentials""#,
            ),
            (
                Criteria { minimum_severity: Severity::High, ..criteria() },
                "minimum_severity",
                "the severity Medium is below High",
            ),
            (
                Criteria { buckets: globs("logs-*"), ..criteria() },
                "buckets",
                r#"the bucket "finance" does not match "logs-*""#,
            ),
            (
                Criteria { keys: globs("*.csv"), ..criteria() },
                "keys",
                r#"the key "deploy keys/a&b <prod>" does not match "*.csv""#,
            ),
            (
                Criteria { accounts: globs("9*"), ..criteria() },
                "accounts",
                r#"the account "111122223333" does not match "9*""#,
            ),
            (Criteria { exposed: Some(true), ..criteria() }, "exposed", "the bucket is not exposed"),
        ] {
            let expected = Mismatch { member, why: says.into() };
            assert_eq!(criteria.mismatches(&finding, false), [expected]);
        }
        for matching in [
            criteria(),
            Criteria { keys: globs("deploy keys/*"), exposed: Some(false), ..criteria() },
            Criteria { accounts: globs("1111222233??"), minimum_severity: Severity::Medium, ..criteria() },
        ] {
            assert_eq!(matching.mismatches(&finding, false), []);
        }
        assert_eq!(
            Criteria { exposed: Some(false), ..criteria() }.mismatches(&finding, true)[0].why,
            "the bucket is exposed"
        );
    }

    #[test]
    fn what_was_detected_is_counted_over_all_detections_that_are_selected() {
        let finding = found(&[
            ("FINANCIAL_INFORMATION", "CREDIT_CARD_NUMBER", 30),
            ("PERSONAL_INFORMATION", "NAME", 4),
            ("CUSTOM_IDENTIFIER", "Employee id", 3),
            ("PERSONAL_INFORMATION", "ADDRESS", 0),
        ]);
        for (criteria, mismatch) in [
            (detected(&["CREDENTIALS"], &[], 1), Some("categories")),
            (detected(&["CREDENTIALS", "PERSONAL_INFORMATION"], &[], 5), None),
            (detected(&["PERSONAL_INFORMATION"], &[], 6), Some("minimum_count")),
            (detected(&[], &["CREDIT_*"], 30), None),
            (detected(&[], &["CREDIT_*"], 31), Some("minimum_count")),
            (detected(&[], &["employee*"], 1), Some("identifiers")),
            (detected(&["CUSTOM_IDENTIFIER"], &["Employee*"], 3), None),
            (detected(&["CUSTOM_IDENTIFIER"], &["NAME"], 1), Some("categories")),
            (detected(&[], &[], 38), None),
            (detected(&[], &[], 39), Some("minimum_count")),
        ] {
            let mismatches = criteria.mismatches(&finding, false);
            assert_eq!(mismatches.first().map(|mismatch| mismatch.member), mismatch, "{criteria:?}");
        }
        let none = detected(&[], &[], 1).mismatches(&found(&[]), false);
        assert_eq!(none[0].why, "0 occurrences were detected, and 1 are asked for");
    }
}
