//! The person at Cordon's command line: an IAM role of the sandbox that may do what an operator may.

use anyhow::Context;
use serde_json::{Value, json};

use crate::deployment::Deployment;
use crate::process::emulator::ACCOUNT;
use crate::sandbox::Sandbox;

/// The role's name.
pub const ROLE: &str = "sandbox-operator";

/// The role's ARN, for the Terraform's `investigators` and `purgers`.
pub fn arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}")
}

/// Makes the role, and gives back its id, by which policy knows its sessions. It may do nothing until it gets the [policy](permit) that Cordon's Terraform makes.
///
/// # Errors
/// Those of IAM.
pub async fn create(sandbox: &Sandbox) -> anyhow::Result<String> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}}]});
    let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
    let create = iam.create_role().role_name(ROLE).assume_role_policy_document(trust.to_string());
    let created = create.send().await.context("cannot create the operator's role")?;
    Ok(created.role.context("a role that was created is told")?.role_id)
}

/// Lets the role do what an operator of the deployment may, and assume the roles that operators assume.
///
/// # Errors
/// Those of IAM, and where Terraform gave no settings.
pub async fn permit(sandbox: &Sandbox, deployment: &Deployment) -> anyhow::Result<()> {
    let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
    let attach =
        iam.attach_role_policy().role_name(ROLE).policy_arn(deployment.output("operator_policy_arn")?);
    attach.send().await.context("cannot attach the operator's policy")?;
    let roles: Vec<String> = settings(deployment)?
        .into_iter()
        .filter_map(|(name, value)| name.ends_with("_ROLE_ARN").then_some(value))
        .collect();
    if roles.is_empty() {
        return Ok(());
    }
    // On AWS the trust policies of these roles are enough, as they name the operator; the emulator asks for this too.
    let assume = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Resource": roles}]});
    let put = iam.put_role_policy().role_name(ROLE).policy_name("assume").policy_document(assume.to_string());
    put.send().await.context("cannot let the operator assume roles")?;
    Ok(())
}

/// What a shell needs to be the operator: credentials, which are fetched and renewed as in ECS, and with a deployment
/// the settings of `cordon approvals`, `cordon quarantine` and so on.
///
/// # Errors
/// Where Terraform gave no settings.
pub fn environment(
    sandbox: &Sandbox,
    deployment: Option<&Deployment>,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut environment = sandbox.task_environment(ROLE);
    environment.push(("AWS_DEFAULT_REGION".into(), sandbox.region().to_owned()));
    if let Some(deployment) = deployment {
        environment.extend(settings(deployment)?);
        environment.push(("CORDON_SLACK_API_URL".into(), format!("{}/api", sandbox.slack_url())));
    }
    Ok(environment)
}

fn settings(deployment: &Deployment) -> anyhow::Result<Vec<(String, String)>> {
    let settings = deployment.outputs().get("operator_environment").and_then(Value::as_object);
    let settings = settings.context("the Terraform has no output operator_environment")?;
    Ok(settings.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
}
