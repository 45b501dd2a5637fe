//! The request part of `cordon quarantine purge`. Who may send it, the queue's own policy says.

use cordon_domain::{
    case::vote::MAX_REASON_CHARS,
    request::{Answer, PurgeRequest, PurgeStep},
};

use super::no_operator;
use crate::{
    app::{
        clients::Clients,
        purges::{self, Request},
        refusals::Refusal,
    },
    aws::queue::Message,
    error::Result,
};

/// Records that copies are about to be deleted, or are.
pub(super) async fn purge(clients: &Clients, request: &PurgeRequest, message: &Message) -> Result<Answer> {
    if let Some(refusal) = no_operator(clients, message) {
        return Ok(refusal.into());
    }
    let Some(case) = clients.cases.get(&request.case_id).await? else {
        return Ok(Refusal::unknown_case().into());
    };
    match request.step {
        PurgeStep::Begin => {
            let reason = request.reason.chars().take(MAX_REASON_CHARS).collect();
            let by = Request { by: message.sender.clone(), at: message.sent_at, reason };
            purges::begin(clients, &case, by).await
        }
        PurgeStep::End => purges::end(clients, &case).await,
    }
}
