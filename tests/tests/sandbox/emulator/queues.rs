//! Who has sent a message, and who may.

use anyhow::{Context, Result};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use serde_json::json;

use super::{
    harness::{Queue, code, in_bare_sandbox, root, sandbox, unique},
    principals::session,
};

async fn sender(queue: &Queue) -> Result<String> {
    let sqs = aws_sdk_sqs::Client::new(&root().await);
    let received = sqs
        .receive_message()
        .queue_url(&queue.url)
        .wait_time_seconds(5)
        .message_system_attribute_names(MessageSystemAttributeName::SenderId)
        .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
        .send()
        .await?;
    let message = received.messages.unwrap_or_default().pop().context("a message")?;
    let receipt = message.receipt_handle.context("a receipt handle")?;
    sqs.delete_message().queue_url(&queue.url).receipt_handle(receipt).send().await?;
    let attributes = message.attributes.context("attributes")?;
    attributes[&MessageSystemAttributeName::SentTimestamp].parse::<i64>().context("milliseconds")?;
    Ok(attributes[&MessageSystemAttributeName::SenderId].clone())
}

#[test]
fn a_message_says_which_user_or_which_session_of_which_role_has_sent_it() -> Result<()> {
    in_bare_sandbox(async {
        let queue = Queue::new().await?;
        let may = json!([{"Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": "*"}]);
        let config = session(may, None).await?;
        let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await?;
        let id = caller.user_id.context("an id")?;
        assert!(id.starts_with("AROA") && id.ends_with(":session"), "{id}");
        // Whatever the message itself says.
        let send = aws_sdk_sqs::Client::new(&config).send_message().queue_url(&queue.url);
        send.message_body(r#"{"SenderId": "AIDASOMEBODYELSE00000"}"#).send().await?;
        assert_eq!(sender(&queue).await?, id);

        let iam = aws_sdk_iam::Client::new(&root().await);
        let user = unique("user");
        let created = iam.create_user().user_name(&user).send().await?.user.context("a user")?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
            "Resource": queue.arn}]});
        let put =
            iam.put_user_policy().user_name(&user).policy_name("may").policy_document(policy.to_string());
        put.send().await?;
        let key = iam.create_access_key().user_name(&user).send().await?.access_key.context("a key")?;
        let keys = aws_credential_types::Credentials::new(
            key.access_key_id,
            key.secret_access_key,
            None,
            None,
            "test",
        );
        let config = super::harness::signed_by(keys).await;
        let send = aws_sdk_sqs::Client::new(&config).send_message().queue_url(&queue.url);
        send.message_body("{}").send().await?;
        assert_eq!(sender(&queue).await?, created.user_id);
        Ok(())
    })
}

#[test]
fn a_queues_own_policy_lets_a_role_of_the_account_send_that_has_no_policy() -> Result<()> {
    in_bare_sandbox(async {
        let queue = Queue::new().await?;
        let nothing = json!([{"Effect": "Deny", "Action": ["sqs:DeleteQueue"], "Resource": "*"}]);
        let config = session(nothing, None).await?;
        let send = async || {
            let sqs = aws_sdk_sqs::Client::new(&config);
            code(sqs.send_message().queue_url(&queue.url).message_body("{}").send().await)
        };
        assert!(send().await.is_some_and(|code| code.contains("AccessDenied")));
        let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await?;
        let session = caller.arn.context("an ARN")?;
        let role = session.split('/').nth(1).context("a role's name")?;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage",
            "Principal": {"AWS": format!("arn:aws:iam::{}:role/{role}", sandbox().account())},
            "Resource": queue.arn}]});
        let attributes = aws_sdk_sqs::Client::new(&root().await).set_queue_attributes().queue_url(&queue.url);
        attributes.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        assert_eq!(send().await, None);
        Ok(())
    })
}
