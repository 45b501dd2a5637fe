//! Calls that Step Functions itself makes.

use anyhow::Result;
use cordon_sandbox::{Fault, FaultRule};
use serde_json::{Value, json};

use super::harness::{StepFunctions, in_bare_sandbox, sandbox};

/// A machine of one call, and a part of its role's ARN that no other has.
async fn calls(
    sfn: &StepFunctions,
    resource: &str,
    parameters: Value,
    fields: Value,
) -> Result<(String, String)> {
    let mut state = json!({ "Type": "Task", "Resource": format!("arn:aws:states:::{resource}"), "Parameters": parameters });
    for (name, value) in fields.as_object().into_iter().flatten() {
        state[name] = value.clone();
    }
    let machine = sfn.machine_of(state).await?;
    let role = format!("assumed-role/{}/", machine.rsplit(':').next().unwrap_or_default());
    Ok((machine, role))
}

fn inject(service: &str, operation: &str, role: &str, kind: Fault, times: u32) {
    let (service, operation) = (service.to_owned(), Some(operation.to_owned()));
    sandbox().faults().inject(FaultRule {
        service,
        operation,
        principal: Some(role.to_owned()),
        kind,
        times,
    });
}

#[test]
fn faults_meet_the_calls_of_step_functions_itself_and_are_named_as_it_names_them() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let key = json!({ "TableName": "nowhere", "Key": { "id": { "S": "a" } } });
        let topic = json!({ "TopicArn": "arn:aws:sns:us-east-1:111122223333:nowhere", "Message": "m" });
        for (resource, parameters, service, operation, kind, expected) in [
            (
                "aws-sdk:dynamodb:updateItem",
                &key,
                "dynamodb",
                "UpdateItem",
                Fault::InternalError,
                "DynamoDb.DynamoDbException",
            ),
            (
                "aws-sdk:dynamodb:updateItem",
                &key,
                "dynamodb",
                "UpdateItem",
                Fault::Throttle,
                "DynamoDb.ThrottlingException",
            ),
            (
                "aws-sdk:dynamodb:updateItem",
                &key,
                "dynamodb",
                "UpdateItem",
                Fault::Cut,
                "DynamoDb.SdkClientException",
            ),
            (
                "dynamodb:getItem",
                &key,
                "dynamodb",
                "GetItem",
                Fault::InternalError,
                "DynamoDB.AmazonDynamoDBException",
            ),
            ("sns:publish", &topic, "sns", "Publish", Fault::InternalError, "SNS.AmazonSNSException"),
        ] {
            let fields = json!({ "TimeoutSeconds": 60 });
            let (machine, role) = calls(&sfn, resource, parameters.clone(), fields).await?;
            inject(service, operation, &role, kind, 1);
            let end = sfn.end(&sfn.start(&machine, json!({})).await?).await?;
            assert_eq!(end.error.as_deref(), Some(expected), "{resource}");
            // Once is once: what fails now is the call itself.
            let end = sfn.end(&sfn.start(&machine, json!({})).await?).await?;
            assert_ne!(end.error.as_deref(), Some(expected), "{resource}");
        }
        Ok(())
    })
}

#[test]
fn a_retrier_without_attempts_goes_on_to_the_catch_before_a_more_general_one_is_asked() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let retry = json!([
            { "ErrorEquals": ["Final"], "MaxAttempts": 0 },
            { "ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 9 }
        ]);
        let catch = json!([{ "ErrorEquals": ["Final"], "ResultPath": "$.why", "Next": "Caught" }]);
        let activity = sfn.activity().await?;
        let machine = sfn
            .machine(json!({ "StartAt": "Task", "States": {
                "Task": { "Type": "Task", "Resource": activity, "Retry": retry, "Catch": catch, "End": true },
                "Caught": { "Type": "Pass", "End": true }
            }}))
            .await?;
        let execution = sfn.start(&machine, json!({})).await?;
        sfn.fail(&sfn.pick_up(&activity).await?, "Whatever", "").await?;
        sfn.fail(&sfn.pick_up(&activity).await?, "Final", "enough").await?;
        assert_eq!(sfn.output(&execution).await?["why"], json!({ "Error": "Final", "Cause": "enough" }));
        Ok(())
    })
}
