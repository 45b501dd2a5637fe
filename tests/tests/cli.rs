//! The `cordon` binary by itself: what it says of wrong input.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output},
};

fn cordon(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut directory = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let binary: PathBuf = directory.join("cordon");
    assert!(binary.is_file(), "build it with `cargo build --workspace --all-targets`");
    Command::new(binary).args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_names_every_subcommand() {
    let help = cordon(&["--help"], &[]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.status.success());
    for subcommand in ["worker", "gateway", "policy"] {
        assert!(text.contains(subcommand), "{text}");
    }
}

#[test]
fn a_worker_without_settings_names_all_of_them_and_where_they_come_from() {
    let output = cordon(&["worker"], &[]);
    assert!(!output.status.success());
    let text = stderr(&output);
    for says in
        ["AWS_REGION", "CORDON_CASES_TABLE", "CORDON_MOVER_ROLE_ARN", "CORDON_SLACK_BOT_TOKEN", "Terraform"]
    {
        assert!(text.contains(says), "{says} is not in {text}");
    }
}

fn gateway(listen: &str, environment: &[(&str, &str)]) -> Output {
    let settings = [
        ("AWS_REGION", "us-east-1"),
        ("CORDON_ACCOUNT_ID", "111122223333"),
        ("CORDON_CASES_TABLE", "cases"),
        ("CORDON_SLACK_BOT_TOKEN", "token"),
        ("CORDON_SLACK_SIGNING_SECRET", "secret"),
        ("CORDON_SLACK_TEAM_ID", "T0"),
        ("CORDON_SLACK_CHANNEL", "C0"),
        ("CORDON_FALLBACK_APPROVERS", "U0"),
        ("CORDON_STATE_BUCKET", "state"),
        ("CORDON_POLICY_KEY", "policy.json"),
        ("CORDON_OBJECT_RESTORE_ARN", "arn:aws:states:us-east-1:111122223333:stateMachine:object_restore"),
        ("CORDON_GATEWAY_LISTEN", listen),
    ];
    cordon(&["gateway"], &[&settings, environment].concat())
}

#[test]
fn a_gateway_on_a_taken_port_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = gateway(&address, &[]);
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains(&address) && text.contains("CORDON_GATEWAY_LISTEN"), "{text}");
}

#[test]
fn without_credentials_a_process_ends_at_once_and_says_so() {
    let output = gateway("127.0.0.1:0", &[("AWS_EC2_METADATA_DISABLED", "true")]);
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.starts_with("cordon: no AWS credentials; give the task its role"), "{text}");
    assert!(text.contains("AWS_EC2_METADATA_DISABLED"), "it says what was tried: {text}");
}

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
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(parsed, serde_json::json!({"valid": true, "errors": [], "rules": ["all"]}));
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
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
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
fn the_documented_policy_passes_policy_check() {
    let document = include_str!("../../docs/POLICY.md");
    let (_, example) = document.split_once("```json\n").expect("POLICY.md has an example");
    let (example, _) = example.split_once("```").expect("the example ends");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("policy.json");
    fs::write(&file, example).unwrap();
    let checked = cordon(&["policy", "check", file.to_str().unwrap()], &[]);
    assert!(checked.status.success(), "{}", stderr(&checked));
}
