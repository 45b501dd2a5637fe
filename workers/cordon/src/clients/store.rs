//! The tables `cases` and `exposures`.
//!
//! Every write that could race is conditional; a condition that does not hold is an answer, not an error.

mod cases;
mod digests;
mod exposures;
mod renderings;
mod votes;

pub use cases::{Cases, Claimed};
pub use exposures::Exposures;
pub use votes::Voted;

use std::collections::HashMap;

use aws_sdk_dynamodb::{operation::update_item::UpdateItemError, types::AttributeValue};
use serde::{Serialize, de::DeserializeOwned};

use super::error::classify;
use crate::error::{Code, Error, Result};

type Item = HashMap<String, AttributeValue>;

fn to_item(record: &impl Serialize) -> Item {
    serde_dynamo::aws_sdk_dynamodb_1::to_item(record).expect("records have text keys and plain members")
}

fn to_value(member: &impl Serialize) -> AttributeValue {
    serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value(member).expect("members are plain")
}

fn from_item<T: DeserializeOwned>(table: &str, item: Item) -> Result<T> {
    serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|error| {
        Error::terminal(
            Code::RequestRejected,
            format!(
                "A record in {table} cannot be read ({error}); it was written by another release or by hand."
            ),
        )
    })
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

type Update = aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;

/// Sends an update; the item as it is then, `None` when the condition does not hold.
async fn conditional(table: &str, update: Update) -> Result<Option<Item>> {
    match update.send().await {
        Ok(done) => Ok(Some(done.attributes.unwrap_or_default())),
        Err(error)
            if matches!(
                error.as_service_error(),
                Some(UpdateItemError::ConditionalCheckFailedException(_))
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(classify(&format!("dynamodb:UpdateItem on {table}"), error)),
    }
}
