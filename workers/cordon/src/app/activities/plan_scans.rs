//! Plans a cycle: which buckets are scanned, which are only reported, which are left alone.
//!
//! Input / output: the cycle → where the plan is and how many batches it has.  Effects: lease taken, due buckets
//! claimed, plan written to S3, lease given back.
//! Idempotency: the cycle; a plan that is there is used as it is, and buckets that this cycle has claimed are its own.
//! Errors: `AccessDenied`, `RequestRejected`; a lease that another cycle holds is retryable. A bucket that cannot be
//! planned is left out, and is due again after a delay that grows up to a day.  Undo: a plan that fails for good gives
//! claims and lease back; otherwise they expire.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::exposure::{
    Batch, BatchKind, BucketRecord, BucketResult, Failure, PlannedBucket,
    access_finding::{AccessFinding, bucket_name},
    back_off,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{CLAIM, REPORT_INTERVAL, later};
use crate::{
    app::clients::Clients,
    aws::state_bucket::BucketTags,
    clock,
    error::{Code, Error, Result},
    store::Settlement,
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct PlanScans(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    cycle: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    bucket: String,
    key: String,
    batches: usize,
    scanned: usize,
    reported: usize,
}

/// A job takes up to 1,000 buckets
/// (<https://docs.aws.amazon.com/macie/latest/user/macie-quotas.html>); fewer keep a failed batch small.
const BATCH: usize = 50;
/// As many as the state machine works on at once: what is planned begins before its claim expires. The other buckets
/// stay due.
const MAX_BATCHES: usize = 40;
/// How long planning may take before another cycle may plan.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// What is done about a bucket.
enum Decision {
    Batch(BatchKind),
    /// It carries the exclusion tag, or is Cordon's own; looked at again later.
    Excluded,
    /// It cannot be told: that is the bucket's trouble and not the plan's.
    Unknown(Error),
}

/// The buckets of a plan in the making.
#[derive(Default)]
struct Plan {
    scan: Vec<PlannedBucket>,
    /// Those whose last scan failed. A job's errors are told for all its buckets at once: alone, a bucket that cannot be
    /// read costs the others no second scan.
    scan_alone: Vec<PlannedBucket>,
    report: Vec<PlannedBucket>,
}

impl Plan {
    fn is_full(&self) -> bool {
        self.batches().count() >= MAX_BATCHES
    }

    fn batches(&self) -> impl Iterator<Item = (BatchKind, &[PlannedBucket])> {
        let scans = self.scan.chunks(BATCH).chain(self.scan_alone.chunks(1));
        let reports = self.report.chunks(BATCH).map(|buckets| (BatchKind::Report, buckets));
        scans.map(|buckets| (BatchKind::Scan, buckets)).chain(reports)
    }
}

impl Activity for PlanScans {
    const NAME: &'static str = "plan_scans";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let key = plan_key(&input.cycle);
        let batches = match self.0.state.get(&key).await? {
            Some(object) => {
                // Whoever wrote it may have ended before the lease was given back.
                self.0.exposures.release_lease(&input.cycle, None).await?;
                serde_json::from_slice(&object.bytes).map_err(|error| {
                    Error::terminal(
                        Code::RequestRejected,
                        format!("The plan {key} in the state bucket cannot be read ({error})."),
                    )
                })?
            }
            None => self.plan_under_lease(&input.cycle, &key).await?,
        };
        let count = |kind| {
            batches.iter().filter(|batch: &&Batch| batch.kind == kind).map(|batch| batch.buckets.len()).sum()
        };
        Ok(Output {
            bucket: self.0.state.bucket().to_owned(),
            key,
            scanned: count(BatchKind::Scan),
            reported: count(BatchKind::Report),
            batches: batches.len(),
        })
    }
}

/// Where the plan of a cycle is.
pub(super) fn plan_key(cycle: &str) -> String {
    format!("cycles/{cycle}/plan.json")
}

impl PlanScans {
    async fn plan_under_lease(&self, cycle: &str, key: &str) -> Result<Vec<Batch>> {
        let until = later(LEASE);
        let Some(epoch) = self.0.exposures.take_lease(cycle, until).await? else {
            return Err(Error::Retryable("another cycle is planning".into()));
        };
        let planned = self.plan_and_write(cycle, key).await;
        // An attempt that may succeed when it is repeated finds its own claims and its own lease.
        if !matches!(planned, Err(Error::Retryable(_))) {
            if planned.is_err()
                && let Err(error) = self.0.exposures.release_buckets(cycle).await
            {
                tracing::error!(cycle, error.message = %error, "buckets of a failed plan stay claimed for an hour");
            }
            let released = self.0.exposures.release_lease(cycle, Some(epoch)).await;
            return planned.and_then(|batches| released.map(|()| batches));
        }
        planned
    }

    async fn plan_and_write(&self, cycle: &str, key: &str) -> Result<Vec<Batch>> {
        let planned_at = clock::now();
        let plan = self.plan(cycle).await?;
        let batches: Vec<_> = (0u32..)
            .zip(plan.batches())
            .map(|(number, (kind, buckets))| Batch {
                cycle: cycle.to_owned(),
                number,
                kind,
                planned_at,
                buckets: buckets.to_vec(),
            })
            .collect();
        let body = serde_json::to_vec(&batches).expect("a plan holds plain members");
        self.0.state.put(key, body).await?;
        Ok(batches)
    }

