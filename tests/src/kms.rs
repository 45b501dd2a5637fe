//! KMS, asked by way of Step Functions: so there is no need of one more SDK.

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use serde_json::{Value, json};

use crate::eventually;

/// The sandbox's account.
const ACCOUNT: &str = "111122223333";
/// The role of the state machines that ask.
const ROLE: &str = "asks-kms";

/// Asks KMS as the account's root user, and gives its answer.
///
/// # Errors
/// When it refuses.
pub async fn kms(root: &SdkConfig, action: &str, parameters: Value) -> Result<Value> {
    let (sfn, iam) = (aws_sdk_sfn::Client::new(root), aws_sdk_iam::Client::new(root));
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "states.amazonaws.com"}}]});
    let created =
        iam.create_role().role_name(ROLE).assume_role_policy_document(trust.to_string()).send().await;
    if let Err(error) = created
        && !error.as_service_error().is_some_and(|error| error.is_entity_already_exists_exception())
    {
        return Err(error.into());
    }
    let definition = json!({"StartAt": "Only", "States": {"Only": {"Type": "Task", "End": true,
        "Resource": format!("arn:aws:states:::aws-sdk:kms:{action}"), "Parameters": parameters}}});
    let machine = sfn
        .create_state_machine()
        .name(format!("kms-{:032x}", rand::random::<u128>()))
        .definition(definition.to_string())
        .role_arn(format!("arn:aws:iam::{ACCOUNT}:role/{ROLE}"))
        .send()
        .await?
        .state_machine_arn;
    let run = sfn.start_execution().state_machine_arn(machine).send().await?.execution_arn;
    let ended = eventually("KMS's answer", async || {
        let described = sfn.describe_execution().execution_arn(&run).send().await?;
        Ok((described.status != ExecutionStatus::Running).then_some(described))
    })
    .await?;
    ensure!(
        ended.status == ExecutionStatus::Succeeded,
        "kms:{action} was refused: {:?} {:?}",
        ended.error(),
        ended.cause()
    );
    serde_json::from_str(ended.output().unwrap_or("null")).context("KMS answers in JSON")
}
