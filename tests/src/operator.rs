//! The operator at the command line.

use std::process::{Output, Stdio};

use anyhow::{Context, Result};
pub use cordon_sandbox::operator::ROLE as OPERATOR;
use cordon_sandbox::{Sandbox, deployment::Deployment, operator};
use serde_json::Value;
use tokio::process::Command;

/// The `cordon` command line of an [operator](OPERATOR), on a machine of their own; without a deployment, before there is one.
///
/// # Errors
/// Where Terraform gave no settings.
pub fn command<'a>(
    sandbox: &Sandbox,
    deployment: impl Into<Option<&'a Deployment>>,
    arguments: &[&str],
) -> Result<Command> {
    let mut directory = std::env::current_exe()?;
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let mut command = Command::new(directory.join("cordon"));
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.envs(operator::environment(sandbox, deployment.into())?);
    Ok(command)
}

/// Gives a command the credentials of who deploys instead of an operator's.
pub fn as_administrator(command: &mut Command, account: &str) {
    for name in ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
        command.env_remove(name);
    }
    command.env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", "test");
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct CommandOutput {
    /// How it ended.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl CommandOutput {
    /// From the output of a process.
    pub fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Its standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("no JSON: {self:?}"))
    }
}
