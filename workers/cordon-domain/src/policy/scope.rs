//! Which buckets an installation answers for, and which of them nothing is moved from. Both are settings and not policy:
//! whoever writes policy does not thereby reach the logs of what happened.

use super::{Disposition, Policy, criteria::matches};

/// Globs over bucket names, as in rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketScope {
    /// What the installation answers for; other buckets are another installation's.
    pub buckets: Vec<String>,
    /// What nothing is moved from.
    pub protected: Vec<String>,
}

impl Default for BucketScope {
    /// Every bucket, and none of them protected.
    fn default() -> Self {
        Self { buckets: vec!["*".into()], protected: Vec::new() }
    }
}

impl BucketScope {
    /// Whether the installation answers for a bucket.
    pub fn answers_for(&self, bucket: &str) -> bool {
        self.buckets.iter().any(|glob| matches(glob, bucket))
    }

    /// The glob that protects a bucket, if one does.
    pub fn protecting(&self, bucket: &str) -> Option<&str> {
        self.protected.iter().find(|glob| matches(glob, bucket)).map(String::as_str)
    }

    /// The rules that could do something about a protected bucket, by their number, with the globs that protect such.
    pub fn reached_by<'a>(&'a self, policy: &'a Policy) -> Vec<(usize, &'a str, Vec<&'a str>)> {
        let mut reached = Vec::new();
        for (number, rule) in (1..).zip(&policy.rules) {
            if rule.effect.disposition == Disposition::Ignore {
                continue;
            }
            let meets = |glob: &&String| {
                rule.criteria.buckets.iter().any(|of_rule| have_text_in_common(of_rule, glob))
            };
            let globs: Vec<_> = self.protected.iter().filter(meets).map(String::as_str).collect();
            if !globs.is_empty() {
                reached.push((number, rule.name.as_str(), globs));
            }
        }
        reached
    }
}

/// Whether some text matches both globs.
fn have_text_in_common(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // Whether what is left of both, from these places on, has a text in common.
    let mut common = vec![vec![false; other.len() + 1]; one.len() + 1];
    for i in (0..=one.len()).rev() {
        for j in (0..=other.len()).rev() {
            common[i][j] = match (one.get(i), other.get(j)) {
                (None, None) => true,
                (Some('*'), None) => common[i + 1][j],
                (None, Some('*')) => common[i][j + 1],
                (None, Some(_)) | (Some(_), None) => false,
                (Some('*'), Some('*')) => common[i + 1][j] || common[i][j + 1],
                // The star is nothing, or takes in what the other glob wants next.
                (Some('*'), Some(_)) => common[i + 1][j] || common[i][j + 1],
                (Some(_), Some('*')) => common[i][j + 1] || common[i + 1][j],
                (Some(a), Some(b)) => (a == b || *a == '?' || *b == '?') && common[i + 1][j + 1],
            };
        }
    }
    common[0][0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn scope(protected: &[&str]) -> BucketScope {
        BucketScope {
            protected: protected.iter().map(|&glob| glob.to_owned()).collect(),
            ..BucketScope::default()
        }
    }

    #[test]
    fn a_bucket_is_protected_by_the_first_glob_that_matches_its_whole_name() {
        let scope = scope(&["aws-controltower-*", "*tfstate*"]);
        assert_eq!(scope.protecting("aws-controltower-logs-1"), Some("aws-controltower-*"));
        assert_eq!(scope.protecting("my-tfstate"), Some("*tfstate*"));
        assert_eq!(scope.protecting("my-aws-controltower-logs"), None);
        assert!(scope.answers_for("anything"));
        assert!(!BucketScope { buckets: vec!["a-*".into()], protected: vec![] }.answers_for("b-1"));
    }

    #[test]
    fn the_rules_that_could_reach_a_protected_bucket_are_named() {
        let rule = |name: &str, bucket: &str, disposition: &str| json!({"name": name, "buckets": [bucket], "disposition": disposition});
        let rules = json!([
            rule("logs", "*-logs-*", "quarantine"),
            rule("finance", "finance-*", "quarantine"),
            rule("passed", "aws-*", "ignore"),
            json!({"name": "rest", "disposition": "review", "approvers": {"users": ["U0ALICE001"]}}),
        ]);
        let policy = Policy::parse(json!({"version": 1, "rules": rules}).to_string().as_bytes()).unwrap();
        let scope = scope(&["aws-cloudtrail-logs-*", "*tfstate"]);
        assert_eq!(
            scope.reached_by(&policy),
            [
                (1, "logs", vec!["aws-cloudtrail-logs-*", "*tfstate"]),
                (2, "finance", vec!["*tfstate"]),
                (4, "rest", vec!["aws-cloudtrail-logs-*", "*tfstate"]),
            ]
        );
    }

    proptest! {
        #[test]
        fn a_text_that_matches_both_globs_is_one_that_they_have_in_common(
            one in "[ab*?]{0,6}", other in "[ab*?]{0,6}", text in "[ab]{0,8}",
        ) {
            if matches(&one, &text) && matches(&other, &text) {
                prop_assert!(have_text_in_common(&one, &other));
            }
            prop_assert_eq!(have_text_in_common(&one, &other), have_text_in_common(&other, &one));
        }

        #[test]
        fn a_glob_has_a_text_in_common_with_those_texts_alone_that_it_matches(glob in "[ab*?]{0,6}", text in "[ab]{0,8}") {
            prop_assert_eq!(have_text_in_common(&glob, &text), matches(&glob, &text));
        }
    }
}
