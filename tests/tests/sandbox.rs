//! The sandbox itself, without Terraform: that it starts, fails and ends as promised, and that the front door changes
//! nothing on the way.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::LazyLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_macie2::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use cordon_sandbox::{
    CallFilter, Fault, FaultRule, InterceptedCall, InterceptingProxy, Intervention, Options, Sandbox,
};
use serde_json::{Value, json};

/// Nothing listens there: RFC 863's port is below what systems give out.
const CLOSED_PORT: &str = "http://127.0.0.1:9/simple";

/// The program under test.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("a path");
    let directory = test.parent().and_then(Path::parent).expect("deps lies in the profile's directory");
    let program = directory.join("cordon-sandbox");
    assert!(program.is_file(), "build it with `cargo build --workspace --all-targets`");
    program
});

async fn start() -> Result<Sandbox> {
    Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        ensure!(Instant::now() < deadline, "it did not happen within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// `cordon-sandbox up` on free ports, as another program sees it.
struct Up {
    process: std::process::Child,
    endpoint: String,
    greeting: String,
}

impl Up {
    fn start(command: &mut Command) -> Result<Up> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("an output")?);
        let mut greeting = String::new();
        while !greeting.ends_with("Ctrl-C ends it.\n") {
            if output.read_line(&mut greeting)? == 0 {
                bail!("it ended with {}:\n{greeting}", process.wait()?);
            }
        }
        let endpoint = greeting.lines().find_map(|line| line.trim().strip_prefix("export AWS_ENDPOINT_URL="));
        let endpoint = endpoint.context("an endpoint")?.to_owned();
        Ok(Up { process, endpoint, greeting })
    }

    fn program() -> Command {
        let mut command = Command::new(&*PROGRAM);
        command.args(["up", "--port", "0", "--slack-port", "0"]);
        command
    }

    fn signal(&self, name: &str) -> Result<()> {
        let kill = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status()?;
        ensure!(kill.success(), "SIG{name} could not be sent");
        Ok(())
    }

    /// Processes that belong to this sandbox: the emulator and its supervisor know the front door's address.
    fn descendants(endpoint: &str) -> Vec<String> {
        let mark = format!("SANDBOX_ENDPOINT={endpoint}");
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let has_mark = |path: &Path| {
            let environment = std::fs::read(path.join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        processes
            .map(|entry| entry.path())
            .filter(|path| has_mark(path))
            .map(|path| path.display().to_string())
            .collect()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `up` expecting it to fail; returns what it says.
fn refusal(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.code() == Some(1), "it ended with {}", output.status);
    Ok(String::from_utf8(output.stderr)?)
}

/// A task role that may do `actions` on everything, as a process with its container credentials sees it.
async fn role(sandbox: &Sandbox, name: &str, actions: &[&str]) -> Result<SdkConfig> {
    let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
    let trust = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    iam.create_role().role_name(name).assume_role_policy_document(trust.to_string()).send().await?;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": "*"}]});
    iam.put_role_policy().role_name(name).policy_name("p").policy_document(policy.to_string()).send().await?;

    let session = fetch_credentials(&sandbox.task_environment(name)).await?;
    let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let keys =
        Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")), None, "task");
    Ok(with_keys(sandbox, keys).await)
}

async fn with_keys(sandbox: &Sandbox, keys: Credentials) -> SdkConfig {
    let builder = sandbox.sdk_config().await.into_builder();
    builder.credentials_provider(SharedCredentialsProvider::new(keys)).build()
}

async fn fetch_credentials(environment: &[(String, String)]) -> Result<Value> {
    let variable = |wanted: &str| {
        let found = environment.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone()).with_context(|| format!("{wanted} is set"))
    };
    let answer = http()?
        .get(variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")?)
        .header("authorization", variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")?)
        .send()
        .await?;
    Ok(answer.error_for_status()?.json().await?)
}

fn http() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

#[tokio::test]
async fn up_greets_with_the_environment_answers_health_and_ends_on_sigterm() -> Result<()> {
    let mut up = Up::start(&mut Up::program())?;
    for expected in
        ["export AWS_ACCESS_KEY_ID=111122223333", "export AWS_REGION=us-east-1", "Slack  http://127.0.0.1:"]
    {
        assert!(up.greeting.contains(expected), "{expected} is missing in:\n{}", up.greeting);
    }
    let health: Value = http()?.get(format!("{}/_sandbox/health", up.endpoint)).send().await?.json().await?;
    assert_eq!((&health["status"], &health["account"]), (&json!("ok"), &json!("111122223333")));

    up.signal("TERM")?;
    assert_eq!(up.process.wait()?.code(), Some(0));
    until("nothing is left", async || Up::descendants(&up.endpoint).is_empty()).await
}

#[tokio::test]
async fn a_killed_sandbox_leaves_no_process_behind() -> Result<()> {
    let mut up = Up::start(&mut Up::program())?;
    assert!(Up::descendants(&up.endpoint).len() >= 2, "the emulator and its supervisor are seen");
    up.process.kill()?;
    until("nothing is left", async || Up::descendants(&up.endpoint).is_empty()).await
}

#[tokio::test]
async fn a_killed_make_leaves_no_process_behind() -> Result<()> {
    if Command::new("make").arg("--version").output().is_err() {
        println!("SKIPPED: make is not installed");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    // Two commands, so that make needs a shell between itself and the sandbox, which outlives it.
    let rule = format!("up:\n\t@{} up --port 0 --slack-port 0; true\n", PROGRAM.display());
    std::fs::write(directory.path().join("Makefile"), rule)?;
    let mut make = Up::start(Command::new("make").arg("-s").current_dir(directory.path()).arg("up"))?;
    assert!(!Up::descendants(&make.endpoint).is_empty());
    make.process.kill()?;
    until("nothing is left", async || Up::descendants(&make.endpoint).is_empty()).await?;
    let health = format!("{}/_sandbox/health", make.endpoint);
    let http = http()?;
    until("the front door is closed", async || http.get(&health).send().await.is_err()).await
}

#[tokio::test]
async fn a_taken_port_is_one_clear_sentence() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    for option in ["--port", "--slack-port"] {
        let free = if option == "--port" { "--slack-port" } else { "--port" };
        let said = refusal(Command::new(&*PROGRAM).args(["up", free, "0", option, &port]))?;
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&port) && said.contains(option) && said.contains("taken"), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_start_needs_no_network() -> Result<()> {
    drop(Up::start(&mut Up::program())?);
    let mut again = Up::program();
    again.env("PIP_INDEX_URL", CLOSED_PORT).env_remove("PIP_FIND_LINKS");
    let up = Up::start(&mut again)?;
    println!("second start: {}", up.greeting.lines().next().unwrap_or_default());
    Ok(())
}

#[tokio::test]
async fn a_first_start_without_network_says_so_and_leaves_no_half_made_environment() -> Result<()> {
    let data = tempfile::tempdir()?;
    let mut first = Up::program();
    first.arg("--data-dir").arg(data.path());
    first.env("PIP_INDEX_URL", CLOSED_PORT).env("PIP_RETRIES", "0").env("PIP_NO_CACHE_DIR", "1");
    first.env_remove("PIP_FIND_LINKS").env_remove("PIP_EXTRA_INDEX_URL");
    let said = refusal(&mut first)?;
    assert!(said.contains("cannot be fetched") && said.contains("PIP_INDEX_URL"), "{said}");
    let made = std::fs::read_dir(data.path())?.flatten().map(|entry| entry.file_name());
    let made: Vec<String> = made.map(|name| name.to_string_lossy().into_owned()).collect();
    let complete = made.iter().find(|name| name.starts_with("venv-") && !name.contains('.'));
    assert_eq!(complete, None, "of {made:?}");
    Ok(())
}

#[tokio::test]
async fn a_missing_or_old_python_is_named_with_what_to_do() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let attempt = || {
        let mut command = Up::program();
        command.env("PATH", directory.path()).arg("--data-dir").arg(directory.path().join("data"));
        refusal(&mut command)
    };
    let said = attempt()?;
    assert!(said.contains("python3 is missing") && said.contains("3.11"), "{said}");

    let fake = directory.path().join("python3");
    std::fs::write(&fake, "#!/bin/sh\necho 3 9\n")?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&fake, executable)?;
    let said = attempt()?;
    assert!(said.contains("3.9") && said.contains("needs 3.11"), "{said}");
    Ok(())
}

#[tokio::test]
async fn what_is_missing_is_named_before_the_build() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sandbox/prerequisites.sh");
    let attempt = || refusal(Command::new("/bin/sh").arg(&script).env("PATH", directory.path()));
    assert!(attempt()?.contains("install Python 3.11"));

    std::os::unix::fs::symlink("/bin/true", directory.path().join("python3"))?;
    assert!(attempt()?.contains("install Terraform 1.9"));
    Ok(())
}

#[tokio::test]
async fn a_proxy_of_the_shell_is_not_asked_for_what_listens_here() -> Result<()> {
    let up = Up::start(Up::program().env("HTTP_PROXY", CLOSED_PORT).env("ALL_PROXY", CLOSED_PORT))?;
    let other = start().await?;
    let config = other.sdk_config().await.into_builder().endpoint_url(&up.endpoint).build();
    s3(&config).create_bucket().bucket("read").send().await?;
    let analyzer = aws_sdk_accessanalyzer::Client::new(&config);
    let account = aws_sdk_accessanalyzer::types::Type::Account;
    analyzer.create_analyzer().analyzer_name("a").r#type(account).send().await?;
    let has_read_the_bucket = async || {
        let asked = analyzer.get_analyzer().analyzer_name("a").send().await.ok();
        let described = asked.and_then(|answer| answer.analyzer);
        described.is_some_and(|analyzer| analyzer.last_resource_analyzed.is_some())
    };
    until("Access Analyzer reads the bucket", has_read_the_bucket).await
}

#[tokio::test]
async fn help_tells_a_newcomer_what_up_does() -> Result<()> {
    let output = Command::new(&*PROGRAM).args(["up", "--help"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    for expected in ["--port", "[default: 4566]", "--slack-port", "--data-dir", "Ctrl-C", "environment"] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_supervised_command_dies_with_its_starter_and_hands_on_its_exit_code() -> Result<()> {
    let mut supervisor = Command::new(&*PROGRAM)
        .args(["supervise", "--", "sh", "-c", "exit 7"])
        .stdin(Stdio::piped())
        .spawn()?;
    // Waiting would close a pipe that the child still owns.
    let _starter = supervisor.stdin.take();
    assert_eq!(supervisor.wait()?.code(), Some(7));

    // The shell ignores SIGTERM and has a child of its own; both go when the pipe closes.
    let script = "trap '' TERM; sleep 300 & echo $!; wait; wait";
    let mut supervisor = Command::new(&*PROGRAM)
        .args(["supervise", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(supervisor.stdout.as_mut().context("an output")?).read_line(&mut line)?;
    let grandchild = PathBuf::from("/proc").join(line.trim());
    assert!(grandchild.exists());
    drop(supervisor.stdin.take());
    assert_eq!(supervisor.wait()?.code(), Some(128 + 9));
    let gone =
        async || !std::fs::read_to_string(grandchild.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    until("the grandchild is gone", gone).await
}

#[tokio::test]
async fn an_operation_that_a_double_lacks_is_refused_by_name() -> Result<()> {
    let sandbox = start().await?;
    let macie = aws_sdk_macie2::Client::new(&sandbox.sdk_config().await);
    let error = macie.list_allow_lists().send().await.err().context("it is lacking")?;
    assert_eq!(error.raw_response().map(|answer| answer.status().as_u16()), Some(501));
    let message = error.message().unwrap_or_default();
    assert!(message.contains("macie2") && message.contains("GET /allow-lists"), "{message}");
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn keys_with_odd_characters_survive_the_front_door() -> Result<()> {
    let sandbox = start().await?;
    let root = s3(&sandbox.sdk_config().await);
    root.create_bucket().bucket("odd").send().await?;
    // Session keys are verified, so a path that was changed on the way would also break the signature.
    let config = role(&sandbox, "odd-reader", &["s3:*"]).await?;
    let task = s3(&config);
    let keys = [
        "a/../b",
        "./a",
        "trailing/",
        "two//slashes",
        "/leading",
        "%2F and 100%",
        "plus+blank ",
        "ü 漢字 🙂",
        "q?x=1&y#z",
        "semi;colon:@,=$!'()*",
        "back\\slash",
        "..",
        "dir/..",
        "a/%2e%2e/b",
    ];
    for key in keys {
        let put = task.put_object().bucket("odd").key(key).body(ByteStream::from(key.as_bytes().to_vec()));
        put.send().await.with_context(|| format!("put {key:?}"))?;
    }
    let mut expected = keys.map(str::to_owned).to_vec();
    expected.sort();
    let listed = task.list_objects_v2().bucket("odd").send().await?;
    let mut listed: Vec<String> =
        listed.contents().iter().filter_map(|o| o.key()).map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, expected);
    for key in keys {
        let got =
            task.get_object().bucket("odd").key(key).send().await.with_context(|| format!("get {key:?}"))?;
        assert_eq!(got.body.collect().await?.to_vec(), key.as_bytes(), "{key:?}");
    }
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn session_keys_are_verified_and_policies_enforced_for_emulator_and_doubles_alike() -> Result<()> {
    let sandbox = start().await?;
    let root = sandbox.sdk_config().await;
    s3(&root).create_bucket().bucket("guarded").send().await?;
    aws_sdk_macie2::Client::new(&root).enable_macie().send().await?;

    let config = role(&sandbox, "finder", &["macie2:ListFindings", "s3:ListBucket"]).await?;
    s3(&config).list_objects_v2().bucket("guarded").send().await?;
    let macie = aws_sdk_macie2::Client::new(&config);
    macie.list_findings().send().await?;

    let denied = macie.list_classification_jobs().send().await.err().context("not allowed")?;
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    let denied =
        s3(&config).put_object().bucket("guarded").key("k").send().await.err().context("not allowed")?;
    assert_eq!(denied.code(), Some("AccessDenied"));

    let session = fetch_credentials(&sandbox.task_environment("finder")).await?;
    let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let forged = Credentials::new(text("AccessKeyId"), "not the secret", Some(text("Token")), None, "forged");
    let forged = with_keys(&sandbox, forged).await;
    let refused =
        aws_sdk_macie2::Client::new(&forged).list_findings().send().await.err().context("forged")?;
    assert_eq!(refused.code(), Some("InvalidSignatureException"));
    let refused = s3(&forged).list_objects_v2().bucket("guarded").send().await.err().context("forged")?;
    assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));

    let stranger =
        with_keys(&sandbox, Credentials::new("AKIAIOSFODNN7EXAMPLE", "x", None, None, "stranger")).await;
    let refused =
        aws_sdk_macie2::Client::new(&stranger).list_findings().send().await.err().context("unknown key")?;
    assert_eq!(refused.code(), Some("UnrecognizedClientException"));
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn container_credentials_are_for_the_holder_of_the_roles_token_only() -> Result<()> {
    let sandbox = start().await?;
    role(&sandbox, "worker", &["s3:*"]).await?;
    role(&sandbox, "gateway", &["s3:*"]).await?;
    let environment = sandbox.task_environment("worker");
    let session = fetch_credentials(&environment).await?;
    assert_eq!(session["RoleArn"], "arn:aws:iam::111122223333:role/worker");
    assert!(session["AccessKeyId"].as_str().is_some_and(|key| key.starts_with("ASIA")), "{session}");
    assert!(session["Expiration"].as_str().is_some_and(|time| time.ends_with('Z')), "{session}");

    let of_worker = environment.iter().find(|(name, _)| name == "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    let of_worker = of_worker.context("a token")?.1.clone();
    for (role, token, status) in [("gateway", of_worker, 403), ("worker", String::new(), 403)] {
        let url = format!("{}/_sandbox/credentials/{role}", sandbox.endpoint());
        assert_eq!(http()?.get(url).header("authorization", token).send().await?.status(), status);
    }
    assert!(fetch_credentials(&sandbox.task_environment("nobody")).await.is_err());
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn calls_are_recorded_with_operation_principal_and_status() -> Result<()> {
    let sandbox = start().await?;
    let root = sandbox.sdk_config().await;
    s3(&root).create_bucket().bucket("seen").send().await?;
    s3(&root).put_object().bucket("seen").key("from").send().await?;
    let config = role(&sandbox, "cordon-mover", &["s3:*", "states:*", "iam:ListRoles", "sts:*"]).await?;
    s3(&config).copy_object().copy_source("seen/from").bucket("seen").key("to").send().await?;
    aws_sdk_sfn::Client::new(&config).list_activities().send().await?;
    aws_sdk_iam::Client::new(&config).list_roles().send().await?;

    let by_mover = CallFilter { principal: Some("role/cordon-mover/".into()), ..CallFilter::default() };
    let seen = sandbox.calls().select(&by_mover);
    let seen: Vec<_> = seen.iter().map(|c| (c.service.as_str(), c.operation.as_str(), c.status)).collect();
    assert_eq!(
        seen,
        [("s3", "CopyObject", 200), ("states", "ListActivities", 200), ("iam", "ListRoles", 200)]
    );

    let url = format!("{}/_sandbox/calls?service=s3&operation=CreateBucket", sandbox.endpoint());
    let listed: Value = http()?.get(url).send().await?.json().await?;
    let call = &listed["calls"][0];
    assert_eq!((&call["path"], &call["access_key"]), (&json!("/seen/"), &json!("111122223333")));
    assert_eq!(call["principal"], Value::Null, "the root user has none");
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn faults_meet_the_calls_they_are_meant_for_in_the_services_own_form() -> Result<()> {
    let sandbox = start().await?;
    let once = aws_config::retry::RetryConfig::disabled();
    let root = sandbox.sdk_config().await.into_builder().retry_config(once).build();
    let (sfn, s3) = (aws_sdk_sfn::Client::new(&root), s3(&root));
    let fault = |service: &str, operation: &str, kind| FaultRule {
        service: service.into(),
        operation: Some(operation.into()),
        principal: None,
        kind,
        times: 1,
    };

    sandbox.faults().inject(fault("states", "ListActivities", Fault::Throttle));
    sfn.list_state_machines().send().await?;
    let error = sfn.list_activities().send().await.err().context("throttled")?;
    assert_eq!(error.code(), Some("ThrottlingException"));
    sfn.list_activities().send().await?;

    sandbox.faults().inject(fault("s3", "ListBuckets", Fault::InternalError));
    let error = s3.list_buckets().send().await.err().context("a server error")?;
    assert_eq!(error.code(), Some("InternalError"));

    sandbox.faults().inject(fault("s3", "ListBuckets", Fault::Cut));
    let error = s3.list_buckets().send().await.err().context("cut")?;
    assert!(error.raw_response().is_none(), "{error:?}");
    let cut = sandbox
        .calls()
        .select(&CallFilter { operation: Some("ListBuckets".into()), ..CallFilter::default() });
    assert_eq!(cut.last().map(|call| call.status), Some(0));

    // The same over HTTP, for a double.
    let faults = format!("{}/_sandbox/faults", sandbox.endpoint());
    let slow = json!({"service": "macie2", "kind": "latency", "latency_ms": 300, "times": 1});
    http()?.post(&faults).json(&slow).send().await?.error_for_status()?;
    let began = Instant::now();
    aws_sdk_macie2::Client::new(&root).enable_macie().send().await?;
    assert!(began.elapsed() >= Duration::from_millis(300));

    sandbox.faults().inject(fault("s3", "ListBuckets", Fault::Cut));
    http()?.delete(&faults).send().await?.error_for_status()?;
    s3.list_buckets().send().await?;
    let nonsense =
        http()?.post(&faults).json(&json!({"service": "s3", "kind": "rain", "times": 1})).send().await?;
    assert_eq!(nonsense.status(), 400);
    sandbox.stop().await;
    Ok(())
}

/// SDK settings of a process with this role behind a proxy; no call is repeated.
async fn behind(proxy: &InterceptingProxy, sandbox: &Sandbox, role: &str) -> Result<SdkConfig> {
    let environment = proxy.environment(role);
    let session = fetch_credentials(&environment).await?;
    let text = |name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let keys =
        Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")), None, "proxy");
    let endpoint = environment.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").context("an endpoint")?;
    let builder = with_keys(sandbox, keys).await.into_builder().endpoint_url(&endpoint.1);
    Ok(builder.retry_config(aws_config::retry::RetryConfig::disabled()).build())
}

#[tokio::test]
async fn a_proxy_counts_the_calls_of_its_process_and_holds_one_before_or_after_it_is_carried_out()
-> Result<()> {
    let sandbox = start().await?;
    let root = s3(&sandbox.sdk_config().await);
    role(&sandbox, "intercepted", &["s3:*"]).await?;
    for (intervention, bucket, exists) in [
        (Intervention::Instead(Fault::Hang), "held-before", false),
        (Intervention::After(Fault::Hang), "held-after", true),
    ] {
        let proxy = sandbox
            .intercept(move |call| if call.n == 2 { intervention } else { Intervention::Pass })
            .await?;
        let process = s3(&behind(&proxy, &sandbox, "intercepted").await?);
        process.list_buckets().send().await?;
        root.list_buckets().send().await?;
        let create = tokio::spawn(process.create_bucket().bucket(bucket).send());
        tokio::time::timeout(Duration::from_secs(10), proxy.held()).await.context("nothing was held")?;
        create.abort();
        assert_eq!(root.head_bucket().bucket(bucket).send().await.is_ok(), exists);
        let call = |n, operation: &str| InterceptedCall {
            n,
            service: "s3".into(),
            operation: operation.into(),
            alone: true,
        };
        let expected =
            [(call(1, "ListBuckets"), Intervention::Pass), (call(2, "CreateBucket"), intervention)];
        assert_eq!(proxy.calls(), expected);
    }
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_late_call_waits_to_be_released_and_a_call_that_comes_meanwhile_is_not_alone() -> Result<()> {
    let sandbox = start().await?;
    let root = s3(&sandbox.sdk_config().await);
    role(&sandbox, "late", &["s3:*"]).await?;
    let proxy = sandbox
        .intercept(
            |call| if call.operation == "CreateBucket" { Intervention::Hold } else { Intervention::Pass },
        )
        .await?;
    let process = s3(&behind(&proxy, &sandbox, "late").await?);
    let create = tokio::spawn(process.create_bucket().bucket("late").send());
    tokio::time::timeout(Duration::from_secs(10), proxy.held()).await.context("nothing was held")?;
    process.list_buckets().send().await?;
    assert!(root.head_bucket().bucket("late").send().await.is_err(), "it is not carried out before");
    proxy.release();
    create.await??;
    process.head_bucket().bucket("late").send().await?;
    let calls: Vec<_> =
        proxy.calls().into_iter().map(|(call, _)| (call.operation, call.alone, call.n)).collect();
    let expected = [("CreateBucket", true, 1), ("ListBuckets", false, 2), ("HeadBucket", true, 3)];
    assert_eq!(calls, expected.map(|(operation, alone, n)| (operation.to_owned(), alone, n)));
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn what_a_proxy_does_to_a_call_looks_as_it_does_on_aws() -> Result<()> {
    let sandbox = start().await?;
    let root = s3(&sandbox.sdk_config().await);
    root.create_bucket().bucket("copies").send().await?;
    root.put_object().bucket("copies").key("from").send().await?;
    role(&sandbox, "copier", &["s3:*"]).await?;

    let copy = InterceptedCall { n: 1, service: "s3".into(), operation: "CopyObject".into(), alone: true };
    let faults = copy.faults();
    assert!(faults.contains(&Intervention::After(Fault::ErrorInOk)));
    for (n, fault) in faults.into_iter().enumerate() {
        let proxy = sandbox.intercept(move |_| fault).await?;
        let process = s3(&behind(&proxy, &sandbox, "copier").await?);
        let key = format!("to-{n}");
        let call = process.copy_object().copy_source("copies/from").bucket("copies").key(&key).send().await;
        let error = call.err().with_context(|| format!("{fault:?} is an error"))?;
        let (Intervention::Instead(ending) | Intervention::After(ending)) = fault else { bail!("{fault:?}") };
        let code = match ending {
            Fault::Hang | Fault::Cut | Fault::Latency(_) => None,
            Fault::Throttle => Some("SlowDown"),
            Fault::InternalError | Fault::ErrorInOk => Some("InternalError"),
            Fault::Unavailable => Some("ServiceUnavailable"),
            Fault::RequestTimeout => Some("RequestTimeout"),
            Fault::ExpiredToken => Some("ExpiredToken"),
        };
        assert_eq!(error.code(), code, "{fault:?}: {error:?}");
        let exists = root.head_object().bucket("copies").key(&key).send().await.is_ok();
        assert_eq!(exists, matches!(fault, Intervention::After(_)), "{fault:?}");
    }

    let proxy = sandbox.intercept(|_| Intervention::Instead(Fault::Throttle)).await?;
    let sts = aws_sdk_sts::Client::new(&behind(&proxy, &sandbox, "copier").await?);
    let error = sts.get_caller_identity().send().await.err().context("throttled")?;
    assert_eq!(error.code(), Some("Throttling"));
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn a_poll_that_hangs_up_does_not_swallow_the_next_task() -> Result<()> {
    let sandbox = start().await?;
    role(&sandbox, "m", &["states:*"]).await?;
    let sfn = aws_sdk_sfn::Client::new(&sandbox.sdk_config().await);
    let activity = sfn.create_activity().name("a").send().await?.activity_arn().to_owned();
    let definition =
        json!({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": true}}});
    let machine = sfn
        .create_state_machine()
        .name("m")
        .definition(definition.to_string())
        .role_arn("arn:aws:iam::111122223333:role/m")
        .send()
        .await?;

    let poll = tokio::spawn(sfn.get_activity_task().activity_arn(&activity).send());
    // The answer to another request on the way shows that the emulator is at work; the poll then waits there.
    sfn.list_activities().send().await?;
    poll.abort();
    let hung_up = CallFilter { operation: Some("GetActivityTask".into()), ..CallFilter::default() };
    let noticed = async || sandbox.calls().select(&hung_up).iter().any(|call| call.status == 499);
    let abandoned = poll.await.is_err_and(|error| error.is_cancelled());
    assert!(abandoned);
    until("the front door notices", noticed).await?;

    sfn.start_execution().state_machine_arn(machine.state_machine_arn()).input("{}").send().await?;
    let task = sfn.get_activity_task().activity_arn(&activity).send();
    let task =
        tokio::time::timeout(Duration::from_secs(10), task).await.context("the task was swallowed")??;
    assert!(task.task_token().is_some_and(|token| !token.is_empty()));
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn an_upload_that_waits_for_100_continue_is_taken() -> Result<()> {
    let sandbox = start().await?;
    s3(&sandbox.sdk_config().await).create_bucket().bucket("waits").send().await?;
    let address = sandbox.endpoint().trim_start_matches("http://").to_owned();
    let status = tokio::task::spawn_blocking(move || -> Result<String> {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let scope = "111122223333/20260101/us-east-1/s3/aws4_request";
        write!(
            stream,
            "PUT /waits/k HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5\r\nExpect: 100-continue\r\nAuthorization: \
             AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0\r\nConnection: close\r\n\r\n"
        )?;
        let mut first = [0; 25];
        stream.read_exact(&mut first)?;
        ensure!(first.starts_with(b"HTTP/1.1 100 Continue"), "{}", String::from_utf8_lossy(&first));
        stream.write_all(b"hello")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    });
    assert_eq!(status.await??, "HTTP/1.1 200 OK");
    sandbox.stop().await;
    Ok(())
}

#[tokio::test]
async fn the_stock_aws_cli_works_for_every_service_used() -> Result<()> {
    if Command::new("aws").arg("--version").output().is_err() {
        println!("SKIPPED: the aws CLI is not installed");
        return Ok(());
    }
    let sandbox = start().await?;
    let commands = [
        "sts get-caller-identity",
        "s3 mb s3://by-cli",
        "s3api list-objects-v2 --bucket by-cli",
        "dynamodb list-tables",
        "stepfunctions list-state-machines",
        "events list-rules",
        "scheduler list-schedules",
        "sns list-topics",
        "secretsmanager list-secrets",
        "kms list-keys",
        "iam list-roles",
        "logs describe-log-groups",
        "cloudwatch describe-alarms",
        "macie2 enable-macie",
        "macie2 list-findings",
        "accessanalyzer list-analyzers",
        "securityhub enable-security-hub",
        "securityhub get-findings",
        // Version 1 knows no other way for this service.
        &format!("sqs list-queues --endpoint-url {}", sandbox.endpoint()),
    ];
    for command in commands {
        let mut aws = tokio::process::Command::new("aws");
        aws.args(command.split(' ')).envs(sandbox.environment()).env("AWS_PAGER", "");
        for unset in ["AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"] {
            aws.env_remove(unset);
        }
        let output = aws.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "aws {command}: {said}");
    }
    sandbox.stop().await;
    Ok(())
}
