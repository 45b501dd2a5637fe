use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    finding::Severity,
    policy::{AfterRestore, Approvers, Criteria, Disposition, OnExpiry, Rule, RuleEffect, Verify, Versions},
};

/// What is wrong with a document, a line each.
fn told(document: &str) -> Vec<String> {
    let invalid = Policy::parse(document.as_bytes()).expect_err(document);
    invalid.problems().iter().map(ToString::to_string).collect()
}

fn rule(members: Value) -> Value {
    let mut rule = json!({"name": "a", "disposition": "quarantine"});
    rule.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    rule
}

#[test]
fn what_is_left_out_matches_all_and_asks_once() {
    let document = json!({"version": 1, "rules": [rule(json!({}))]}).to_string();
    let expected = Rule {
        name: "a".into(),
        criteria: Criteria {
            finding_types: vec!["*".into()],
            minimum_severity: Severity::Low,
            buckets: vec!["*".into()],
            keys: vec!["*".into()],
            accounts: vec!["*".into()],
            detected: None,
            exposed: None,
        },
        channel: None,
        effect: RuleEffect {
            disposition: Disposition::Quarantine,
            approvers: Approvers::default(),
            approvals: 1,
            rounds: 1,
            on_expiry: OnExpiry::Leave,
            snooze_seconds: 86_400,
            versions: Versions::Reported,
            verify: Verify::Standard,
            after_restore: AfterRestore::Join,
        },
    };
    let policy = Policy::parse(document.as_bytes()).unwrap();
    assert_eq!(policy.rules, [expected]);
    assert_eq!((policy.mode, policy.operators.len()), (Mode::Enforce, 0));
}

#[test]
fn everything_wrong_is_told_at_once_each_with_its_place() {
    let document = json!({"version": 2, "also": true, "rules": [
        {"name": "ask", "disposition": "shred", "channel": "", "approvers": {"users": ["U0ALICE001", "bob"]}},
        {"name": "ask", "disposition": "review", "rounds": 1.5},
        7,
    ]});
    assert_eq!(
        told(&document.to_string()),
        [
            r#"$: must not have "also", only: version, mode, rules, max_automatic_per_hour, max_automatic_per_bucket_per_hour, restorers, operators"#,
            r#"$.version: must be 1, the only version that this release reads; it is 2"#,
            r#"$.rules[0].disposition (rule 1, "ask"): must be quarantine, review or ignore; it is "shred""#,
            r#"$.rules[0].approvers.users[1] (rule 1, "ask"): must be Slack user ids (U… or W…), not names: names can be taken over; it is "bob""#,
            r#"$.rules[0].channel (rule 1, "ask"): must be a Slack channel id (C… or G…) or null; it is """#,
            r#"$.rules[1] (rule 2, "ask"): must not follow a rule that matches everything: it would never be reached"#,
            r#"$.rules[1].name (rule 2, "ask"): must be distinct: a case records the rule that decided it; it is "ask""#,
            r#"$.rules[1].rounds (rule 2, "ask"): must be a whole number from 1 to 30; it is 1.5"#,
            r#"$.rules[1] (rule 2, "ask"): must name at least one approver in approvers.users or approvers.groups when its disposition is review"#,
            r#"$.rules[2] (rule 3): must not follow a rule that matches everything: it would never be reached"#,
            r#"$.rules[2] (rule 3): must be an object; it is 7"#,
        ]
    );
    let invalid = Policy::parse(document.to_string().as_bytes()).unwrap_err();
    let first = &invalid.problems()[0];
    assert_eq!(invalid.to_string(), format!("{first} (and 10 more)"), "one sentence for a case record");
}

