//! The `cases` table.

use aws_sdk_dynamodb::{Client, types::ReturnValue};

use super::{Item, Update, conditional, from_item, text, to_item, to_value};
use crate::{
    clients::error::classify,
    domain::{
        case::{Case, Decision, Outcome, Vote},
        time,
    },
    error::Result,
};

/// The `cases` table.
#[derive(Clone, Debug)]
pub struct Cases {
    client: Client,
    table: String,
}

/// What became of an attempt to open a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours.
    Yes,
    /// Somebody else was first.
    No,
}

/// The value of `render_due` while a case is due.
const DUE: &str = "due";

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

    async fn item(&self, case_id: &str) -> Result<Option<Item>> {
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
    /// As classified; a lost race is `Claimed::No`.
    pub async fn open(&self, case: &Case, replaces: Option<&Case>) -> Result<Claimed> {
        let put = self.client.put_item().table_name(&self.table).set_item(Some(to_item(case)));
        let put = match replaces {
            None => put.condition_expression("attribute_not_exists(case_id)"),
            Some(old) => put
                .condition_expression("execution_arn = :execution AND generation = :generation")
                .expression_attribute_values(":execution", text(&old.execution_arn))
                .expression_attribute_values(":generation", to_value(&old.generation)),
        };
        match put.send().await {
            Ok(_) => Ok(Claimed::Yes),
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) =>
            {
                Ok(Claimed::No)
            }
            Err(error) => Err(classify("dynamodb:PutItem on cases", error)),
        }
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
            ("triaged_at".to_owned(), text(&time::now())),
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

    /// Begins a round of asking: its number, its end, and Slack due. `None` when the case is no longer open to
    /// decisions or belongs to another run.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_round(
        &self,
        case_id: &str,
        execution: &str,
        round: u32,
        ends_at: &str,
    ) -> Result<Option<Case>> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET #round = :round, round_ends_at = :ends, render_due = :due, render_due_at = :now",
            )
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decision)")
            .expression_attribute_names("#round", "round")
            .expression_attribute_values(":round", to_value(&round))
            .expression_attribute_values(":ends", text(ends_at))
            .expression_attribute_values(":execution", text(execution));
        self.changed(update).await
    }

    /// Records a vote and with it the decision, if the case is open, undecided, and still the one that was shown.
    /// `None` when it is not.
    ///
    /// # Errors
    /// As classified.
    pub async fn vote(&self, case_id: &str, approval_id: &str, vote: &Vote) -> Result<Option<Case>> {
        let update = self.due(self.update(case_id))
            .update_expression(
                "SET decision = :decision, decided_at = :at, votes = list_append(votes, :votes), \
                 render_due = :due, render_due_at = :now",
            )
            .condition_expression(
                "#status = :open AND attribute_not_exists(decision) AND plan_hash = :plan AND approval_id = :approval",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text("open"))
            .expression_attribute_values(":decision", text(vote.decision.name()))
            .expression_attribute_values(":at", text(&vote.at))
            .expression_attribute_values(":votes", to_value(&[vote]))
            .expression_attribute_values(":plan", text(&vote.plan_hash))
            .expression_attribute_values(":approval", text(approval_id));
        self.changed(update).await
    }

    /// Records that nobody decided in time. `None` when somebody has after all.
    ///
    /// # Errors
    /// As classified.
    pub async fn expire(&self, case_id: &str, execution: &str) -> Result<Option<Case>> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET decision = :decision, decided_at = :now, render_due = :due, render_due_at = :now",
            )
            .condition_expression("execution_arn = :execution AND attribute_not_exists(decision)")
            .expression_attribute_values(":decision", text(Decision::Expired.name()))
            .expression_attribute_values(":execution", text(execution));
        self.changed(update).await
    }

    /// Closes a case with its outcome. `None` when it is closed already or belongs to another run.
    ///
    /// # Errors
    /// As classified.
    pub async fn close(&self, case_id: &str, execution: &str, outcome: &Outcome) -> Result<Option<Case>> {
        let update = self
            .due(self.update(case_id))
            .update_expression(
                "SET #status = :closed, outcome = :outcome, closed_at = :now, render_due = :due, \
                 render_due_at = :now REMOVE task_token",
            )
            .condition_expression("execution_arn = :execution AND #status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text("closed"))
            .expression_attribute_values(":open", text("open"))
            .expression_attribute_values(":outcome", to_value(outcome))
            .expression_attribute_values(":execution", text(execution));
        self.changed(update).await
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

    /// Open cases, oldest first, page by page: pass the last page's end to get the next.
    ///
    /// # Errors
    /// As classified.
    pub async fn open_cases(&self, after: Option<Item>) -> Result<(Vec<Case>, Option<Item>)> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by_status")
            .key_condition_expression("#status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text("open"))
            .set_exclusive_start_key(after)
            .limit(100);
        self.page(query).await
    }

    /// Cases that Slack does not show as they are, longest due first; at most 25.
    ///
    /// # Errors
    /// As classified.
    pub async fn render_due(&self) -> Result<Vec<Case>> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("render_due")
            .key_condition_expression("render_due = :due AND render_due_at <= :now")
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&time::now()))
            .limit(25);
        Ok(self.page(query).await?.0)
    }

    /// Takes the rendering of a case for one worker until `until`. `None` when another has it or nothing is due.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_rendering(&self, case_id: &str, until: &str) -> Result<Option<Case>> {
        let update = self.update(case_id)
            .update_expression("SET render_claimed_until = :until")
            .condition_expression(
                "render_due = :due AND (attribute_not_exists(render_claimed_until) OR render_claimed_until < :now)",
            )
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&time::now()));
        self.changed(update).await
    }

    /// Records the intent to post, before the first attempt.
    ///
    /// # Errors
    /// As classified.
    pub async fn intend_to_post(&self, case_id: &str) -> Result<()> {
        let update = self
            .update(case_id)
            .update_expression("SET slack_intent_at = if_not_exists(slack_intent_at, :now)")
            .expression_attribute_values(":now", text(&time::now()));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Records where the message is, and that Slack shows the case as it was at `rendered_at`; a change since then
    /// keeps it due.
    ///
    /// # Errors
    /// As classified.
    pub async fn rendered(&self, case: &Case, slack_ts: &str) -> Result<()> {
        let posted = self
            .update(&case.case_id)
            .update_expression("SET slack_ts = :ts REMOVE render_claimed_until")
            .condition_expression("generation = :generation")
            .expression_attribute_values(":ts", text(slack_ts))
            .expression_attribute_values(":generation", to_value(&case.generation));
        conditional(&self.table, posted).await?;
        let done = self
            .update(&case.case_id)
            .update_expression("REMOVE render_due, render_due_at")
            .condition_expression("generation = :generation AND render_due_at = :seen")
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":seen", to_value(&case.render_due_at));
        conditional(&self.table, done).await.map(|_| ())
    }

    /// Forgets a message that is no longer in Slack.
    ///
    /// # Errors
    /// As classified.
    pub async fn forget_message(&self, case: &Case) -> Result<()> {
        let update = self
            .update(&case.case_id)
            .update_expression("REMOVE slack_ts, slack_intent_at")
            .condition_expression("generation = :generation AND slack_ts = :ts")
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":ts", to_value(&case.slack_ts));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives a rendering back that did not succeed; it is due again at `retry_at`.
    ///
    /// # Errors
    /// As classified.
    pub async fn postpone_rendering(&self, case: &Case, retry_at: &str) -> Result<()> {
        let update = self
            .update(&case.case_id)
            .update_expression("SET render_due_at = :at REMOVE render_claimed_until")
            .condition_expression("generation = :generation AND render_due_at = :seen")
            .expression_attribute_values(":at", text(retry_at))
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":seen", to_value(&case.render_due_at));
        conditional(&self.table, update).await.map(|_| ())
    }

    fn update(&self, case_id: &str) -> Update {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("case_id", text(case_id))
            .return_values(ReturnValue::AllNew)
    }

    fn due(&self, update: Update) -> Update {
        update
            .expression_attribute_values(":due", text(DUE))
            .expression_attribute_values(":now", text(&time::now()))
    }

    async fn changed(&self, update: Update) -> Result<Option<Case>> {
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

fn triaged_key(finding_id: &str) -> String {
    format!("finding#{finding_id}")
}
