//! The lease under which one cycle plans, in the `exposures` table.

use cordon_domain::time::Time;

use super::Exposures;
use crate::{
    clock,
    error::Result,
    store::{conditional, keys::exposures, text, to_value},
};

impl Exposures {
    /// Takes the lease of planning until `until`. `None` when another cycle holds it; otherwise the epoch, which
    /// fences what is done under it.
    ///
    /// # Errors
    /// As classified.
    pub async fn take_lease(&self, cycle: &str, until: Time) -> Result<Option<u64>> {
        let update = self
            .update(exposures::LEASE, exposures::LEASE)
            .update_expression("SET holder = :cycle, held_until = :until ADD epoch :one")
            .condition_expression("attribute_not_exists(holder) OR holder = :cycle OR held_until < :now")
            .expression_attribute_values(":cycle", text(cycle))
            .expression_attribute_values(":until", text(until))
            .expression_attribute_values(":now", text(clock::now()))
            .expression_attribute_values(":one", to_value(&1));
        Ok(conditional(&self.table, update).await?.map(|item| {
            item.get("epoch")
                .and_then(|epoch| epoch.as_n().ok())
                .and_then(|n| n.parse().ok())
                .unwrap_or_default()
        }))
    }

    /// Gives the lease back, if it is still ours: of this epoch, or of any where the cycle has its plan.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_lease(&self, cycle: &str, epoch: Option<u64>) -> Result<()> {
        let update = self
            .update(exposures::LEASE, exposures::LEASE)
            .update_expression("REMOVE holder, held_until")
            .expression_attribute_values(":cycle", text(cycle));
        let update = match epoch {
            None => update.condition_expression("holder = :cycle"),
            Some(epoch) => update
                .condition_expression("holder = :cycle AND epoch = :epoch")
                .expression_attribute_values(":epoch", to_value(&epoch)),
        };
        conditional(&self.table, update).await.map(|_| ())
    }
}
