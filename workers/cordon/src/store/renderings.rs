//! What Slack does not show as it is yet, in the `cases` table: cases and digests.

use cordon_domain::digest;

use super::{Cases, Item, cases::DUE, conditional, from_item, recognized_item, text, to_value};
use crate::{
    aws::error::classify,
    clock,
    error::Result,
    slack::rendering::{Due, Rendering},
};

impl Cases {
    /// The keys of records that Slack does not show as they are, longest due first; at most 25.
    ///
    /// # Errors
    /// As classified.
    pub async fn render_due(&self) -> Result<Vec<String>> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("render_due")
            .key_condition_expression("render_due = :due AND render_due_at <= :now")
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&clock::now()))
            .limit(25);
        let page = query.send().await.map_err(|error| classify("dynamodb:Query on cases", error))?;
        let items = page.items.unwrap_or_default();
        Ok(items.iter().filter_map(|item| item.get("case_id")?.as_s().ok().cloned()).collect())
    }

    /// Takes the rendering of a record for one worker until `until`. `None` when another has it or nothing is due.
    /// `render_claim` tells one claim from another whose answer was lost.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_rendering(&self, case_id: &str, until: &str) -> Result<Option<Due>> {
        let claim = hex::encode(rand::random::<[u8; 8]>());
        let update = self.update(case_id)
            .update_expression("SET render_claimed_until = :until, render_claim = :claim")
            .condition_expression(
                "render_due = :due AND (attribute_not_exists(render_claimed_until) OR render_claimed_until < :now)",
            )
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":claim", text(&claim))
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&clock::now()));
        let is_mine = |there: &Item| there.get("render_claim") == Some(&text(&claim));
        let Some(item) = recognized_item(&self.table, update, is_mine).await?.stands() else {
            return Ok(None);
        };
        Ok(Some(if case_id.starts_with(digest::PREFIX) {
            Due::Digest(Box::new(from_item(&self.table, item)?))
        } else {
            Due::Case(Box::new(from_item(&self.table, item)?))
        }))
    }

    /// Records the intent to post, before the first attempt.
    ///
    /// # Errors
    /// As classified.
    pub async fn intend_to_post(&self, case_id: &str) -> Result<()> {
        let update = self
            .update(case_id)
            .update_expression("SET slack_intent_at = if_not_exists(slack_intent_at, :now)")
            .expression_attribute_values(":now", text(&clock::now()));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records where the message is, what its thread tells of, and that Slack shows the record as it was when it was
    /// claimed; a change since then keeps it due.
    ///
    /// # Errors
    /// As classified.
    pub async fn rendered(&self, shown: &Rendering, channel: &str, slack_ts: &str) -> Result<()> {
        let posted = || {
            self.update(&shown.case_id)
                .expression_attribute_values(":ts", text(slack_ts))
                .expression_attribute_values(":channel", text(channel))
                .expression_attribute_values(":asked", to_value(&shown.asked))
                .expression_attribute_values(":generation", to_value(&shown.generation))
        };
        const POSTED: &str = "SET slack_ts = :ts, slack_channel = :channel, reminded = :asked REMOVE render_claimed_until, render_claim, render_failures";
        // In one write: what is due and not claimed is taken by the next worker that looks, and shown again.
        let done = posted()
            .update_expression(format!("{POSTED}, render_due, render_due_at"))
            .condition_expression("generation = :generation AND render_due_at = :seen")
            .expression_attribute_values(":seen", to_value(&shown.render_due_at));
        if conditional(&self.table, done).await?.is_none() {
            let changed = posted().update_expression(POSTED).condition_expression("generation = :generation");
            conditional(&self.table, changed).await?;
        }
        Ok(())
    }

    /// Records that a record is shown as it was at `seen`; a change since then keeps it due.
    ///
    /// # Errors
    /// As classified.
    pub async fn no_longer_due(&self, case_id: &str, generation: u32, seen: Option<&str>) -> Result<()> {
        let done = self
            .update(case_id)
            .update_expression("REMOVE render_due, render_due_at, render_claimed_until, render_claim")
            .condition_expression("generation = :generation AND render_due_at = :seen")
            .expression_attribute_values(":generation", to_value(&generation))
            .expression_attribute_values(":seen", to_value(&seen));
        conditional(&self.table, done).await.map(|_| ())
    }

    /// Forgets a message that is no longer in Slack, or cannot be changed there.
    ///
    /// # Errors
    /// As classified.
    pub async fn forget_message(&self, of: &Rendering) -> Result<()> {
        let update = self
            .update(&of.case_id)
            .update_expression("REMOVE slack_ts, slack_channel, slack_intent_at")
            .condition_expression("generation = :generation AND slack_ts = :ts")
            .expression_attribute_values(":generation", to_value(&of.generation))
            .expression_attribute_values(":ts", to_value(&of.slack_ts));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives a rendering back that did not succeed, so often in a row by now; it is due again at `retry_at`.
    ///
    /// # Errors
    /// As classified.
    pub async fn postpone_rendering(&self, of: &Rendering, failures: u32, retry_at: &str) -> Result<()> {
        let update = self
            .update(&of.case_id)
            .update_expression(
                "SET render_due_at = :at, render_failures = :failures REMOVE render_claimed_until, render_claim",
            )
            .expression_attribute_values(":failures", to_value(&failures))
            .condition_expression("generation = :generation AND render_due_at = :seen")
            .expression_attribute_values(":at", text(retry_at))
            .expression_attribute_values(":generation", to_value(&of.generation))
            .expression_attribute_values(":seen", to_value(&of.render_due_at));
        conditional(&self.table, update).await.map(|_| ())
    }
}
