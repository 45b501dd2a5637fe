//! When operators were told of something, in the `cases` table.

use cordon_domain::time::Time;
use jiff::SignedDuration;

use super::{Cases, conditional, expiry, keys, text};
use crate::error::Result;

/// How long it is remembered; longer than anybody asks.
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);
/// How long somebody is given to tell it; then another one does. Longer than all attempts at one call.
const LEASE: SignedDuration = SignedDuration::from_mins(6);
const NOBODY_IS_AT_IT: &str = "(attribute_not_exists(leased_until) OR leased_until < :now OR told_by = :by)";

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
            .condition_expression(format!(
                "(attribute_not_exists(told_at) OR told_at < :before OR told_by = :by) AND {NOBODY_IS_AT_IT}"
            ))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":before", text(told_before))
            .expression_attribute_values(":expires", expiry(RETENTION));
        Ok(conditional(&self.table, update).await?.is_some())
    }

    /// Whether operators are to be told of something by the caller, who then either [tells](Self::confirm_notice) or
    /// [cannot](Self::release_notice); who does neither has six minutes.
    ///
    /// # Errors
    /// As classified.
    pub async fn lease_notice(&self, of: &str, by: &str, now: Time, told_before: Time) -> Result<bool> {
        let update = self
            .update(&keys::notice(of))
            .update_expression("SET leased_until = :until, told_by = :by, expires_at = :expires")
            .condition_expression(format!(
                "(attribute_not_exists(told_at) OR told_at < :before) AND {NOBODY_IS_AT_IT}"
            ))
            .expression_attribute_values(":by", text(by))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":until", text(now + LEASE))
            .expression_attribute_values(":before", text(told_before))
            .expression_attribute_values(":expires", expiry(RETENTION));
        Ok(conditional(&self.table, update).await?.is_some())
    }

    /// Records that operators were told.
    ///
    /// # Errors
    /// As classified.
    pub async fn confirm_notice(&self, of: &str, by: &str, now: Time) -> Result<()> {
        let update = self
            .update(&keys::notice(of))
            .update_expression("SET told_at = :now REMOVE leased_until")
            .condition_expression("told_by = :by")
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":by", text(by));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Gives a lease back: operators could not be told.
    ///
    /// # Errors
    /// As classified.
    pub async fn release_notice(&self, of: &str, by: &str) -> Result<()> {
        let update = self
            .update(&keys::notice(of))
            .update_expression("REMOVE leased_until")
            .condition_expression("told_by = :by")
            .expression_attribute_values(":by", text(by));
        conditional(&self.table, update).await.map(|_| ())
    }

    /// Whether operators were told of something since `told_before`.
    ///
    /// # Errors
    /// As classified.
    pub async fn is_told(&self, of: &str, told_before: Time) -> Result<bool> {
        let notice = self.item(&keys::notice(of)).await?;
        let told_at =
            notice.as_ref().and_then(|notice| notice.get("told_at")?.as_s().ok()?.parse::<Time>().ok());
        Ok(told_at.is_some_and(|told_at| told_at >= told_before))
    }
}
