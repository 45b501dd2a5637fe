//! Cordon's own events.

use aws_sdk_eventbridge::{
    Client,
    operation::describe_rule::DescribeRuleError,
    types::{PutEventsRequestEntry, RuleState},
};
use serde_json::Value;

use super::error::classify;
use crate::error::{Error, Result};

/// The default event bus.
#[derive(Clone, Debug)]
pub struct Events {
    client: Client,
    /// Whose events these are; rules of other installations leave them alone.
    installation: String,
}

impl Events {
    /// The default bus behind this client, for an installation.
    pub fn new(client: Client, installation: String) -> Self {
        Self { client, installation }
    }

    /// Whether a rule of the default bus takes events; `None` where there is no such rule.
    ///
    /// # Errors
    /// As classified.
    pub async fn takes_events(&self, rule: &str) -> Result<Option<bool>> {
        match self.client.describe_rule().name(rule).send().await {
            Ok(found) => Ok(Some(found.state == Some(RuleState::Enabled))),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DescribeRuleError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(classify(&format!("events:DescribeRule of {rule}"), error)),
        }
    }

    /// The rules of the default bus whose name ends so.
    ///
    /// # Errors
    /// As classified.
    pub async fn rules_ending(&self, end: &str) -> Result<Vec<String>> {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.list_rules().set_next_token(next).send().await;
            let page = page.map_err(|error| classify("events:ListRules", error))?;
            names.extend(page.rules.unwrap_or_default().into_iter().filter_map(|rule| rule.name));
            next = page.next_token;
            if next.is_none() {
                names.retain(|name: &String| name.ends_with(end));
                return Ok(names);
            }
        }
    }

    /// Publishes an event of source `cordon`, whose detail, an object, gets the installation's name.
    ///
    /// # Errors
    /// As classified; an entry that was not taken is retryable.
    pub async fn publish(&self, detail_type: &str, detail: &Value) -> Result<()> {
        let mut detail = detail.clone();
        detail["installation"] = Value::from(self.installation.as_str());
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
