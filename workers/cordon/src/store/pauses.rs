//! The pause that stops every move, and the cases that wait for its end.

use aws_sdk_dynamodb::{operation::put_item::PutItemError, types::ReturnValuesOnConditionCheckFailure};
use cordon_domain::{
    case::{Case, Paused, Status},
    pause::Pause,
};

use super::{
    Cases, Conditional, Item, conditional, from_item,
    keys::{self, YES},
    refusal, text, to_item, to_value,
};
use crate::{
    aws::error::classify,
    clock,
    error::{Error, Result},
};

/// What tells to whom a case belongs, with the members of a pause.
const ITS_OWNER: &str = "id, #status, execution_arn, paused_at, paused_by, reason";

impl Cases {
    /// The pause in force.
    ///
    /// # Errors
    /// As classified.
    pub async fn pause_in_force(&self) -> Result<Option<Pause>> {
        Ok(self.item(keys::PAUSE).await?.map(|item| self.read_pause(item)))
    }

    /// The pause in its item. One that cannot be read stops every move all the same.
    fn read_pause(&self, item: Item) -> Pause {
        from_item(&self.table, item).unwrap_or_else(|error: Error| Pause {
            paused_at: clock::now(),
            paused_by: "somebody".into(),
            reason: error.to_string(),
        })
    }

    /// A case and the pause in force, in one consistent read.
    ///
    /// # Errors
    /// As classified.
    pub async fn with_pause(&self, case_id: &str) -> Result<(Option<Case>, Option<Pause>)> {
        let (case, mut besides) = self.read(case_id, &[keys::PAUSE.to_owned()]).await?;
        Ok((case, besides.remove(keys::PAUSE).map(|item| self.read_pause(item))))
    }

    /// Whether a case is still open and owned by its execution, and the pause in force; reads only what tells it.
    ///
    /// # Errors
    /// As classified.
    pub async fn still_open(&self, case: &Case) -> Result<(bool, Option<Pause>)> {
        let key = keys::approval(&case.case_id);
        let mut items = self.batch(&[key.clone(), keys::PAUSE.to_owned()], Some(ITS_OWNER)).await?;
        let is_open = items.remove(&key).is_some_and(|item| {
            item.get("status") == Some(&text(Status::Open.name()))
                && item.get("execution_arn") == Some(&text(&case.execution_arn))
        });
        Ok((is_open, items.remove(keys::PAUSE).map(|item| self.read_pause(item))))
    }

    /// Pauses all moves. `Theirs` when they are paused already.
    ///
    /// # Errors
    /// As classified.
    pub async fn pause(&self, pause: &Pause) -> Result<Conditional<Pause>> {
        let mut item = to_item(pause);
        item.insert("id".into(), text(keys::PAUSE));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let Err(error) = put.send().await else { return Ok(Conditional::Written(pause.clone())) };
        let Some(PutItemError::ConditionalCheckFailedException(refused)) = error.as_service_error() else {
            return Err(classify("dynamodb:PutItem on cases", error));
        };
        let there = |item: Item| self.read_pause(item);
        Ok(match refusal(refused.item.clone(), |item| there(item.clone()) == *pause) {
            Conditional::Theirs(item) => Conditional::Theirs(item.map(there)),
            Conditional::Written(item) | Conditional::Mine(item) => Conditional::Mine(there(item)),
        })
    }

    /// Ends the pause; gives back the one that was in force. It is read before: when the answer to the deletion is lost
    /// and it is repeated, nothing is there any more that could be told.
    ///
    /// # Errors
    /// As classified.
    pub async fn resume(&self) -> Result<Option<Pause>> {
        let Some(pause) = self.pause_in_force().await? else { return Ok(None) };
        let call = self.client.delete_item().table_name(&self.table).key("id", text(keys::PAUSE));
        call.send().await.map_err(|error| classify("dynamodb:DeleteItem on cases", error))?;
        Ok(Some(pause))
    }

    /// Records that the case waits for the pause to end, and Slack as due.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_paused(&self, case_id: &str, pause: &Pause) -> Result<()> {
        let paused = Paused { at: clock::now(), by: pause.clone() };
        let update = self
            .due(self.update_approval(case_id))
            .update_expression(
                "SET paused = if_not_exists(paused, :paused), is_waiting = :yes, waiting_since = :now, \
                 slack_due = :yes, slack_due_at = :now",
            )
            .expression_attribute_values(":paused", to_value(&paused))
            .condition_expression("attribute_exists(generation)");
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records that the case's execution has gone on after the pause.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_resumed(&self, case_id: &str, token: &str) -> Result<()> {
        let update = self
            .due(self.update_approval(case_id))
            .update_expression(
                "SET slack_due = :yes, slack_due_at = :now REMOVE paused, resume_token, is_waiting, waiting_since",
            )
            .condition_expression("resume_token = :token")
            .expression_attribute_values(":token", text(token));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records that nobody waits for a case any more: its token was answered or is dead, or there never was one.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_woken(&self, case: &Case) -> Result<()> {
        let update = self
            .update_approval(&case.case_id)
            .update_expression("REMOVE task_token, is_waiting, waiting_since")
            .expression_attribute_values(":yes", text(YES));
        let update = match &case.waits.task_token {
            Some(token) => update
                .condition_expression(
                    "is_waiting = :yes AND task_token = :token AND attribute_not_exists(paused)",
                )
                .expression_attribute_values(":token", text(token)),
            None => update.condition_expression(
                "is_waiting = :yes AND attribute_not_exists(task_token) AND attribute_not_exists(paused)",
            ),
        };
        conditional(&self.table, update).await.map(|_| ())
    }
}
