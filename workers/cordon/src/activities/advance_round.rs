//! Ends a round of asking: ask again, or let the case expire.
//!
//! Input / output: run and case → `next`: `ask`, `decided` or `expired`.  Effects: the round's number, or the expiry.
//! Idempotency: the round's end in the record says whether it is over; an expiry is written once.
//! Errors: `NotAuthorised` when the case is another run's, or nobody was asked; `AccessDenied`, `RequestRejected`.
//! Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    clients::Clients,
    domain::time,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::NotAuthorised, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct AdvanceRound(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    next: &'static str,
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
                Code::NotAuthorised,
                "The case belongs to a newer run, which takes care of it; this run ends here.",
            ));
        }
        if case.decision.is_some() {
            return Ok(Output { next: "decided" });
        }
        // The wait ended before the round did: nobody has decided, so the same round goes on.
        let over = case.round_ends_at.as_ref().is_none_or(|ends_at| *ends_at <= time::now());
        if !over {
            return Ok(Output { next: "ask" });
        }
        if case.round < case.plan.rounds {
            let begun = self
                .0
                .cases
                .begin_round(&case.case_id, &input.execution_arn, case.round + 1, &self.0.config.round_end())
                .await?;
            return Ok(Output { next: if begun.is_some() { "ask" } else { "decided" } });
        }
        if case.slack_ts.is_none() {
            return Err(Error::terminal(
                Code::NotAuthorised,
                format!(
                    "Nobody could decide: Slack never took the message for channel {}. The object stays where it is; mend \
                     the channel or the token, and start the response again.",
                    case.plan.channel
                ),
            ));
        }
        let expired = self.0.cases.expire(&case.case_id, &input.execution_arn).await?;
        Ok(Output { next: if expired.is_some() { "expired" } else { "decided" } })
    }
}
