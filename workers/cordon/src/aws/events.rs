//! Cordon's own events.

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use serde_json::Value;

use super::error::classify;
use crate::error::{Error, Result};

/// The default event bus.
#[derive(Clone, Debug)]
pub struct Events {
    client: Client,
}

impl Events {
    /// The default bus behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Publishes an event of source `cordon`.
    ///
    /// # Errors
    /// As classified; an entry that was not taken is retryable.
    pub async fn publish(&self, detail_type: &str, detail: &Value) -> Result<()> {
        let entry = PutEventsRequestEntry::builder()
            .source("cordon")
            .detail_type(detail_type)
            .detail(detail.to_string())
            .build();
        let answer = self
            .client
            .put_events()
            .entries(entry)
            .send()
            .await
            .map_err(|error| classify("events:PutEvents", error))?;
        match answer.entries.unwrap_or_default().first().and_then(|entry| entry.error_code.clone()) {
            None => Ok(()),
            Some(code) => Err(Error::Retryable(format!("EventBridge did not take the event ({code})"))),
        }
    }
}
