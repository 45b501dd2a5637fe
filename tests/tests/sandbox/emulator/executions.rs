//! How executions begin and end, and what runs inside them.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sfn::{
    Error,
    types::{EncryptionConfiguration, EncryptionType, ExecutionStatus},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::harness::{Queue, StepFunctions, code, eventually, in_bare_sandbox, root, s3, unique};

/// A machine that runs a task of an activity for every item of a list in S3; returns the activity, the machine and
/// the input that names the list.
async fn machine_over_a_plan(sfn: &StepFunctions, items: &Value) -> Result<(String, String, Value)> {
    let (bucket, activity) = (unique("plan"), sfn.activity().await?);
    let objects = s3(&root().await);
    objects.create_bucket().bucket(&bucket).send().await?;
    let body = items.to_string().into_bytes().into();
    objects.put_object().bucket(&bucket).key("plan.json").body(body).send().await?;
    let machine = sfn.machine_of(json!({
        "Type": "Map",
        "Label": "Items",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": { "InputType": "JSON" },
            "Parameters": { "Bucket.$": "$.bucket", "Key": "plan.json" }
        },
        "ItemProcessor": {
            "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
            "StartAt": "Work",
            "States": { "Work": {
                "Type": "Task",
                "Resource": activity,
                "Parameters": { "item.$": "$", "execution.$": "$$.Execution.Id" },
                "Next": "Shown"
            }, "Shown": { "Type": "Pass", "End": true } }
        }
    }));
    Ok((activity, machine.await?, json!({ "bucket": bucket })))
}

/// The child executions of an execution's only Map Run.
async fn children(sfn: &StepFunctions, execution: &str) -> Result<Vec<(String, ExecutionStatus)>> {
    let runs = sfn.client.list_map_runs().execution_arn(execution).send().await?.map_runs;
    let run = runs.first().context("a Map Run")?.map_run_arn.clone();
    let listed = sfn.client.list_executions().map_run_arn(run).send().await?.executions;
    Ok(listed.into_iter().map(|child| (child.execution_arn, child.status)).collect())
}

#[test]
fn a_machine_timeout_ends_a_run_that_nobody_works_on() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let activity = sfn.activity().await?;
        let wait = json!({ "Type": "Task", "Resource": activity, "End": true });
        let definition = json!({ "StartAt": "Wait", "TimeoutSeconds": 1, "States": { "Wait": wait } });
        let machine = sfn.machine(definition).await?;
        let begun = Instant::now();
        let execution = sfn.start(&machine, json!({})).await?;
        assert_eq!(sfn.end(&execution).await?.status, ExecutionStatus::TimedOut);
        assert!(begun.elapsed() > Duration::from_millis(900), "after {:?}", begun.elapsed());
        assert_eq!(sfn.event_types(&execution).await?.last().map(String::as_str), Some("ExecutionTimedOut"));
        Ok(())
    })
}

#[test]
fn a_stopped_run_starts_no_further_state_and_stays_aborted() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, queue) = (StepFunctions::new().await, Queue::new().await?);
        let states = json!({
            "Pause": { "Type": "Wait", "Seconds": 1, "Next": "Tell" },
            "Tell": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Parameters": { "QueueUrl": queue.url, "MessageBody": { "item.$": "$" } },
                "End": true
            }
        });
        let machine = sfn
            .machine_of(json!({
                "Type": "Map",
                "ItemProcessor": { "StartAt": "Pause", "States": states },
                // Fails on the results of items that were cut off, which must not make the run FAILED after its end.
                "ResultSelector": { "made.$": "$[0].MessageId" }
            }))
            .await?;
        let stopped = sfn.start(&machine, json!(["stopped"])).await?;
        eventually("the pause", async || {
            Ok(sfn.event_types(&stopped).await?.contains(&"WaitStateEntered".to_owned()).then_some(()))
        })
        .await?;
        sfn.stop(&stopped).await?;
        // Its pause would be over before that of the run that starts now.
        let running = sfn.start(&machine, json!(["running"])).await?;
        assert_eq!(queue.next().await?, json!({ "item": "running" }));
        sfn.output(&running).await?;
        assert_eq!(sfn.describe(&stopped).await?.status, ExecutionStatus::Aborted);
        assert_eq!(sfn.event_types(&stopped).await?.last().map(String::as_str), Some("ExecutionAborted"));
        Ok(())
    })
}

#[test]
fn child_executions_of_a_distributed_map_have_identity_and_history_of_their_own() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine, input) = machine_over_a_plan(&sfn, &json!(["only"])).await?;
        let execution = sfn.start(&machine, input).await?;
        let task = sfn.poll(&activity).await?;
        let given: Value = serde_json::from_str(&task.input.context("an input")?)?;
        let child = children(&sfn, &execution).await?.remove(0).0;
        assert_eq!(given, json!({ "item": "only", "execution": child }));
        sfn.succeed(&task.task_token.context("a token")?, r#""done""#).await?;
        assert_eq!(sfn.output(&execution).await?, json!(["done"]));
        let story = sfn.event_types(&child).await?;
        assert_eq!(
            story,
            [
                "ExecutionStarted",
                "TaskStateEntered",
                "ActivityScheduled",
                "ActivityStarted",
                "ActivitySucceeded",
                "TaskStateExited",
                "PassStateEntered",
                "PassStateExited",
                "ExecutionSucceeded",
            ]
        );
        Ok(())
    })
}

