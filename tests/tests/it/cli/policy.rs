//! `cordon policy`: what it says of documents and findings.

use std::{fs, process::Output};

use serde_json::{Value, json};

use super::{cordon, piped, stderr};

#[test]
fn policy_check_tells_good_from_bad_for_people_and_for_programs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.json");
    let path = file.to_str().unwrap();
    fs::write(&file, r#"{"version": 1, "rules": [{"name": "all", "disposition": "quarantine"}]}"#).unwrap();
    let good = cordon(&["policy", "check", path], &[]);
    assert!(good.status.success(), "{}", stderr(&good));
    assert!(String::from_utf8_lossy(&good.stdout).contains("1. all → Quarantine"), "{good:?}");
    let json = cordon(&["policy", "check", "--json", path], &[]);
    let parsed: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        parsed,
        json!({"valid": true, "errors": [], "warnings": [], "rules": ["all"], "protected": []})
    );
    let protected = [("CORDON_PROTECTED_BUCKETS", "*tfstate*,audit-*")];
    let said = cordon(&["policy", "check", path], &protected);
    assert!(said.status.success(), "{said:?}");
    assert!(
        stderr(&said).contains("rule 1 (all) could reach protected buckets (*tfstate*, audit-*)"),
        "{said:?}"
    );
    let json = cordon(&["policy", "check", "--json", path], &protected);
    let parsed: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(parsed["protected"], json!([{"rule": 1, "name": "all", "buckets": ["*tfstate*", "audit-*"]}]));
    let missing = cordon(&["policy", "check", "no-such-file"], &[]);
    assert!(!missing.status.success() && stderr(&missing).contains("no-such-file"));
}

#[test]
fn policy_check_tells_everything_that_is_wrong_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.json");
    let path = file.to_str().unwrap();
    let rules = r#"[{"name": "all", "disposition": "shred"}, {"name": "ask", "disposition": "review", "channel": ""}]"#;
    fs::write(&file, format!(r#"{{"version": 1, "rules": {rules}}}"#)).unwrap();
    let said = cordon(&["policy", "check", path], &[]);
    assert!(!said.status.success());
    let lines = stderr(&said);
    for says in [
        r#"$.rules[0].disposition (rule 1, "all"): must be quarantine, review or ignore; it is "shred""#,
        r#"$.rules[1].channel (rule 2, "ask"): must be a Slack channel id"#,
        r#"$.rules[1] (rule 2, "ask"): must name at least one approver"#,
    ] {
        assert!(lines.contains(says), "{says} is not in {lines}");
    }
    let json = cordon(&["policy", "check", "--json", path], &[]);
    assert!(!json.status.success());
    let parsed: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(parsed["valid"], false);
    let errors = parsed["errors"].as_array().unwrap();
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error["path"].as_str(), error["rule"].as_u64(), error["name"].as_str()))
        .collect();
    let ask = |path| (Some(path), Some(2), Some("ask"));
    assert!(places.contains(&(Some("$.rules[0].disposition"), Some(1), Some("all"))), "{places:?}");
    assert!(places.contains(&ask("$.rules[1].channel")) && places.contains(&ask("$.rules[1]")), "{places:?}");
}

#[test]
fn policy_check_reads_standard_input() {
    let good = piped(&["policy", "check", "-"], r#"{"version": 1, "rules": [], "mode": "shadow"}"#);
    let text = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success() && text.contains("no rules") && text.contains("shadow mode"), "{good:?}");
    let bad = piped(&["policy", "check", "-"], "{}");
    assert!(!bad.status.success());
    assert!(
        stderr(&bad).starts_with("standard input is not a valid policy:\n  $.version: must be 1"),
        "{bad:?}"
    );
}

/// The policies that docs/POLICY.md shows.
fn documented() -> Vec<&'static str> {
    let text = include_str!("../../../../docs/POLICY.md");
    text.split("```json\n").skip(1).map(|rest| rest.split_once("```").expect("a block ends").0).collect()
}

