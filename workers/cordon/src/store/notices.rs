//! When operators were told of something, in the `cases` table.

use cordon_domain::time::Time;
use jiff::SignedDuration;

use super::{Cases, conditional, expiry, keys, text};
use crate::error::Result;

/// How long it is remembered; longer than anybody asks.
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);

impl Cases {
    /// Whether operators are to be told of something now: the first time, and again after a while. Whoever tells it may
    /// ask again: an answer may be lost.
    ///
    /// # Errors
    /// As classified.
    pub async fn claim_notice(&self, of: &str, by: &str, now: Time, told_before: Time) -> Result<bool> {
        let update = self
            .update(&keys::notice(of))
            .update_expression("SET told_at = :now, told_by = :by, expires_at = :expires")
            .condition_expression("attribute_not_exists(told_at) OR told_at < :before OR told_by = :by")
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":before", text(told_before))
            .expression_attribute_values(":expires", expiry(RETENTION));
        Ok(conditional(&self.table, update).await?.is_some())
    }

    /// Gives a claim back: operators could not be told.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_notice(&self, of: &str, by: &str) -> Result<()> {
        let update = self
            .update(&keys::notice(of))
            .update_expression("REMOVE told_at")
            .condition_expression("told_by = :by")
            .expression_attribute_values(":by", text(by));
        conditional(&self.table, update).await.map(|_| ())
    }
}