#[test]
fn stopping_a_run_aborts_the_child_executions_of_its_distributed_map() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine, input) = machine_over_a_plan(&sfn, &json!([1, 2])).await?;
        let execution = sfn.start(&machine, input).await?;
        let first = sfn.pick_up(&activity).await?;
        let second = sfn.pick_up(&activity).await?;
        sfn.stop(&execution).await?;
        assert!(matches!(sfn.succeed(&first, "{}").await, Err(Error::TaskTimedOut(_))));
        assert!(matches!(sfn.succeed(&second, "{}").await, Err(Error::TaskTimedOut(_))));
        let children = children(&sfn, &execution).await?;
        assert!(children.iter().all(|(_, status)| *status == ExecutionStatus::Aborted), "{children:?}");
        Ok(())
    })
}

#[test]
fn deleting_a_machine_ends_the_tasks_of_its_runs() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        sfn.client.delete_state_machine().state_machine_arn(&machine).send().await?;
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn starting_a_running_execution_again_with_its_input_answers_the_same_execution() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (_, machine) = sfn.machine_with_activity(json!({})).await?;
        let start = |input: &str| {
            sfn.client.start_execution().state_machine_arn(&machine).name("once").input(input).send()
        };
        let first = start(r#"{"n":1}"#).await?;
        let again = start(r#"{"n":1}"#).await?;
        assert_eq!((&first.execution_arn, first.start_date), (&again.execution_arn, again.start_date));

        let other_input = start(r#"{"n":2}"#).await.map_err(Error::from);
        assert!(matches!(other_input, Err(Error::ExecutionAlreadyExists(_))));
        sfn.stop(&first.execution_arn).await?;
        let after_its_end = start(r#"{"n":1}"#).await.map_err(Error::from);
        assert!(matches!(after_its_end, Err(Error::ExecutionAlreadyExists(_))));
        Ok(())
    })
}

#[test]
fn an_execution_does_not_start_with_input_that_is_not_json() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let machine = sfn.machine_of(json!({ "Type": "Pass" })).await?;
        let start = sfn.client.start_execution().state_machine_arn(machine).input("{ not JSON").send();
        assert!(matches!(start.await.map_err(Error::from), Err(Error::InvalidExecutionInput(_))));
        Ok(())
    })
}

#[test]
fn every_end_of_a_run_is_an_execution_status_change_event() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let activity = sfn.activity().await?;
        let wait = json!({ "Type": "Task", "Resource": activity, "End": true });
        let timed_out = json!({ "StartAt": "Wait", "TimeoutSeconds": 1, "States": { "Wait": wait.clone() } });
        let machines = [
            ("SUCCEEDED", sfn.machine_of(json!({ "Type": "Pass" })).await?),
            (
                "FAILED",
                sfn.machine(json!({ "StartAt": "No", "States": { "No": { "Type": "Fail" } } })).await?,
            ),
            ("TIMED_OUT", sfn.machine(timed_out).await?),
            ("ABORTED", sfn.machine(json!({ "StartAt": "Wait", "States": { "Wait": wait } })).await?),
        ];
        for (status, machine) in machines {
            let queue = Queue::new().await?;
            queue
                .listen(json!({
                    "source": ["aws.states"],
                    "detail-type": ["Step Functions Execution Status Change"],
                    "detail": { "stateMachineArn": [machine], "status": [{ "anything-but": ["RUNNING"] }] }
                }))
                .await?;
            let execution = sfn.start(&machine, json!({})).await?;
            if status == "ABORTED" {
                sfn.stop(&execution).await?;
            }
            let event = queue.next().await?;
            assert_eq!(
                (event["detail"]["status"].as_str(), event["detail"]["executionArn"].as_str()),
                (Some(status), Some(execution.as_str()))
            );
        }
        Ok(())
    })
}

#[test]
fn the_event_of_a_failure_under_a_key_says_nothing_of_its_error() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        for under_a_key in [false, true] {
            let fail = json!({ "Type": "Fail", "Error": "ObjectLocked", "Cause": "The object is locked." });
            let definition = json!({ "StartAt": "Failed", "States": { "Failed": fail } });
            let machine = sfn.machine(definition.clone()).await?;
            if under_a_key {
                let encryption = EncryptionConfiguration::builder()
                    .r#type(EncryptionType::CustomerManagedKmsKey)
                    .kms_key_id("arn:aws:kms:us-east-1:111122223333:key/1");
                let update = sfn.client.update_state_machine().state_machine_arn(&machine);
                let update = update.definition(definition.to_string());
                update.encryption_configuration(encryption.build()?).send().await?;
            }
            let queue = Queue::new().await?;
            queue
                .listen(json!({ "source": ["aws.states"],
                    "detail": { "stateMachineArn": [machine], "status": ["FAILED"] } }))
                .await?;
            let execution = sfn.start(&machine, json!({})).await?;
            let (event, end) = (queue.next().await?, sfn.end(&execution).await?);
            assert_eq!(end.error.as_deref(), Some("ObjectLocked"));
            let told = (event["detail"]["error"].as_str(), event["detail"]["cause"].as_str());
            let expected =
                if under_a_key { (None, None) } else { (end.error.as_deref(), end.cause.as_deref()) };
            assert_eq!(told, expected);
        }
        Ok(())
    })
}

