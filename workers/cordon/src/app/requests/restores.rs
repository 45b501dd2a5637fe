//! `cordon restore`, and the form behind Slack's *Restore* button, which the gateway passes on as Slack has signed it.

use cordon_domain::{
    case::vote::MAX_REASON_CHARS,
    request::{Answer, AnswerResult, IamRestore, RequestId, SlackRequest},
};
use sha2::{Digest, Sha256};

use super::no_operator;
use crate::{
    app::{
        clicks,
        clients::Clients,
        private_notes,
        refusals::Refusal,
        restores::{self, Request},
    },
    aws::queue::Message,
    error::{Error, Result},
    slack::{
        interactions::{Action, Click},
        signature,
    },
};

/// Has an object put back for a person at the command line: who may send to the queue may restore.
pub(super) async fn by_iam(clients: &Clients, request: IamRestore, message: &Message) -> Result<Answer> {
    if let Some(refusal) = no_operator(clients, message) {
        return Ok(refusal.into());
    }
    let Some(case) = clients.cases.get(&request.case_id).await? else {
        return Ok(Refusal::unknown_case().into());
    };
    let request = Request {
        id: request.request_id,
        by: message.sender.clone(),
        at: message.sent_at,
        reason: request.reason.chars().take(MAX_REASON_CHARS).collect(),
        replace: request.replace,
        even_if_exposed: request.even_if_exposed,
        copy_generation: request.copy_generation,
    };
    Ok(match restores::request(clients, &case, request).await? {
        Ok(execution_arn) => under_way(execution_arn),
        Err(refusal) => refusal.into(),
    })
}

/// What a request of Slack is known by: sent twice, it is one.
pub(super) fn request_id(request: &SlackRequest) -> RequestId {
    // What is signed: the signature itself can be written in several ways.
    let digest = Sha256::digest(format!("{}:{}", request.timestamp, request.body));
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    RequestId::of(id)
}

/// Has an object put back for a person in Slack, whom the policy in force now has to name. Whoever passes the request on
/// cannot have made it up: it is Slack's signature that counts, not the sender.
pub(super) async fn by_slack(clients: &Clients, request: &SlackRequest, message: &Message) -> Result<Answer> {
    let (timestamp, signature) = (Some(request.timestamp.as_str()), Some(request.signature.as_str()));
    let sent = message.sent_at.timestamp().as_second();
    let secret = clients.slack.secret();
    let verified =
        signature::verify_with(secret, sent, timestamp, signature, request.body.as_bytes()).await?;
    let read = verified.map_err(|refusal| refusal.to_string()).and_then(|body| Ok(Click::read(body)?));
    let ours = read
        .and_then(|click| click.is_of(&clients.config.common.slack).map(|()| click).map_err(str::to_owned));
    let click = match ours {
        Ok(click) => click,
        Err(why) => return Ok(not_slacks(&why)),
    };
    let (Action::Restore, Some(reason)) = (click.action, &click.reason) else {
        return Ok(not_slacks("it asks for no restore"));
    };
    let Some(case) = clients.cases.get(&click.case_id).await? else {
        return Ok(Refusal::unknown_case().into());
    };
    let asked = Request {
        id: request_id(request),
        by: format!("slack:{}/{}", click.team, click.by.user),
        at: message.sent_at,
        reason: reason.clone(),
        replace: false,
        even_if_exposed: false,
        copy_generation: None,
    };
    let config = &clients.config;
    let refused = if restores::is_recorded(&case, &asked.id) {
        None
    } else if clicks::is_of_an_earlier_state(&case, &click) {
        Some(clicks::EARLIER_STATE.to_owned())
    } else {
        let no_restorer = restores::no_restorer(&clients.state, &config.policy_key, &click.by.user).await?;
        no_restorer.map(|why| clicks::why_no_restorer(&why))
    };
    let why = match refused {
        Some(why) => why,
        None => match restores::request(clients, &case, asked).await {
            Ok(Ok(execution_arn)) => return Ok(under_way(execution_arn)),
            Ok(Err(refusal)) => refusal.why,
            Err(error @ Error::Retryable(_)) => return Err(error),
            Err(error) => format!("The object is not put back: {error}"),
        },
    };
    // The gateway has asked the same before it passed the request on, so this is rare.
    private_notes::tell(&clients.slack, &click.by, Some(&case.plan.channel), &why).await;
    Ok(Answer::refused("NotRestored", why))
}

fn under_way(execution_arn: String) -> Answer {
    let detail = "Asked for; the run goes on by itself.";
    Answer { execution_arn: Some(execution_arn), ..Answer::done(AnswerResult::UnderWay, detail) }
}

/// Nobody is told: whoever has sent it is not who it says.
fn not_slacks(why: &str) -> Answer {
    tracing::warn!(reason = why, "a restore that came as Slack's is refused");
    Answer::refused("NotAuthorized", format!("It is no restore of a person in Slack ({why})."))
}
