//! EventBridge's reserved sources, and queue URLs.

use anyhow::{Context, Result};
use aws_sdk_accessanalyzer::types::Type;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::json;

use super::harness::{Queue, StepFunctions, eventually, in_bare_sandbox, root, s3, sandbox, unique};

#[test]
fn nobody_puts_events_in_the_name_of_an_aws_service() -> Result<()> {
    in_bare_sandbox(async {
        let events = aws_sdk_eventbridge::Client::new(&root().await);
        for (source, refusal) in [
            ("aws.macie", Some("NotAuthorizedForSourceException")),
            ("aws.access-analyzer", Some("NotAuthorizedForSourceException")),
            ("aws.states", Some("NotAuthorizedForSourceException")),
            ("cordon", None),
        ] {
            let entry =
                PutEventsRequestEntry::builder().source(source).detail_type("Forged").detail("{}").build();
            let answer = events.put_events().entries(entry).send().await?;
            assert_eq!(answer.entries()[0].error_code(), refusal, "{source}");
        }
        Ok(())
    })
}

#[test]
fn the_sandboxs_own_services_put_events_in_their_name() -> Result<()> {
    in_bare_sandbox(async {
        let (config, queue, bucket) = (root().await, Queue::new().await?, unique("shared"));
        let bucket_arn = format!("arn:aws:s3:::{bucket}");
        queue
            .listen(json!({ "source": ["aws.access-analyzer"], "detail": { "resource": [bucket_arn] } }))
            .await?;
        let analyzer =
            aws_sdk_accessanalyzer::Client::new(&config).create_analyzer().analyzer_name(unique("analyzer"));
        analyzer.r#type(Type::Account).send().await?;
        let objects = s3(&config);
        objects.create_bucket().bucket(&bucket).send().await?;
        let grant = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::999988887777:root" },
            "Action": "s3:GetObject", "Resource": format!("{bucket_arn}/*")
        }] });
        objects.put_bucket_policy().bucket(&bucket).policy(grant.to_string()).send().await?;
        let event = queue.next().await?;
        assert_eq!(event["source"], "aws.access-analyzer");
        Ok(())
    })
}

#[test]
fn a_queue_url_leads_through_the_front_door() -> Result<()> {
    in_bare_sandbox(async {
        let queue = Queue::new().await?;
        let name = queue.arn.rsplit(':').next().unwrap_or_default();
        assert_eq!(queue.url, format!("{}/{}/{name}", sandbox().endpoint(), sandbox().account()));
        let sqs = aws_sdk_sqs::Client::new(&root().await);
        sqs.send_message().queue_url(&queue.url).message_body("{}").send().await?;
        assert_eq!(queue.next().await?, json!({}));
        assert_eq!(
            sqs.get_queue_url().queue_name(name).send().await?.queue_url.as_deref(),
            Some(queue.url.as_str())
        );
        Ok(())
    })
}

/// Makes a schedule that is due at once and then over. The root user's signature is not verified.
async fn schedule(target: &str) -> Result<()> {
    let scope = format!("{}/20260101/{}/scheduler/aws4_request", sandbox().account(), sandbox().region());
    let body = json!({
        "ScheduleExpression": "at(2026-01-01T00:00:00)",
        "FlexibleTimeWindow": { "Mode": "OFF" },
        "Target": { "Arn": target, "RoleArn": "arn:aws:iam::111122223333:role/scheduler", "Input": "{}" }
    });
    let request = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .post(format!("{}/schedules/{}", sandbox().endpoint(), unique("schedule")))
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .header("x-amz-date", "20260101T000000Z")
        .json(&body);
    request.send().await?.error_for_status()?;
    Ok(())
}

#[test]
fn a_scheduled_run_publishes_to_a_topic_that_demands_tls() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let sns = aws_sdk_sns::Client::new(&root().await);
        let topic =
            sns.create_topic().name(unique("topic")).send().await?.topic_arn.context("a topic ARN")?;
        let only_over_tls = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": topic,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } }
        }] });
        let policy = sns.set_topic_attributes().topic_arn(&topic).attribute_name("Policy");
        policy.attribute_value(only_over_tls.to_string()).send().await?;
        let publish = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": { "TopicArn": topic, "Message": "a run failed" }
        });
        let machine = sfn.machine_of(publish).await?;
        schedule(&machine).await?;
        let execution = eventually("the scheduled run", async || {
            let started = sfn.client.list_executions().state_machine_arn(&machine).send().await?.executions;
            Ok(started.into_iter().next().map(|execution| execution.execution_arn))
        })
        .await?;
        sfn.output(&execution).await?;
        Ok(())
    })
}
