//! Sums a cycle up.
//!
//! Input / output: the cycle and everything its run knows → the summary; `failure`, what the run is to fail with, if one
//! of its steps did.  Effects: summary written to S3, one log line.
//! Idempotency: the cycle; the summary is made from the batches' reports.
//! Errors: `AccessDenied`, `RequestRejected`.  Undo: none.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{failure::Failure, time::Time};
use serde::{Deserialize, Serialize};

use super::report_exposures::reports_prefix;
use crate::{
    app::clients::Clients,
    clock,
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct CloseCycle(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    cycle: String,
    run: Run,
}

#[derive(Deserialize)]
struct Run {
    /// Absent when planning failed.
    plan: Option<Planned>,
    #[serde(default)]
    failed: Failed,
}

#[derive(Default, Deserialize)]
struct Planned {
    batches: usize,
    scanned: usize,
    reported: usize,
}

/// What the steps before this one failed with.
#[derive(Default, Deserialize)]
struct Failed {
    sync: Option<Failure>,
    sweep: Option<Failure>,
    plan: Option<Failure>,
    scan: Option<Failure>,
}

#[derive(Serialize)]
pub(super) struct Output {
    cycle: String,
    closed_at: Time,
    buckets_scanned: usize,
    buckets_reported: usize,
    batches: usize,
    batches_failed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

impl Failed {
    /// All of them as one: the code of the first, and a sentence for each.
    fn as_one(&self) -> Option<Failure> {
        let steps = [
            (&self.sync, "The findings of Access Analyzer were not synced"),
            (&self.sweep, "Macie findings whose event never came were not looked for"),
            (&self.plan, "The scans were not planned"),
            (&self.scan, "The batches were not run"),
        ];
        let mut failed =
            steps.into_iter().filter_map(|(failure, what)| Some((failure.as_ref()?, what))).peekable();
        let code = failed.peek()?.0.code.clone();
        let told = failed.map(|(failure, what)| format!("{what} ({}): {}", failure.code, failure.sentence()));
        Some(Failure { code, cause: told.collect::<Vec<_>>().join(" ") })
    }
}

impl Activity for CloseCycle {
    const NAME: &'static str = "close_cycle";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let plan = input.run.plan.unwrap_or_default();
        let reported = match plan.batches {
            0 => 0,
            _ => self.0.state.keys(&reports_prefix(&input.cycle)).await?.len(),
        };
        let output = Output {
            closed_at: clock::now(),
            buckets_scanned: plan.scanned,
            buckets_reported: plan.reported,
            batches: plan.batches,
            batches_failed: plan.batches.saturating_sub(reported),
            failure: input.run.failed.as_one(),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn failure(failed: Value) -> Option<Failure> {
        let input: Input = serde_json::from_value(json!({"cycle": "c", "run": {"failed": failed}})).unwrap();
        input.run.failed.as_one()
    }

    #[test]
    fn a_cycle_fails_with_its_first_failure_and_tells_them_all() {
        let failure = failure(json!({
            "sweep": {"Error": "RequestRejected", "Cause": "Macie refused."},
            "sync": {"Error": "States.Timeout", "Cause": ""}
        }));
        let failure = failure.unwrap();
        assert_eq!(failure.code, "States.Timeout");
        assert_eq!(
            failure.cause,
            "The findings of Access Analyzer were not synced (States.Timeout): A step ended with States.Timeout. \
             Macie findings whose event never came were not looked for (RequestRejected): Macie refused."
        );
    }

    #[test]
    fn a_cycle_without_failures_does_not_fail() {
        assert_eq!(failure(json!({})), None);
        let input: Input = serde_json::from_value(json!({"cycle": "c", "run": {}})).unwrap();
        assert_eq!(input.run.failed.as_one(), None);
    }
}
