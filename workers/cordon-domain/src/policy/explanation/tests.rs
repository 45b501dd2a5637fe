use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    finding::Severity,
    fixtures::finding,
    policy::{Decided, Fallback, decide},
};

fn policy(rules: &[Value]) -> Policy {
    Policy::parse(json!({"version": 1, "rules": rules}).to_string().as_bytes()).unwrap()
}

fn decided(policy: &Policy, finding: &Finding, exposed: Option<bool>) -> Decided {
    let fallback = Fallback { approvers: vec!["U0FALLBACK".into()], channel: "C0SECURITY".into() };
    decide(Ok(policy), finding, exposed, &fallback)
}

fn rule(name: usize, members: Value) -> Value {
    let mut rule = json!({"name": format!("rule-{name}")});
    rule.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    rule
}

#[test]
fn every_rule_before_the_one_that_decides_says_why_it_does_not() {
    let policy = policy(&[
        rule(1, json!({"buckets": ["www-*"], "minimum_severity": "High", "disposition": "ignore"})),
        rule(2, json!({"exposed": true, "disposition": "quarantine"})),
        rule(3, json!({"keys": ["deploy*"], "disposition": "quarantine"})),
        rule(4, json!({"disposition": "ignore"})),
    ]);
    let finding = finding("SensitiveData:S3Object/Credentials", Severity::Medium, "finance");
    let explained = policy.explain(&finding, Some(false));
    assert_eq!(explained.rule.unwrap().name, "rule-3");
    let why: Vec<Vec<_>> = explained
        .passed
        .iter()
        .map(|passed| passed.mismatches.iter().map(|mismatch| mismatch.member).collect())
        .collect();
    assert_eq!(why, [vec!["buckets", "minimum_severity"], vec!["exposed"]]);
}

#[test]
fn when_nobody_knows_whether_the_bucket_is_exposed_the_stricter_answer_counts() {
    let ignore = json!({"disposition": "ignore"});
    let review = json!({"disposition": "review", "approvers": {"users": ["U0ALICE001"]}});
    let moves = json!({"disposition": "quarantine"});
    let on_expiry =
        json!({"disposition": "review", "approvers": {"users": ["U0ALICE001"]}, "on_expiry": "quarantine"});
    let finding = finding("SensitiveData:S3Object/Credentials", Severity::High, "finance");
    for (asks, first, last, decides) in [
        (true, &moves, &ignore, 1),
        (false, &ignore, &moves, 2),
        (false, &ignore, &review, 2),
        (true, &review, &review, 1),
        (false, &review, &on_expiry, 2),
    ] {
        let mut first = first.clone();
        first["exposed"] = json!(asks);
        let policy = policy(&[rule(1, first), rule(2, last.clone())]);
        let decided = decided(&policy, &finding, None);
        assert!(decided.rule.starts_with(&format!("rule-{decides}")), "{policy:?}: {decided:?}");
        assert!(decided.rule.contains("unknown"), "{}", decided.rule);
    }
    let sure = policy(&[
        rule(1, json!({"exposed": true, "buckets": ["x"], "disposition": "quarantine"})),
        rule(2, moves),
    ]);
    assert_eq!(decided(&sure, &finding, None).rule, "rule-2", "it makes no difference");
}

/// Small alphabets, so that rules match often.
fn any_rule() -> impl Strategy<Value = Value> {
    let globs = |glob| prop::option::of(prop::collection::vec(glob, 1..3));
    let detected = (
        prop::option::of(prop::sample::subsequence(vec!["CREDENTIALS", "PERSONAL_INFORMATION"], 1..=2)),
        prop::option::of(prop::collection::vec("[AB*?]{1,2}", 1..3)),
        prop::option::of(1u32..4),
    );
    let gives =
        (prop::sample::select(vec!["quarantine", "review", "ignore"]), prop::option::of(any::<bool>()));
    let severity = prop::sample::select(vec!["Low", "Medium", "High"]);
    // A rule that matches everything would have to be the last.
    (severity, globs("[ab?][ab*?]{0,2}"), globs("[ab*?]{1,3}"), detected, gives).prop_map(
        |(severity, buckets, keys, (categories, identifiers, count), (disposition, exposed))| {
            let mut rule = json!({"minimum_severity": severity, "disposition": disposition});
            let mut set = |name: &str, value: Value| {
                if !value.is_null() {
                    rule[name] = value;
                }
            };
            set("buckets", json!(buckets.unwrap_or(vec!["?*".into()])));
            set("keys", json!(keys));
            set("categories", json!(categories));
            set("identifiers", json!(identifiers));
            set("minimum_count", json!(count));
            set("exposed", json!(exposed));
            if disposition == "review" {
                set("approvers", json!({"users": ["U0ALICE001"]}));
            }
            rule
        },
    )
}

