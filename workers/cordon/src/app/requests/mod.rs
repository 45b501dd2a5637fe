//! People's requests that come by queues: each is judged and recorded once, whoever has sent it and however often it is
//! delivered, and its answer is kept where the command that has sent it looks.

mod approvals;
mod purges;
mod restores;

use cordon_domain::request::{
    Answer, AnswerResult, ApprovalRequest, PurgeRequest, RequestId, RestoreRequest,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{clients::Clients, policy_in_force::policy_in_force, refusals::Refusal};
use crate::{
    aws::queue::{Message, Queue},
    error::{Code, Error, Result},
};

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Votes and snoozes.
    Approvals,
    /// Putting objects back.
    Restores,
    /// Deleting copies.
    Purges,
}

impl Kind {
    /// Every queue.
    pub const ALL: [Self; 3] = [Self::Approvals, Self::Restores, Self::Purges];

    /// The queue.
    pub fn queue(self, clients: &Clients) -> &Queue {
        match self {
            Self::Approvals => &clients.approvals_queue,
            Self::Restores => &clients.restores_queue,
            Self::Purges => &clients.purges_queue,
        }
    }
}

/// Does what a message asks for, and records the answer.
///
/// # Errors
/// As classified, where the message is to be delivered again.
pub async fn handle(clients: &Clients, kind: Kind, message: &Message) -> Result<()> {
    match kind {
        Kind::Approvals => match read::<ApprovalRequest>(clients, message).await? {
            Some(request) => {
                let work = approvals::decide(clients, &request, message);
                answer(clients, &request.request_id, message, work).await
            }
            None => Ok(()),
        },
        Kind::Restores => match read::<RestoreRequest>(clients, message).await? {
            Some(RestoreRequest::Iam(request)) => {
                let id = request.request_id.clone();
                answer(clients, &id, message, restores::by_iam(clients, request, message)).await
            }
            Some(RestoreRequest::Slack(request)) => {
                let id = restores::request_id(&request);
                answer(clients, &id, message, restores::by_slack(clients, &request, message)).await
            }
            None => Ok(()),
        },
        Kind::Purges => match read::<PurgeRequest>(clients, message).await? {
            Some(request) => {
                let work = purges::purge(clients, &request, message);
                answer(clients, &request.request_id, message, work).await
            }
            None => Ok(()),
        },
    }
}

/// Who may be told what came of a message that is not understood.
#[derive(Deserialize)]
struct Asked {
    request_id: RequestId,
}

/// The request in a message. One that is not understood is answered where it can be.
async fn read<R: DeserializeOwned>(clients: &Clients, message: &Message) -> Result<Option<R>> {
    let why = match serde_json::from_str(&message.body) {
        Ok(request) => return Ok(Some(request)),
        Err(error) => error.to_string(),
    };
    tracing::warn!(sender = message.sender, error.message = why, "a request is not understood");
    if let Ok(asked) = serde_json::from_str::<Asked>(&message.body) {
        let why = "The worker does not understand the request: it is of another release than this command.";
        let answer = Answer::refused("NotUnderstood", why);
        clients.cases.record_answer(&asked.request_id, &message.sender, &answer).await?;
    }
    Ok(None)
}

/// Does `work` unless the request was answered before, and records what came of it.
async fn answer(
    clients: &Clients,
    id: &RequestId,
    message: &Message,
    work: impl Future<Output = Result<Answer>>,
) -> Result<()> {
    if clients.cases.answer(id).await?.is_some() {
        return Ok(());
    }
    let answer = match work.await {
        Ok(answer) => answer,
        Err(error @ Error::Retryable(_)) => return Err(error),
        Err(error) => Answer {
            code: error.code().map(|code: Code| code.name().to_owned()),
            ..Answer::done(AnswerResult::Failed, error.to_string())
        },
    };
    clients.cases.record_answer(id, &message.sender, &answer).await?;
    tracing::info!(
        request.id = id.as_str(),
        sender = message.sender,
        result = answer.result.name(),
        error.code = answer.code,
        "request answered"
    );
    Ok(())
}

/// Who the sender is in Slack, where the policy in force says so; or why no policy can be read. Whoever decides because
/// everything else is down is not kept from it by that.
///
/// # Errors
/// As classified, where asking again may help.
async fn slack_user(
    clients: &Clients,
    message: &Message,
) -> Result<std::result::Result<Option<String>, String>> {
    let in_force = policy_in_force(&clients.state, &clients.config.policy_key).await?;
    Ok(in_force.policy.map(|policy| policy.operators.get(&message.sender).cloned()))
}

/// Why the sender is no person at a command line, if so: the gateway may send what Slack has signed, and nothing else.
fn no_operator(clients: &Clients, message: &Message) -> Option<Refusal> {
    let role = message.sender.split(':').next().unwrap_or_default();
    (role == clients.config.gateway_principal_id).then(|| {
        Refusal::new(
            "NotAuthorized",
            "The gateway asks for itself, which it may not; look into CloudTrail for why.",
        )
    })
}