#[test]
fn every_documented_policy_passes_policy_check() {
    assert!(documented().len() > 5, "the sample policies are among them");
    for policy in documented() {
        let checked = piped(&["policy", "check", "-"], policy);
        assert!(checked.status.success(), "{policy}: {}", stderr(&checked));
    }
}

/// A finding as EventBridge brings it.
fn event() -> Value {
    json!({"version": "0", "source": "aws.macie", "detail-type": "Macie Finding", "detail": {
        "id": "d5a83c6df0b94c5f86dca5e3b5a7c102", "accountId": "444455556666", "region": "us-east-1",
        "type": "SensitiveData:S3Object/Financial", "title": "The S3 object contains financial information",
        "severity": {"score": 3, "description": "High"}, "createdAt": "2026-03-11T09:46:53.031Z",
        "category": "CLASSIFICATION", "sample": false,
        "resourcesAffected": {"s3Bucket": {"name": "finance"}, "s3Object": {"key": "2026\u{1b}[2J.csv",
            "versionId": "", "size": 4750, "etag": "6bb7fd4fa9d36d6b8fb8882ca1b2c3d4"}},
        "classificationDetails": {"result": {"sensitiveData": [{"category": "FINANCIAL_INFORMATION", "detections": [
            {"type": "CREDIT_CARD_NUMBER", "count": 30}]}]}}}})
}

