//! Goes on after a wait that ended without a decision: wait until a snooze is over, ask again, or let the case expire.
//!
//! Input / output: run and case → `next`: `ask`, `snoozed` with `seconds`, `decided`; and once nobody has decided in
//! the last round `expired`, `ask_again` or `quarantine`, as policy says, with a `notice` for operators. What would be
//! moved beyond the hourly limits, or with versions in which nothing was found, is asked again.
//! Effects: the round's number, or the expiry; a move that policy makes is counted.
//! Idempotency: the round's end in the record says whether it is over; an expiry is written once.
//! Errors: `NotAuthorized` when the case is another run's, or nobody was asked; `AccessDenied`, `RequestRejected`.
//! Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{Case, Decision},
    policy::{Mode, OnExpiry},
    routes::RoundRoute,
    time::Time,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{post_approval::teller, tells_operators};
use crate::{
    app::{clients::Clients, policy_in_force::policy_in_force, rate_limits, unseen_versions},
    clock,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::NotAuthorized, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct AdvanceRound(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    next: RoundRoute,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

impl Output {
    const fn next(next: RoundRoute) -> Self {
        Self { next, seconds: None, notice: None }
    }
}

impl Activity for AdvanceRound {
    const NAME: &'static str = "advance_round";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let case = self.0.cases.get(&input.case_id).await?.ok_or_else(|| {
            Error::terminal(
                Code::RequestRejected,
                "The case of this run is no longer on record; somebody removed it.",
            )
        })?;
        if case.execution_arn != input.execution_arn {
            return Err(Error::terminal(
                Code::NotAuthorized,
                "The case belongs to a newer run, which takes care of it; this run ends here.",
            ));
        }
        match case.decision() {
            // This very task has let it expire before it was repeated.
            Some(Decision::Expired) => return Ok(expired(&case)),
            Some(_) => return Ok(Output::next(RoundRoute::Decided)),
            None => {}
        }
        if let Some(snooze) = &case.approval.snooze {
            return match seconds_until(snooze.until) {
                Some(seconds) => Ok(Output { seconds: Some(seconds), ..Output::next(RoundRoute::Snoozed) }),
                None => self.ask(&case, case.approval.round, RoundRoute::Ask).await,
            };
        }
        // The wait ended before the round did: nobody has decided, so the same round goes on.
        if case.approval.round_ends_at.is_some_and(|ends_at| ends_at > clock::now()) {
            return Ok(Output::next(RoundRoute::Ask));
        }
        if case.approval.round < case.plan.effect.rounds {
            return self.ask(&case, case.approval.round + 1, RoundRoute::Ask).await;
        }
        if case.plan.effect.on_expiry == OnExpiry::AskAgain {
            let asked = self.ask(&case, 1, RoundRoute::AskAgain).await?;
            let notice =
                "Nobody has decided in the last round; people are asked again from the first one on.";
            let told = asked.next == RoundRoute::AskAgain;
            return Ok(Output { notice: told.then(|| about(&case, notice)), ..asked });
        }
        if case.plan.effect.on_expiry == OnExpiry::Leave && !self.0.cases.is_shown(&case.case_id).await? {
            return Err(Error::terminal(
                Code::NotAuthorized,
                format!(
                    "Nobody could decide: Slack never took the message for channel {}. The object stays where it is; mend \
                     the channel or the token, and start the response again.",
                    case.plan.channel
                ),
            ));
        }
        let moves = case.plan.effect.on_expiry == OnExpiry::Quarantine;
        if moves && let Some((about_what, why)) = self.only_by_people(&case).await? {
            let asked = self.ask(&case, 1, RoundRoute::Ask).await?;
            if asked.next != RoundRoute::Ask || !tells_operators(&self.0, about_what, &teller(&case)).await? {
                return Ok(asked);
            }
            let notice = format!(
                "Nobody has decided in time, and policy does not move the object: {why}. People are asked again from \
                 the first round on, in this case and in others like it."
            );
            return Ok(Output { notice: Some(about(&case, &notice)), ..Output::next(RoundRoute::AskAgain) });
        }
        let mac = self.0.macs.generate(&case.expiry_message()).await?;
        match self.0.cases.expire(&case, mac).await?.stands() {
            Some(case) => Ok(expired(&case)),
            None => {
                if moves {
                    rate_limits::give_back(&self.0, &case, &case.execution_arn).await?;
                }
                Ok(Output::next(RoundRoute::Decided))
            }
        }
    }
}

impl AdvanceRound {
    /// Why policy does not move the object by itself now, although nobody has decided, and what operators are told of
    /// once in a while for it. Otherwise the move is counted.
    async fn only_by_people(&self, case: &Case) -> Result<Option<(&'static str, String)>> {
        if let Some(why) = unseen_versions::why_not(&self.0, case).await? {
            return Ok(Some(("unseen_versions", why)));
        }
        Ok(self.over_limits(case).await?.map(|why| ("rate_limit", why)))
    }

    async fn over_limits(&self, case: &Case) -> Result<Option<String>> {
        let policy = match policy_in_force(&self.0.state, &self.0.config.policy_key).await?.policy {
            Ok(policy) => policy,
            Err(why) => return Ok(Some(format!("the policy cannot be read ({why})"))),
        };
        if policy.mode == Mode::Shadow {
            return Ok(Some("it is in shadow mode by now".into()));
        }
        rate_limits::count(&self.0, case, &case.execution_arn, rate_limits::limits(&policy)).await
    }

    async fn ask(&self, case: &Case, round: u32, next: RoundRoute) -> Result<Output> {
        let begun = self.0.cases.begin_round(case, round, self.0.config.round_end()).await?;
        // Otherwise it was decided at this moment, or another worker at this task has begun the round.
        match begun.stands() {
            Some(_) => {
                metrics::counter!("Rounds").increment(1);
                Ok(Output::next(next))
            }
            None => Err(Error::Retryable("the case changed while its round was advanced".into())),
        }
    }
}

fn expired(case: &Case) -> Output {
    let (next, what) = match case.plan.effect.on_expiry {
        OnExpiry::Quarantine => {
            (RoundRoute::Quarantine, "Nobody has decided in time, so policy moves the object.")
        }
        OnExpiry::Leave | OnExpiry::AskAgain => {
            (RoundRoute::Expired, "Nobody has decided in time; the object stays where it is.")
        }
    };
    Output { notice: Some(about(case, what)), ..Output::next(next) }
}

fn about(case: &Case, what: &str) -> String {
    format!("{what} Case {}, bucket {}, rule {}.", case.case_id, case.object().bucket, case.plan.rule)
}

/// Whole seconds from now, rounded up; `None` when the time has come.
fn seconds_until(until: Time) -> Option<u64> {
    let left = until.timestamp().duration_since(Timestamp::now());
    let seconds = u64::try_from(left.as_millis()).ok()?.div_ceil(1_000);
    (seconds > 0).then_some(seconds)
}
