//! What came of people's requests, in the `cases` table.

use cordon_domain::request::{Answer, RequestId};
use jiff::SignedDuration;

use super::{Cases, conditional, expiry, from_item, keys, text, to_value};
use crate::error::Result;

/// How long an answer is kept: longer than a message can be delivered again.
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);

impl Cases {
    /// What the worker has said of a request, if it has.
    ///
    /// # Errors
    /// As classified.
    pub async fn answer(&self, id: &RequestId) -> Result<Option<Answer>> {
        self.item(&keys::request(id)).await?.map(|item| from_item(&self.table, item)).transpose()
    }

    /// Records what came of a request; the first answer stays.
    ///
    /// # Errors
    /// As classified.
    pub async fn record_answer(&self, id: &RequestId, sender: &str, answer: &Answer) -> Result<()> {
        let mut set =
            "SET #result = :result, detail = :detail, sender = :sender, expires_at = :expires".to_owned();
        let mut update = self.update(&keys::request(id));
        for (name, value) in [("code", &answer.code), ("execution_arn", &answer.execution_arn)] {
            if let Some(value) = value {
                set.push_str(&format!(", {name} = :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), text(value));
            }
        }
        let update = update
            .update_expression(set)
            .condition_expression("attribute_not_exists(id)")
            .expression_attribute_names("#result", "result")
            .expression_attribute_values(":result", to_value(&answer.result))
            .expression_attribute_values(":detail", text(&answer.detail))
            .expression_attribute_values(":sender", text(sender))
            .expression_attribute_values(":expires", expiry(RETENTION));
        conditional(&self.table, update).await.map(|_| ())
    }
}