#[test]
fn policy_explain_says_which_rule_decides_and_why_no_earlier_one_does() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &Value| {
        let path = directory.path().join(name);
        fs::write(&path, content.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let policy = file(
        "policy.json",
        &json!({"version": 1, "rules": [
            {"name": "site", "buckets": ["www-*"], "disposition": "ignore"},
            {"name": "exposed", "exposed": true, "disposition": "quarantine", "versions": "all"},
            {"name": "cards", "categories": ["FINANCIAL_INFORMATION"], "minimum_count": 31, "disposition": "quarantine"},
            {"name": "ask", "disposition": "review", "approvers": {"users": ["U0ALICE001"], "groups": ["S0SECURITY"]},
             "approvals": 2, "rounds": 3, "on_expiry": "quarantine", "channel": "C0FINANCE1"},
        ]}),
    );
    let event = file("event.json", &event());
    let explain =
        |more: &[&str]| cordon(&[&["policy", "explain", &event, "--policy", &policy], more].concat(), &[]);

    let said = explain(&["--exposed", "false"]);
    assert!(said.status.success(), "{}", stderr(&said));
    let text = String::from_utf8(said.stdout).unwrap();
    for says in [
        "SensitiveData:S3Object/Financial, High",
        r"finance/2026\u{1b}[2J.csv of account 444455556666",
        "30 × CREDIT_CARD_NUMBER (FINANCIAL_INFORMATION)",
        r#"1. site does not match: the bucket "finance" does not match "www-*""#,
        "2. exposed does not match: the bucket is not exposed",
        "3. cards does not match: 30 occurrences were detected of category FINANCIAL_INFORMATION, and 31 are asked for",
        "4. ask decides: Review",
        "U0ALICE001 or the group S0SECURITY would be asked in C0FINANCE1, up to 3 times",
        "Two people would have to agree. Without a decision the object would be moved to quarantine.",
    ] {
        assert!(text.contains(says), "{says} is not in {text}");
    }

    let said = explain(&["--json"]);
    let unknown: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(unknown["rule"], json!({"number": 2, "name": "exposed"}), "the stricter answer counts");
    assert_eq!((&unknown["exposed"], &unknown["exposure_unknown"]), (&Value::Null, &json!(true)));
    assert_eq!(unknown["passed"][0]["mismatches"][0]["member"], "buckets");
    assert_eq!(
        (&unknown["would"]["disposition"], &unknown["would"]["versions"]),
        (&json!("quarantine"), &json!("all"))
    );

    let both = cordon(&["policy", "explain", "-", "--policy", "-"], &[]);
    assert!(!both.status.success() && stderr(&both).contains("only one of"), "{both:?}");
    let strange = piped(&["policy", "explain", "-", "--policy", &policy], "[]");
    assert!(!strange.status.success() && stderr(&strange).contains("holds no finding"), "{strange:?}");
    let strange = piped(&["policy", "explain", "-", "--policy", &policy], "7");
    assert!(!strange.status.success() && stderr(&strange).contains("not a Macie finding"), "{strange:?}");
    let no_settings = cordon(&["policy", "explain", &event], &[]);
    assert!(stderr(&no_settings).contains("CORDON_STATE_BUCKET"), "{no_settings:?}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn policy_explain_reads_what_any_shell_writes_and_names_what_it_cannot_read() {
    let explainer = Explainer::new();
    let json = json!({"findings": [event()["detail"]]}).to_string();
    let utf_16 =
        |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let marked = format!("\u{feff}{json}");
    for (what, bytes) in [
        ("UTF-8", json.as_bytes().to_vec()),
        ("UTF-8 with a mark", marked.as_bytes().to_vec()),
        ("UTF-16LE, as PowerShell writes it", utf_16(&marked, u16::to_le_bytes)),
        ("UTF-16BE", utf_16(&marked, u16::to_be_bytes)),
        ("UTF-16LE without a mark", utf_16(&json, u16::to_le_bytes)),
    ] {
        let said = explainer.explain(bytes, &[]);
        assert!(said.status.success() && stdout(&said).contains("1. ask decides"), "{what}: {said:?}");
    }
    for (bytes, says) in [
        (vec![0xff, 0xfe, 0x7b], "not valid UTF-16 (little-endian); save it as UTF-8"),
        (b"{\"k\": \"\xe9\"}".to_vec(), "not valid UTF-8; save it as UTF-8"),
        (vec![0x7b, 0, 0, 0, 0x7d, 0, 0, 0], "it is UTF-32; save it as UTF-8"),
    ] {
        let said = explainer.explain(bytes, &[]);
        assert!(!said.status.success() && stderr(&said).contains(says), "{said:?}");
    }
}

#[test]
fn policy_check_names_an_encoding_that_the_workers_do_not_read() {
    let policy = r#"{"version": 1, "rules": []}"#;
    let utf_16: Vec<u8> = format!("\u{feff}{policy}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, says) in [
        (
            format!("\u{feff}{policy}").into_bytes(),
            "without a byte order mark; it is UTF-8 with a byte order mark",
        ),
        (utf_16, "must be UTF-8 without a byte order mark; it is UTF-16 (little-endian)"),
    ] {
        let said = piped(&["policy", "check", "-"], bytes);
        assert!(!said.status.success() && stderr(&said).contains(says), "{said:?}");
    }
}

#[test]
fn policy_explain_explains_each_of_several_findings_in_turn() {
    let explainer = Explainer::new();
    let (event, bare) = (event(), event()["detail"].clone());
    let forms = [
        json!([event, bare]).to_string(),
        json!({"findings": [bare, bare]}).to_string(),
        format!("{event}\n{bare}\n"),
    ];
    for findings in forms {
        let said = explainer.explain(&findings, &[]);
        let text = stdout(&said);
        assert!(said.status.success(), "{said:?}");
        assert!(text.starts_with("1 of 2:\nFinding ") && text.contains("\n2 of 2:\nFinding "), "{text}");
        assert_eq!(text.matches("1. ask decides").count(), 2, "{text}");
    }
    let mixed = json!([event, {"id": "x"}, {"category": "POLICY"}, bare]).to_string();
    let said = explainer.explain(&mixed, &[]);
    let text = stdout(&said);
    assert!(!said.status.success(), "one of them is no finding");
    assert!(text.contains("2 of 4:\nThis is not a Macie finding: it has no type."), "{text}");
    assert!(text.contains("3 of 4:\nIt is a policy finding") && text.contains("4 of 4:\nFinding "), "{text}");
    let said = explainer.explain(&mixed, &["--json"]);
    let answers: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!((&answers[0]["index"], &answers[0]["rule"]["name"]), (&json!(1), &json!("ask")));
    assert!(answers[1]["error"].as_str().unwrap().contains("it has no type"), "{answers}");
    assert_eq!(answers.as_array().map(Vec::len), Some(4));
    let broken = explainer.explain(format!("{event}\n{{"), &[]);
    assert!(!broken.status.success() && stderr(&broken).contains("standard input is not JSON"), "{broken:?}");
}

#[test]
fn policy_explain_refuses_what_triage_refuses_for_the_same_reason() {
    let explainer = Explainer::new();
    for (field, value, says) in [
        ("source", json!("aws.macie2"), r#"its source is "aws.macie2", not "aws.macie""#),
        ("source", json!("aws.guardduty"), "it is an event of GuardDuty, not of Macie"),
        ("source", json!("aws.securityhub"), "it is an event of Security Hub, not of Macie"),
        ("source", Value::Null, "its source is not text"),
        ("detail-type", json!("AWS API Call via CloudTrail"), "its detail-type is"),
        ("detail", json!({"id": "a b"}), "detail.id is missing or is not a finding id"),
    ] {
        let mut event = event();
        event[field] = value;
        let triage = cordon_domain::finding::FindingEvent::parse(&event).unwrap_err().to_string();
        let said = explainer.explain(event.to_string(), &[]);
        let text = stderr(&said);
        assert!(!said.status.success() && text.contains(says) && text.contains(&triage), "{text}");
        assert!(!text.contains("Some("), "{text}");
    }
}

#[test]
fn policy_explain_says_what_macie_could_not_read() {
    let explainer = Explainer::new();
    let mut partial = event();
    partial["detail"]["classificationDetails"]["result"]["status"] =
        json!({"code": "PARTIAL", "reason": "ARCHIVE_CONTAINS_UNPROCESSED_FILES"});
    let text = stdout(&explainer.explain(partial.to_string(), &[]));
    let says = "Macie could read only a part of this object (ARCHIVE_CONTAINS_UNPROCESSED_FILES).";
    assert!(text.contains(says), "{text}");
    let complete = stdout(&explainer.explain(event().to_string(), &[]));
    assert!(!complete.contains("could read only"), "{complete}");
}

#[test]
fn policy_check_says_that_account_ids_are_text_and_warns_of_globs_that_match_nothing() {
    let numbers = json!({"version": 1, "rules": [{"name": "a", "accounts": [444455556666_u64, 12345678901_u64],
        "disposition": "quarantine"}]});
    let said = piped(&["policy", "check", "-"], numbers.to_string());
    let text = stderr(&said);
    assert!(!said.status.success());
    for number in ["444455556666", "12345678901"] {
        let says = format!("it is the number {number}: account ids are written as text, in quotes");
        assert!(text.contains(&says), "{text}");
    }

    let braces = json!({"version": 1, "rules": [{"name": "sheets", "keys": ["*.{csv,xlsx}"],
        "disposition": "quarantine"}]});
    let said = piped(&["policy", "check", "-"], braces.to_string());
    let text = stderr(&said);
    assert!(said.status.success(), "it is valid: {said:?}");
    let says = r#"Warning: $.rules[0].keys[0] (rule 1, "sheets"): "*.{csv,xlsx}" matches nothing but keys"#;
    assert!(text.contains(says) && text.contains(r#"Write "*.csv", "*.xlsx" instead"#), "{text}");
    let said = piped(&["policy", "check", "--json", "-"], braces.to_string());
    let parsed: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        (&parsed["valid"], &parsed["warnings"][0]["path"]),
        (&json!(true), &json!("$.rules[0].keys[0]"))
    );
}

/// A policy that asks about everything, in a file; what explains findings on standard input by it.
struct Explainer {
    _directory: tempfile::TempDir,
    policy: String,
}

impl Explainer {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy.json");
        let rule = json!({"name": "ask", "disposition": "review", "approvers": {"users": ["U0ALICE001"]}});
        fs::write(&policy, json!({"version": 1, "rules": [rule]}).to_string()).unwrap();
        Self { policy: policy.to_str().unwrap().to_owned(), _directory: directory }
    }

    fn explain(&self, findings: impl AsRef<[u8]>, more: &[&str]) -> Output {
        piped(&[&["policy", "explain", "-", "--policy", &self.policy], more].concat(), findings)
    }
}
