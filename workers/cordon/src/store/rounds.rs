//! Rounds of asking people, in the `approval#` items of the `cases` table.

use cordon_domain::case::{Case, Decided, Decision, Escalation};

use super::{Cases, Conditional, text, to_value};
use crate::{clock, error::Result};

impl Cases {
    /// Has people asked once more: the round, and its end; a snooze is over. Slack is due when [`Self::show_round`] has
    /// recorded what they are shown. `Theirs` when the case is decided, belongs to another execution, or they were asked
    /// since `case` was read.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_round(&self, case: &Case, round: u32, ends_at: &str) -> Result<Conditional<Case>> {
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
                && approval.round_ends_at.as_deref() == Some(ends_at)
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
        ends_at: &str,
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

    /// Records that nobody decided in time. `Theirs` when somebody has after all.
    ///
    /// # Errors
    /// As classified.
    pub async fn expire(&self, case: &Case) -> Result<Conditional<Case>> {
        let decided = Decided { what: Decision::Expired, at: clock::now() };
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
}