    async fn plan(&self, cycle: &str) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut page = None;
        loop {
            let (due, next) = self.0.exposures.due_buckets(page).await?;
            for bucket in due {
                if plan.is_full() {
                    return Ok(plan);
                }
                let Some(name) = bucket_name(&bucket.bucket_arn).map(str::to_owned) else { continue };
                let claimed = self.0.exposures.claim_bucket(&bucket.bucket_arn, cycle, later(CLAIM)).await?;
                let Some(claimed) = claimed else { continue };
                let planned = PlannedBucket {
                    arn: claimed.bucket_arn.clone(),
                    name,
                    account: claimed.account.clone(),
                    revision: claimed.revision,
                };
                self.add(&mut plan, cycle, planned, &claimed).await?;
            }
            page = next;
            if page.is_none() {
                return Ok(plan);
            }
        }
    }

    /// Adds a bucket to the plan, or leaves it alone until later.
    async fn add(
        &self,
        plan: &mut Plan,
        cycle: &str,
        bucket: PlannedBucket,
        record: &BucketRecord,
    ) -> Result<()> {
        let (failure, next_due) = match self.decide(&bucket, record).await {
            Ok(Decision::Batch(BatchKind::Report)) => {
                plan.report.push(bucket);
                return Ok(());
            }
            Ok(Decision::Batch(BatchKind::Scan)) => {
                let list = if record.scan_failures > 0 { &mut plan.scan_alone } else { &mut plan.scan };
                list.push(bucket);
                return Ok(());
            }
            Ok(Decision::Excluded) => {
                tracing::info!(bucket.name = bucket.name, "bucket left alone: it carries the exclusion tag");
                (None, later(REPORT_INTERVAL))
            }
            Ok(Decision::Unknown(error)) | Err(error @ Error::Terminal { .. }) => {
                tracing::error!(bucket.name = bucket.name, error.message = %error, "bucket not planned");
                (Some(Failure::from(&error)), later(back_off(record.report_failures.saturating_add(1))))
            }
            Err(error) => return Err(error),
        };
        let report_failures = if failure.is_some() { record.report_failures.saturating_add(1) } else { 0 };
        let result = BucketResult { cycle: cycle.to_owned(), exposed: false, failure };
        let settlement = Settlement { result, report_failures, next_due: Some(next_due) };
        self.0.exposures.settle_bucket(&bucket, &settlement).await
    }

    async fn decide(&self, bucket: &PlannedBucket, record: &BucketRecord) -> Result<Decision> {
        let (config, exposures) = (&self.0.config, &self.0.exposures);
        if [&config.quarantine_bucket, &config.state_bucket].contains(&&bucket.name) {
            return Ok(Decision::Excluded);
        }
        let access = exposures.access(&bucket.arn).await?;
        if !access.iter().any(AccessFinding::is_exposing) {
            return Ok(Decision::Batch(BatchKind::Report));
        }
        match self.0.state.bucket_tags(&bucket.name, &bucket.account).await {
            Ok(BucketTags::Tags(tags)) if tags.contains(&config.exclusion_tag) => {
                return Ok(Decision::Excluded);
            }
            Ok(BucketTags::Gone) => return Ok(Decision::Batch(BatchKind::Report)),
            // Tags that may not be read exclude nothing.
            Ok(BucketTags::Tags(_) | BucketTags::Unknown) => {}
            Err(error) => return Ok(Decision::Unknown(error)),
        }
        let scan = exposures.scan(&bucket.arn).await?;
        let job = match &record.unread_job {
            Some(job) => exposures.job(job).await?,
            None => None,
        };
        let next_scan = record.next_scan(scan.as_ref(), job.as_ref(), config.rescan_interval);
        let is_due = next_scan.is_none_or(|next_scan| next_scan <= clock::now());
        Ok(Decision::Batch(if is_due { BatchKind::Scan } else { BatchKind::Report }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(count: usize) -> Vec<PlannedBucket> {
        let bucket = |n| PlannedBucket {
            arn: format!("arn:aws:s3:::b{n}"),
            name: format!("b{n}"),
            account: "111122223333".into(),
            revision: 1,
        };
        (0..count).map(bucket).collect()
    }

    #[test]
    fn a_bucket_whose_scan_failed_has_a_job_of_its_own() {
        let plan = Plan { scan: buckets(BATCH + 1), scan_alone: buckets(2), report: buckets(1) };
        let sizes: Vec<_> = plan.batches().map(|(kind, buckets)| (kind, buckets.len())).collect();
        let scan = |size| (BatchKind::Scan, size);
        assert_eq!(sizes, [scan(BATCH), scan(1), scan(1), scan(1), (BatchKind::Report, 1)]);
    }

    #[test]
    fn a_plan_is_full_when_the_state_machine_works_on_all_of_it_at_once() {
        let machine = include_str!("../../../../../statemachines/exposure_cycle.asl.json");
        assert!(machine.contains(&format!("\"MaxConcurrency\": {MAX_BATCHES},")));
        let plan = |alone| Plan { scan_alone: buckets(alone), ..Plan::default() };
        assert!(!plan(MAX_BATCHES - 1).is_full() && plan(MAX_BATCHES).is_full());
    }
}
