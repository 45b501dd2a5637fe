//! The `exposures` table: access findings, bucket, scan and report records, jobs, the cycle lease, the sweep's place.

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, ReturnValue, TransactWriteItem, Update as TransactUpdate},
};

use jiff::Timestamp;

use super::{Item, Update, conditional, from_item, text, to_item, to_value};
use crate::{
    clients::error::classify,
    domain::{
        access_finding::AccessFinding,
        exposure::{BucketRecord, JobRecord, PlannedBucket, ReportRecord, ScanRecord},
        time,
    },
    error::{Error, Result},
};

/// The `exposures` table.
#[derive(Clone, Debug)]
pub struct Exposures {
    client: Client,
    table: String,
}

/// Values of `due`, the partition key of the sparse index.
const DUE_BUCKET: &str = "bucket";
const DUE_JOB: &str = "job";
/// Sort keys.
const BUCKET: &str = "bucket";
const JOB: &str = "job";
const SCAN: &str = "scan#latest";
const REPORT: &str = "report#latest";
const LEASE: &str = "lease";
const SWEEP: &str = "sweep";

impl Exposures {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Records an access finding unless a newer state of it is on record, and with it, in one transaction, makes its
    /// bucket due. Says whether it was news.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_access(&self, finding: &AccessFinding) -> Result<bool> {
        let mut item = to_item(finding);
        item.insert("item".into(), text(&format!("access#{}", finding.finding_id)));
        item.insert("seen".into(), text(&finding.order()));
        let record = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(seen) OR seen < :seen")
            .expression_attribute_values(":seen", text(&finding.order()))
            .build()
            .expect("table and item are set");
        let due = TransactUpdate::builder()
            .table_name(&self.table)
            .key("bucket_arn", text(&finding.bucket_arn))
            .key("item", text(BUCKET))
            .update_expression("SET account = :account, due = :due, due_at = :now ADD revision :one")
            .expression_attribute_values(":account", text(&finding.account))
            .expression_attribute_values(":due", text(DUE_BUCKET))
            .expression_attribute_values(":now", text(&time::now()))
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