fn any_finding() -> impl Strategy<Value = Finding> {
    let detections = prop::collection::vec(
        (prop::sample::select(vec!["CREDENTIALS", "PERSONAL_INFORMATION"]), "[AB]{1,2}", 1i64..4),
        0..3,
    );
    (1i64..=3, "[ab]{1,3}", "[ab]{1,3}", detections).prop_map(|(severity, bucket, key, detections)| {
        let severity = Severity::from_score(severity).unwrap();
        let mut finding = finding("SensitiveData:S3Object/Multiple", severity, &bucket);
        finding.object.key = key;
        finding.detections = detections
            .into_iter()
            .map(|(category, name, count)| crate::finding::Detection {
                category: category.into(),
                name,
                count,
            })
            .collect();
        finding
    })
}

/// What the document says, taken literally, without the reader's help.
fn holds(rule: &Value, finding: &Finding, exposed: bool) -> bool {
    let any = |globs: &Value, text: &str| {
        let globs = globs.as_array().map(|globs| globs.iter().map(|glob| glob.as_str().unwrap()));
        globs.is_none_or(|mut globs| globs.any(|glob| glob_matches(glob.as_bytes(), text.as_bytes())))
    };
    let of = |words: &Value, word: &str| words.as_array().is_none_or(|words| words.iter().any(|w| w == word));
    let selected: i64 = finding
        .detections
        .iter()
        .filter(|found| of(&rule["categories"], &found.category) && any(&rule["identifiers"], &found.name))
        .map(|found| found.count)
        .sum();
    let counts = ["categories", "identifiers", "minimum_count"].iter().any(|name| !rule[*name].is_null());
    let severities = ["Low", "Medium", "High"];
    let rank = |name: &str| severities.iter().position(|severity| *severity == name);
    rank(&format!("{:?}", finding.severity)) >= rank(rule["minimum_severity"].as_str().unwrap())
        && any(&rule["buckets"], &finding.object.bucket)
        && any(&rule["keys"], &finding.object.key)
        && (!counts || selected >= rule["minimum_count"].as_i64().unwrap_or(1))
        && rule["exposed"].as_bool().is_none_or(|asked| asked == exposed)
}

fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|taken| glob_matches(rest, &text[taken..])),
        (Some((b'?', glob)), Some((_, text))) => glob_matches(glob, text),
        (Some((a, glob)), Some((b, text))) if a == b => glob_matches(glob, text),
        _ => false,
    }
}

proptest! {
    #[test]
    fn the_first_rule_whose_words_all_hold_decides_and_every_one_before_it_is_explained(
        rules in prop::collection::vec(any_rule(), 0..5), finding in any_finding(), exposed in any::<bool>(),
    ) {
        let rules: Vec<_> = rules.into_iter().enumerate().map(|(n, members)| rule(n, members)).collect();
        let policy = policy(&rules);
        let first = rules.iter().position(|rule| holds(rule, &finding, exposed));
        let explained = policy.explain(&finding, Some(exposed));
        prop_assert_eq!(explained.passed.len(), first.unwrap_or(rules.len()));
        prop_assert_eq!(explained.rule, first.map(|first| &policy.rules[first]));
        for (passed, rule) in explained.passed.iter().zip(&policy.rules) {
            prop_assert_eq!(passed.rule, rule);
            prop_assert!(!passed.mismatches.is_empty());
        }
        let decided = decided(&policy, &finding, Some(exposed));
        prop_assert_eq!(decided.rule, explained.rule.map_or("no rule matches", |rule| &rule.name));
    }

    #[test]
    fn not_knowing_whether_the_bucket_is_exposed_never_weakens_what_happens(
        rules in prop::collection::vec(any_rule(), 0..5), finding in any_finding(),
    ) {
        let rules: Vec<_> = rules.into_iter().enumerate().map(|(n, members)| rule(n, members)).collect();
        let policy = policy(&rules);
        let unknown = decided(&policy, &finding, None).effect.disposition;
        let known = [true, false].map(|exposed| decided(&policy, &finding, Some(exposed)).effect.disposition);
        prop_assert_eq!(unknown, known.into_iter().max().unwrap());
    }
}
