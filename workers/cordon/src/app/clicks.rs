//! What is done about a click in Slack. The record decides, whatever the message still shows.

use cordon_domain::{
    case::{
        Case, Decision,
        vote::{Undecidable, Vote, Voter},
    },
    request::{RestoreRequest, SlackRequest},
    time::Time,
};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use super::{
    approvals::{Approvals, SnoozeOutcome, VoteOutcome, Waiting},
    approvers,
    restores::{self, NoRestorer},
};
use crate::{
    aws::{queue::Queue, state_bucket::StateBucket, step_functions::StepFunctions},
    clock,
    config::{GatewayConfig, SlackConfig},
    error::Error,
    slack::{
        blocks::{
            self,
            modal::{self, Opened},
            mrkdwn,
        },
        interactions::{Action, Click},
        people::People,
    },
    store::{Cases, keys},
};

/// How many clicks are at the tables at once: a burst must not open a connection for each.
const MAX_CONCURRENCY: usize = 48;

/// Handles clicks.
#[derive(Debug)]
pub struct Clicks {
    cases: Cases,
    approvals: Approvals,
    people: People,
    state: StateBucket,
    /// Where restores are asked for.
    restores_queue: Queue,
    /// The workspace whose people may click.
    slack: SlackConfig,
    policy_key: String,
    turns: Semaphore,
}

/// What a click came to.
#[derive(Debug, PartialEq)]
pub(crate) enum ClickOutcome {
    /// It is on record; [`Clicks::wake`] the execution, if it decides or snoozes a case.
    Recorded(Option<Waiting>),
    /// The person is asked why, in this modal.
    Asked(Box<Value>),
    /// The modal stays open, with this answer.
    EmptyReason(Value),
    /// Not a request that Slack's own button would make: logged, and not explained.
    Refused(&'static str),
    /// Nothing changes, and the person is told why in private, in this channel.
    Told { channel: String, text: String },
}

impl Clicks {
    /// As configured.
    pub(crate) fn new(
        cases: Cases,
        step_functions: StepFunctions,
        people: People,
        state: StateBucket,
        restores_queue: Queue,
        config: &GatewayConfig,
    ) -> Self {
        Self {
            approvals: Approvals::new(cases.clone(), step_functions),
            cases,
            people,
            state,
            restores_queue,
            slack: config.common.slack.clone(),
            policy_key: config.policy_key.clone(),
            turns: Semaphore::new(MAX_CONCURRENCY),
        }
    }

    /// The state bucket, for who wants to know whether it answers.
    pub(crate) fn state(&self) -> &StateBucket {
        &self.state
    }

    /// The cases, likewise.
    pub(crate) fn cases(&self) -> &Cases {
        &self.cases
    }

    /// Wakes the execution that waits for a case.
    pub(crate) async fn wake(&self, waiting: &Waiting) {
        self.approvals.wake(waiting).await;
    }

    /// Whether a click in this channel may be on a button of the case's message: there, or where policy has it.
    async fn is_shown_in(&self, case: &Case, channel: &str) -> Result<bool, Error> {
        Ok(case.plan.channel == channel
            || self.cases.message(&case.case_id).await?.is_some_and(|message| message.is_shown_in(channel)))
    }

    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("it is never closed")
    }
}

/// When a click came, and until when Slack waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Of two votes of a person the one that came later counts, whichever is recorded first.
    pub(crate) came_at: Time,
    pub(crate) due: Instant,
}

/// Judges a click and records what it asks for; `request` is how it came.
pub(crate) async fn handle_click(
    clicks: &Clicks,
    click: &Click,
    request: &SlackRequest,
    timing: Timing,
) -> Result<ClickOutcome, Error> {
    if click.reason.as_ref().is_some_and(String::is_empty) {
        return Ok(ClickOutcome::EmptyReason(modal::says_nothing()));
    }
    if let Err(why) = click.is_of(&clicks.slack) {
        return Ok(ClickOutcome::Refused(why));
    }
    if click.action == Action::Page {
        let _turn = clicks.turn().await;
        return turn_page(clicks, click).await;
    }
    let turn = clicks.turn().await;
    if let Some(decision) = decision(click) {
        let vote = vote_of(click, decision, person(click), timing.came_at);
        let (approval, channel) = (&click.approval_id, click.by.channel.as_deref());
        let recorded = clicks.approvals.vote_unseen(&click.case_id, approval, channel, &vote).await?;
        if recorded.is_some() {
            return Ok(ClickOutcome::Recorded(recorded));
        }
    }
    let Some(case) = clicks.cases.get(&click.case_id).await? else {
        return Ok(ClickOutcome::Refused("an unknown case"));
    };
    if let Some(channel) = &click.by.channel
        && !clicks.is_shown_in(&case, channel).await?
    {
        return Ok(ClickOutcome::Refused("another channel than the case's"));
    }
    drop(turn);
    if is_of_an_earlier_state(&case, click) {
        return Ok(told(&case, click, EARLIER_STATE));
    }
    match click.action {
        Action::Restore => {
            let _turn = clicks.turn().await;
            restore(clicks, &case, click, request).await
        }
        _ => decide(clicks, &case, click, timing).await,
    }
}

