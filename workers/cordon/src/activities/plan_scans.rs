//! Plans a cycle: which buckets are scanned, which are only reported, which are left alone.
//!
//! Input / output: the cycle → where the plan is and how many batches it has.  Effects: lease taken, due buckets
//! claimed, plan written to S3, lease given back.
//! Idempotency: the cycle; a plan that is there is used as it is, and buckets that this cycle has claimed are its own.
//! Errors: `AccessDenied`, `RequestRejected`; a lease that another cycle holds is retryable.  Undo: claims expire.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    clients::{Clients, s3::BucketTags},
    domain::{
        access_finding::{AccessFinding, bucket_name},
        exposure::{Batch, BatchKind, BucketRecord, PlannedBucket},
        time,
    },
    error::{Code, Error, Result},
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
/// How long planning may take before another cycle may plan.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// What is done about a bucket.
enum Verdict {
    Batch(BatchKind),
    /// Looked at again later.
    Excluded,
}

impl Activity for PlanScans {
    const NAME: &'static str = "plan_scans";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let key = plan_key(&input.cycle);
        let batches = match self.0.state.get(&key).await? {
            Some((bytes, _)) => serde_json::from_slice(&bytes).map_err(|error| {
                Error::terminal(
                    Code::RequestRejected,
                    format!("The plan {key} in the state bucket cannot be read ({error})."),
                )
            })?,
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
        let until = time::stored(Timestamp::now() + LEASE);
        let Some(epoch) = self.0.exposures.take_lease(cycle, &until).await? else {
            return Err(Error::Retryable("another cycle is planning".into()));
        };
        let planned = self.plan(cycle).await;
        if let Ok(batches) = &planned {
            let body = serde_json::to_vec(batches).expect("a plan holds plain members");
            self.0.state.put(key, body).await?;
        }
        self.0.exposures.release_lease(cycle, epoch).await?;
        planned
    }

    async fn plan(&self, cycle: &str) -> Result<Vec<Batch>> {
        let claim_length =
            SignedDuration::try_from(self.0.config.scan_timeout).unwrap_or(SignedDuration::from_hours(24));
        let claimed_until = time::stored(Timestamp::now() + claim_length + SignedDuration::from_hours(1));
        let (mut scan, mut report) = (Vec::new(), Vec::new());
        let mut page = None;
        loop {
            let (due, next) = self.0.exposures.due_buckets(page).await?;
            for bucket in due {
                let Some(name) = bucket_name(&bucket.bucket_arn).map(str::to_owned) else { continue };
                let Some(claimed) =
                    self.0.exposures.claim_bucket(&bucket.bucket_arn, cycle, &claimed_until).await?
                else {
                    continue;
                };
                let planned = PlannedBucket {
                    arn: claimed.bucket_arn.clone(),
                    name,
                    account: claimed.account.clone(),
                    revision: claimed.revision,
                };
                match self.verdict(&planned, &claimed).await? {
                    Verdict::Batch(BatchKind::Scan) => scan.push(planned),
                    Verdict::Batch(BatchKind::Report) => report.push(planned),
                    Verdict::Excluded => {
                        tracing::info!(
                            bucket.name = planned.name,
                            "bucket left alone: it carries the exclusion tag"
                        );
                        let later = self.0.config.next_due();
                        self.0.exposures.settle_bucket(&planned, cycle, Some(&later)).await?;
                    }
                }
            }
            page = next;
            if page.is_none() {
                break;
            }
        }
        let batches = scan
            .chunks(BATCH)
            .map(|buckets| (BatchKind::Scan, buckets))
            .chain(report.chunks(BATCH).map(|buckets| (BatchKind::Report, buckets)));
        Ok((0u32..)
            .zip(batches)
            .map(|(number, (kind, buckets))| Batch {
                cycle: cycle.to_owned(),
                number,
                kind,
                buckets: buckets.to_vec(),
            })
            .collect())
    }

    async fn verdict(&self, bucket: &PlannedBucket, record: &BucketRecord) -> Result<Verdict> {
        let config = &self.0.config;
        if [&config.quarantine_bucket, &config.state_bucket].contains(&&bucket.name) {
            return Ok(Verdict::Excluded);
        }
        let access = self.0.exposures.access(&record.bucket_arn).await?;
        if !access.iter().any(AccessFinding::is_exposing) {
            return Ok(Verdict::Batch(BatchKind::Report));
        }
        match self.0.state.bucket_tags(&bucket.name, &bucket.account).await? {
            BucketTags::Tags(tags) if tags.contains(&config.exclusion_tag) => return Ok(Verdict::Excluded),
            BucketTags::Gone => return Ok(Verdict::Batch(BatchKind::Report)),
            // Tags that may not be read exclude nothing.
            BucketTags::Tags(_) | BucketTags::Unknown => {}
        }
        let window = SignedDuration::try_from(config.reuse_window).unwrap_or(SignedDuration::MAX);
        let oldest = Timestamp::now().saturating_sub(window).map(time::stored).unwrap_or_default();
        let recent =
            self.0.exposures.scan(&record.bucket_arn).await?.is_some_and(|scan| scan.scanned_at > oldest);
        Ok(Verdict::Batch(if recent { BatchKind::Report } else { BatchKind::Scan }))
    }
}