#[test]
fn a_document_of_another_shape_is_refused() {
    for (document, says) in [
        ("", "$: must be JSON: EOF"),
        ("{", "$: must be JSON: EOF"),
        ("{} {}", "$: must be JSON: trailing characters"),
        ("null", "$: must be an object; it is null"),
        ("[1, []]", "$: must be an object; it is a list"),
        ("{}", "$.version: must be 1, the only version that this release reads; it is missing"),
        (r#"{"version": "1", "rules": []}"#, r#"$.version: must be 1"#),
        (r#"{"version": 1}"#, "$.rules: must be a list; it is missing"),
        (r#"{"version": 1, "rules": {}}"#, "$.rules: must be a list; it is an object"),
        (
            r#"{"version": 1, "rules": [["a", ["*"], "Low", ["*"], "quarantine"]]}"#,
            "$.rules[0] (rule 1): must be an object; it is a list",
        ),
        (r#"{"version": 1, "rules": [], "rules": []}"#, r#"$: must not have "rules" twice"#),
        ("\u{feff}{\"version\": 1, \"rules\": []}", "$: must be UTF-8 without a byte order mark"),
    ] {
        let told = told(document);
        assert!(told.iter().any(|line| line.starts_with(says)), "{document}: {told:?}");
    }
}

#[test]
fn a_rule_of_another_shape_is_refused() {
    for (members, says) in [
        (json!({"approvers": ["U0ALICE001"]}), ".approvers (rule 1, \"a\"): must be an object; it is a list"),
        (
            json!({"approvers": [["U0ALICE001"]]}),
            ".approvers (rule 1, \"a\"): must be an object; it is a list",
        ),
        (
            json!({"approvers": {"user": []}}),
            ".approvers (rule 1, \"a\"): must not have \"user\", only: users, groups",
        ),
        (json!({"buckets": "*"}), ".buckets (rule 1, \"a\"): must be a list; it is \"*\""),
        (json!({"buckets": null}), ".buckets (rule 1, \"a\"): must be a list; it is null"),
        (json!({"buckets": [7]}), ".buckets[0] (rule 1, \"a\"): must be bucket names"),
        (json!({"bucket": ["x"]}), " (rule 1, \"a\"): must not have \"bucket\", only: name, "),
        (json!({"name": null}), ".name (rule 1): must be 1 to 64 lower-case letters"),
        (json!({"disposition": ["quarantine"]}), ".disposition (rule 1, \"a\"): must be quarantine"),
        (json!({"exposed": "true"}), ".exposed (rule 1, \"a\"): must be true or false; it is \"true\""),
        (json!({"exposed": null}), ".exposed (rule 1, \"a\"): must be true or false; it is null"),
        (json!({"disposition": {"quarantine": null}}), ".disposition (rule 1, \"a\"): must be quarantine"),
    ] {
        let document = json!({"version": 1, "rules": [rule(members)]}).to_string();
        let told = told(&document);
        assert!(told[0].starts_with(&format!("$.rules[0]{says}")), "{document}: {told:?}");
    }
}

#[test]
fn who_is_who_on_the_command_line_is_said_once_and_by_ids_that_iam_gives_to_nobody_else() {
    let operators = |operators: &str| format!(r#"{{"version": 1, "rules": [], "operators": {operators}}}"#);
    let user = "AIDACKCEVSQ6C2EXAMPLE";
    let session = "AROADBQP57FF2AEXAMPLE:olivia@example.com";
    let good = operators(&format!(r#"{{"{user}": "U0OLIVIA01", "{session}": "U0OLIVIA01"}}"#));
    let read = Policy::parse(good.as_bytes()).unwrap().operators;
    assert_eq!(read.get(session).map(String::as_str), Some("U0OLIVIA01"));
    let id = "must be named by a UserId as `aws sts get-caller-identity` tells it";
    for (wrong, says) in [
        (r#"{"arn:aws:iam::111122223333:user/olivia": "U0OLIVIA01"}"#, id),
        (r#"{"AROADBQP57FF2AEXAMPLE": "U0OLIVIA01"}"#, id),
        (r#"{"AROADBQP57FF2AEXAMPLE:": "U0OLIVIA01"}"#, id),
        (r#"{"AROADBQP57FF2AEXAMPLE:a*": "U0OLIVIA01"}"#, id),
        (r#"{"AIDACKCEVSQ6C2EXAMPLE:olivia": "U0OLIVIA01"}"#, id),
        (r#"{"olivia": "U0OLIVIA01"}"#, id),
        (&format!(r#"{{"{user}": "olivia"}}"#), "must be a Slack user id (U… or W…), not a name"),
        (&format!(r#"{{"{user}": "U01", "{user}": "U02"}}"#), "must not be there twice"),
        ("[]", "must be an object; it is a list"),
    ] {
        let told = told(&operators(wrong));
        assert!(told.len() == 1 && told[0].contains(says), "{wrong}: {told:?}");
        assert!(told[0].starts_with("$.operators"), "{told:?}");
    }
}

#[test]
fn what_is_shown_of_a_wrong_value_is_short_and_has_no_control_characters() {
    for name in ["a\nb".to_owned(), "a\u{9b}31m".to_owned(), "a\u{202e}".to_owned(), "A".repeat(100_000)] {
        let document = json!({"version": 1, "rules": [rule(json!({"name": name}))]}).to_string();
        let told = told(&document);
        assert_eq!(told.len(), 1);
        assert!(told[0].len() < 400 && !told[0].contains(&name), "{}", told[0]);
        assert!(!told[0].contains(char::is_control), "{}", told[0]);
    }
}

proptest! {
    #[test]
    fn any_document_is_read_or_refused_with_a_reason(document in "[\\[\\]{}:,\"a-z0-9*]{0,40}|\\PC{0,60}") {
        if let Err(invalid) = Policy::parse(document.as_bytes()) {
            prop_assert!(!invalid.problems().is_empty());
        }
    }

    #[test]
    fn a_rule_with_every_member_as_terraform_writes_it_is_read(
        bucket in "[a-z0-9.*?-]{1,63}", severity in "Low|Medium|High", user in "[UW][A-Z0-9]{2,10}", rounds in 1u32..=30,
    ) {
        let rule = json!({
            "name": "ask", "finding_types": ["SensitiveData:*"], "minimum_severity": severity, "buckets": [bucket],
            "keys": ["*.csv"], "accounts": ["1111*"], "categories": ["CREDENTIALS"], "identifiers": ["AWS_*"],
            "minimum_count": 10, "exposed": true, "approvals": 2, "on_expiry": "ask_again", "snooze_seconds": 604800,
            "disposition": "review", "approvers": {"users": [user], "groups": ["S01"]}, "rounds": rounds, "channel": null,
        });
        let document = json!({"version": 1, "rules": [rule]}).to_string();
        prop_assert!(Policy::parse(document.as_bytes()).is_ok(), "{}", document);
    }
}
