//! The operator at the command line.

use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use aws_sdk_iam::operation::create_role::CreateRoleError;
pub use cordon_sandbox::operator::ROLE as OPERATOR;
use cordon_sandbox::{Sandbox, deployment::Deployment, operator};
use serde_json::{Value, json};
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

/// The role of who deploys. Calls of the account's root would not be recorded.
const ADMINISTRATOR: &str = "sandbox-administrator";

/// Gives a command the credentials of who deploys instead of an operator's.
///
/// # Errors
/// Those of IAM.
pub async fn as_administrator(command: &mut Command, sandbox: &Sandbox) -> Result<()> {
    let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{}:root", sandbox.account())}}]});
    let create = iam.create_role().role_name(ADMINISTRATOR).assume_role_policy_document(trust.to_string());
    if let Err(error) = create.send().await
        && !error.as_service_error().is_some_and(CreateRoleError::is_entity_already_exists_exception)
    {
        return Err(error.into());
    }
    let all =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
    let put = iam.put_role_policy().role_name(ADMINISTRATOR).policy_name("all");
    put.policy_document(all.to_string()).send().await?;
    command.envs(sandbox.task_environment(ADMINISTRATOR));
    Ok(())
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
