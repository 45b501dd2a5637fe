//! What a gateway needs besides tables: its binary, roles, and somebody who waits.

use std::path::PathBuf;

use anyhow::Result;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use serde_json::json;

use super::{GATEWAY, TABLE};

/// The binary of this build, which lies beside the running one or one level up.
pub(super) fn built_cordon() -> Result<PathBuf> {
    let mut directory = std::env::current_exe()?;
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    Ok(directory.join("cordon"))
}

pub(super) async fn give_role(root: &SdkConfig, account: &str, role: &str, actions: &[&str]) -> Result<()> {
    let iam = aws_sdk_iam::Client::new(root);
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ecs-tasks.amazonaws.com", "AWS": format!("arn:aws:iam::{account}:root")}}]});
    iam.create_role().role_name(role).assume_role_policy_document(trust.to_string()).send().await?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
        "Action": actions}]});
    let put = iam.put_role_policy().role_name(role).policy_name("work");
    put.policy_document(policy.to_string()).send().await?;
    Ok(())
}

/// A state machine that waits for the decisions of the cases that it is given.
pub(super) async fn waiting_machine(sfn: &aws_sdk_sfn::Client, account: &str) -> Result<String> {
    let wait = json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
        "TimeoutSeconds": 1_800, "End": true, "ResultPath": null, "Parameters": {
            "TableName": TABLE, "Key": {"id": {"S.$": "$.approval"}}, "UpdateExpression": "SET task_token = :token",
            "ExpressionAttributeValues": {":token": {"S.$": "$$.Task.Token"}}}});
    let definition = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.cases",
        "Parameters": {"approval.$": "$$.Map.Item.Value"}, "ResultPath": null, "End": true,
        "ItemProcessor": {"StartAt": "AwaitDecision", "States": {"AwaitDecision": wait}}}}});
    let created = sfn.create_state_machine().name("waits").definition(definition.to_string());
    let role = format!("arn:aws:iam::{account}:role/{GATEWAY}");
    Ok(created.role_arn(role).send().await?.state_machine_arn)
}

/// Makes the table of cases, with the one index that the notifier needs.
pub(super) async fn make_table(dynamodb: &aws_sdk_dynamodb::Client) -> Result<()> {
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let due = GlobalSecondaryIndex::builder()
        .index_name("slack_due")
        .key_schema(key("slack_due", KeyType::Hash)?)
        .key_schema(key("slack_due_at", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    let mut table = dynamodb
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("id", KeyType::Hash)?)
        .global_secondary_indexes(due.build()?);
    for name in ["id", "slack_due", "slack_due_at"] {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        table = table.attribute_definitions(attribute.attribute_type(ScalarAttributeType::S).build()?);
    }
    table.send().await?;
    Ok(())
}
