//! The `cases` table.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::{PutItemError, builders::PutItemFluentBuilder},
    types::{AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};
use cordon_domain::{
    case::{Case, Decision, Escalation, Outcome, Purge, QuarantineCopy, Renewal, Restore, Status},
    pause::Pause,
    policy::Disposition,
};
use serde::de::DeserializeOwned;

use super::{
    Conditional, Item, Update, conditional, from_item, recognized, recognized_item, refusal, text, to_item,
    to_value,
};
use crate::{
    aws::error::classify,
    clock,
    error::{Error, Result},
};

/// The `cases` table.
#[derive(Clone, Debug)]
pub struct Cases {
    pub(super) client: Client,
    pub(super) table: String,
}

/// The value of `render_due` while a case is due.
pub(super) const DUE: &str = "due";
/// The key of the pause.
const PAUSE: &str = "pause";
/// The beginning of the keys that remember when operators were told of something.
const NOTICE: &str = "notice#";
/// What tells to whom a case belongs, with the members of a pause.
const ITS_OWNER: &str = "case_id, #status, execution_arn, paused_at, paused_by, reason";

impl Cases {
    /// The table of this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads a case, consistently.
    ///
    /// # Errors
    /// As classified.
    pub async fn get(&self, case_id: &str) -> Result<Option<Case>> {
        self.item(case_id).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    pub(super) async fn item(&self, case_id: &str) -> Result<Option<Item>> {
        let call = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("case_id", text(case_id))
            .consistent_read(true);
        Ok(call.send().await.map_err(|error| classify("dynamodb:GetItem on cases", error))?.item)
    }

    /// Writes the first generation of a case, or the one after `replaces`.
    ///
    /// # Errors
    /// As classified.
    pub async fn open(&self, case: &Case, replaces: Option<&Case>) -> Result<Conditional<Case>> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(to_item(case)));
        let put = match replaces {
            None => put.condition_expression("attribute_not_exists(case_id)"),
            Some(old) => put
                .condition_expression(
                    "execution_arn = :execution AND generation = :generation AND #status = :status",
                )
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":execution", text(&old.execution_arn))
                .expression_attribute_values(":generation", to_value(&old.generation))
                .expression_attribute_values(":status", text(old.status.name())),
        };
        let put = self.put_recognized(put, case, |there: &Case| {
            there.execution_arn == case.execution_arn && there.approval_id == case.approval_id
        });
        put.await
    }

    /// Sends a conditional put of `record`; a refusal is looked at.
    async fn put_recognized<T: DeserializeOwned + Clone>(
        &self,
        put: PutItemFluentBuilder,
        record: &T,
        is_mine: impl FnOnce(&T) -> bool,
    ) -> Result<Conditional<T>> {
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Conditional::Written(record.clone())),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let is_mine = |item: &Item| {
                        from_item(&self.table, item.clone()).is_ok_and(|record| is_mine(&record))
                    };
                    refusal(refused.item.clone(), is_mine).read(&self.table)
                }
                _ => Err(classify("dynamodb:PutItem on cases", error)),
            },
        }
    }

    /// Gives an open and undecided case the plan of a stricter finding: `by`, over exactly `existing`. Votes for the old
    /// plan stay on record and count no more. Where `by` is to be moved, that is decided with it. `Theirs` when the case
    /// was decided, closed, taken over, voted on or renewed meanwhile.
    ///
    /// # Errors
    /// As classified.
    pub async fn renew(
        &self,
        existing: &Case,
        by: &Case,
        renewal: &Renewal,
        ends_at: &str,
    ) -> Result<Conditional<Case>> {
        let mut set = "SET finding = :finding, finding_ids = list_append(finding_ids, :ids), policy_answer = :answer, \
                       disposition = :disposition, #plan = :plan, plan_hash = :hash, approval_id = :approval, \
                       renewal = :renewal, #round = :one, round_ends_at = :ends, asked = :asked, render_due = :due, \
                       render_due_at = :now"
            .to_owned();
        let mut remove = " REMOVE snooze, escalation, over_limit".to_owned();
        let mut update = self.due(self.update(&existing.case_id));
        if by.disposition == Disposition::Quarantine {
            set.push_str(", decision = :decision, decided_at = :now");
            update = update.expression_attribute_values(":decision", text(Decision::Quarantine.name()));
        }
        if by.plan.channel != existing.plan.channel {
            // It is asked where the new rule says, in a message of its own.
            remove.push_str(", slack_ts, slack_intent_at, slack_channel, digest");
        }
        let new_ids: Vec<_> = by.finding_ids.iter().filter(|id| !existing.finding_ids.contains(id)).collect();
        let update = update
            .update_expression(set + &remove)
            .condition_expression(
                "execution_arn = :execution AND generation = :generation AND #status = :open AND \
                 attribute_not_exists(decision) AND plan_hash = :seen AND size(votes) = :votes_seen",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":finding", to_value(&by.finding))
            .expression_attribute_values(":ids", to_value(&new_ids))
            .expression_attribute_values(":answer", to_value(&by.policy_answer))
            .expression_attribute_values(":disposition", to_value(&by.disposition))
            .expression_attribute_values(":plan", to_value(&by.plan))
            .expression_attribute_values(":hash", text(&by.plan_hash))
            .expression_attribute_values(":approval", text(&by.approval_id))
            .expression_attribute_values(":renewal", to_value(renewal))
            .expression_attribute_values(":one", to_value(&1))
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":asked", to_value(&(existing.asked + 1)))
            .expression_attribute_values(":execution", text(&existing.execution_arn))
            .expression_attribute_values(":generation", to_value(&existing.generation))
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":seen", text(&existing.plan_hash))
            .expression_attribute_values(":votes_seen", to_value(&existing.votes.len()));
        recognized(&self.table, update, |there: &Case| there.approval_id == by.approval_id).await
    }

    /// Adds a finding to the case that answers it.
    ///
    /// # Errors
    /// As classified.
    pub async fn join(&self, case_id: &str, finding_id: &str) -> Result<()> {
        let update = self
            .update(case_id)
            .update_expression("SET finding_ids = list_append(finding_ids, :ids)")
            .condition_expression("attribute_exists(case_id) AND NOT contains(finding_ids, :id)")
            .expression_attribute_values(":ids", to_value(&[finding_id]))
            .expression_attribute_values(":id", text(finding_id));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Remembers that a finding has been triaged, so that the sweep leaves it alone.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_triaged(&self, finding_id: &str) -> Result<()> {
        let item = Item::from([
            ("case_id".to_owned(), text(&triaged_key(finding_id))),
            ("triaged_at".to_owned(), text(&clock::now())),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| classify("dynamodb:PutItem on cases", error))?;
        Ok(())
    }

    /// Whether a finding has been triaged.
    ///
    /// # Errors
    /// As classified.
    pub async fn is_triaged(&self, finding_id: &str) -> Result<bool> {
        Ok(self.item(&triaged_key(finding_id)).await?.is_some())
    }

    /// Has people asked once more: the round, its end, and the digest that lists the case instead of a message of its
    /// own; a snooze is over. Slack is due when [`Self::show_round`] has recorded what they are shown. `Theirs` when the
    /// case is decided, belongs to another run, or they were asked since `case` was read.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_round(
        &self,
        case: &Case,
        round: u32,
        ends_at: &str,
        digest: Option<&str>,
    ) -> Result<Conditional<Case>> {
        let listed = if digest.is_some() { ", digest = :digest" } else { "" };
        let update = self
            .update(&case.case_id)
            .update_expression(format!(
                "SET #round = :round, round_ends_at = :ends, asked = :asked{listed} REMOVE snooze"
            ))
            .condition_expression(
                "execution_arn = :execution AND attribute_not_exists(decision) AND asked = :seen",
            )
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":round", to_value(&round))
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":asked", to_value(&(case.asked + 1)))
            .expression_attribute_values(":seen", to_value(&case.asked))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        let update = match digest {
            Some(digest) => update.expression_attribute_values(":digest", text(digest)),
            None => update,
        };
        let begun = |there: &Case| {
            there.execution_arn == case.execution_arn
                && there.decision.is_none()
                && there.asked == case.asked + 1
                && there.round == round
                && there.round_ends_at.as_deref() == Some(ends_at)
        };
        recognized(&self.table, update, begun).await
    }

    /// Records what people are shown when they are asked, and Slack as due: who can reach the bucket, until when they
    /// can decide, and whether the fallback approvers can too. In one write, since nobody is reminded of a round twice.
    /// `None` when the case is decided or belongs to another run.
    ///
    /// # Errors
    /// As classified.
    pub async fn show_round(
        &self,
        case: &Case,
        ends_at: &str,
        reach: Option<&[String]>,
        escalation: Option<&Escalation>,
    ) -> Result<Option<Case>> {
        let mut set = "SET round_ends_at = :ends, render_due = :due, render_due_at = :now".to_owned();
        let mut update = self
            .due(self.update(&case.case_id))
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decision)")
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        if let Some(escalation) = escalation {
            set.push_str(", escalation = if_not_exists(escalation, :escalation)");
            update = update.expression_attribute_values(":escalation", to_value(escalation));
        }
        match reach {
            Some(reach) => {
                set.push_str(", reach = :reach");
                update = update.expression_attribute_values(":reach", to_value(&reach));
            }
            None => set.push_str(" REMOVE reach"),
        }
        self.changed(update.update_expression(set)).await
    }

    /// Whether operators are to be told of something now: the first time, and again after a while. Whoever tells it may
    /// ask again: an answer may be lost.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_notice(&self, of: &str, by: &str, now: &str, told_before: &str) -> Result<bool> {
        let update = self
            .update(&format!("{NOTICE}{of}"))
            .update_expression("SET told_at = :now, told_by = :by")
            .condition_expression("attribute_not_exists(told_at) OR told_at < :before OR told_by = :by")
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":before", text(told_before));
        Ok(conditional(&self.table, update).await?.is_some())
    }

    /// Gives a claim back: operators could not be told.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_notice(&self, of: &str, by: &str) -> Result<()> {
        let update = self
            .update(&format!("{NOTICE}{of}"))
            .update_expression("REMOVE told_at")
            .condition_expression("told_by = :by")
            .expression_attribute_values(":by", text(by));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records that nobody decided in time. `Theirs` when somebody has after all.
    ///
    /// # Errors
    /// As classified.
    pub async fn expire(&self, case_id: &str, execution: &str) -> Result<Conditional<Case>> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET decision = :decision, decided_at = :now, render_due = :due, render_due_at = :now",
            )
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decision)")
            .expression_attribute_values(":decision", text(Decision::Expired.name()))
            .expression_attribute_values(":execution", text(execution));
        let expired =
            |there: &Case| there.execution_arn == execution && there.decision == Some(Decision::Expired);
        recognized(&self.table, update, expired).await
    }

    /// Records where the copies of a case are about to be made, before the first of them. `Theirs` when the case is
    /// closed, or belongs to another run: then nothing may be moved.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_copying(&self, mut case: Case, copy: QuarantineCopy) -> Result<Conditional<Case>> {
        let update = self
            .update(&case.case_id)
            .return_values(ReturnValue::None)
            .update_expression("SET quarantine_copy = :copy")
            .condition_expression("execution_arn = :execution AND #status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":execution", text(&case.execution_arn))
            .expression_attribute_values(":copy", to_value(&copy));
        case.quarantine_copy = Some(copy);
        Ok(match recognized_item(&self.table, update, |_| false).await? {
            Conditional::Written(_) => Conditional::Written(case),
            refused => refused.read(&self.table)?,
        })
    }

    /// Closes a case with its outcome, listed in a digest if it is to be. `Theirs` when it is closed already or belongs
    /// to another run.
    ///
    /// # Errors
    /// As classified.
    pub async fn close(
        &self,
        case: &Case,
        outcome: &Outcome,
        digest: Option<&str>,
    ) -> Result<Conditional<Case>> {
        let listed = if digest.is_some() { ", digest = :digest" } else { "" };
        let update = self
            .due(self.update(&case.case_id))
            .update_expression(format!(
                "SET #status = :closed, outcome = :outcome, closed_at = :now, render_due = :due, \
                 render_due_at = :now{listed} REMOVE task_token, paused_at, pause, resume_token"
            ))
            .condition_expression("execution_arn = :execution AND #status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text("closed"))
            .expression_attribute_values(":open", text("open"))
            .expression_attribute_values(":outcome", to_value(outcome))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        let update = match digest {
            Some(digest) => update.expression_attribute_values(":digest", text(digest)),
            None => update,
        };
        let closed = |there: &Case| {
            there.execution_arn == case.execution_arn
                && there.status == Status::Closed
                && there.outcome.as_ref() == Some(outcome)
        };
        recognized(&self.table, update, closed).await
    }

    /// Records that a restore was asked for, if the object is in quarantine and nothing else is being done with it.
    /// `Theirs` when it is not.
    ///
    /// # Errors
    /// As classified.
    pub async fn request_restore(&self, case: &Case, restore: &Restore) -> Result<Conditional<Case>> {
        let update = self
            .due(self.update(&case.case_id))
            .update_expression(
                "SET #status = :restoring, restores = list_append(if_not_exists(restores, :none), :restores), \
                 render_due = :due, render_due_at = :now",
            )
            .condition_expression(
                "#status = :closed AND generation = :generation AND attribute_exists(quarantine_copy) AND \
                 attribute_not_exists(purge)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":none", AttributeValue::L(Vec::new()))
            .expression_attribute_values(":restores", to_value(&[restore]));
        let asked =
            |there: &Case| there.open_restore().is_some_and(|open| open.request_id == restore.request_id);
        recognized(&self.table, update, asked).await
    }

    /// Records what a restore has put back so far: `after`, over exactly `before`. `None` when it has ended, or another
    /// worker has recorded more.
    ///
    /// # Errors
    /// As classified.
    pub async fn save_restore(&self, before: &Case, after: &Case) -> Result<Option<Case>> {
        let update = self
            .update(&after.case_id)
            .update_expression("SET restores = :restores")
            .condition_expression("#status = :restoring AND restores = :before")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":restores", to_value(&after.restores))
            .expression_attribute_values(":before", to_value(&before.restores));
        self.changed(update).await
    }

    /// Records how a restore ended: `case` as it is then to be. `None` when it has ended already. A restore is only
    /// added while none is under way, so their number tells them apart.
    ///
    /// # Errors
    /// As classified.
    pub async fn close_restore(&self, case: &Case) -> Result<Option<Case>> {
        let update = self
            .due(self.update(&case.case_id))
            .update_expression(
                "SET #status = :closed, restores = :restores, render_due = :due, render_due_at = :now \
                 REMOVE paused_at, pause, resume_token",
            )
            .condition_expression("#status = :restoring AND size(restores) = :count")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":restores", to_value(&case.restores))
            .expression_attribute_values(":count", to_value(&case.restores.len()));
        self.changed(update).await
    }

    /// Remembers which case an object version that was put back belongs to.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_restored(&self, restored_case_id: &str, story: &str) -> Result<()> {
        let item = Item::from([
            ("case_id".to_owned(), text(&restored_key(restored_case_id))),
            ("story".to_owned(), text(story)),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| classify("dynamodb:PutItem on cases", error))?;
        Ok(())
    }

    /// The case that an object version belongs to because a restore of that case has made it.
    ///
    /// # Errors
    /// As classified.
    pub async fn story_of_restored(&self, case_id: &str) -> Result<Option<Case>> {
        let Some(mark) = self.item(&restored_key(case_id)).await? else { return Ok(None) };
        match mark.get("story").and_then(|story| story.as_s().ok()) {
            Some(story) => self.get(story).await,
            None => Ok(None),
        }
    }

    /// Records that the quarantined copies are to be deleted. `None` when they are not in quarantine or in use.
    ///
    /// # Errors
    /// As classified.
    pub async fn request_purge(&self, case: &Case, purge: &Purge) -> Result<Option<Case>> {
        let update = self
            .due(self.update(&case.case_id))
            .update_expression("SET purge = :purge, render_due = :due, render_due_at = :now")
            .condition_expression(
                "#status = :closed AND generation = :generation AND attribute_exists(quarantine_copy) AND \
                 attribute_not_exists(purge.done_at)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":purge", to_value(purge));
        self.changed(update).await
    }

    /// Records that the quarantined copies are gone: `case` is as [`Self::request_purge`] left it. `None` when that was
    /// recorded before.
    ///
    /// # Errors
    /// As classified.
    pub async fn close_purge(&self, case: &Case) -> Result<Option<Case>> {
        let update = self
            .due(self.update(&case.case_id))
            .update_expression("SET purge.done_at = :now, render_due = :due, render_due_at = :now")
            .condition_expression(
                "generation = :generation AND attribute_exists(purge) AND attribute_not_exists(purge.done_at)",
            )
            .expression_attribute_values(":generation", to_value(&case.generation));
        self.changed(update).await
    }

    /// The pause in force.
    ///
    /// # Errors
    /// As classified.
    pub async fn pause_in_force(&self) -> Result<Option<Pause>> {
        self.item(PAUSE).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// A case and the pause in force, in one consistent read.
    ///
    /// # Errors
    /// As classified.
    pub async fn with_pause(&self, case_id: &str) -> Result<(Option<Case>, Option<Pause>)> {
        let (case, pause) = self.beside_pause(case_id, None).await?;
        Ok((case.map(|item| from_item(&self.table, item)).transpose()?, pause))
    }

    /// Whether a case is still open and owned by its run, and the pause in force; reads only what tells it.
    ///
    /// # Errors
    /// As classified.
    pub async fn still_open(&self, case: &Case) -> Result<(bool, Option<Pause>)> {
        let (item, pause) = self.beside_pause(&case.case_id, Some(ITS_OWNER)).await?;
        let is_open = item.is_some_and(|item| {
            item.get("status") == Some(&text(Status::Open.name()))
                && item.get("execution_arn") == Some(&text(&case.execution_arn))
        });
        Ok((is_open, pause))
    }

    async fn beside_pause(
        &self,
        case_id: &str,
        projection: Option<&str>,
    ) -> Result<(Option<Item>, Option<Pause>)> {
        let key = |id: &str| HashMap::from([("case_id".to_owned(), text(id))]);
        let both = KeysAndAttributes::builder()
            .keys(key(case_id))
            .keys(key(PAUSE))
            .set_projection_expression(projection.map(str::to_owned))
            .set_expression_attribute_names(
                projection.map(|_| HashMap::from([("#status".to_owned(), "status".to_owned())])),
            )
            .consistent_read(true);
        let both = both.build().expect("keys are set");
        let answer = self
            .client
            .batch_get_item()
            .request_items(&self.table, both)
            .send()
            .await
            .map_err(|error| classify("dynamodb:BatchGetItem on cases", error))?;
        if answer.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(Error::Retryable("dynamodb:BatchGetItem on cases read a part only".into()));
        }
        let (mut case, mut pause) = (None, None);
        for item in answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default() {
            if item.get("case_id") == Some(&text(PAUSE)) {
                pause = Some(from_item(&self.table, item)?);
            } else {
                case = Some(item);
            }
        }
        Ok((case, pause))
    }

    /// Pauses all moves. `Theirs` when they are paused already.
    ///
    /// # Errors
    /// As classified.
    pub async fn pause(&self, pause: &Pause) -> Result<Conditional<Pause>> {
        let mut item = to_item(pause);
        item.insert("case_id".into(), text(PAUSE));
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(case_id)");
        self.put_recognized(put, pause, |there: &Pause| there == pause).await
    }

    /// Ends the pause; gives back the one that was in force. It is read before: when the answer to the deletion is lost
    /// and it is repeated, nothing is there any more that could be told.
    ///
    /// # Errors
    /// As classified.
    pub async fn resume(&self) -> Result<Option<Pause>> {
        let Some(pause) = self.pause_in_force().await? else { return Ok(None) };
        let call = self.client.delete_item().table_name(&self.table).key("case_id", text(PAUSE));
        call.send().await.map_err(|error| classify("dynamodb:DeleteItem on cases", error))?;
        Ok(Some(pause))
    }

    /// Records that the case waits for the pause to end, and Slack as due.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_paused(&self, case_id: &str, pause: &Pause) -> Result<()> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET paused_at = if_not_exists(paused_at, :now), pause = :pause, render_due = :due, \
                 render_due_at = :now",
            )
            .expression_attribute_values(":pause", to_value(pause))
            .condition_expression("attribute_exists(generation)");
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records that the case's run has gone on after the pause.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_resumed(&self, case_id: &str, token: &str) -> Result<()> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET render_due = :due, render_due_at = :now REMOVE paused_at, pause, resume_token",
            )
            .condition_expression("resume_token = :token")
            .expression_attribute_values(":token", text(token));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Forgets a token that was answered or is dead.
    ///
    /// # Errors
    /// As classified.
    pub async fn forget_token(&self, case_id: &str, token: &str) -> Result<()> {
        let update = self
            .update(case_id)
            .update_expression("REMOVE task_token")
            .condition_expression("task_token = :token")
            .expression_attribute_values(":token", text(token));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Cases in a status, oldest first, page by page: pass the last page's end to get the next.
    ///
    /// # Errors
    /// As classified.
    pub async fn in_status(&self, status: Status, after: Option<Item>) -> Result<(Vec<Case>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_status")
            .key_condition_expression("#status = :status")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status.name()))
            .set_exclusive_start_key(after)
            .limit(100);
        self.page(query).await
    }

    /// Cases in a status with copies in quarantine, purged ones too, newest first, page by page like [`Self::in_status`]. A record
    /// that cannot be read is an error in its place.
    ///
    /// # Errors
    /// As classified.
    pub async fn quarantined(
        &self,
        status: Status,
        after: Option<Item>,
    ) -> Result<(Vec<Result<Case>>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_status")
            .key_condition_expression("#status = :status")
            .filter_expression("attribute_exists(quarantine_copy)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":status", text(status.name()))
            .scan_index_forward(false)
            .set_exclusive_start_key(after)
            .limit(100);
        let page = query.send().await.map_err(|error| classify("dynamodb:Query on cases", error))?;
        let cases = page.items.unwrap_or_default().into_iter().map(|item| from_item(&self.table, item));
        Ok((cases.collect(), page.last_evaluated_key))
    }

    pub(super) fn update(&self, case_id: &str) -> Update {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("case_id", text(case_id))
            .return_values(ReturnValue::AllNew)
    }

    pub(super) fn due(&self, update: Update) -> Update {
        update
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&clock::now()))
    }

    pub(super) async fn changed(&self, update: Update) -> Result<Option<Case>> {
        conditional(&self.table, update).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    async fn page(
        &self,
        query: aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder,
    ) -> Result<(Vec<Case>, Option<Item>)> {
        let page = query.send().await.map_err(|error| classify("dynamodb:Query on cases", error))?;
        let mut cases = Vec::new();
        for item in page.items.unwrap_or_default() {
            match from_item(&self.table, item) {
                Ok(case) => cases.push(case),
                Err(error) => tracing::error!(error.message = %error, "a case was passed over"),
            }
        }
        Ok((cases, page.last_evaluated_key))
    }
}

fn restored_key(case_id: &str) -> String {
    format!("restored#{case_id}")
}

fn triaged_key(finding_id: &str) -> String {
    format!("finding#{finding_id}")
}
