//! The tables `cases` and `exposures`.
//!
//! Every write that could race is conditional; a condition that does not hold is an answer, not an error.

mod cases;
mod digests;
mod exposures;
pub mod keys;
mod lists;
mod messages;
mod notices;
mod pauses;
mod rate_limits;
mod requests;
mod restores;
mod rounds;
mod transactions;
mod votes;

use std::{collections::HashMap, fmt::Display};

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};
pub use cases::Cases;
pub use exposures::{Exposures, Settlement};
use jiff::{SignedDuration, Timestamp};
pub use lists::{Cursor, OpenCase, Page};
pub use rate_limits::{AutomaticMove, Counted, LimitScope, RateLimits, ReachedLimit};
use serde::{Serialize, de::DeserializeOwned};
pub use votes::{UNSEEN, Unseen, Voted};

use super::aws::error::classify;
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

fn text(value: impl Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// The value of `expires_at` for what nobody asks for after this time.
fn expiry(kept: SignedDuration) -> AttributeValue {
    to_value(&(Timestamp::now() + kept).as_second())
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

/// Sends an update whose refusal is looked at: `is_mine` says whether an item holds this very update.
async fn recognized(
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
