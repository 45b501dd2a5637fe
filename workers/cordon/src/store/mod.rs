//! The tables `cases` and `exposures`.
//!
//! Every write that could race is conditional; a condition that does not hold is an answer, not an error.

mod cases;
mod digests;
mod exposures;
mod rate_limits;
mod renderings;
mod votes;

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
use serde::{Serialize, de::DeserializeOwned};

use super::aws::error::classify;
use crate::error::{Code, Error, Result};
pub use cases::Cases;
pub use exposures::{Exposures, Settlement};
pub use rate_limits::{AutomaticMove, Counted, RateLimits};
pub use votes::Voted;

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

/// What became of a conditional write.
///
/// The answer to a write can be lost after the write was carried out. The SDK then repeats it, and the condition fails on
/// what the write itself has changed. So a refusal says nothing until the record that refused it was looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Conditional<T> {
    /// It was carried out; the record as it is now.
    Written(T),
    /// It was carried out before, and its answer was lost; the record as it is now.
    Mine(T),
    /// The condition does not hold; the record that refused it, if there is one.
    Theirs(Option<T>),
}

impl<T> Conditional<T> {
    /// The record with the write in it, whichever attempt has carried it out.
    pub fn stands(self) -> Option<T> {
        match self {
            Self::Written(record) | Self::Mine(record) => Some(record),
            Self::Theirs(_) => None,
        }
    }
}

impl Conditional<Item> {
    fn read<T: DeserializeOwned>(self, table: &str) -> Result<Conditional<T>> {
        Ok(match self {
            Self::Written(item) => Conditional::Written(from_item(table, item)?),
            Self::Mine(item) => Conditional::Mine(from_item(table, item)?),
            Self::Theirs(item) => Conditional::Theirs(item.map(|item| from_item(table, item)).transpose()?),
        })
    }
}

/// Sends an update whose refusal is looked at: `is_mine` says whether a record holds this very update.
async fn recognized<T: DeserializeOwned>(
    table: &str,
    update: Update,
    is_mine: impl FnOnce(&T) -> bool,
) -> Result<Conditional<T>> {
    let is_mine = |item: &Item| from_item(table, item.clone()).is_ok_and(|record| is_mine(&record));
    recognized_item(table, update, is_mine).await?.read(table)
}

/// The same for an item of any kind.
async fn recognized_item(
    table: &str,
    update: Update,
    is_mine: impl FnOnce(&Item) -> bool,
) -> Result<Conditional<Item>> {
    let update = update.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match update.send().await {
        Ok(done) => Ok(Conditional::Written(done.attributes.unwrap_or_default())),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                Ok(refusal(refused.item.clone(), is_mine))
            }
            _ => Err(classify(&format!("dynamodb:UpdateItem on {table}"), error)),
        },
    }
}

/// What the record that refused a conditional write says of it.
fn refusal(item: Option<Item>, is_mine: impl FnOnce(&Item) -> bool) -> Conditional<Item> {
    match item.filter(|item| !item.is_empty()) {
        Some(item) if is_mine(&item) => Conditional::Mine(item),
        other => Conditional::Theirs(other),
    }
}

/// Sends an update that may be repeated without harm; the item as it is then, `None` when the condition does not hold.
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