    /// The access findings of a bucket that are on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn access(&self, bucket_arn: &str) -> Result<Vec<AccessFinding>> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("bucket_arn = :bucket AND begins_with(#item, :access)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":bucket", text(bucket_arn))
            .expression_attribute_values(":access", text("access#"))
            .into_paginator()
            .items()
            .send();
        let mut findings = Vec::new();
        while let Some(item) = pages.next().await {
            findings.push(from_item(
                &self.table,
                item.map_err(|error| classify("dynamodb:Query on exposures", error))?,
            )?);
        }
        Ok(findings)
    }

    /// Whether somebody outside can reach a bucket now; `None` when that is unknown. That nobody can is known only of
    /// buckets that the analyzer is `watched` to cover, once its findings have been read whole, and as long as the
    /// records can be read.
    ///
    /// # Errors
    /// As classified, where asking again may help.
    pub async fn exposed(&self, bucket_arn: &str, watched: bool) -> Result<Option<bool>> {
        let known = async {
            let findings = self.access(bucket_arn).await?;
            // A cycle sweeps after it has read every access finding.
            let complete = watched && self.swept_until().await?.is_some();
            Ok(AccessFinding::exposed(&findings, complete))
        };
        match known.await {
            Err(error @ Error::Terminal { .. }) => {
                tracing::error!(error.message = %error, "whether a bucket is exposed is unknown");
                Ok(None)
            }
            known => known,
        }
    }

    /// Buckets that are due, longest first, page by page.
    ///
    /// # Errors
    /// As classified.
    pub async fn due_buckets(&self, after: Option<Item>) -> Result<(Vec<BucketRecord>, Option<Item>)> {
        let (items, next) = self.due(DUE_BUCKET, after).await?;
        Ok((self.read(items), next))
    }

    /// Jobs that are waited for, page by page.
    ///
    /// # Errors
    /// As classified.
    pub async fn due_jobs(&self, after: Option<Item>) -> Result<(Vec<JobRecord>, Option<Item>)> {
        let (items, next) = self.due(DUE_JOB, after).await?;
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
        until: &str,
    ) -> Result<Option<BucketRecord>> {
        let update = self.update(bucket_arn, BUCKET)
            .update_expression("SET claimed_by = :cycle, claimed_until = :until")
            .condition_expression(
                "attribute_exists(bucket_arn) AND (attribute_not_exists(claimed_by) OR claimed_by = :cycle OR claimed_until < :now)",
            )
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":now", text(&time::now()));
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Ends a cycle's claim. With `next_due` the bucket is next due then, with `None` not before its access changes;
    /// a bucket whose access changed since it was planned stays due.
    ///
    /// # Errors
    /// As classified.
    pub async fn settle_bucket(
        &self,
        bucket: &PlannedBucket,
        cycle: &str,
        next_due: Option<&str>,
    ) -> Result<()> {
        let update = self
            .update(&bucket.arn, BUCKET)
            .condition_expression("claimed_by = :cycle AND revision = :revision")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":revision", to_value(&bucket.revision));
        let update = match next_due {
            None => update.update_expression("REMOVE claimed_by, claimed_until, incomplete, due, due_at"),
            Some(at) => update
                .update_expression(
                    "SET due = :due, due_at = :at REMOVE claimed_by, claimed_until, incomplete",
                )
                .expression_attribute_values(":due", text(DUE_BUCKET))
                .expression_attribute_values(":at", text(at)),
        };
        if conditional(&self.table, update).await?.is_none() {
            self.release_bucket(&bucket.arn, cycle).await?;
        }
        Ok(())
    }

    /// Ends a cycle's claim and leaves the bucket due.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_bucket(&self, bucket_arn: &str, cycle: &str) -> Result<()> {
        let update = self
            .update(bucket_arn, BUCKET)
            .update_expression("REMOVE claimed_by, claimed_until")
            .condition_expression("claimed_by = :cycle")
            .expression_attribute_values(":cycle", text(cycle));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Ends a cycle's claim after a scan that did not read everything: the bucket stays due, but later each time, see
    /// [`BucketRecord::patience`]. A change of its access makes it due at once.
    ///
    /// # Errors
    /// As classified.
    pub async fn retry_bucket(&self, bucket_arn: &str, cycle: &str) -> Result<()> {
        let count = self
            .update(bucket_arn, BUCKET)
            .update_expression("REMOVE claimed_by, claimed_until ADD incomplete :one")
            .condition_expression("claimed_by = :cycle")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":one", to_value(&1));
        let Some(item) = conditional(&self.table, count).await? else { return Ok(()) };
        let bucket: BucketRecord = from_item(&self.table, item)?;
        if bucket.patience().is_zero() {
            return Ok(());
        }
        let postpone = self
            .update(bucket_arn, BUCKET)
            .update_expression("SET due_at = :at")
            .condition_expression("attribute_not_exists(claimed_by) AND revision = :revision")
            .expression_attribute_values(":at", text(&time::stored(Timestamp::now() + bucket.patience())))
            .expression_attribute_values(":revision", to_value(&bucket.revision));
        conditional(&self.table, postpone).await.map(|_| ())
    }

    /// Takes the lease of planning until `until`. `None` when another cycle holds it; otherwise the epoch, which
    /// fences what is done under it.
    ///
    /// # Errors
    /// As classified.
    pub async fn take_lease(&self, cycle: &str, until: &str) -> Result<Option<u64>> {
        let update = self
            .update(LEASE, LEASE)
            .update_expression("SET holder = :cycle, held_until = :until ADD epoch :one")
            .condition_expression("attribute_not_exists(holder) OR holder = :cycle OR held_until < :now")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":now", text(&time::now()))
            .expression_attribute_values(":one", to_value(&1));
        Ok(conditional(&self.table, update).await?.map(|item| {
            item.get("epoch")
                .and_then(|epoch| epoch.as_n().ok())
                .and_then(|n| n.parse().ok())
                .unwrap_or_default()
        }))
    }

    /// Gives the lease back, if it is still ours.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_lease(&self, cycle: &str, epoch: u64) -> Result<()> {
        let update = self
            .update(LEASE, LEASE)
            .update_expression("REMOVE holder, held_until")
            .condition_expression("holder = :cycle AND epoch = :epoch")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":epoch", to_value(&epoch));
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
            ("item".to_owned(), text(JOB)),
            ("due".to_owned(), text(DUE_JOB)),
            ("due_at".to_owned(), text(&job.started_at)),
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
        self.get(record, JOB).await
    }

    /// Records that a job ended, and why it did not read everything if so. Gives back the record with the token that
    /// is to be answered.
    ///
    /// # Errors
    /// As classified.
    pub async fn finish_job(&self, record: &str, problem: Option<&str>) -> Result<Option<JobRecord>> {
        let update = self
            .update(record, JOB)
            .condition_expression("attribute_exists(bucket_arn)")
            .expression_attribute_values(":now", text(&time::now()));
        let update = match problem {
            None => update.update_expression("SET finished_at = if_not_exists(finished_at, :now)"),
            Some(problem) => update
                .update_expression("SET finished_at = if_not_exists(finished_at, :now), problem = if_not_exists(problem, :problem)")
                .expression_attribute_values(":problem", text(problem)),
        };
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Ends the watch over a job whose wait was ended.
    ///
    /// # Errors
    /// As classified.
    pub async fn unwatch_job(&self, record: &str) -> Result<()> {
        let update = self.update(record, JOB).update_expression("REMOVE due, due_at, task_token");
        conditional(&self.table, update).await.map(|_| ())
    }

    /// The last complete scan of a bucket.
    ///
    /// # Errors
    /// As classified.
    pub async fn scan(&self, bucket_arn: &str) -> Result<Option<ScanRecord>> {
        self.get(bucket_arn, SCAN).await
    }

    /// Records a complete scan.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_scan(&self, bucket_arn: &str, scan: &ScanRecord) -> Result<()> {
        self.put(bucket_arn, SCAN, to_item(scan)).await
    }

    /// What Security Hub was last told of a bucket.
    ///
    /// # Errors
    /// As classified.
    pub async fn report(&self, bucket_arn: &str) -> Result<Option<ReportRecord>> {
        self.get(bucket_arn, REPORT).await
    }

    /// Records what Security Hub was told.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_report(&self, bucket_arn: &str, report: &ReportRecord) -> Result<()> {
        self.put(bucket_arn, REPORT, to_item(report)).await
    }

    /// Up to when findings have been swept.
    ///
    /// # Errors
    /// As classified.
    pub async fn swept_until(&self) -> Result<Option<String>> {
        let item = self.item(SWEEP, SWEEP).await?;
        Ok(item.and_then(|item| item.get("until").and_then(|until| until.as_s().ok()).cloned()))
    }

    /// Records up to when findings have been swept.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_sweep(&self, until: &str) -> Result<()> {
        self.put(SWEEP, SWEEP, Item::from([("until".to_owned(), text(until))])).await
    }

    async fn item(&self, bucket_arn: &str, item: &str) -> Result<Option<Item>> {
        let call = self
            .client
            .get_item()
            .table_name(&self.table)
            .consistent_read(true)
            .key("bucket_arn", text(bucket_arn))
            .key("item", text(item));
        Ok(call.send().await.map_err(|error| classify("dynamodb:GetItem on exposures", error))?.item)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, bucket_arn: &str, item: &str) -> Result<Option<T>> {
        self.item(bucket_arn, item).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    async fn put(&self, bucket_arn: &str, item: &str, mut record: Item) -> Result<()> {
        record.insert("bucket_arn".into(), text(bucket_arn));
        record.insert("item".into(), text(item));
        let put = self.client.put_item().table_name(&self.table).set_item(Some(record));
        put.send().await.map_err(|error| classify("dynamodb:PutItem on exposures", error))?;
        Ok(())
    }

    async fn due(&self, kind: &str, after: Option<Item>) -> Result<(Vec<Item>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due = :due AND due_at <= :now")
            .expression_attribute_values(":due", text(kind))
            .expression_attribute_values(":now", text(&time::now()))
            .set_exclusive_start_key(after)
            .limit(100);
        let page = query.send().await.map_err(|error| classify("dynamodb:Query on exposures", error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, items: Vec<Item>) -> Vec<T> {
        items
            .into_iter()
            .filter_map(|item| {
                from_item(&self.table, item)
                    .inspect_err(|error| tracing::error!(error.message = %error, "a record was passed over"))
                    .ok()
            })
            .collect()
    }

    fn update(&self, bucket_arn: &str, item: &str) -> Update {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("bucket_arn", text(bucket_arn))
            .key("item", text(item))
            .return_values(ReturnValue::AllNew)
    }
}
