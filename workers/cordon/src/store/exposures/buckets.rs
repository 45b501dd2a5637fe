//! Buckets: when they are due, which cycle has them, and what it came to, in the `exposures` table.

use cordon_domain::{
    exposure::{BucketRecord, PlannedBucket},
    time::Time,
};

use super::{Exposures, Settlement};
use crate::{
    clock,
    error::Result,
    store::{Item, conditional, from_item, keys::exposures, text, to_value},
};

impl Exposures {
    /// Buckets that are due, longest first, page by page.
    ///
    /// # Errors
    /// As classified.
    pub async fn due_buckets(&self, after: Option<Item>) -> Result<(Vec<BucketRecord>, Option<Item>)> {
        let (items, next) = self.due(exposures::DUE_BUCKET, after).await?;
        Ok((self.read(items), next))
    }

    /// Claims a bucket for a cycle until `until`. `None` when another cycle has it.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_bucket(
        &self,
        bucket_arn: &str,
        cycle: &str,
        until: Time,
    ) -> Result<Option<BucketRecord>> {
        let update = self.update(bucket_arn, exposures::BUCKET)
            .update_expression("SET claimed_by = :cycle, claimed_until = :until")
            .condition_expression(
                "attribute_exists(bucket_arn) AND (attribute_not_exists(claimed_by) OR claimed_by = :cycle OR claimed_until < :now)",
            )
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":now", text(clock::now()));
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// A bucket's record.
    ///
    /// # Errors
    /// As classified.
    pub async fn bucket(&self, bucket_arn: &str) -> Result<Option<BucketRecord>> {
        self.get(bucket_arn, exposures::BUCKET).await
    }

    /// Prolongs a cycle's claim until `until`. `None` when the cycle does not have the bucket any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn hold_bucket(
        &self,
        bucket_arn: &str,
        cycle: &str,
        until: Time,
    ) -> Result<Option<BucketRecord>> {
        let update = self
            .update(bucket_arn, exposures::BUCKET)
            .update_expression("SET claimed_until = :until")
            .condition_expression("claimed_by = :cycle")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":until", text(until));
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Ends a cycle's claim, and says what it came to and when the bucket is due again; a bucket whose access changed
    /// since it was planned stays due.
    ///
    /// # Errors
    /// As classified.
    pub async fn settle_bucket(&self, bucket: &PlannedBucket, settlement: &Settlement) -> Result<()> {
        const RESULT: &str = "SET #result = :result, report_failures = :failures";
        const CLAIM: &str = "REMOVE claimed_by, claimed_until";
        let settle = |expression: String, condition: &str| {
            self.update(&bucket.arn, exposures::BUCKET)
                .update_expression(expression)
                .condition_expression(condition)
                .expression_attribute_names("#result", "result")
                .expression_attribute_values(":result", to_value(&settlement.result))
                .expression_attribute_values(":failures", to_value(&settlement.report_failures))
                .expression_attribute_values(":cycle", text(&settlement.result.cycle))
        };
        const UNCHANGED: &str = "claimed_by = :cycle AND revision = :revision";
        let unchanged = match &settlement.next_due {
            None => settle(format!("{RESULT} {CLAIM}, due, due_at"), UNCHANGED),
            Some(at) => settle(format!("{RESULT}, due = :due, due_at = :at {CLAIM}"), UNCHANGED)
                .expression_attribute_values(":due", text(exposures::DUE_BUCKET))
                .expression_attribute_values(":at", text(at)),
        };
        let unchanged = unchanged.expression_attribute_values(":revision", to_value(&bucket.revision));
        if conditional(&self.table, unchanged).await?.is_none() {
            conditional(&self.table, settle(format!("{RESULT} {CLAIM}"), "claimed_by = :cycle")).await?;
        }
        Ok(())
    }

    /// Ends a cycle's claims and leaves the buckets due.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_buckets(&self, cycle: &str) -> Result<()> {
        let mut page = None;
        loop {
            let (due, next) = self.due_buckets(page).await?;
            for bucket in due {
                let update = self
                    .update(&bucket.bucket_arn, exposures::BUCKET)
                    .update_expression("REMOVE claimed_by, claimed_until")
                    .condition_expression("claimed_by = :cycle")
                    .expression_attribute_values(":cycle", text(cycle));
                conditional(&self.table, update).await?;
            }
            page = next;
            if page.is_none() {
                return Ok(());
            }
        }
    }

    /// Counts a scan that was not made or did not read everything: no new job before `not_before`. A job's failure is
    /// counted once.
    ///
    /// # Errors
    /// As classified.
    pub async fn count_failed_scan(
        &self,
        bucket_arn: &str,
        cycle: &str,
        failed_job: Option<&str>,
        (failures, not_before): (u32, Time),
    ) -> Result<()> {
        let update = self
            .update(bucket_arn, exposures::BUCKET)
            .update_expression("SET scan_failures = :failures, scan_not_before = :at REMOVE unread_job")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":failures", to_value(&failures))
            .expression_attribute_values(":at", text(not_before));
        let update = match failed_job {
            None => update.condition_expression("claimed_by = :cycle"),
            Some(job) => update
                .condition_expression("claimed_by = :cycle AND unread_job = :job")
                .expression_attribute_values(":job", text(job)),
        };
        conditional(&self.table, update).await.map(|_| ())
    }
}
