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
    fs::write(&file, r#"{"version": 1, "rules": [{"name": "all", "disposition": "review"}]}"#).unwrap();
    let good = cordon(&["policy", "check", path], &[]);
    assert!(good.status.success(), "{}", stderr(&good));
    fs::write(&file, r#"{"version": 1, "rules": [{"name": "all", "disposition": "shred"}]}"#).unwrap();
    let bad = cordon(&["policy", "check", path], &[]);
    assert!(!bad.status.success() && stderr(&bad).contains("shred"), "{}", stderr(&bad));
    let json = cordon(&["policy", "check", "--json", path], &[]);
    let parsed: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(parsed["valid"], false);
    assert!(!json.status.success());
    let missing = cordon(&["policy", "check", "no-such-file"], &[]);
    assert!(stderr(&missing).contains("no-such-file"));
}
