//! The shared sandbox, and short ways to make what the tests need in it.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_sfn::{
    error::ProvideErrorMetadata,
    operation::{describe_execution::DescribeExecutionOutput, get_activity_task::GetActivityTaskOutput},
    types::{ExecutionStatus, HistoryEvent},
};
use serde_json::{Value, json};

pub(super) use cordon_tests::{alone_in_bare_sandbox, bare_sandbox as sandbox, eventually, in_bare_sandbox};

/// A name nothing else in the sandbox has.
pub(super) fn unique(stem: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The account's root user, through the front door.
pub(super) async fn root() -> SdkConfig {
    sandbox().sdk_config().await
}

/// The root user's settings with other credentials.
pub(super) async fn signed_by(credentials: Credentials) -> SdkConfig {
    root().await.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

pub(super) fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

/// The error code that a call was refused with; None when it was not.
pub(super) fn code<T>(answer: Result<T, impl ProvideErrorMetadata>) -> Option<String> {
    answer.err().map(|error| error.code().unwrap_or("an error without a code").to_owned())
}

/// Step Functions as the tests use it.
#[derive(Clone)]
pub(super) struct StepFunctions {
    pub(super) client: aws_sdk_sfn::Client,
    iam: aws_sdk_iam::Client,
}

impl StepFunctions {
    pub(super) async fn new() -> StepFunctions {
        let config = root().await;
        StepFunctions { client: aws_sdk_sfn::Client::new(&config), iam: aws_sdk_iam::Client::new(&config) }
    }

    pub(super) async fn activity(&self) -> Result<String> {
        let created = self.client.create_activity().name(unique("activity")).send().await?;
        Ok(created.activity_arn)
    }

    pub(super) async fn machine(&self, definition: Value) -> Result<String> {
        let name = unique("machine");
        let role = role(&self.iam, &name, "states.amazonaws.com").await?;
        let machine =
            self.client.create_state_machine().name(name).role_arn(role).definition(definition.to_string());
        Ok(machine.send().await?.state_machine_arn)
    }

    /// A machine of one state.
    pub(super) async fn machine_of(&self, mut state: Value) -> Result<String> {
        state["End"] = true.into();
        self.machine(json!({ "StartAt": "Only", "States": { "Only": state } })).await
    }

    /// An activity, and a machine whose only state is a task of it with the further fields given.
    pub(super) async fn machine_with_activity(&self, mut fields: Value) -> Result<(String, String)> {
        let activity = self.activity().await?;
        fields["Type"] = "Task".into();
        fields["Resource"] = activity.clone().into();
        Ok((activity, self.machine_of(fields).await?))
    }

    pub(super) async fn start(&self, machine: &str, input: Value) -> Result<String> {
        let start = self.client.start_execution().state_machine_arn(machine).input(input.to_string());
        Ok(start.send().await?.execution_arn)
    }

    pub(super) async fn stop(&self, execution: &str) -> Result<()> {
        self.client.stop_execution().execution_arn(execution).send().await?;
        Ok(())
    }

    pub(super) async fn poll(&self, activity: &str) -> Result<GetActivityTaskOutput> {
        Ok(self.client.get_activity_task().activity_arn(activity).worker_name("worker-1").send().await?)
    }

    /// Picks a task up; returns its token.
    pub(super) async fn pick_up(&self, activity: &str) -> Result<String> {
        self.poll(activity).await?.task_token.context("the poll ended without a task")
    }

    pub(super) async fn succeed(&self, token: &str, output: &str) -> Result<(), aws_sdk_sfn::Error> {
        self.client.send_task_success().task_token(token).output(output).send().await?;
        Ok(())
    }

    pub(super) async fn fail(&self, token: &str, error: &str, cause: &str) -> Result<(), aws_sdk_sfn::Error> {
        self.client.send_task_failure().task_token(token).error(error).cause(cause).send().await?;
        Ok(())
    }

    pub(super) async fn beat(&self, token: &str) -> Result<(), aws_sdk_sfn::Error> {
        self.client.send_task_heartbeat().task_token(token).send().await?;
        Ok(())
    }

    pub(super) async fn describe(&self, execution: &str) -> Result<DescribeExecutionOutput> {
        Ok(self.client.describe_execution().execution_arn(execution).send().await?)
    }

    /// Waits for the end of an execution.
    pub(super) async fn end(&self, execution: &str) -> Result<DescribeExecutionOutput> {
        eventually("the end of the execution", async || {
            let described = self.describe(execution).await?;
            Ok((described.status != ExecutionStatus::Running).then_some(described))
        })
        .await
    }

    /// Waits for the success of an execution; returns its output.
    pub(super) async fn output(&self, execution: &str) -> Result<Value> {
        let end = self.end(execution).await?;
        if end.status != ExecutionStatus::Succeeded {
            bail!("the execution {}: {:?} {:?}", end.status, end.error, end.cause);
        }
        Ok(serde_json::from_str(&end.output.unwrap_or_default())?)
    }

    pub(super) async fn history(&self, execution: &str) -> Result<Vec<HistoryEvent>> {
        let history = self.client.get_execution_history().execution_arn(execution).max_results(1000);
        Ok(history.send().await?.events)
    }

    /// The types of an execution's events, in order.
    pub(super) async fn event_types(&self, execution: &str) -> Result<Vec<String>> {
        Ok(self.history(execution).await?.iter().map(|event| event.r#type.to_string()).collect())
    }
}

/// Makes a role that only an AWS service may assume; returns its ARN.
pub(super) async fn role(iam: &aws_sdk_iam::Client, name: &str, service: &str) -> Result<String> {
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" } ] });
    let created =
        iam.create_role().role_name(name).assume_role_policy_document(trust.to_string()).send().await?;
    Ok(created.role.context("a created role is described")?.arn)
}

/// A queue that takes messages from every service.
pub(super) struct Queue {
    client: aws_sdk_sqs::Client,
    pub(super) url: String,
    pub(super) arn: String,
}

impl Queue {
    pub(super) async fn new() -> Result<Queue> {
        use aws_sdk_sqs::types::QueueAttributeName;

        let client = aws_sdk_sqs::Client::new(&root().await);
        let name = unique("queue");
        let url = client.create_queue().queue_name(&name).send().await?.queue_url.context("a queue URL")?;
        let arn = format!("arn:aws:sqs:us-east-1:{}:{name}", sandbox().account());
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": ["events.amazonaws.com", "sns.amazonaws.com"] },
              "Action": "sqs:SendMessage", "Resource": arn } ] });
        let attributes = client.set_queue_attributes().queue_url(&url);
        attributes.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        Ok(Queue { client, url, arn })
    }

    /// Has the queue receive what a rule on the default bus matches.
    pub(super) async fn listen(&self, pattern: Value) -> Result<()> {
        let events = aws_sdk_eventbridge::Client::new(&root().await);
        let rule = unique("rule");
        events.put_rule().name(&rule).event_pattern(pattern.to_string()).send().await?;
        let target = aws_sdk_eventbridge::types::Target::builder().id("queue").arn(&self.arn).build()?;
        events.put_targets().rule(&rule).targets(target).send().await?;
        Ok(())
    }

    /// The next message, taken out of the queue.
    pub(super) async fn next(&self) -> Result<Value> {
        let message = eventually("a message", async || {
            let received =
                self.client.receive_message().queue_url(&self.url).wait_time_seconds(1).send().await?;
            Ok(received.messages.unwrap_or_default().pop())
        })
        .await?;
        let receipt = message.receipt_handle.context("a receipt handle")?;
        self.client.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await?;
        Ok(serde_json::from_str(&message.body.context("a body")?)?)
    }
}
