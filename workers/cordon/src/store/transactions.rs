//! Writes of several items or none.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, TransactWriteItem, Update},
};

use super::{Cases, Item};
use crate::{
    aws::error::classify,
    error::{Error, Result},
};

/// How often a transaction that meets another one is tried again, before the task is.
const ATTEMPTS: u64 = 6;

pub(super) fn put(put: aws_sdk_dynamodb::types::builders::PutBuilder, item: Item) -> TransactWriteItem {
    let put: Put = put.set_item(Some(item)).build().expect("table and item are set");
    TransactWriteItem::builder().put(put).build()
}

pub(super) fn update(update: aws_sdk_dynamodb::types::builders::UpdateBuilder) -> TransactWriteItem {
    let update: Update = update.build().expect("table, key and expression are set");
    TransactWriteItem::builder().update(update).build()
}

impl Cases {
    /// Writes several items or none. `None` when they are written; otherwise the place of the first item whose condition
    /// does not hold.
    pub(super) async fn together(&self, items: Vec<TransactWriteItem>) -> Result<Option<usize>> {
        let mut attempt = 0;
        loop {
            let call = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let error = match call.send().await {
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
                error.as_service_error()
            else {
                return Err(classify("dynamodb:TransactWriteItems on cases", error));
            };
            let reasons = cancelled.cancellation_reasons();
            let of = |code: &str| reasons.iter().position(|reason| reason.code() == Some(code));
            if let Some(place) = of("ConditionalCheckFailed") {
                return Ok(Some(place));
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(Error::Retryable("others write the same records at this moment".into()));
            }
            // Another transaction has one of the items: counters, for example, are everybody's.
            tokio::time::sleep(Duration::from_millis(rand::random_range(10..40 << attempt))).await;
        }
    }
}
