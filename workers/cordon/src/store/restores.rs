//! What people have done with quarantined copies, in the `approval#` items of the `cases` table.

use cordon_domain::case::{Case, Purge, Restore, Status};

use super::{
    Cases, Conditional, Item,
    keys::{self, open_since},
    text, to_value,
};
use crate::{aws::error::classify, clock, error::Result};

impl Cases {
    /// Records that a restore was asked for, if there are copies, nothing else is being done with them, and no other was
    /// asked for since `case` was read. `Theirs` when it is not.
    ///
    /// # Errors
    /// As classified.
    pub async fn request_restore(&self, case: &Case, restore: &Restore) -> Result<Conditional<Case>> {
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression(
                "SET #status = :restoring, restores = list_append(restores, :restores), is_open = :restoring, \
                 open_since = :since, slack_due = :yes, slack_due_at = :now",
            )
            .condition_expression(
                "#status = :closed AND generation = :generation AND size(copies) > :none AND \
                 attribute_not_exists(purge) AND size(restores) = :seen",
            )
            .expression_attribute_values(":seen", to_value(&case.quarantine.restores.len()))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":since", text(open_since(clock::now(), &restore.execution_arn)))
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":none", to_value(&0))
            .expression_attribute_values(":restores", to_value(&[restore]));
        let asked =
            |there: &Case| there.open_restore().is_some_and(|open| open.request_id == restore.request_id);
        self.recognized(case, update, asked).await
    }

    /// Records what the open restore has put back so far: as it is in `after`, where it was as in `before`. `None` when it
    /// has ended, or another worker has recorded more.
    ///
    /// # Errors
    /// As classified.
    pub async fn save_restore(&self, before: &Case, after: &Case) -> Result<Option<Case>> {
        let (Some(was), Some(is)) = (before.open_restore(), after.open_restore()) else { return Ok(None) };
        let at = format!("restores[{}]", before.quarantine.restores.len() - 1);
        let update = self
            .update_approval(&after.case_id)
            .update_expression(format!("SET {at} = :restore"))
            .condition_expression(format!(
                "#status = :restoring AND {at}.request_id = :request AND {at}.versions_restored = :before AND \
                 attribute_not_exists({at}.outcome)"
            ))
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":restore", to_value(is))
            .expression_attribute_values(":request", text(&was.request_id))
            .expression_attribute_values(":before", to_value(&was.versions_restored));
        self.changed(before, update).await
    }

    /// Records how a restore ended: `case` as it is then to be. `None` when it has ended already. A restore is only
    /// added while none is under way, so their number tells them apart.
    ///
    /// # Errors
    /// As classified.
    pub async fn close_restore(&self, case: &Case) -> Result<Option<Case>> {
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression(
                "SET #status = :closed, restores = :restores, slack_due = :yes, slack_due_at = :now \
                 REMOVE paused, resume_token, is_waiting, waiting_since, is_open, open_since",
            )
            .condition_expression("#status = :restoring AND size(restores) = :count")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":restoring", text(Status::Restoring.name()))
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":restores", to_value(&case.quarantine.restores))
            .expression_attribute_values(":count", to_value(&case.quarantine.restores.len()));
        self.changed(case, update).await
    }

    /// Remembers which case an object version that was put back belongs to.
    ///
    /// # Errors
    /// As classified.
    pub async fn mark_restored(&self, restored_case_id: &str, original: &str) -> Result<()> {
        let item = Item::from([
            ("id".to_owned(), text(keys::restored(restored_case_id))),
            ("original".to_owned(), text(original)),
        ]);
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        put.send().await.map_err(|error| classify("dynamodb:PutItem on cases", error))?;
        Ok(())
    }

    /// The case that an object version belongs to because a restore of that case has made it.
    ///
    /// # Errors
    /// As classified.
    pub async fn original_of_restored(&self, case_id: &str) -> Result<Option<Case>> {
        let Some(mark) = self.item(&keys::restored(case_id)).await? else { return Ok(None) };
        match mark.get("original").and_then(|original| original.as_s().ok()) {
            Some(original) => self.get(original).await,
            None => Ok(None),
        }
    }

    /// Records that the quarantined copies are to be deleted. `None` when there are none, or they are in use.
    ///
    /// # Errors
    /// As classified.
    pub async fn request_purge(&self, case: &Case, purge: &Purge) -> Result<Option<Case>> {
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression("SET purge = :purge, slack_due = :yes, slack_due_at = :now")
            .condition_expression(
                "#status = :closed AND generation = :generation AND size(copies) > :none AND \
                 attribute_not_exists(purge.done_at)",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":closed", text(Status::Closed.name()))
            .expression_attribute_values(":generation", to_value(&case.generation))
            .expression_attribute_values(":none", to_value(&0))
            .expression_attribute_values(":purge", to_value(purge));
        self.changed(case, update).await
    }

    /// Records that the quarantined copies are gone: `case` is as [`Self::request_purge`] left it. `None` when that was
    /// recorded before.
    ///
    /// # Errors
    /// As classified.
    pub async fn close_purge(&self, case: &Case) -> Result<Option<Case>> {
        let update = self
            .due(self.update_approval(&case.case_id))
            .update_expression("SET purge.done_at = :now, slack_due = :yes, slack_due_at = :now")
            .condition_expression(
                "generation = :generation AND attribute_exists(purge) AND attribute_not_exists(purge.done_at)",
            )
            .expression_attribute_values(":generation", to_value(&case.generation));
        self.changed(case, update).await
    }
}
