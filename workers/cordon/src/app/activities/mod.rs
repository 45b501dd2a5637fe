//! The activities, one file each, named by its stem.
//!
//! Each does one effect, is idempotent, and can be killed at any instant. [`CATALOG`] is what the state machines and
//! Terraform are tested against.

mod advance_round;
mod close_cycle;
mod plan_scans;
mod post_approval;
pub(crate) mod quarantine_object;
mod record_access_finding;
mod report_exposures;
mod report_outcome;
mod rescan_object;
mod restore_object;
mod start_scan;
pub(crate) mod sweep_findings;
mod sync_access_findings;
mod triage_finding;

use std::sync::Arc;

use activity_worker::{Activity, Worker, WorkerSettings};
use cordon_domain::time::Time;
use jiff::SignedDuration;

use crate::{
    app::clients::Clients,
    clock,
    error::{Code, Result},
};

/// How often operators are told of what happens to many cases at once.
const NOTICE_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Whether operators are to be told of something now, by this task: once in a while, and not once a case.
async fn tells_operators(clients: &Clients, of: &str, by: &str) -> Result<bool> {
    let now = clock::now();
    clients.cases.claim_notice(of, by, now, now - NOTICE_EVERY).await
}

/// For how long a cycle has a bucket until the next of its activities begins.
const CLAIM: SignedDuration = SignedDuration::from_hours(1);
/// How often a bucket that stays shared is reported: that costs nothing.
const REPORT_INTERVAL: SignedDuration = SignedDuration::from_hours(24);

/// The time so long from now.
fn later(length: SignedDuration) -> Time {
    clock::now() + length
}

/// An activity's stem, and the terminal codes that it is known to end with.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The stem.
    pub stem: &'static str,
    /// Its own terminal codes; the runtime adds its own, see [`activity_worker`].
    pub terminal: &'static [Code],
}

macro_rules! catalog {
    ($($module:ident :: $activity:ident),+ $(,)?) => {
        /// Every activity.
        pub const CATALOG: &[Entry] = &[$(Entry { stem: $module::$activity::NAME, terminal: $module::TERMINAL }),+];

        /// A worker for every activity.
        pub fn worker(client: aws_sdk_sfn::Client, settings: WorkerSettings, clients: &Arc<Clients>) -> Worker {
            Worker::new(client, settings)$(.with($module::$activity(Arc::clone(clients))))+
        }
    };
}

catalog! {
    triage_finding::TriageFinding,
    post_approval::PostApproval,
    advance_round::AdvanceRound,
    quarantine_object::QuarantineObject,
    report_outcome::ReportOutcome,
    rescan_object::RescanObject,
    restore_object::RestoreObject,
    record_access_finding::RecordAccessFinding,
    sync_access_findings::SyncAccessFindings,
    sweep_findings::SweepFindings,
    plan_scans::PlanScans,
    start_scan::StartScan,
    report_exposures::ReportExposures,
    close_cycle::CloseCycle,
}
