//! What is done about a click. The record decides, whatever the message in Slack still shows.

use cordon_domain::{
    case::{
        Case, Counted, Decision, Status,
        vote::{Refused, Snooze, Vote, Voter},
    },
    digest, time,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::router::Gateway;
use crate::{
    app::restores::{self, Request},
    clock,
    error::Error,
    slack::{
        blocks::{
            self,
            modal::{self, Opened},
            mrkdwn,
        },
        interactions::{Asks, Click},
    },
    store::Voted,
};

/// What a click came to.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It is on record; the run is to be woken with this token, if it waits already.
    Recorded { token: Option<String> },
    /// The person is asked why, in this modal.
    Asked(Box<Value>),
    /// The modal stays open, with this answer.
    SaysNothing(Value),
    /// Not a request that Slack's own button would make: logged, and not explained.
    Refused(&'static str),
    /// Nothing changes, and the person is told why in private, in this channel.
    Told { channel: String, text: String },
}

/// Judges a click and records what it asks for.
pub(super) async fn judge(gateway: &Gateway, click: &Click) -> Result<Verdict, Error> {
    if click.reason.as_ref().is_some_and(String::is_empty) {
        return Ok(Verdict::SaysNothing(modal::says_nothing()));
    }
    if click.team != gateway.config.common.slack.team_id {
        return Ok(Verdict::Refused("a user of another workspace"));
    }
    if click.asks == Asks::Page {
        let _turn = gateway.turn().await;
        return turn_page(gateway, click).await;
    }
    let seen = match decision(click) {
        Some(decision) => {
            let vote = vote(click, decision, person(click));
            let (approval, channel) = (&click.approval_id, click.by.channel.as_deref());
            let _turn = gateway.turn().await;
            match gateway.cases.vote_unseen(&click.case_id, approval, channel, &vote).await? {
                Voted::Counted(case, _) => return Ok(Verdict::Recorded { token: case.task_token }),
                Voted::Not(case) => case.map(|case| *case),
            }
        }
        None => {
            let _turn = gateway.turn().await;
            gateway.cases.get(&click.case_id).await?
        }
    };
    let Some(case) = seen else { return Ok(Verdict::Refused("an unknown case")) };
    if click.by.channel.as_ref().is_some_and(|channel| !case.is_shown_in(channel)) {
        return Ok(Verdict::Refused("another channel than the case's"));
    }
    if case.approval_id != click.approval_id || case.plan_hash != click.plan_hash {
        return Ok(told(
            &case,
            "This button belongs to an earlier state of the case; look at its newest message.",
        ));
    }
    match click.asks {
        Asks::Restore => {
            let _turn = gateway.turn().await;
            restore(gateway, &case, click).await
        }
        _ => decide(gateway, &case, click).await,
    }
}

/// A digest shows the same page to everybody in the channel, and whoever sees it may turn it.
async fn turn_page(gateway: &Gateway, click: &Click) -> Result<Verdict, Error> {
    let Ok(page) = click.approval_id.parse() else { return Ok(Verdict::Refused("no page")) };
    if !click.case_id.starts_with(digest::PREFIX) {
        return Ok(Verdict::Refused("no digest"));
    }
    let digest = gateway.cases.digest(&click.case_id).await?;
    if !digest.zip(click.by.channel.as_ref()).is_some_and(|(digest, channel)| digest.is_shown_in(channel)) {
        return Ok(Verdict::Refused("an unknown digest, or one of another channel"));
    }
    gateway.cases.turn_page(&click.case_id, page).await?;
    Ok(Verdict::Recorded { token: None })
}

async fn decide(gateway: &Gateway, case: &Case, click: &Click) -> Result<Verdict, Error> {
    if let Some(why) = ended(case) {
        return Ok(told(case, &why));
    }
    // Nobody's turn is kept while Slack is asked.
    let voter = gateway.people.voter(case, &click.team, &click.by.user).await;
    let _turn = gateway.turn().await;
    let voter = match voter {
        Ok(Some(voter)) => voter,
        Ok(None) => {
            return refuse(gateway, case, click, "You are not among the people who may decide this case.")
                .await;
        }
        // That Slack does not say it is no refusal of the person.
        Err(error) => {
            tracing::warn!(error.message = %error, "the members of a user group are not known, so nobody may decide as one");
            return Ok(told(
                case,
                "Slack does not say at the moment who is in the groups that may decide this case, so your click does not \
                 count. Click again in a minute, or decide by `cordon approvals`.",
            ));
        }
    };
    match (decision(click), click.asks) {
        (Some(decision), _) => record(gateway, case, &vote(click, decision, voter)).await,
        (None, Asks::Snooze) => snooze(gateway, case, voter).await,
        (None, _) => Ok(ask_why(
            case,
            click,
            "Dismiss this finding?",
            "stays where it is, and findings about this version of it are not asked about again",
            "Dismiss",
        )),
    }
}

/// What a click is a vote for; `None` where it is no vote, or not yet one.
fn decision(click: &Click) -> Option<Decision> {
    match click.asks {
        Asks::Quarantine => Some(Decision::Quarantine),
        Asks::Dismiss => click.reason.is_some().then_some(Decision::Dismiss),
        Asks::Snooze | Asks::Restore | Asks::Page => None,
    }
}

fn vote(click: &Click, decision: Decision, by: Voter) -> Vote {
    Vote { decision, by, reason: click.reason.clone(), at: clock::now(), plan_hash: click.plan_hash.clone() }
}

/// Who clicked, as themselves.
fn person(click: &Click) -> Voter {
    Voter::Slack { team: click.team.clone(), user: click.by.user.clone(), group: None }
}

async fn record(gateway: &Gateway, case: &Case, vote: &Vote) -> Result<Verdict, Error> {
    Ok(match gateway.cases.vote(case, vote).await? {
        Voted::Counted(case, Counted::Decides) => Verdict::Recorded { token: case.task_token },
        Voted::Counted(..) => Verdict::Recorded { token: None },
        Voted::Not(None) => Verdict::Refused("an unknown case"),
        Voted::Not(Some(case)) => {
            let repeated = "Your vote is on record already; another person has to say the same.".to_owned();
            told(&case, &ended(&case).unwrap_or(repeated))
        }
    })
}

async fn snooze(gateway: &Gateway, case: &Case, by: Voter) -> Result<Verdict, Error> {
    let now = Timestamp::now();
    let until = now.saturating_add(SignedDuration::from_secs(case.plan.snooze_seconds.into()));
    let snooze = Snooze { by, at: time::stored(now), until: time::stored(until.unwrap_or(Timestamp::MAX)) };
    if let Some(case) = gateway.cases.snooze(case, &snooze).await? {
        return Ok(Verdict::Recorded { token: case.task_token });
    }
    Ok(match gateway.cases.get(&case.case_id).await? {
        Some(case) => {
            let changed = "The case has changed in this moment; look at its message.".to_owned();
            told(&case, &ended(&case).unwrap_or(changed))
        }
        None => Verdict::Refused("an unknown case"),
    })
}

/// Restoring is authorised apart from deciding: by the policy in force now.
async fn restore(gateway: &Gateway, case: &Case, click: &Click) -> Result<Verdict, Error> {
    let in_force = gateway.state.policy(&gateway.config.policy_key).await?;
    let restorers = match in_force.policy {
        Ok(policy) => policy.restorers,
        // That it cannot be read is no refusal of the person.
        Err(why) => return Ok(told(case, &policy_unreadable(&why))),
    };
    if !restorers.contains(&click.by.user) {
        let why = "You are not among the people who may have objects back (`restorers` in policy).";
        return refuse(gateway, case, click, why).await;
    }
    let Some(reason) = &click.reason else {
        let what =
            "is copied back to where whoever can read its bucket can read it. The copy in quarantine stays";
        return Ok(ask_why(case, click, "Put it back?", what, "Restore"));
    };
    let request = Request {
        by: format!("slack:{}/{}", click.team, click.by.user),
        reason: reason.clone(),
        replace: false,
        even_if_exposed: false,
    };
    let machine = &gateway.config.object_restore_arn;
    match restores::request(&gateway.cases, &gateway.step_functions, machine, case, request).await? {
        Some(_) => Ok(Verdict::Recorded { token: None }),
        None => Ok(told(
            case,
            "The object is being put back already, or is no longer in quarantine; look at the message.",
        )),
    }
}

fn policy_unreadable(why: &str) -> String {
    format!(
        "The policy, which says who may have objects back, cannot be read ({}). An operator can: `cordon restore`.",
        mrkdwn::escape(why, 500)
    )
}

/// The attempt is put on record, and the person told.
async fn refuse(gateway: &Gateway, case: &Case, click: &Click, why: &str) -> Result<Verdict, Error> {
    let refused = Refused { by: person(click), asked: click.asks.name().to_owned(), at: clock::now() };
    gateway.cases.refuse(case, &refused).await?;
    Ok(told(case, why))
}

fn told(case: &Case, text: &str) -> Verdict {
    Verdict::Told { channel: case.channel().to_owned(), text: text.to_owned() }
}

fn ask_why(case: &Case, click: &Click, title: &str, what: &str, send: &str) -> Verdict {
    let action_id = format!("{}:{}", click.asks.name(), click.approval_id);
    let value = format!("{}:{}", click.case_id, click.plan_hash);
    let explanation = format!("{} {what}.", blocks::case::place(case));
    let opened =
        Opened { action_id: &action_id, value: &value, response_url: click.by.response_url.as_ref() };
    Verdict::Asked(Box::new(modal::why(title, &explanation, send, &opened)))
}

/// Why there is nothing left to decide, if so.
fn ended(case: &Case) -> Option<String> {
    if case.decision.is_some() {
        return Some(format!("Already decided. {}", blocks::case::decider(case)));
    }
    if case.status == Status::Open {
        return None;
    }
    let detail =
        case.outcome.as_ref().map(|outcome| mrkdwn::escape(&outcome.detail, 1_000)).unwrap_or_default();
    Some(format!("This case is closed. {detail}"))
}
