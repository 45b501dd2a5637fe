//! What Slack shows of cases and digests: `message#` and `digest#` items of the `cases` table, and what is due in others.

use aws_sdk_dynamodb::types::{Update, builders::UpdateBuilder};
use cordon_domain::{case::Case, slack_message::SlackMessage, time::Time};

use super::{Cases, Item, conditional, from_item, keys, recognized, text, to_value, transactions};
use crate::{
    clock,
    error::Result,
    slack::rendering::{Claim, Due, Record, Rendering},
};

/// Nobody else holds the rendering.
const FREE: &str = "attribute_not_exists(claimed_until) OR claimed_until < :now";
const CLAIM: &str = "claimed_until, claim";
/// With what goes before it in a REMOVE.
const DUE: &str = ", slack_due, slack_due_at";

impl Cases {
    /// The message of a case, if anybody has begun one.
    ///
    /// # Errors
    /// As classified.
    pub async fn message(&self, case_id: &str) -> Result<Option<SlackMessage>> {
        self.item(&keys::message(case_id)).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Whether Slack shows a case, in a message of its own or in a digest.
    ///
    /// # Errors
    /// As classified.
    pub async fn is_shown(&self, case_id: &str) -> Result<bool> {
        let Some(message) = self.message(case_id).await? else { return Ok(false) };
        Ok(match &message.digest {
            None => message.is_posted(),
            Some(digest) => self.digest(digest).await?.is_some_and(|digest| digest.message.is_posted()),
        })
    }

    /// The channel that a case or digest is due for, so that nothing need be claimed while that takes nothing. `None` when
    /// it is not due any more.
    ///
    /// # Errors
    /// As classified.
    pub async fn due_channel(&self, key: &str) -> Result<Option<String>> {
        let item = self.item(key).await?.filter(|item| item.contains_key("slack_due"));
        let channel =
            |item: Item| ["channel", "home"].iter().find_map(|name| item.get(*name)?.as_s().ok().cloned());
        Ok(item.and_then(channel))
    }

    /// Takes the rendering of a record for one worker until `until`: a case's by the key of its `approval#` item, or a
    /// digest's. `None` when another has it or nothing is due. `claim` tells one claim from another whose answer was lost.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_rendering(&self, key: &str, until: Time) -> Result<Option<Due>> {
        let claim = hex::encode(rand::random::<[u8; 8]>());
        let case_id = keys::case_id(key);
        let held = case_id.map_or_else(|| key.to_owned(), keys::message);
        let update = self
            .update(&held)
            .update_expression("SET claimed_until = :until, claim = :claim")
            .condition_expression(FREE)
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":claim", text(&claim))
            .expression_attribute_values(":now", text(clock::now()));
        let is_mine = |there: &Item| there.get("claim") == Some(&text(&claim));
        let Some(item) = recognized(&self.table, update, is_mine).await?.stands() else { return Ok(None) };
        // What is due is read after the claim: what somebody else has shown meanwhile is not shown again as it was.
        let claim = Claim { held, id: claim };
        let due = match case_id {
            None => match due_at(&item) {
                Some(due_at) => Some((Record::Digest(Box::new(from_item(&self.table, item)?)), due_at)),
                None => None,
            },
            Some(case_id) => {
                let message: SlackMessage = from_item(&self.table, item)?;
                let (case, items) = self.read(case_id, &[]).await?;
                let due_at = items.get(&keys::approval(case_id)).and_then(due_at);
                let case = case.map(|case| (message.for_case(&case), case));
                case.map(|(message, case)| Record::Case(Box::new(case), message)).zip(due_at)
            }
        };
        match due {
            Some((record, at)) => Ok(Some(Due { key: key.to_owned(), at, claim, record })),
            None => {
                self.release_rendering(&claim).await?;
                Ok(None)
            }
        }
    }

    /// Records the intent to post, before the first attempt. Where an earlier message is, does not count then.
    ///
    /// # Errors
    /// As classified.
    pub async fn intend_to_post(&self, of: &Rendering) -> Result<()> {
        let update = self
            .update(&of.due.claim.held)
            .update_expression(
                "SET generation = :generation, home = :home, intent_at = :at REMOVE posted, shows_end, digest",
            )
            .expression_attribute_values(":generation", to_value(&of.message.generation))
            .expression_attribute_values(":home", text(&of.message.home))
            .expression_attribute_values(":at", text(of.message.intent_at.unwrap_or_else(clock::now)));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records the digest that lists a case.
    ///
    /// # Errors
    /// As classified.
    pub async fn list(&self, case: &Case, digest: &str) -> Result<()> {
        let update = self
            .update(&keys::message(&case.case_id))
            .update_expression(
                "SET generation = :generation, home = :home, digest = :digest REMOVE posted, intent_at",
            )
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":home", text(&case.plan.channel))
            .expression_attribute_values(":digest", text(digest));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records where the message is, what its thread tells of, and that Slack shows the record as it was when it was
    /// claimed; a change since then keeps it due.
    ///
    /// # Errors
    /// As classified.
    pub async fn rendered(&self, shown: &Rendering) -> Result<()> {
        let Due { key, at, claim, .. } = &shown.due;
        let posted = |besides: &str| {
            let update = Update::builder().table_name(&self.table).key("id", text(&claim.held));
            update
                .update_expression(format!(
                    "SET posted = :posted, generation = :generation, home = :home, reminded = :asked, \
                     shows_end = :end REMOVE {CLAIM}, failures{besides}"
                ))
                .expression_attribute_values(":posted", to_value(&shown.message.posted))
                .expression_attribute_values(":generation", to_value(&shown.message.generation))
                .expression_attribute_values(":home", text(&shown.message.home))
                .expression_attribute_values(":asked", to_value(&shown.asked))
                .expression_attribute_values(":end", to_value(&shown.shows_end))
        };
        let done = |update: UpdateBuilder| {
            update.condition_expression("slack_due_at = :seen").expression_attribute_values(":seen", text(at))
        };
        // At once: what is due and not claimed is taken by the next worker that looks, and shown again.
        let both = if *key == claim.held {
            vec![done(posted(DUE))]
        } else {
            let due = Update::builder().table_name(&self.table).key("id", text(key));
            vec![posted(""), done(due.update_expression("REMOVE slack_due, slack_due_at"))]
        };
        if self.together(both.into_iter().map(transactions::update).collect()).await?.is_some() {
            self.together(vec![transactions::update(posted(""))]).await?;
        }
        Ok(())
    }

    /// Records that a record is shown as it was; a change since then keeps it due.
    async fn no_longer_due(&self, due: &Due) -> Result<()> {
        let done = self
            .update(&due.key)
            .update_expression("REMOVE slack_due, slack_due_at")
            .condition_expression("slack_due_at = :seen")
            .expression_attribute_values(":seen", text(due.at));
        conditional(&self.table, done).await.map(|_| ())
    }

    /// Forgets a message that is no longer in Slack, or cannot be changed there.
    ///
    /// # Errors
    /// As classified.
    pub async fn forget_message(&self, of: &Rendering) -> Result<()> {
        let update = self
            .update(&of.due.claim.held)
            .update_expression("REMOVE posted, intent_at")
            .condition_expression("posted = :posted")
            .expression_attribute_values(":posted", to_value(&of.message.posted));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives a rendering back that did not succeed, for whoever comes next.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_rendering(&self, claim: &Claim) -> Result<()> {
        let update = self
            .update(&claim.held)
            .update_expression(format!("REMOVE {CLAIM}"))
            .condition_expression("claim = :claim")
            .expression_attribute_values(":claim", text(&claim.id));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives a rendering back that Slack has refused, so often in a row by now; it is due again at `retry_at`.
    ///
    /// # Errors
    /// As classified.
    pub async fn postpone_rendering(&self, of: &Rendering, failures: u32, retry_at: Time) -> Result<()> {
        let later = self
            .update(&of.due.key)
            .update_expression("SET slack_due_at = :at")
            .condition_expression("slack_due_at = :seen")
            .expression_attribute_values(":at", text(retry_at))
            .expression_attribute_values(":seen", text(of.due.at));
        conditional(&self.table, later).await?;
        let update = self
            .update(&of.due.claim.held)
            .update_expression(format!("SET failures = :failures REMOVE {CLAIM}"))
            .expression_attribute_values(":failures", to_value(&failures));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives the rendering of a case back that a digest shows.
    ///
    /// # Errors
    /// As classified.
    pub async fn handed_on(&self, due: &Due) -> Result<()> {
        self.release_rendering(&due.claim).await?;
        self.no_longer_due(due).await
    }
}

fn due_at(item: &Item) -> Option<Time> {
    item.get("slack_due")?;
    item.get("slack_due_at")?.as_s().ok()?.parse().ok()
}