#[test]
fn a_fail_state_takes_error_and_cause_from_its_input() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let fail = json!({ "Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause" });
        let machine = sfn.machine(json!({ "StartAt": "Failed", "States": { "Failed": fail } })).await?;
        let input = json!({ "error": { "Error": "ObjectLocked", "Cause": "The object is locked." } });
        let end = sfn.end(&sfn.start(&machine, input).await?).await?;
        assert_eq!(
            (end.error.as_deref(), end.cause.as_deref()),
            (Some("ObjectLocked"), Some("The object is locked."))
        );
        Ok(())
    })
}

#[test]
fn a_path_that_leads_nowhere_fails_the_run_and_no_states_all_catches_it() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        for field in ["Parameters", "ResultSelector"] {
            let activity = sfn.activity().await?;
            let mut task = json!({
                "Type": "Task",
                "Resource": activity,
                "Retry": [{ "ErrorEquals": ["States.TaskFailed"] }],
                "Catch": [{ "ErrorEquals": ["States.ALL"], "Next": "Caught" }],
                "End": true
            });
            task[field] = json!({ "case.$": "$.missing" });
            let states = json!({ "Work": task, "Caught": { "Type": "Pass", "End": true } });
            let machine = sfn.machine(json!({ "StartAt": "Work", "States": states })).await?;
            let execution = sfn.start(&machine, json!({})).await?;
            if field == "ResultSelector" {
                sfn.succeed(&sfn.pick_up(&activity).await?, "{}").await?;
            }
            let end = sfn.end(&execution).await?;
            assert_eq!(
                (end.status, end.error.as_deref()),
                (ExecutionStatus::Failed, Some("States.Runtime")),
                "{field}"
            );
        }
        Ok(())
    })
}

#[test]
fn a_choice_finds_a_member_that_is_null_present_and_fails_on_one_that_is_missing() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let machine = |rule: Value| {
            let states = json!({
                "Choose": { "Type": "Choice", "Choices": [rule], "Default": "No" },
                "Yes": { "Type": "Pass", "Result": "yes", "End": true },
                "No": { "Type": "Pass", "Result": "no", "End": true }
            });
            sfn.machine(json!({ "StartAt": "Choose", "States": states }))
        };
        let present = machine(json!({ "Variable": "$.a", "IsPresent": true, "Next": "Yes" })).await?;
        for (input, answer) in [(json!({ "a": 1 }), "yes"), (json!({ "a": null }), "yes"), (json!({}), "no")]
        {
            assert_eq!(sfn.output(&sfn.start(&present, input).await?).await?, json!(answer));
        }
        let compared = machine(json!({ "Variable": "$.a", "StringEquals": "x", "Next": "Yes" })).await?;
        let end = sfn.end(&sfn.start(&compared, json!({})).await?).await?;
        assert_eq!(end.error.as_deref(), Some("States.Runtime"));
        Ok(())
    })
}

#[test]
fn publishing_an_object_to_sns_sends_it_as_json_text() -> Result<()> {
    in_bare_sandbox(async {
        let (sfn, queue) = (StepFunctions::new().await, Queue::new().await?);
        let sns = aws_sdk_sns::Client::new(&root().await);
        let topic =
            sns.create_topic().name(unique("topic")).send().await?.topic_arn.context("a topic ARN")?;
        let subscription = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&queue.arn);
        subscription.attributes("RawMessageDelivery", "true").send().await?;
        let machine = sfn
            .machine_of(json!({
                "Type": "Task",
                "Resource": "arn:aws:states:::sns:publish",
                "Parameters": { "TopicArn": topic, "Subject": "A run failed", "Message": { "why.$": "$.why" } },
                "ResultPath": null
            }))
            .await?;
        let execution = sfn.start(&machine, json!({ "why": "a \"reason\"" })).await?;
        assert_eq!(queue.next().await?, json!({ "why": "a \"reason\"" }));
        sfn.output(&execution).await?;
        Ok(())
    })
}

#[test]
fn the_name_of_an_execution_has_at_most_eighty_characters_of_those_that_it_may_have() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let machine = sfn.machine_of(json!({ "Type": "Pass" })).await?;
        for (name, refusal) in [
            ("n".repeat(80), None),
            ("n".repeat(81), Some("InvalidName")),
            ("a b".to_owned(), Some("InvalidName")),
            ("a/b".to_owned(), Some("InvalidName")),
            ("sweep-0a_1.b".to_owned(), None),
        ] {
            let started = sfn.client.start_execution().state_machine_arn(&machine).name(&name).send().await;
            assert_eq!(code(started).as_deref(), refusal, "{name}");
        }
        Ok(())
    })
}
