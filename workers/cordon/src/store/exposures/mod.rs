//! The `exposures` table: access findings, bucket, scan and report records, reported objects, jobs, the cycle lease, and
//! how far findings have been read.

mod access;
mod buckets;
mod jobs;
mod lease;
mod reports;
mod scans;

use aws_sdk_dynamodb::{Client, types::ReturnValue};
use cordon_domain::{exposure::BucketResult, time::Time};
use jiff::SignedDuration;

use super::{Item, Update, from_item, text};
use crate::{aws::error::classify, clock, error::Result};

/// How long records are kept whose time is over: of access that was taken away, of objects that are in no report any
/// more, of jobs that nothing waits for. The analyzer deletes resolved findings after as long
/// (docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html).
const KEPT_AFTER_END: SignedDuration = SignedDuration::from_hours(24 * 90);

/// The `exposures` table.
#[derive(Clone, Debug)]
pub struct Exposures {
    client: Client,
    table: String,
}

/// How a cycle's work on a bucket is put on record.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// What it came to.
    pub result: BucketResult,
    /// How many times in a row the bucket could not be planned or reported.
    pub report_failures: u32,
    /// When the bucket is due again unless its access changes before; never when absent.
    pub next_due: Option<Time>,
}

impl Exposures {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    async fn place(&self, of: &str) -> Result<Option<Time>> {
        let item = self.item(of, of).await?;
        Ok(item.and_then(|item| item.get("until")?.as_s().ok()?.parse().ok()))
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
            .expression_attribute_values(":now", text(clock::now()))
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
