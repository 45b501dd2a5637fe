//! The sandbox itself, without Terraform: that it starts, fails and ends as promised, and that the front door changes
//! nothing on the way.

mod detach;
mod front_door;
mod processes;
mod taps;

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
    CallFilter, Fault, FaultRule, InterceptedCall, InterceptingProxy, Intervention, Sandbox,
};
use cordon_tests::{Shared, eventually, run_test, start_sandbox};
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

/// Sandboxes that are started at once, each with an emulator.
static STARTS: LazyLock<Shared<()>> = LazyLock::new(|| Shared::new(2));

fn with_sandbox(test: impl Future<Output = Result<()>>) -> Result<()> {
    let test = Box::pin(test);
    run_test(async {
        let (_, _turn) = STARTS.shared(async || Ok(())).await?;
        test.await
    })
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) -> Result<()> {
    eventually(what, async || Ok(condition().await.then_some(()))).await
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
