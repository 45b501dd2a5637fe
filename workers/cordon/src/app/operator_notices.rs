//! What operators are told of: each thing once in a while, however many workers see it and however often.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{clients::Clients, notifications::Trouble};
use crate::{clock, error::Result};

/// Until operators are told again of something that does not pass.
const NOTICE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Publishes the event that a rule takes to operators, unless they were told of `about` lately.
///
/// # Errors
/// As classified; then the next worker that sees it tells it.
pub(crate) async fn tell(clients: &Clients, about: &str, detail_type: &str, detail: &Value) -> Result<()> {
    let by = hex::encode(rand::random::<[u8; 8]>());
    if !claim(clients, about, &by).await? {
        return Ok(());
    }
    let published = clients.events.publish(detail_type, detail).await;
    if published.is_err() {
        clients.cases.release_notice(about, &by).await?;
    }
    published
}

/// Tells operators what they have to mend so that Slack takes the messages of a case.
///
/// # Errors
/// As [`tell`].
pub(crate) async fn tell_of_trouble(clients: &Clients, trouble: &Trouble, case_id: &str) -> Result<()> {
    let detail = json!({"code": "SlackRefuses", "what": trouble.what, "caseId": case_id});
    tell(clients, &trouble.about, "Cordon Slack Refuses", &detail).await
}

/// Whether the caller is to tell operators of `about` now: nobody has lately, or the caller has and asks again because
/// the answer was lost.
///
/// # Errors
/// As classified.
pub(crate) async fn claim(clients: &Clients, about: &str, by: &str) -> Result<bool> {
    let now = clock::now();
    clients.cases.claim_notice(about, by, now, now - NOTICE_EVERY).await
}
