//! Rounds of asking people, in the `approval#` items of the `cases` table.

use aws_sdk_dynamodb::types::Update as TransactUpdate;
use cordon_domain::{
    case::{Case, Decided, Decision, Escalation, Renewal, Status},
    policy::Disposition,
    time::Time,
};

use super::{
    Cases, Conditional,
    cases::sole_approvers,
    keys::{self, YES},
    text, to_value, transactions,
};
use crate::{clock, error::Result};

impl Cases {
    /// Has people asked once more: the round, and its end; a snooze is over. Slack is due when [`Self::show_round`] has
    /// recorded what they are shown. `Theirs` when the case is decided, belongs to another execution, or they were asked
    /// since `case` was read.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_round(&self, case: &Case, round: u32, ends_at: Time) -> Result<Conditional<Case>> {
        let update = self
            .update_approval(&case.case_id)
            .update_expression("SET #round = :round, round_ends_at = :ends, asked = :asked REMOVE snooze")
            .condition_expression(
                "execution_arn = :execution AND attribute_not_exists(decided) AND asked = :seen",
            )
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":round", to_value(&round))
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":asked", to_value(&(case.approval.asked + 1)))
            .expression_attribute_values(":seen", to_value(&case.approval.asked))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        let begun = |there: &Case| {
            let approval = &there.approval;
            there.execution_arn == case.execution_arn
                && approval.decided.is_none()
                && approval.asked == case.approval.asked + 1
                && approval.round == round
                && approval.round_ends_at == Some(ends_at)
        };
        self.recognized(case, update, begun).await
    }

    /// Records what people are shown when they are asked, and Slack as due: who can reach the bucket, until when they
    /// can decide, and whether the fallback approvers can too. In one write, since nobody is reminded of a round twice.
    /// `None` when the case is decided or belongs to another execution.
    ///
    /// # Errors
    /// As classified.
    pub async fn show_round(
        &self,
        case: &Case,
        ends_at: Time,
        reach: Option<&[String]>,
        escalation: Option<&Escalation>,
    ) -> Result<Option<Case>> {
        let mut set = "SET round_ends_at = :ends, slack_due = :yes, slack_due_at = :now".to_owned();
        let mut update = self
            .due(self.update_approval(&case.case_id))
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decided)")
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
        self.changed(case, update.update_expression(set)).await
    }

    /// Records that nobody decided in time, with the worker's code over that. `Theirs` when somebody has after all.
    ///
    /// # Errors
    /// As classified.
    pub async fn expire(&self, case: &Case, mac: String) -> Result<Conditional<Case>> {
        let decided = Decided { what: Decision::Expired, at: clock::now(), mac: Some(mac) };
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression("SET decided = :decided, slack_due = :yes, slack_due_at = :now")
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decided)")
            .expression_attribute_values(":decided", to_value(&decided))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        let expired = |there: &Case| {
            there.execution_arn == case.execution_arn && there.decision() == Some(Decision::Expired)
        };
        self.recognized(case, update, expired).await
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
        ends_at: Time,
    ) -> Result<Conditional<Case>> {
        let (now, key) = (clock::now(), |id: String| ("id", text(&id)));
        let mut set = "SET plan_hash = :hash, approval_id = :approval, channel = :channel, \
                       sole_approvers = :sole_approvers, renewal = :renewal, #round = :one, round_ends_at = :ends, \
                       asked = :asked, slack_due = :yes, slack_due_at = :now"
            .to_owned();
        let (id, value) = key(keys::approval(&existing.case_id));
        let mut approval = TransactUpdate::builder().table_name(&self.table).key(id, value);
        if by.disposition == Disposition::Quarantine {
            set.push_str(", decided = :decided, is_waiting = :yes, waiting_since = :now");
            let decided = Decided { what: Decision::Quarantine, at: now, mac: None };
            approval = approval.expression_attribute_values(":decided", to_value(&decided));
        }
        let approval = approval
            .update_expression(set + " REMOVE snooze, escalation, over_limit")
            .condition_expression(
                "execution_arn = :execution AND generation = :generation AND #status = :open AND \
                 attribute_not_exists(decided) AND plan_hash = :seen AND size(votes) = :votes_seen",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":hash", text(&by.approval.plan_hash))
            .expression_attribute_values(":approval", text(&by.approval.id))
            .expression_attribute_values(":channel", text(&by.plan.channel))
            .expression_attribute_values(":sole_approvers", to_value(&sole_approvers(by)))
            .expression_attribute_values(":renewal", to_value(renewal))
            .expression_attribute_values(":one", to_value(&1))
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":asked", to_value(&(existing.approval.asked + 1)))
            .expression_attribute_values(":yes", text(YES))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":execution", text(&existing.execution_arn))
            .expression_attribute_values(":generation", to_value(&existing.generation))
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":seen", text(&existing.approval.plan_hash))
            .expression_attribute_values(":votes_seen", to_value(&existing.approval.votes.len()));
        let new_ids: Vec<_> = by.finding_ids.iter().filter(|id| !existing.finding_ids.contains(id)).collect();
        let (id, value) = key(keys::case(&existing.case_id));
        let of_case = TransactUpdate::builder()
            .table_name(&self.table)
            .key(id, value)
            .update_expression(
                "SET finding = :finding, finding_ids = list_append(finding_ids, :ids), policy_answer = :answer, \
                 disposition = :disposition, #plan = :plan, plan_hash = :hash, plan_mac = :mac",
            )
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":finding", to_value(&by.finding))
            .expression_attribute_values(":ids", to_value(&new_ids))
            .expression_attribute_values(":answer", to_value(&by.policy_answer))
            .expression_attribute_values(":disposition", to_value(&by.disposition))
            .expression_attribute_values(":plan", to_value(&by.plan))
            .expression_attribute_values(":mac", to_value(&by.plan_mac))
            .expression_attribute_values(":hash", text(&by.approval.plan_hash));
        let written = self
            .together(vec![transactions::update(approval), transactions::update(of_case)])
            .await?
            .is_none();
        Ok(match self.get(&existing.case_id).await? {
            Some(there) if there.approval.id == by.approval.id && written => Conditional::Written(there),
            Some(there) if there.approval.id == by.approval.id => Conditional::Mine(there),
            other => Conditional::Theirs(other),
        })
    }
}
