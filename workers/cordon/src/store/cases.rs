//! Cases, in the `cases` table.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    types::{KeysAndAttributes, Put, ReturnValue},
};
use cordon_domain::{
    case::{Case, Closing, Outcome, QuarantineCopy, Status},
    policy::Disposition,
};
use jiff::SignedDuration;

use super::{
    Conditional, Item, Update, conditional, expiry, from_item,
    keys::{self, YES, open_since},
    recognized, text, to_item, to_value, transactions,
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

/// How often a case is read anew that was being written while it was read.
const READS: usize = 5;
/// For how long a finding is known as triaged; Macie itself forgets findings after 90 days.
const TRIAGED: SignedDuration = SignedDuration::from_hours(24 * 100);

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
        Ok(self.read(case_id, &[]).await?.0)
    }

    /// Reads a case and other items, consistently.
    pub(super) async fn read(
        &self,
        case_id: &str,
        besides: &[String],
    ) -> Result<(Option<Case>, HashMap<String, Item>)> {
        let mut wanted = vec![keys::case(case_id), keys::approval(case_id)];
        wanted.extend_from_slice(besides);
        let mut read = 1;
        loop {
            let items = self.batch(&wanted, None).await?;
            match self.joined(case_id, &items) {
                Err(Error::Retryable(_)) if read < READS => read += 1,
                joined => return Ok((joined?, items)),
            }
        }
    }

    /// The case that its two items make.
    pub(super) fn joined(&self, case_id: &str, items: &HashMap<String, Item>) -> Result<Option<Case>> {
        match (items.get(&keys::case(case_id)), items.get(&keys::approval(case_id))) {
            (None, None) => Ok(None),
            (Some(case), Some(approval))
                if keys::OF_BOTH.iter().all(|name| case.get(*name) == approval.get(*name)) =>
            {
                // The gateway writes the second item too: nothing there stands for what a case is about.
                let standing = approval.iter().filter(|(name, _)| !keys::OF_CASE.contains(&name.as_str()));
                let both = case.iter().chain(standing).map(|(name, value)| (name.clone(), value.clone()));
                from_item(&self.table, both.collect()).map(Some)
            }
            _ => Err(Error::Retryable("a case was being written while it was read".into())),
        }
    }

    /// The case with its `approval#` item as that is now.
    async fn refreshed(&self, case: &Case, approval: Item) -> Result<Option<Case>> {
        let mut of_case = to_item(case);
        of_case.retain(|name, _| keys::OF_CASE.contains(&name.as_str()));
        let items =
            HashMap::from([(keys::case(&case.case_id), of_case), (keys::approval(&case.case_id), approval)]);
        match self.joined(&case.case_id, &items) {
            // It is of another generation or about another plan by now.
            Err(Error::Retryable(_)) => self.get(&case.case_id).await,
            joined => joined,
        }
    }

    /// Sends an update of the `approval#` item of `case`, whose refusal is looked at.
    pub(super) async fn recognized(
        &self,
        case: &Case,
        update: Update,
        is_mine: impl FnOnce(&Case) -> bool,
    ) -> Result<Conditional<Case>> {
        let item = match recognized(&self.table, update, |_| false).await? {
            Conditional::Written(item) | Conditional::Mine(item) => {
                return match self.refreshed(case, item).await? {
                    Some(case) => Ok(Conditional::Written(case)),
                    None => Err(Error::Retryable("the case was removed after it was written".into())),
                };
            }
            Conditional::Theirs(item) => item,
        };
        let there = match item {
            Some(item) => self.refreshed(case, item).await?,
            None => None,
        };
        Ok(match there {
            Some(there) if is_mine(&there) => Conditional::Mine(there),
            other => Conditional::Theirs(other),
        })
    }

    /// Sends an update of the `approval#` item of `case` that may be repeated without harm. `None` when its condition does
    /// not hold.
    pub(super) async fn changed(&self, case: &Case, update: Update) -> Result<Option<Case>> {
        match conditional(&self.table, update).await? {
            Some(item) => self.refreshed(case, item).await,
            None => Ok(None),
        }
    }

    pub(super) async fn item(&self, id: &str) -> Result<Option<Item>> {
        let call = self.client.get_item().table_name(&self.table).key("id", text(id)).consistent_read(true);
        Ok(call.send().await.map_err(|error| classify("dynamodb:GetItem on cases", error))?.item)
    }

    /// Several items, consistently, by their keys.
    pub(super) async fn batch(
        &self,
        wanted: &[String],
        projection: Option<&str>,
    ) -> Result<HashMap<String, Item>> {
        let mut keys = KeysAndAttributes::builder()
            .set_projection_expression(projection.map(str::to_owned))
            .set_expression_attribute_names(
                projection.map(|_| HashMap::from([("#status".to_owned(), "status".to_owned())])),
            )
            .consistent_read(true);
        for id in wanted {
            keys = keys.keys(HashMap::from([("id".to_owned(), text(id))]));
        }
        let keys = keys.build().expect("keys are set");
        let call = self.client.batch_get_item().request_items(&self.table, keys);
        let answer = call.send().await.map_err(|error| classify("dynamodb:BatchGetItem on cases", error))?;
        if answer.unprocessed_keys.is_some_and(|left| !left.is_empty()) {
            return Err(Error::Retryable("dynamodb:BatchGetItem on cases read a part only".into()));
        }
        let items = answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
        Ok(items.into_iter().filter_map(|item| Some((item.get("id")?.as_s().ok()?.clone(), item))).collect())
    }

    /// Writes the first generation of a case, or the one after `replaces`.
    ///
    /// # Errors
    /// As classified.
    pub async fn open(&self, case: &Case, replaces: Option<&Case>) -> Result<Conditional<Case>> {
        let [of_case, approval] = self.items(case);
        let put = || Put::builder().table_name(&self.table);
        let condition = match replaces {
            None => put().condition_expression("attribute_not_exists(id)"),
            Some(old) => put()
                .condition_expression(
                    "execution_arn = :execution AND generation = :generation AND #status = :status",
                )
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":execution", text(&old.execution_arn))
                .expression_attribute_values(":generation", to_value(&old.generation))
                .expression_attribute_values(":status", text(old.status.name())),
        };
        let items = vec![transactions::put(condition, approval), transactions::put(put(), of_case)];
        if self.together(items).await?.is_none() {
            return Ok(Conditional::Written(case.clone()));
        }
        Ok(match self.get(&case.case_id).await? {
            Some(there)
                if there.execution_arn == case.execution_arn && there.approval.id == case.approval.id =>
            {
                Conditional::Mine(there)
            }
            other => Conditional::Theirs(other),
        })
    }

    /// The two items of a case that is opened.
    fn items(&self, case: &Case) -> [Item; 2] {
        let all = to_item(case);
        let is_of = |names: &[&str], name: &String| names.contains(&name.as_str());
        let mut of_case = all.clone();
        of_case.retain(|name, _| is_of(keys::OF_CASE, name));
        of_case.extend([
            ("id".to_owned(), text(keys::case(&case.case_id))),
            ("bucket".to_owned(), text(&case.object().bucket)),
            ("short_id".to_owned(), text(&case.case_id[..keys::SHORT_ID.min(case.case_id.len())])),
        ]);
        let mut approval = all;
        approval.retain(|name, _| !is_of(keys::OF_CASE, name) || is_of(keys::OF_BOTH, name));
        approval.extend([
            ("id".to_owned(), text(keys::approval(&case.case_id))),
            ("channel".to_owned(), text(&case.plan.channel)),
            ("sole_approvers".to_owned(), to_value(&sole_approvers(case))),
            ("is_open".to_owned(), text(Status::Open.name())),
            ("open_since".to_owned(), text(open_since(case.opened_at, &case.execution_arn))),
        ]);
        if !case.quarantine.copies.is_empty() {
            approval.extend([
                ("is_quarantined".to_owned(), text(YES)),
                ("quarantined_at".to_owned(), text(case.opened_at)),
            ]);
        }
        [of_case, approval]
    }

    /// Adds a finding to the case that answers it.
    ///
    /// # Errors
    /// As classified.
    pub async fn join(&self, case_id: &str, finding_id: &str) -> Result<()> {
        let update = self
            .update(&keys::case(case_id))
            .update_expression("SET finding_ids = list_append(finding_ids, :ids)")
            .condition_expression("attribute_exists(id) AND NOT contains(finding_ids, :id)")
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
            ("id".to_owned(), text(keys::triaged(finding_id))),
            ("triaged_at".to_owned(), text(clock::now())),
            ("expires_at".to_owned(), expiry(TRIAGED)),
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
        Ok(self.item(&keys::triaged(finding_id)).await?.is_some())
    }

    /// Records where the copies of a case are about to be made, before the first of them. `Theirs` when the case is
    /// closed, or belongs to another execution: then nothing may be moved.
    ///
    /// # Errors
    /// As classified.
    pub async fn begin_copying(&self, mut case: Case, copy: QuarantineCopy) -> Result<Conditional<Case>> {
        case.quarantine.copies.retain(|earlier| earlier.generation != copy.generation);
        case.quarantine.copies.push(copy);
        let update = self
            .update_approval(&case.case_id)
            .return_values(ReturnValue::None)
            .update_expression(
                "SET copies = :copies, is_quarantined = :yes, quarantined_at = if_not_exists(quarantined_at, :now)",
            )
            .condition_expression("execution_arn = :execution AND #status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":execution", text(&case.execution_arn))
            .expression_attribute_values(":yes", text(YES))
            .expression_attribute_values(":now", text(clock::now()))
            .expression_attribute_values(":copies", to_value(&case.quarantine.copies));
        if conditional(&self.table, update).await?.is_some() {
            return Ok(Conditional::Written(case));
        }
        Ok(Conditional::Theirs(self.get(&case.case_id).await?))
    }

    /// Closes a case with its outcome. `Theirs` when it is closed already or belongs to another execution.
    ///
    /// # Errors
    /// As classified.
    pub async fn close(&self, case: &Case, outcome: &Outcome) -> Result<Conditional<Case>> {
        let closing = Closing { outcome: outcome.clone(), at: clock::now() };
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression(
                "SET #status = :closed, closing = :closing, slack_due = :yes, slack_due_at = :now \
                 REMOVE task_token, paused, resume_token, is_waiting, waiting_since, is_open, open_since",
            )
            .condition_expression("execution_arn = :execution AND #status = :open")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":open", text(Status::Open.name()))
            .expression_attribute_values(":closing", to_value(&closing))
            .expression_attribute_values(":execution", text(&case.execution_arn));
        let closed = |there: &Case| {
            there.execution_arn == case.execution_arn
                && there.status == Status::Closed
                && there.outcome() == Some(outcome)
        };
        self.recognized(case, update, closed).await
    }

    pub(super) fn update(&self, id: &str) -> Update {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("id", text(id))
            .return_values(ReturnValue::AllNew)
    }

    pub(super) fn update_approval(&self, case_id: &str) -> Update {
        self.update(&keys::approval(case_id))
    }

    /// The values of an expression that has `slack_due = :yes, slack_due_at = :now`.
    pub(super) fn due(&self, update: Update) -> Update {
        update
            .expression_attribute_values(":yes", text(YES))
            .expression_attribute_values(":now", text(clock::now()))
    }
}