pub(crate) const EARLIER_STATE: &str =
    "This button belongs to an earlier state of the case; look at its newest message.";

/// Whether a button was shown before the case was asked about as it is now.
pub(crate) fn is_of_an_earlier_state(case: &Case, click: &Click) -> bool {
    case.approval.id != click.approval_id || case.approval.plan_hash != click.plan_hash
}

/// A digest shows the same page to everybody in the channel, and whoever sees it may turn it.
async fn turn_page(clicks: &Clicks, click: &Click) -> Result<ClickOutcome, Error> {
    let Ok(page) = click.approval_id.parse() else { return Ok(ClickOutcome::Refused("no page")) };
    if !click.case_id.starts_with(keys::DIGEST) {
        return Ok(ClickOutcome::Refused("no digest"));
    }
    let digest = clicks.cases.digest(&click.case_id).await?;
    if !digest
        .zip(click.by.channel.as_ref())
        .is_some_and(|(digest, channel)| digest.message.is_shown_in(channel))
    {
        return Ok(ClickOutcome::Refused("an unknown digest, or one of another channel"));
    }
    clicks.cases.turn_page(&click.case_id, page).await?;
    Ok(ClickOutcome::Recorded(None))
}

async fn decide(clicks: &Clicks, case: &Case, click: &Click, timing: Timing) -> Result<ClickOutcome, Error> {
    if let Some(why) = why_undecidable(case) {
        return Ok(told(case, click, &why));
    }
    // Nobody's turn is kept while Slack is asked.
    let voter = approvers::voter(&clicks.people, case, &click.team, &click.by.user, timing.due).await;
    let voter = match voter {
        Ok(Some(voter)) => voter,
        Ok(None) => {
            let _turn = clicks.turn().await;
            return refuse(clicks, case, click, "You are not among the people who may decide this case.")
                .await;
        }
        // That Slack does not say it is no refusal of the person.
        Err(error) => {
            tracing::warn!(error.message = %error, "the members of a user group are not known, so nobody may decide as one");
            return Ok(told(
                case,
                click,
                "Slack does not say at the moment who is in the groups that may decide this case, so your click does not \
                 count. Click again in a minute, or decide by `cordon approvals`.",
            ));
        }
    };
    let _turn = clicks.turn().await;
    match (decision(click), click.action) {
        (Some(decision), _) => {
            vote(clicks, case, click, &vote_of(click, decision, voter, timing.came_at)).await
        }
        (None, Action::Snooze) => snooze(clicks, case, click, voter).await,
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
    match click.action {
        Action::Quarantine => Some(Decision::Quarantine),
        Action::Dismiss => click.reason.is_some().then_some(Decision::Dismiss),
        Action::Snooze | Action::Restore | Action::Page => None,
    }
}

fn vote_of(click: &Click, decision: Decision, by: Voter, at: Time) -> Vote {
    let (reason, plan_hash) = (click.reason.clone(), click.plan_hash.clone());
    Vote { decision, by, reason, at, plan_hash, mac: None }
}

/// Who clicked, as themselves.
fn person(click: &Click) -> Voter {
    Voter::Slack { team: click.team.clone(), user: click.by.user.clone(), group: None }
}

async fn vote(clicks: &Clicks, case: &Case, click: &Click, vote: &Vote) -> Result<ClickOutcome, Error> {
    Ok(match clicks.approvals.vote(case, vote).await? {
        VoteOutcome::Decided(case) => ClickOutcome::Recorded(Some(Waiting::from(&*case))),
        VoteOutcome::Counted(_) => ClickOutcome::Recorded(None),
        VoteOutcome::Repeated => {
            told(case, click, "Your vote is on record already; another person has to say the same.")
        }
        VoteOutcome::Superseded => told(case, click, "A newer vote of yours is on record."),
        VoteOutcome::TooMany => told(case, click, "You have voted too often on this; your last vote counts."),
        VoteOutcome::NotTaken(case) => told(&case, click, &why_not_taken(&case)),
        VoteOutcome::UnknownCase => ClickOutcome::Refused("an unknown case"),
    })
}

async fn snooze(clicks: &Clicks, case: &Case, click: &Click, by: Voter) -> Result<ClickOutcome, Error> {
    Ok(match clicks.approvals.snooze(case, by, clock::now()).await? {
        SnoozeOutcome::Snoozed(case, _) => ClickOutcome::Recorded(Some(Waiting::from(&*case))),
        SnoozeOutcome::NotTaken(case) => told(&case, click, &why_not_taken(&case)),
        SnoozeOutcome::UnknownCase => ClickOutcome::Refused("an unknown case"),
    })
}

/// Restoring is authorized apart from deciding: by the policy in force now. The worker records it, and verifies and judges
/// the request again, because it alone vouches for what is put back.
async fn restore(
    clicks: &Clicks,
    case: &Case,
    click: &Click,
    request: &SlackRequest,
) -> Result<ClickOutcome, Error> {
    match restores::no_restorer(&clicks.state, &clicks.policy_key, &click.by.user).await? {
        None => {}
        Some(why @ NoRestorer::PolicyUnreadable(_)) => return Ok(told(case, click, &why_no_restorer(&why))),
        Some(why @ NoRestorer::NotNamed) => return refuse(clicks, case, click, &why_no_restorer(&why)).await,
    }
    if click.reason.is_none() {
        let what =
            "is copied back to where whoever can read its bucket can read it. The copy in quarantine stays";
        return Ok(ask_why(case, click, "Put it back?", what, "Restore"));
    }
    if restores::refusal(case, None).is_some() {
        return Ok(told(
            case,
            click,
            "The object is being put back already, or is no longer in quarantine; look at the message.",
        ));
    }
    let request = RestoreRequest::Slack(request.clone());
    let message = serde_json::to_string(&request).expect("it holds only text");
    clicks.restores_queue.send(&message).await?;
    Ok(ClickOutcome::Recorded(None))
}

/// What a person is told who may not have objects put back.
pub(crate) fn why_no_restorer(why: &NoRestorer) -> String {
    match why {
        NoRestorer::NotNamed => {
            "You are not among the people who may have objects back (`restorers` in policy).".into()
        }
        NoRestorer::PolicyUnreadable(why) => format!(
            "The policy, which says who may have objects back, cannot be read ({}). An operator can: `cordon restore`.",
            mrkdwn::escape(why, 500)
        ),
    }
}

/// The attempt is put on record, and the person told.
async fn refuse(clicks: &Clicks, case: &Case, click: &Click, why: &str) -> Result<ClickOutcome, Error> {
    clicks.approvals.refuse(case, person(click), click.action.name()).await?;
    Ok(told(case, click, why))
}

/// The person is told where they have clicked, as far as that is known.
fn told(case: &Case, click: &Click, text: &str) -> ClickOutcome {
    let channel = click.by.channel.as_ref().unwrap_or(&case.plan.channel);
    ClickOutcome::Told { channel: channel.clone(), text: text.to_owned() }
}

fn ask_why(case: &Case, click: &Click, title: &str, what: &str, send: &str) -> ClickOutcome {
    let action_id = format!("{}:{}", click.action.name(), click.approval_id);
    let value = format!("{}:{}", click.case_id, click.plan_hash);
    let explanation = format!("{} {what}.", blocks::case::place(case));
    let opened =
        Opened { action_id: &action_id, value: &value, response_url: click.by.response_url.as_ref() };
    ClickOutcome::Asked(Box::new(modal::why(title, &explanation, send, &opened)))
}

fn why_not_taken(case: &Case) -> String {
    let changed = "The case has changed in this moment; look at its message.";
    why_undecidable(case).unwrap_or_else(|| changed.into())
}

/// Why there is nothing left to decide, if so.
fn why_undecidable(case: &Case) -> Option<String> {
    Some(match case.undecidable()? {
        Undecidable::Decided(_) => format!("Already decided. {}", blocks::case::decider(case)),
        Undecidable::Closed => {
            let detail = case.outcome().map(|outcome| mrkdwn::escape(&outcome.detail, 1_000));
            format!("This case is closed. {}", detail.unwrap_or_default())
        }
        Undecidable::NobodyIsAsked => {
            format!("Nobody is asked about this case. {}", blocks::case::decider(case))
        }
    })
}
