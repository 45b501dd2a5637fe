//! Sums a cycle up.
//!
//! Input / output: the cycle and its plan → the summary.  Effects: summary written to S3, one log line.
//! Idempotency: the cycle; the summary is made from the batches' reports.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use super::report_exposures::reports_prefix;
use crate::{
    clients::Clients,
    domain::time,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct CloseCycle(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    cycle: String,
    plan: Planned,
}

#[derive(Deserialize)]
struct Planned {
    batches: usize,
    scanned: usize,
    reported: usize,
}

#[derive(Serialize)]
pub(super) struct Output {
    cycle: String,
    closed_at: String,
    buckets_scanned: usize,
    buckets_reported: usize,
    batches: usize,
    batches_failed: usize,
}

impl Activity for CloseCycle {
    const NAME: &'static str = "close_cycle";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let reported = match input.plan.batches {
            0 => 0,
            _ => self.0.state.keys(&reports_prefix(&input.cycle)).await?.len(),
        };
        let output = Output {
            closed_at: time::now(),
            buckets_scanned: input.plan.scanned,
            buckets_reported: input.plan.reported,
            batches: input.plan.batches,
            batches_failed: input.plan.batches.saturating_sub(reported),
            cycle: input.cycle,
        };
        let body = serde_json::to_vec(&output).expect("a summary holds plain members");
        self.0.state.put(&format!("cycles/{}/summary.json", output.cycle), body).await?;
        tracing::info!(
            cycle = output.cycle,
            batches = output.batches,
            batches_failed = output.batches_failed,
            buckets_scanned = output.buckets_scanned,
            "cycle closed"
        );
        Ok(output)
    }
}
