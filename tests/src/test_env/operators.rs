//! What operators read, and what they type.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use serde_json::json;
use tokio::process::Command;

use super::TestEnv;
use crate::{
    eventually,
    operator::{self, CommandOutput, OPERATOR},
    roles::session,
};

impl TestEnv {
    /// The `cordon` command line of a person with the role [`OPERATOR`], on a machine of their own.
    pub fn cordon_command(&self, arguments: &[&str]) -> Result<Command> {
        operator::command(&self.sandbox, &self.deployment, arguments)
    }

    /// What `cordon` says and how it ends.
    pub async fn cordon(&self, arguments: &[&str]) -> Result<CommandOutput> {
        Ok(CommandOutput::of(self.cordon_command(arguments)?.output().await?))
    }

    /// The same for whoever names their session of the role so; policy knows [`BOB`](crate::BOB)'s.
    pub async fn cordon_as(&self, name: &str, arguments: &[&str]) -> Result<CommandOutput> {
        let keys = session(&self.root, self.sandbox.account(), OPERATOR, name).await?;
        let mut command = self.cordon_command(arguments)?;
        command.env("AWS_ACCESS_KEY_ID", keys.access_key_id());
        command.env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key());
        command.env("AWS_SESSION_TOKEN", keys.session_token().context("a session has a token")?);
        Ok(CommandOutput::of(command.output().await?))
    }

    /// How IAM knows the person who types [`cordon`](Self::cordon).
    pub async fn operator_principal(&self) -> Result<String> {
        let iam = aws_sdk_iam::Client::new(&self.root);
        let role = iam.get_role().role_name(OPERATOR).send().await?.role.context("the role is there")?;
        Ok(format!("{}:", role.role_id))
    }

    /// The notices with this text that operators have read so far.
    pub fn notices_read(&self, text: &str) -> Vec<String> {
        let notices = self.notices.lock().unwrap();
        notices.iter().filter(|message| message.contains(text)).cloned().collect()
    }

    /// Waits for a notice to operators with this text.
    pub async fn operator_notice(&self, text: &str) -> Result<String> {
        let (sqs, queue) = &self.operators;
        eventually(&format!("a message to operators with {text:?}"), async || {
            let batch = sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
            for message in batch.messages() {
                self.notices.lock().unwrap().extend(message.body().map(str::to_owned));
                sqs.delete_message()
                    .queue_url(queue)
                    .receipt_handle(message.receipt_handle().unwrap_or(""))
                    .send()
                    .await?;
            }
            Ok(self.notices.lock().unwrap().iter().find(|message| message.contains(text)).cloned())
        })
        .await
    }
}

/// Subscribes a new queue to a topic of operators. Gives back its URL.
///
/// # Errors
/// When SQS or SNS refuses it.
pub async fn listen_to_operators(
    root: &SdkConfig,
    topic: &str,
    queue_name: &str,
) -> Result<(aws_sdk_sqs::Client, String)> {
    let sqs = aws_sdk_sqs::Client::new(root);
    let created = sqs.create_queue().queue_name(queue_name).send().await?;
    let queue = created.queue_url().context("a queue has a URL")?.to_owned();
    let arn = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes = sqs.get_queue_attributes().queue_url(&queue).attribute_names(arn.clone()).send().await?;
    let endpoint = attributes.attributes().and_then(|all| all.get(&arn)).context("a queue has an ARN")?;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
        "Principal": {"Service": "sns.amazonaws.com"}, "Resource": endpoint}]});
    let policy = (aws_sdk_sqs::types::QueueAttributeName::Policy, policy.to_string());
    sqs.set_queue_attributes().queue_url(&queue).set_attributes(Some([policy].into())).send().await?;
    let sns = aws_sdk_sns::Client::new(root);
    sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(endpoint).send().await?;
    Ok((sqs, queue))
}
