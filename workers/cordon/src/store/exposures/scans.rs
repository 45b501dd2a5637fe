//! Scans that are complete, and how far findings have been swept, in the `exposures` table.

use cordon_domain::{exposure::ScanRecord, time::Time};

use super::Exposures;
use crate::{
    error::Result,
    store::{Item, conditional, keys::exposures, text},
};

impl Exposures {
    /// The last complete scan of a bucket.
    ///
    /// # Errors
    /// As classified.
    pub async fn scan(&self, bucket_arn: &str) -> Result<Option<ScanRecord>> {
        self.get(bucket_arn, exposures::SCAN).await
    }

    /// Records a complete scan, all findings of which were read, unless a later one is on record; the job is read
    /// then, and failures before it do not count any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_scan(&self, bucket_arn: &str, scan: &ScanRecord, job: &str) -> Result<()> {
        let record = self
            .update(bucket_arn, exposures::SCAN)
            .update_expression("SET job_id = :id, scanned_at = :at")
            .condition_expression("attribute_not_exists(scanned_at) OR scanned_at < :at")
            .expression_attribute_values(":id", text(&scan.job_id))
            .expression_attribute_values(":at", text(scan.scanned_at));
        conditional(&self.table, record).await?;
        let read = self
            .update(bucket_arn, exposures::BUCKET)
            .update_expression("REMOVE unread_job, scan_failures, scan_not_before")
            .condition_expression(
                "attribute_exists(bucket_arn) AND (attribute_not_exists(unread_job) OR unread_job = :job)",
            )
            .expression_attribute_values(":job", text(job));
        conditional(&self.table, read).await.map(|_| ())
    }

    /// Up to when findings have been swept.
    ///
    /// # Errors
    /// As classified.
    pub async fn swept_until(&self) -> Result<Option<Time>> {
        self.place(exposures::SWEEP).await
    }

    /// Records up to when findings have been swept.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_sweep(&self, until: Time) -> Result<()> {
        self.put(exposures::SWEEP, exposures::SWEEP, Item::from([("until".to_owned(), text(until))])).await
    }
}
