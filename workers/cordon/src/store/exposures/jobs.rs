//! Macie jobs that are waited for, in the `exposures` table.

use aws_sdk_dynamodb::types::AttributeValue;
use cordon_domain::{exposure::JobRecord, time::Time};

use super::{Exposures, KEPT_AFTER_END};
use crate::{
    aws::error::classify,
    clock,
    error::Result,
    store::{Item, conditional, expiry, from_item, keys::exposures, text, to_item},
};

impl Exposures {
    /// Jobs that are waited for, page by page.
    ///
    /// # Errors
    /// As classified.
    pub async fn due_jobs(&self, after: Option<Item>) -> Result<(Vec<JobRecord>, Option<Item>)> {
        let (items, next) = self.due(exposures::DUE_JOB, after).await?;
        Ok((self.read(items), next))
    }

    /// Records that a job about a bucket was made whose findings are to be read, and prolongs the claim until `until`.
    /// Nothing changes when that is on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn expect_job(&self, bucket_arn: &str, cycle: &str, job: &str, until: Time) -> Result<()> {
        let update = self
            .update(bucket_arn, exposures::BUCKET)
            .update_expression("SET unread_job = :job, claimed_until = :until")
            .condition_expression(
                "claimed_by = :cycle AND (attribute_not_exists(unread_job) OR unread_job <> :job)",
            )
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":job", text(job))
            .expression_attribute_values(":until", text(until));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records a job, due for the scan watcher at once; a record that is there is left as it is.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_job(&self, job: &JobRecord) -> Result<()> {
        let mut item = to_item(job);
        item.retain(|_, value| !matches!(value, AttributeValue::Null(_)));
        item.extend([
            ("item".to_owned(), text(exposures::JOB)),
            ("due".to_owned(), text(exposures::DUE_JOB)),
            ("due_at".to_owned(), text(job.started_at)),
        ]);
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(bucket_arn)");
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(classify("dynamodb:PutItem on exposures", error)),
        }
    }

    /// Reads a job's record.
    ///
    /// # Errors
    /// As classified.
    pub async fn job(&self, record: &str) -> Result<Option<JobRecord>> {
        self.get(record, exposures::JOB).await
    }

    /// Records that a job ended, and why it did not read everything if so. Gives back the record with the token that
    /// is to be answered.
    ///
    /// # Errors
    /// As classified.
    pub async fn finish_job(&self, record: &str, problem: Option<&str>) -> Result<Option<JobRecord>> {
        let update = self
            .update(record, exposures::JOB)
            .condition_expression("attribute_exists(bucket_arn)")
            .expression_attribute_values(":now", text(clock::now()));
        let update = match problem {
            None => update.update_expression("SET finished_at = if_not_exists(finished_at, :now)"),
            Some(problem) => update
                .update_expression("SET finished_at = if_not_exists(finished_at, :now), problem = if_not_exists(problem, :problem)")
                .expression_attribute_values(":problem", text(problem)),
        };
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Leaves a job that still runs alone until `at`. Nothing changes when nobody watches it any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn watch_job_again(&self, record: &str, at: Time) -> Result<()> {
        let update = self
            .update(record, exposures::JOB)
            .update_expression("SET due_at = :at")
            .condition_expression("attribute_exists(due)")
            .expression_attribute_values(":at", text(at));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Ends the watch over a job whose wait was ended.
    ///
    /// # Errors
    /// As classified.
    pub async fn unwatch_job(&self, record: &str) -> Result<()> {
        let update = self
            .update(record, exposures::JOB)
            .update_expression("SET expires_at = :expires REMOVE due, due_at, task_token")
            .expression_attribute_values(":expires", expiry(KEPT_AFTER_END));
        conditional(&self.table, update).await.map(|_| ())
    }
}