/// The people whose single vote decides the case.
pub(super) fn sole_approvers(case: &Case) -> &[String] {
    if case.disposition == Disposition::Review { case.plan.sole_approvers() } else { &[] }
}

#[cfg(test)]
mod tests {
    use cordon_domain::fixtures::case;

    use super::*;

    #[test]
    fn whoever_writes_how_a_case_stands_cannot_change_what_is_done_to_which_object() {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .build();
        let cases = Cases::new(Client::from_conf(config), "cases".into());
        let case = case(Disposition::Review);
        let [of_case, approval] = cases.items(&case);
        for name in ["finding", "policy_answer", "disposition", "plan", "history"] {
            assert!(of_case.contains_key(name) && !approval.contains_key(name), "{name}");
        }
        let items = HashMap::from([
            (keys::case(&case.case_id), of_case.clone()),
            (keys::approval(&case.case_id), approval.clone()),
        ]);
        assert_eq!(cases.joined(&case.case_id, &items).unwrap(), Some(case.clone()));
        // Both are of one generation and about one plan, or the case was being written.
        let mut renewed = approval;
        renewed.insert("plan_hash".into(), text("another"));
        let items =
            HashMap::from([(keys::case(&case.case_id), of_case), (keys::approval(&case.case_id), renewed)]);
        assert!(matches!(cases.joined(&case.case_id, &items), Err(Error::Retryable(_))));
    }
}
