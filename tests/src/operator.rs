//! The person at the command line.

use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use cordon_sandbox::{Sandbox, deployment::Deployment};
use serde_json::{Value, json};
use tokio::process::Command;

/// Their role, which may do everything that an operator may.
pub const OPERATOR: &str = "olivia";

/// Makes the role [`OPERATOR`], which needs nothing but one policy.
///
/// # Errors
/// Those of IAM.
pub async fn give_role(sandbox: &Sandbox, deployment: &Deployment) -> Result<()> {
    let (account, policy_arn) = (sandbox.account(), deployment.output("operator_policy_arn")?);
    let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}}]});
    iam.create_role().role_name(OPERATOR).assume_role_policy_document(trust.to_string()).send().await?;
    iam.attach_role_policy().role_name(OPERATOR).policy_arn(policy_arn).send().await?;
    // AWS asks no more of a role that a trust policy of its own account names; the emulator asks for this too.
    let roles = ["investigator", "purger"].map(|role| format!("arn:aws:iam::{account}:role/cordon-{role}"));
    let assume = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Resource": roles}]});
    let put = iam.put_role_policy().role_name(OPERATOR).policy_name("assume");
    put.policy_document(assume.to_string()).send().await?;
    Ok(())
}

/// The `cordon` command line of a person with the role [`OPERATOR`], on a machine of their own.
///
/// # Errors
/// Where Terraform gave no settings.
pub fn command(sandbox: &Sandbox, deployment: &Deployment, arguments: &[&str]) -> Result<Command> {
    let settings = deployment.outputs().get("operator_environment").context("an output")?;
    let settings = settings.as_object().context("settings by name")?;
    let mut directory = std::env::current_exe()?;
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let mut command = Command::new(directory.join("cordon"));
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.envs(settings.iter().filter_map(|(name, value)| Some((name, value.as_str()?))));
    command.envs(sandbox.task_environment(OPERATOR));
    Ok(command)
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
