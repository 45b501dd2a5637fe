//! `cordon approvals approve`, `dismiss` and `snooze`.

use cordon_domain::{
    case::{
        Case, Decision,
        vote::{MAX_REASON_CHARS, Vote, Voter},
    },
    request::{Answer, AnswerResult, ApprovalAction, ApprovalRequest},
};

use super::{no_operator, slack_user};
use crate::{
    app::{
        approvals::{Approvals, SnoozeOutcome, VoteOutcome, Waiting},
        clients::Clients,
        refusals::{Refusal, undecidable},
    },
    aws::queue::Message,
    clock,
    error::Result,
};

/// Records what a person decides about a case.
pub(super) async fn decide(
    clients: &Clients,
    request: &ApprovalRequest,
    message: &Message,
) -> Result<Answer> {
    if let Some(refusal) = no_operator(clients, message) {
        return Ok(refusal.into());
    }
    let Some(case) = clients.cases.get(&request.case_id).await? else {
        return Ok(Refusal::unknown_case().into());
    };
    let principal = message.sender.clone();
    let slack_user = slack_user(clients, message).await?;
    let by = Voter::Iam { principal, slack_user: slack_user.clone().unwrap_or_default() };
    let decision = match request.action {
        ApprovalAction::Quarantine => Decision::Quarantine,
        ApprovalAction::Dismiss => Decision::Dismiss,
        ApprovalAction::Snooze => return snooze(clients, &case, request, by).await,
    };
    let mut vote = Vote {
        decision,
        by,
        reason: Some(request.reason.chars().take(MAX_REASON_CHARS).collect()),
        at: message.sent_at,
        plan_hash: request.plan_hash.clone(),
        mac: None,
    };
    vote.mac = Some(clients.macs.generate(&case.vote_message(&vote)).await?);
    let is_recorded = case.approval.votes.iter().any(|cast| cast.is_same(&vote));
    let refusal = refusal(&case, request, &vote.by, slack_user.as_ref().err());
    if let Some(refusal) = refusal.filter(|_| !is_recorded) {
        return Ok(refusal.into());
    }
    let approvals = approvals(clients);
    Ok(match approvals.vote(&case, &vote).await? {
        VoteOutcome::Decided(case) => {
            approvals.wake(&Waiting::from(&*case)).await;
            let detail = format!("{} is decided; the run goes on.", decision.name());
            Answer::done(AnswerResult::Decided, detail)
        }
        VoteOutcome::Counted(missing) => {
            let detail = format!("The vote is on record; {missing} more must say the same.");
            Answer::done(AnswerResult::Counted, detail)
        }
        VoteOutcome::Repeated => Answer::refused(
            "VotedBefore",
            "Your vote is on record already; another person has to say the same.",
        ),
        VoteOutcome::Superseded => Answer::refused("VotedSince", "A newer vote of yours is on record."),
        VoteOutcome::TooMany => {
            Answer::refused("TooManyVotes", "You have voted too often on this; your last vote counts.")
        }
        VoteOutcome::NotTaken(case) => undecidable(&case).unwrap_or_else(Refusal::overtaken).into(),
        VoteOutcome::UnknownCase => Refusal::overtaken().into(),
    })
}

async fn snooze(clients: &Clients, case: &Case, request: &ApprovalRequest, by: Voter) -> Result<Answer> {
    if let Some(refusal) = undecidable(case).or_else(|| changed(case, request)) {
        return Ok(refusal.into());
    }
    let approvals = approvals(clients);
    Ok(match approvals.snooze(case, by, clock::now()).await? {
        SnoozeOutcome::Snoozed(case, snooze) => {
            approvals.wake(&Waiting::from(&*case)).await;
            Answer::done(AnswerResult::Snoozed, format!("Nobody is asked until {}.", snooze.until))
        }
        SnoozeOutcome::NotTaken(case) => undecidable(&case).unwrap_or_else(Refusal::overtaken).into(),
        SnoozeOutcome::UnknownCase => Refusal::overtaken().into(),
    })
}

fn approvals(clients: &Clients) -> Approvals {
    Approvals::new(clients.cases.clone(), clients.step_functions.clone())
}

/// Why a vote does not count, if so.
fn refusal(
    case: &Case,
    request: &ApprovalRequest,
    by: &Voter,
    policy_unreadable: Option<&String>,
) -> Option<Refusal> {
    undecidable(case)
        .or_else(|| changed(case, request))
        .or_else(|| unknown_person(case, by, policy_unreadable))
}

/// Whether people are asked something else by now than the person has seen.
fn changed(case: &Case, request: &ApprovalRequest) -> Option<Refusal> {
    let seen = case.approval.id == request.approval_id && case.approval.plan_hash == request.plan_hash;
    (!seen).then(Refusal::overtaken)
}

/// Where two people have to decide, somebody who may be either of them cannot.
fn unknown_person(case: &Case, by: &Voter, policy_unreadable: Option<&String>) -> Option<Refusal> {
    (!case.plan.allows(by, case.approval.escalation.is_some())).then(|| {
        let why = match policy_unreadable {
            None => format!(
                "Two people have to decide it, and policy does not say who {by} is in Slack: have it added to \
                 `operators`."
            ),
            Some(why) => format!(
                "Two people have to decide it, and the policy, which says who {by} is in Slack, cannot be read ({why})."
            ),
        };
        Refusal::new("UnknownPerson", why)
    })
}
