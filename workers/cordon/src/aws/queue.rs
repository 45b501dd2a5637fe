//! A queue of requests: people send, the worker receives. SQS attests who has sent a message
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>, `SenderId`).

use aws_sdk_sqs::{
    Client,
    types::{Message as Received, MessageSystemAttributeName as Attribute},
};
use cordon_domain::time::Time;
use jiff::Timestamp;

use super::error::classify;
use crate::error::Result;

/// How long a call waits for messages, in seconds: the most that SQS waits.
const WAIT_SECONDS: i32 = 20;
/// The most messages of one call.
const MAX_BATCH: i32 = 10;

/// One queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A message, and what SQS says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What was sent.
    pub body: String,
    /// Who has sent it: `AIDA…` of a user, `AROA…:session` of a role.
    pub sender: String,
    /// When it was sent.
    pub sent_at: Time,
    /// By which it is deleted.
    pub receipt: String,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(client: Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// As classified.
    pub async fn send(&self, body: &str) -> Result<()> {
        let call = self.client.send_message().queue_url(&self.url).message_body(body);
        call.send().await.map_err(|error| classify(&format!("sqs:SendMessage to {}", self.url), error))?;
        Ok(())
    }

    /// Waits for messages, up to 20 seconds. What is not [deleted](Self::delete) comes again.
    ///
    /// # Errors
    /// As classified.
    pub async fn receive(&self) -> Result<Vec<Message>> {
        let call = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(MAX_BATCH)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(Attribute::SenderId)
            .message_system_attribute_names(Attribute::SentTimestamp);
        let answer = call
            .send()
            .await
            .map_err(|error| classify(&format!("sqs:ReceiveMessage of {}", self.url), error))?;
        let received = answer.messages.unwrap_or_default();
        let read = received.into_iter().filter_map(|message| {
            let read = read(message);
            if read.is_none() {
                tracing::error!(
                    queue.url = self.url,
                    "SQS gave a message without sender, time or body; it comes again"
                );
            }
            read
        });
        Ok(read.collect())
    }

    /// Deletes a message that is done with.
    ///
    /// # Errors
    /// As classified.
    pub async fn delete(&self, message: &Message) -> Result<()> {
        let call = self.client.delete_message().queue_url(&self.url).receipt_handle(&message.receipt);
        call.send().await.map_err(|error| classify(&format!("sqs:DeleteMessage of {}", self.url), error))?;
        Ok(())
    }
}

fn read(message: Received) -> Option<Message> {
    let mut attributes = message.attributes?;
    let sent_at = attributes.remove(&Attribute::SentTimestamp)?.parse().ok()?;
    Some(Message {
        body: message.body?,
        sender: attributes.remove(&Attribute::SenderId)?,
        sent_at: Timestamp::from_millisecond(sent_at).ok()?.into(),
        receipt: message.receipt_handle?,
    })
}
