//! Reports and the objects in them, in the `exposures` table.

use cordon_domain::exposure::{ReportRecord, reported_object::ReportedObject};

use super::{Exposures, KEPT_AFTER_END};
use crate::{
    clock,
    error::Result,
    store::{conditional, expiry, from_item, keys::exposures, text, to_item, to_value},
};

impl Exposures {
    /// The objects of a bucket that are in its report.
    ///
    /// # Errors
    /// As classified.
    pub async fn reported_objects(&self, bucket_arn: &str) -> Result<Vec<ReportedObject>> {
        let items = self.items(bucket_arn, exposures::OBJECT).await?;
        let listed = items.into_iter().filter(|item| !item.contains_key("ended_at"));
        listed.map(|item| from_item(&self.table, item)).collect()
    }

    /// Records an object of a report, unless a later scan has found it.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_object(&self, bucket_arn: &str, object: &ReportedObject) -> Result<()> {
        let update = self
            .update(bucket_arn, &exposures::object(object))
            .update_expression(
                "SET finding = :finding, scanned_at = :at REMOVE ended_at, ended_because, expires_at",
            )
            .condition_expression("attribute_not_exists(scanned_at) OR scanned_at <= :at")
            .expression_attribute_values(":finding", to_value(&object.finding))
            .expression_attribute_values(":at", text(object.scanned_at));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Takes an object out of the report, unless it has been found again.
    ///
    /// # Errors
    /// As classified.
    pub async fn end_object(&self, bucket_arn: &str, object: &ReportedObject, because: &str) -> Result<()> {
        let update = self
            .update(bucket_arn, &exposures::object(object))
            .update_expression("SET ended_at = :now, ended_because = :because, expires_at = :expires")
            .condition_expression("scanned_at = :at")
            .expression_attribute_values(":now", text(clock::now()))
            .expression_attribute_values(":because", text(because))
            .expression_attribute_values(":expires", expiry(KEPT_AFTER_END))
            .expression_attribute_values(":at", text(object.scanned_at));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// What Security Hub was last told of a bucket.
    ///
    /// # Errors
    /// As classified.
    pub async fn report(&self, bucket_arn: &str) -> Result<Option<ReportRecord>> {
        self.get(bucket_arn, exposures::REPORT).await
    }

    /// Records what Security Hub was told.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_report(&self, bucket_arn: &str, report: &ReportRecord) -> Result<()> {
        self.put(bucket_arn, exposures::REPORT, to_item(report)).await
    }
}
