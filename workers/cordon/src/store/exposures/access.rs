//! Access findings, and whether a bucket is exposed, in the `exposures` table.

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{Put, TransactWriteItem, Update as TransactUpdate},
};
use cordon_domain::{
    exposure::access_finding::{AccessFinding, AccessStatus},
    time::Time,
};

use super::{Exposures, KEPT_AFTER_END};
use crate::{
    aws::error::classify,
    clock,
    error::{Error, Result},
    store::{Item, conditional, expiry, from_item, keys::exposures, text, to_item, to_value},
};

impl Exposures {
    /// Records an access finding unless this state of it or a newer one is on record, and with it, in one transaction,
    /// makes its bucket due. A finding that was [`missing`](Self::mark_missing) is news as it was, too. Says whether it
    /// was news.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_access(&self, finding: &AccessFinding) -> Result<bool> {
        let mut item = to_item(finding);
        item.insert("item".into(), text(exposures::access(&finding.finding_id)));
        item.insert("seen".into(), text(finding.order()));
        if matches!(finding.status, AccessStatus::Resolved | AccessStatus::Deleted) {
            item.insert("expires_at".into(), expiry(KEPT_AFTER_END));
        }
        let record = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(
                "attribute_not_exists(seen) OR seen < :seen OR (seen = :seen AND attribute_exists(missing_from_list))",
            )
            .expression_attribute_values(":seen", text(finding.order()))
            .build()
            .expect("table and item are set");
        let due = TransactUpdate::builder()
            .table_name(&self.table)
            .key("bucket_arn", text(&finding.bucket_arn))
            .key("item", text(exposures::BUCKET))
            .update_expression("SET account = :account, due = :due, due_at = :now ADD revision :one")
            .expression_attribute_values(":account", text(&finding.account))
            .expression_attribute_values(":due", text(exposures::DUE_BUCKET))
            .expression_attribute_values(":now", text(clock::now()))
            .expression_attribute_values(":one", to_value(&1))
            .build()
            .expect("table, key and expression are set");
        let call = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(record).build())
            .transact_items(TransactWriteItem::builder().update(due).build());
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let reasons: Vec<_> =
                        cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
                    if reasons.contains(&"ConditionalCheckFailed") {
                        return Ok(false);
                    }
                    Err(Error::Retryable(format!(
                        "dynamodb:TransactWriteItems on exposures was cancelled ({})",
                        reasons.join(", ")
                    )))
                }
                _ => Err(classify("dynamodb:TransactWriteItems on exposures", error)),
            },
        }
    }

    /// Records that the analyzer's list lacks a finding that was on record before the list was read, as it was read
    /// then. Nobody tells of such a deletion and of its time, so it gives way to any later sight of the finding.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_missing(&self, finding: &AccessFinding) -> Result<()> {
        let update = self
            .update(&finding.bucket_arn, &exposures::access(&finding.finding_id))
            .update_expression("SET #status = :deleted, missing_from_list = :yes, expires_at = :expires")
            .condition_expression("seen = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":deleted", to_value(&AccessStatus::Deleted))
            .expression_attribute_values(":yes", to_value(&true))
            .expression_attribute_values(":expires", expiry(KEPT_AFTER_END))
            .expression_attribute_values(":seen", text(finding.order()));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// The access findings of a bucket that are on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn access(&self, bucket_arn: &str) -> Result<Vec<AccessFinding>> {
        self.items(bucket_arn, exposures::ACCESS)
            .await?
            .into_iter()
            .map(|item| from_item(&self.table, item))
            .collect()
    }

    /// Up to when every access finding of the analyzer's list is on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn synced_until(&self) -> Result<Option<Time>> {
        self.place(exposures::SYNC).await
    }

    /// Records that every access finding of the analyzer's list, as it was then, is on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_sync(&self, until: Time) -> Result<()> {
        self.put(exposures::SYNC, exposures::SYNC, Item::from([("until".to_owned(), text(until))])).await
    }
}
