//! Begins a round of asking, and shows it in Slack.
//!
//! Input / output: run and case → `posted`, yes or no.  Effects: round and its end written, message posted or brought
//! up to date.
//! Idempotency: the round is counted by `advance_round`, so a second run begins the same one; the message is a
//! function of the record.
//! Errors: `AccessDenied`, `RequestRejected`; Slack's silence is none.  Undo: none.

use std::{sync::Arc, time::Duration};

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    clients::Clients,
    domain::time,
    error::{Code, Error, Result},
    loops::renderer,
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct PostApproval(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    posted: &'static str,
}

/// How long Slack is given before the run goes on; the renderer keeps trying.
const PATIENCE: Duration = Duration::from_secs(60);

impl Activity for PostApproval {
    const NAME: &'static str = "post_approval";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let Some(case) = self.0.cases.get(&input.case_id).await? else {
            return Ok(Output { posted: "no" });
        };
        let round = case.round.max(1);
        let ends_at = match &case.round_ends_at {
            // The round that this very run has begun before it was repeated.
            Some(ends_at) if case.round == round && *ends_at > time::now() => ends_at.clone(),
            _ => self.0.config.round_end(),
        };
        let begun = self.0.cases.begin_round(&input.case_id, &input.execution_arn, round, &ends_at).await?;
        if begun.is_none() {
            return Ok(Output { posted: "no" });
        }
        let posted = tokio::time::timeout(PATIENCE, renderer::render(&self.0, &input.case_id)).await;
        Ok(Output { posted: if matches!(posted, Ok(Ok(true))) { "yes" } else { "no" } })
    }
}
