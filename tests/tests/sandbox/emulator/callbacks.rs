//! Waits for a callback: Step Functions writes the token into the record that is waited for.

use std::time::Duration;

use anyhow::Result;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_sfn::Error;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::harness::{StepFunctions, alone_in_bare_sandbox, eventually, in_bare_sandbox, root, s3, unique};

/// A table of records that are waited for.
struct Records {
    client: aws_sdk_dynamodb::Client,
    table: String,
}

impl Records {
    async fn new() -> Result<Records> {
        let records =
            Records { client: aws_sdk_dynamodb::Client::new(&root().await), table: unique("records") };
        let id = AttributeDefinition::builder()
            .attribute_name("id")
            .attribute_type(ScalarAttributeType::S)
            .build()?;
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?;
        let table =
            records.client.create_table().table_name(&records.table).billing_mode(BillingMode::PayPerRequest);
        table.attribute_definitions(id).key_schema(key).send().await?;
        Ok(records)
    }

    async fn decide(&self, id: &str) -> Result<()> {
        let put = self.client.put_item().table_name(&self.table).item("id", AttributeValue::S(id.into()));
        put.item("decision", AttributeValue::S("dismiss".into())).send().await?;
        Ok(())
    }

    /// The token that the run wrote into a record, other than `former`.
    async fn token(&self, id: &str, former: Option<&str>) -> Result<String> {
        eventually("the token", async || {
            let get = self.client.get_item().table_name(&self.table).consistent_read(true);
            let item = get.key("id", AttributeValue::S(id.into())).send().await?.item.unwrap_or_default();
            let token = item.get("task_token").and_then(|value| value.as_s().ok()).cloned();
            Ok(token.filter(|token| Some(token.as_str()) != former))
        })
        .await
    }

    /// States that wait for a record's token as `finding_response` does, and then say how the wait ended.
    fn states(&self, fields: Value) -> Value {
        let mut wait = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
            "Parameters": {
                "TableName": self.table,
                "Key": { "id": { "S.$": "$.id" } },
                "UpdateExpression": "SET task_token = :token",
                "ConditionExpression": "attribute_not_exists(decision)",
                "ExpressionAttributeValues": { ":token": { "S.$": "$$.Task.Token" } }
            },
            "Catch": [
                { "ErrorEquals": ["DynamoDB.ConditionalCheckFailedException", "DynamoDb.ConditionalCheckFailedException"],
                  "Next": "Decided" },
                { "ErrorEquals": ["States.Timeout"], "Next": "Late" },
                { "ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Silent" }
            ],
            "End": true
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            wait[name] = value.clone();
        }
        let says = |what: &str| json!({ "Type": "Pass", "Result": what, "End": true });
        json!({ "Wait": wait, "Decided": says("decided"), "Late": says("late"), "Silent": says("silent") })
    }

    async fn machine(&self, sfn: &StepFunctions, fields: Value) -> Result<String> {
        sfn.machine(json!({ "StartAt": "Wait", "States": self.states(fields) })).await
    }
}

#[test]
fn an_answer_to_the_token_in_the_record_ends_the_wait_at_once() -> Result<()> {
    alone_in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 60 })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        let token = records.token("a", None).await?;
        let answered = Instant::now();
        sfn.succeed(&token, r#"{"by":"alice"}"#).await?;
        assert_eq!(sfn.output(&execution).await?, json!({ "by": "alice" }));
        assert!(answered.elapsed() < Duration::from_secs(1), "{:?}", answered.elapsed());
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn a_wait_times_out_and_its_token_with_it() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 1 })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        assert_eq!(sfn.output(&execution).await?, json!("late"));
        assert!(sfn.event_types(&execution).await?.contains(&"TaskTimedOut".to_owned()));
        let token = records.token("a", None).await?;
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn a_wait_with_a_heartbeat_lives_as_long_as_somebody_beats() -> Result<()> {
    alone_in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 60, "HeartbeatSeconds": 1 })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        let token = records.token("a", None).await?;
        tokio::time::sleep(Duration::from_millis(600)).await;
        sfn.beat(&token).await?;
        let last_beat = Instant::now();
        assert_eq!(sfn.output(&execution).await?, json!("silent"));
        assert!(last_beat.elapsed() > Duration::from_millis(900), "{:?}", last_beat.elapsed());
        Ok(())
    })
}

#[test]
fn a_decision_recorded_before_the_token_fails_the_condition_and_is_caught() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        records.decide("a").await?;
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 60 })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        assert_eq!(sfn.output(&execution).await?, json!("decided"));
        Ok(())
    })
}

#[test]
fn each_attempt_of_a_wait_has_a_token_of_its_own() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let retry = json!([{ "ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1 }]);
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 60, "Retry": retry })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        let first = records.token("a", None).await?;
        sfn.fail(&first, "Again", "").await?;
        let second = records.token("a", Some(&first)).await?;
        assert!(matches!(sfn.succeed(&first, "{}").await, Err(Error::TaskTimedOut(_))));
        sfn.succeed(&second, r#""second""#).await?;
        assert_eq!(sfn.output(&execution).await?, json!("second"));
        Ok(())
    })
}

#[test]
fn a_stopped_run_takes_the_token_of_its_wait_along() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let machine = records.machine(&sfn, json!({ "TimeoutSeconds": 60 })).await?;
        let execution = sfn.start(&machine, json!({ "id": "a" })).await?;
        let token = records.token("a", None).await?;
        sfn.stop(&execution).await?;
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn waits_end_in_the_children_of_a_distributed_map_as_anywhere() -> Result<()> {
    alone_in_bare_sandbox(async {
        let (sfn, records) = (StepFunctions::new().await, Records::new().await?);
        let (objects, bucket) = (s3(&root().await), unique("waits"));
        objects.create_bucket().bucket(&bucket).send().await?;
        let plan =
            json!([{ "id": "answered" }, { "id": "late" }, { "id": "decided" }]).to_string().into_bytes();
        objects.put_object().bucket(&bucket).key("plan.json").body(plan.into()).send().await?;
        records.decide("decided").await?;
        let machine = sfn
            .machine_of(json!({
                "Type": "Map",
                "ToleratedFailurePercentage": 100,
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": { "InputType": "JSON" },
                    "Parameters": { "Bucket": bucket, "Key": "plan.json" }
                },
                "ItemProcessor": {
                    "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
                    "StartAt": "Wait",
                    "States": records.states(json!({ "TimeoutSeconds": 2 }))
                }
            }))
            .await?;
        let execution = sfn.start(&machine, json!({})).await?;
        sfn.succeed(&records.token("answered", None).await?, r#""answered""#).await?;
        assert_eq!(sfn.output(&execution).await?, json!(["answered", "late", "decided"]));
        Ok(())
    })
}
