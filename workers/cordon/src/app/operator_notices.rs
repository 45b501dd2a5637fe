//! What operators are told of: each thing once in a while, however many workers see it and however often.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{clients::Clients, notifications::Trouble};
use crate::{clock, error::Result};

/// Until operators are told again of something that does not pass.
const NOTICE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Publishes the event that a rule takes to operators, unless they were told of `about` lately. Whether they are told by
/// now: another worker may be about to do it, and may die before.
///
/// # Errors
/// As classified; then the next worker that sees it tells it.
pub(crate) async fn tell(clients: &Clients, about: &str, detail_type: &str, detail: &Value) -> Result<bool> {
    let by = hex::encode(rand::random::<[u8; 8]>());
    let now = clock::now();
    if !clients.cases.lease_notice(about, &by, now, now - NOTICE_EVERY).await? {
        return clients.cases.is_told(about, now - NOTICE_EVERY).await;
    }
    match clients.events.publish(detail_type, detail).await {
        Ok(()) => clients.cases.confirm_notice(about, &by, clock::now()).await.map(|()| true),
        Err(error) => {
            clients.cases.release_notice(about, &by).await?;
            Err(error)
        }
    }
}

/// Tells operators what they have to mend so that Slack takes the messages of a case.
///
/// # Errors
/// As [`tell`].
pub(crate) async fn tell_of_trouble(clients: &Clients, trouble: &Trouble, case_id: &str) -> Result<()> {
    let detail = json!({"code": "SlackRefuses", "what": trouble.what, "caseId": case_id});
    tell(clients, &trouble.about, "Cordon Slack Refuses", &detail).await.map(|_| ())
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
