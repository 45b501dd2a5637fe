//! The `exposures` table: access findings, bucket, scan and report records, reported objects, jobs, the cycle lease, and
//! how far findings have been read.

use aws_sdk_dynamodb::{
    Client,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, Put, ReturnValue, TransactWriteItem, Update as TransactUpdate},
};
use cordon_domain::{
    exposure::{
        BucketRecord, BucketResult, JobRecord, PlannedBucket, ReportRecord, ScanRecord,
        access_finding::{AccessFinding, AccessStatus},
        reported_object::ReportedObject,
    },
    time,
};
use jiff::{SignedDuration, Timestamp};

use super::{Item, Update, conditional, from_item, text, to_item, to_value};
use crate::{
    aws::error::classify,
    clock,
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
const SYNC: &str = "sync";
/// What the sort keys of reported objects begin with.
const OBJECT: &str = "object#";

/// For how long it is known that nobody outside can reach a bucket, once the list of the analyzer has been read. Cycles
/// may be days apart, or off.
const SYNC_COUNTS: SignedDuration = SignedDuration::from_hours(48);
/// How long the record of an object is kept that is in no report any more.
const KEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(24 * 90);

/// How a cycle's work on a bucket is put on record.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// What it came to.
    pub result: BucketResult,
    /// How many times in a row the bucket could not be planned or reported.
    pub report_failures: u32,
    /// When the bucket is due again unless its access changes before; never when absent.
    pub next_due: Option<String>,
}

