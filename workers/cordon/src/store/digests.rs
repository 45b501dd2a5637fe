//! Digests, in the `cases` table.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use cordon_domain::{
    case::Case,
    digest::{self, Digest},
};
use jiff::SignedDuration;

use super::{Cases, conditional, expiry, from_item, keys, text, to_value};
use crate::{clock, error::Result};

/// How long the count of a minute is kept; only tidiness asks for it.
const RETENTION: SignedDuration = SignedDuration::from_hours(24);

impl Cases {
    /// The digest that is to list a case which is about to be shown first, if so many came at once that it is not to
    /// have a message of its own.
    ///
    /// # Errors
    /// As classified.
    pub async fn digest_for(&self, case: &Case) -> Result<Option<String>> {
        if !self.is_burst(case).await? {
            return Ok(None);
        }
        Ok(Some(self.list_in_digest(case).await?))
    }

    async fn is_burst(&self, case: &Case) -> Result<bool> {
        let key = keys::burst(&case.plan.channel, &case.object().bucket, clock::now());
        let update = self
            .update(&key)
            .update_expression("SET expires_at = :expires ADD cases :one")
            .expression_attribute_values(":expires", expiry(RETENTION))
            .expression_attribute_values(":one", to_value(&1))
            .return_values(ReturnValue::UpdatedNew);
        let counted = conditional(&self.table, update).await?.unwrap_or_default();
        let count = counted.get("cases").and_then(|count| count.as_n().ok()?.parse::<u64>().ok());
        Ok(count.is_some_and(|count| count > digest::BURST))
    }

    /// Adds a case to the digest of its bucket, once; gives back the digest's key.
    async fn list_in_digest(&self, case: &Case) -> Result<String> {
        let now = clock::now();
        let (channel, bucket) = (&case.plan.channel, &case.object().bucket);
        for number in 0.. {
            let key = keys::digest(channel, bucket, now, number);
            let update = self
                .due(self.update(&key))
                .update_expression(
                    "SET members = list_append(if_not_exists(members, :none), :case), home = :channel, \
                     #bucket = :bucket, generation = :first, page = if_not_exists(page, :zero), slack_due = :yes, \
                     slack_due_at = :now",
                )
                .condition_expression(
                    "attribute_not_exists(members) OR (size(members) < :most AND NOT contains(members, :id))",
                )
                .expression_attribute_names("#bucket", "bucket")
                .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
                .expression_attribute_values(":case", to_value(&[&case.case_id]))
                .expression_attribute_values(":id", text(&case.case_id))
                .expression_attribute_values(":channel", text(channel))
                .expression_attribute_values(":bucket", text(bucket))
                .expression_attribute_values(":first", to_value(&digest::GENERATION))
                .expression_attribute_values(":zero", to_value(&0))
                .expression_attribute_values(":most", to_value(&digest::MEMBERS));
            if conditional(&self.table, update).await?.is_some() {
                return Ok(key);
            }
            let listed =
                self.digest(&key).await?.is_some_and(|digest| digest.members.contains(&case.case_id));
            if listed {
                return Ok(key);
            }
        }
        unreachable!("one of endless digests has room")
    }

    /// Reads a digest, consistently.
    ///
    /// # Errors
    /// As classified.
    pub async fn digest(&self, key: &str) -> Result<Option<Digest>> {
        self.item(key).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Has a digest shown anew, because one of its cases changed.
    ///
    /// # Errors
    /// As classified.
    pub async fn digest_changed(&self, key: &str) -> Result<()> {
        let update = self
            .due(self.update(key))
            .update_expression("SET slack_due = :yes, slack_due_at = :now")
            .condition_expression("attribute_exists(members)");
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Has a digest show another page. `None` when there is no such digest.
    ///
    /// # Errors
    /// As classified.
    pub async fn turn_page(&self, key: &str, page: usize) -> Result<Option<()>> {
        let update = self
            .due(self.update(key))
            .update_expression("SET page = :page, slack_due = :yes, slack_due_at = :now")
            .condition_expression("attribute_exists(members)")
            .expression_attribute_values(":page", to_value(&page));
        Ok(conditional(&self.table, update).await?.map(|_| ()))
    }
}
