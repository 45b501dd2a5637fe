//! The `cordon` binary by itself: what it says of wrong input.

mod policy;

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

fn cordon(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments, environment).output().unwrap()
}

fn command(arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut directory = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let binary: PathBuf = directory.join("cordon");
    assert!(binary.is_file(), "build it with `cargo build --workspace --all-targets`");
    let mut command = Command::new(binary);
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command
}

/// What a command says that gets this on standard input.
fn piped(arguments: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut command = command(arguments, &[]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    child.wait_with_output().unwrap()
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
        ["AWS_REGION", "CORDON_CASES_TABLE", "CORDON_MOVER_ROLE_ARN", "CORDON_SLACK_SECRET_ARN", "Terraform"]
    {
        assert!(text.contains(says), "{says} is not in {text}");
    }
}

const OPERATOR: [(&str, &str); 14] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("CORDON_ACCOUNT_ID", "111122223333"),
    ("CORDON_CASES_TABLE", "cases"),
    ("CORDON_QUARANTINE_BUCKET", "quarantine"),
    ("CORDON_APPROVALS_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/approvals"),
    ("CORDON_RESTORES_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/restores"),
    ("CORDON_PURGES_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/purges"),
    ("CORDON_EXPOSURES_TABLE", "exposures"),
    ("CORDON_STATE_BUCKET", "state"),
    (
        "CORDON_STATE_MACHINE_ARNS",
        "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-finding_response",
    ),
    ("CORDON_POLICY_KEY", "policy.json"),
    ("CORDON_FALLBACK_APPROVERS", "U0FALLBACK"),
    ("CORDON_SLACK_CHANNEL", "C0SECURITY"),
];

#[test]
fn a_person_without_settings_is_told_which_output_holds_them() {
    let output = cordon(&["quarantine", "list"], &[]);
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains("the Terraform output `operator_environment` holds"), "{text}");
}

#[test]
fn what_cannot_be_a_case_id_is_refused_before_aws_is_asked() {
    for arguments in [
        &["restore", "812a6a9f0f4", "--reason", "a test"][..],
        &["quarantine", "purge", "812a6a9f0f4", "--reason", "a test", "--yes"],
        &["quarantine", "show", "812a6a9f0f4"],
        &["approvals", "approve", "812a6a9f0f4", "--reason", "a test"],
    ] {
        // Without credentials: whoever asks AWS fails in another way.
        let output = cordon(arguments, &OPERATOR);
        assert!(!output.status.success());
        let text = stderr(&output);
        assert!(text.contains("812a6a9f0f4") && text.contains("64 hexadecimal digits"), "{text}");
    }
}

#[test]
fn when_nobody_answers_at_the_endpoint_the_variable_that_names_it_is_told() {
    // Taken, then closed: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{address}");
    let keys = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let settings = [&OPERATOR[..], &keys, &[("AWS_ENDPOINT_URL", &endpoint)]].concat();
    let output = cordon(&["quarantine", "list"], &settings);
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains(&endpoint) && text.contains("AWS_ENDPOINT_URL"), "{text}");
}

fn gateway(listen: &str, environment: &[(&str, &str)]) -> Output {
    let settings = [
        ("AWS_REGION", "us-east-1"),
        ("CORDON_ACCOUNT_ID", "111122223333"),
        ("CORDON_CASES_TABLE", "cases"),
        ("CORDON_SLACK_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:111122223333:secret:slack-AbCdEf"),
        ("CORDON_SLACK_APP_ID", "A0CORDON01"),
        ("CORDON_SLACK_TEAM_ID", "T0CORDON01"),
        ("CORDON_SLACK_CHANNEL", "C0"),
        ("CORDON_FALLBACK_APPROVERS", "U0"),
        ("CORDON_STATE_BUCKET", "state"),
        ("CORDON_POLICY_KEY", "policy.json"),
        ("CORDON_RESTORES_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/111122223333/restores"),
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
fn a_reader_who_has_seen_enough_ends_a_command_in_order() {
    let policy = r#"{"version": 1, "rules": [{"name": "all", "disposition": "quarantine"}]}"#;
    for arguments in [&["policy", "check", "-"][..], &["policy", "check", "--json", "-"]] {
        let mut command = command(arguments, &[]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads before there is anything to read.
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(policy.as_bytes()).unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
}