impl Exposures {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Records an access finding unless this state of it or a newer one is on record, and with it, in one transaction,
    /// makes its bucket due. A finding that was [`missing`](Self::mark_missing) is news as it was, too. Says whether it
    /// was news.
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
            .condition_expression(
                "attribute_not_exists(seen) OR seen < :seen OR (seen = :seen AND attribute_exists(missing_from_list))",
            )
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
            .expression_attribute_values(":now", text(&clock::now()))
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
            .update(&finding.bucket_arn, &format!("access#{}", finding.finding_id))
            .update_expression("SET #status = :deleted, missing_from_list = :yes")
            .condition_expression("seen = :seen")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":deleted", to_value(&AccessStatus::Deleted))
            .expression_attribute_values(":yes", to_value(&true))
            .expression_attribute_values(":seen", text(&finding.order()));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// The access findings of a bucket that are on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn access(&self, bucket_arn: &str) -> Result<Vec<AccessFinding>> {
        self.items(bucket_arn, "access#")
            .await?
            .into_iter()
            .map(|item| from_item(&self.table, item))
            .collect()
    }

    /// Whether somebody outside can reach a bucket now; `None` when that is unknown. That nobody can is known only of
    /// buckets that the analyzer is `watched` to cover, when its list has been read whole of late, and as long as the
    /// records can be read.
    ///
    /// # Errors
    /// As classified, where asking again may help.
    pub async fn exposed(&self, bucket_arn: &str, watched: bool) -> Result<Option<bool>> {
        let known = async {
            let findings = self.access(bucket_arn).await?;
            let counts = time::stored(Timestamp::now() - SYNC_COUNTS);
            let complete = watched && self.place(SYNC).await?.is_some_and(|synced| synced > counts);
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
            .expression_attribute_values(":now", text(&clock::now()));
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// A bucket's record.
    ///
    /// # Errors
    /// As classified.
    pub async fn bucket(&self, bucket_arn: &str) -> Result<Option<BucketRecord>> {
        self.get(bucket_arn, BUCKET).await
    }

    /// Prolongs a cycle's claim until `until`. `None` when the cycle does not have the bucket any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn hold_bucket(
        &self,
        bucket_arn: &str,
        cycle: &str,
        until: &str,
    ) -> Result<Option<BucketRecord>> {
        let update = self
            .update(bucket_arn, BUCKET)
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
            self.update(&bucket.arn, BUCKET)
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
                .expression_attribute_values(":due", text(DUE_BUCKET))
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
                    .update(&bucket.bucket_arn, BUCKET)
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

    /// Records that a job about a bucket was made whose findings are to be read, and prolongs the claim until `until`.
    /// Nothing changes when that is on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn expect_job(&self, bucket_arn: &str, cycle: &str, job: &str, until: &str) -> Result<()> {
        let update = self
            .update(bucket_arn, BUCKET)
            .update_expression("SET unread_job = :job, claimed_until = :until")
            .condition_expression(
                "claimed_by = :cycle AND (attribute_not_exists(unread_job) OR unread_job <> :job)",
            )
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":job", text(job))
            .expression_attribute_values(":until", text(until));
        conditional(&self.table, update).await.map(|_| ())
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
        (failures, not_before): (u32, &str),
    ) -> Result<()> {
        let update = self
            .update(bucket_arn, BUCKET)
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
            .expression_attribute_values(":now", text(&clock::now()))
            .expression_attribute_values(":one", to_value(&1));
        Ok(conditional(&self.table, update).await?.map(|item| {
            item.get("epoch")
                .and_then(|epoch| epoch.as_n().ok())
                .and_then(|n| n.parse().ok())
                .unwrap_or_default()
        }))
    }

    /// Gives the lease back, if it is still ours: of this epoch, or of any where the cycle has its plan.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_lease(&self, cycle: &str, epoch: Option<u64>) -> Result<()> {
        let update = self
            .update(LEASE, LEASE)
            .update_expression("REMOVE holder, held_until")
            .expression_attribute_values(":cycle", text(cycle));
        let update = match epoch {
            None => update.condition_expression("holder = :cycle"),
            Some(epoch) => update
                .condition_expression("holder = :cycle AND epoch = :epoch")
                .expression_attribute_values(":epoch", to_value(&epoch)),
        };
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
            .expression_attribute_values(":now", text(&clock::now()));
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

    /// Records a complete scan, all findings of which were read, unless a later one is on record; the job is read
    /// then, and failures before it do not count any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_scan(&self, bucket_arn: &str, scan: &ScanRecord, job: &str) -> Result<()> {
        let record = self
            .update(bucket_arn, SCAN)
            .update_expression("SET job_id = :id, scanned_at = :at")
            .condition_expression("attribute_not_exists(scanned_at) OR scanned_at < :at")
            .expression_attribute_values(":id", text(&scan.job_id))
            .expression_attribute_values(":at", text(&scan.scanned_at));
        conditional(&self.table, record).await?;
        let read = self
            .update(bucket_arn, BUCKET)
            .update_expression("REMOVE unread_job, scan_failures, scan_not_before")
            .condition_expression(
                "attribute_exists(bucket_arn) AND (attribute_not_exists(unread_job) OR unread_job = :job)",
            )
            .expression_attribute_values(":job", text(job));
        conditional(&self.table, read).await.map(|_| ())
    }

    /// The objects of a bucket that are in its report.
    ///
    /// # Errors
    /// As classified.
    pub async fn reported_objects(&self, bucket_arn: &str) -> Result<Vec<ReportedObject>> {
        let items = self.items(bucket_arn, OBJECT).await?;
        let listed = items.into_iter().filter(|item| !item.contains_key("ended_at"));
        listed.map(|item| from_item(&self.table, item)).collect()
    }

    /// Records an object of a report, unless a later scan has found it.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_object(&self, bucket_arn: &str, object: &ReportedObject) -> Result<()> {
        let update = self
            .update(bucket_arn, &object_item(object))
            .update_expression(
                "SET finding = :finding, scanned_at = :at REMOVE ended_at, ended_because, expires_at",
            )
            .condition_expression("attribute_not_exists(scanned_at) OR scanned_at <= :at")
            .expression_attribute_values(":finding", to_value(&object.finding))
            .expression_attribute_values(":at", text(&object.scanned_at));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Takes an object out of the report, unless it has been found again.
    ///
    /// # Errors
    /// As classified.
    pub async fn end_object(&self, bucket_arn: &str, object: &ReportedObject, because: &str) -> Result<()> {
        let expires_at = (Timestamp::now() + KEPT_AFTER_END).as_second();
        let update = self
            .update(bucket_arn, &object_item(object))
            .update_expression("SET ended_at = :now, ended_because = :because, expires_at = :expires")
            .condition_expression("scanned_at = :at")
            .expression_attribute_values(":now", text(&clock::now()))
            .expression_attribute_values(":because", text(because))
            .expression_attribute_values(":expires", to_value(&expires_at))
            .expression_attribute_values(":at", text(&object.scanned_at));
        conditional(&self.table, update).await.map(|_| ())
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
        self.place(SWEEP).await
    }

    /// Records up to when findings have been swept.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_sweep(&self, until: &str) -> Result<()> {
        self.put(SWEEP, SWEEP, Item::from([("until".to_owned(), text(until))])).await
    }

    /// Records that every access finding of the analyzer's list, as it was then, is on record.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_sync(&self, until: &str) -> Result<()> {
        self.put(SYNC, SYNC, Item::from([("until".to_owned(), text(until))])).await
    }

    async fn place(&self, of: &str) -> Result<Option<String>> {
        let item = self.item(of, of).await?;
        Ok(item.and_then(|item| item.get("until").and_then(|until| until.as_s().ok()).cloned()))
    }

    /// A bucket's items whose sort key begins so.
    async fn items(&self, bucket_arn: &str, prefix: &str) -> Result<Vec<Item>> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("bucket_arn = :bucket AND begins_with(#item, :prefix)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":bucket", text(bucket_arn))
            .expression_attribute_values(":prefix", text(prefix))
            .into_paginator()
            .items()
            .send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| classify("dynamodb:Query on exposures", error))?);
        }
        Ok(items)
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
            .expression_attribute_values(":now", text(&clock::now()))
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

/// The sort key of a reported object.
fn object_item(object: &ReportedObject) -> String {
    format!("{OBJECT}{}", object.finding.object.case_id())
}
