//! Exposures: who can reach a bucket from outside, joined with what Macie found in it.

pub mod access_finding;
pub mod reported_object;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{case::Case, exposure::access_finding::AccessFinding, finding::Finding};
use crate::time::Time;

variants! {
    /// What a batch of a cycle is for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum BatchKind {
        /// Scan, then report.
        Scan,
        /// Report only: scanned recently, or no longer exposed.
        Report,
    }
}

/// One batch of a plan, small enough to be a state's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The cycle, by the name of its run.
    pub cycle: String,
    /// Counts from 0 within the cycle.
    pub number: u32,
    /// What for.
    pub kind: BatchKind,
    /// When; a job of the batch begins later.
    pub planned_at: Time,
    /// Which buckets.
    pub buckets: Vec<PlannedBucket>,
}

impl Batch {
    /// The key of the batch's job record.
    pub fn job_record(&self) -> String {
        format!("job#{}#{}", self.cycle, self.number)
    }

    /// The idempotency token of the batch's job: hex SHA-256 of cycle, number and buckets. Two installations of an account may
    /// have cycles of one name.
    pub fn client_token(&self) -> String {
        let buckets = self.buckets.iter().flat_map(|bucket| ["\n", &*bucket.arn]);
        hex::encode(Sha256::digest(self.job_record() + &buckets.collect::<String>()))
    }
}

/// A bucket in a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedBucket {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub account: String,
    /// The bucket record's revision when it was planned: later access changes leave it due.
    pub revision: u64,
}

/// The bucket record in `exposures`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// Its ARN.
    pub bucket_arn: String,
    /// Its owner.
    pub account: String,
    /// Counts changes of access.
    #[serde(default)]
    pub revision: u64,
    /// The cycle that works on it.
    #[serde(default)]
    pub claimed_by: Option<String>,
    /// Until when.
    #[serde(default)]
    pub claimed_until: Option<Time>,
    /// The record of a job about it whose findings have not been read.
    #[serde(default)]
    pub unread_job: Option<String>,
    /// How many scans in a row were not made or did not read everything.
    #[serde(default)]
    pub scan_failures: u32,
    /// Until when no new job is made after such a scan, whatever else happens.
    #[serde(default)]
    pub scan_not_before: Option<Time>,
    /// How many times in a row it could not be planned or reported.
    #[serde(default)]
    pub report_failures: u32,
    /// What the last cycle that had it came to.
    #[serde(default)]
    pub result: Option<BucketResult>,
}

impl BucketRecord {
    /// From when on a new job about the bucket may be made: not while its last complete scan, or a job whose findings
    /// are still to be read, is younger than `rescan_interval`, and not while failed scans are backed off from. `None` if it
    /// may be made at any time.
    pub fn next_scan(
        &self,
        complete: Option<&ScanRecord>,
        unread: Option<&JobRecord>,
        rescan_interval: SignedDuration,
    ) -> Option<Time> {
        let begun = complete.map(|scan| scan.scanned_at).max(unread.map(|job| job.started_at));
        begun.map(|begun| begun + rescan_interval).max(self.scan_not_before)
    }
}

/// What a cycle's work on a bucket came to. It is kept so that a task that is done again answers the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketResult {
    /// The cycle.
    pub cycle: String,
    /// Whether the bucket is reachable from outside and holds sensitive data.
    pub exposed: bool,
    /// Why it could not be scanned or reported; absent when it was.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// A terminal error, on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The code's name.
    pub code: String,
    /// One sentence.
    pub cause: String,
}

/// How long something is left alone after it failed so many times in a row: a quarter of an hour, then twice as long
/// each time, up to a day.
pub fn back_off(failures: u32) -> SignedDuration {
    const FIRST: SignedDuration = SignedDuration::from_mins(15);
    let doubled = failures.saturating_sub(1).min(10);
    FIRST.saturating_mul(1 << doubled).min(SignedDuration::from_hours(24))
}

/// A Macie job of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`Batch::job_record`].
    pub bucket_arn: String,
    /// Macie's id.
    pub job_id: String,
    /// When the batch was planned, which is before the job was created.
    pub started_at: Time,
    /// The token of the wait; a secret.
    #[serde(default)]
    pub task_token: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<Time>,
    /// Why it did not read everything; absent when it did.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The last complete scan of a bucket, all findings of which were read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRecord {
    /// Macie's id.
    pub job_id: String,
    /// [`JobRecord::started_at`]; what was written later was not seen.
    pub scanned_at: Time,
}

/// What Security Hub was last told of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// When the exposure was first reported.
    pub created_at: Time,
    /// Whether it is `ACTIVE` or `ARCHIVED` there.
    pub record_state: String,
}

/// One sensitive object in an exposed bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct SensitiveObject {
    /// What Macie found.
    pub finding: Finding,
    /// `open`, an outcome, or `none`.
    pub case_status: String,
    /// The case, if there is one.
    pub case_id: Option<String>,
    /// Why it is listed although the last scan did not find it; absent when it did.
    pub unconfirmed: Option<String>,
}

impl SensitiveObject {
    /// Joins a finding with the case that answers it.
    pub fn new(finding: Finding, case: Option<&Case>) -> Self {
        let case_status = match case {
            None => "none".into(),
            Some(case) => case.outcome().map_or("open", |outcome| outcome.result.name()).to_owned(),
        };
        Self { finding, case_status, case_id: case.map(|case| case.case_id.clone()), unconfirmed: None }
    }
}

/// A bucket that somebody outside can reach and that held sensitive data when it was scanned.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// The bucket's ARN.
    pub bucket_arn: String,
    /// Its name.
    pub bucket: String,
    /// Its owner.
    pub account: String,
    /// Who can reach it; never empty.
    pub access: Vec<AccessFinding>,
    /// What Macie found; never empty.
    pub objects: Vec<SensitiveObject>,
}

impl Exposure {
    /// Joins both sides; `None` unless both have something.
    ///
    /// Of several findings on one object version the newest counts.
    pub fn join(
        bucket: &PlannedBucket,
        access: Vec<AccessFinding>,
        mut objects: Vec<SensitiveObject>,
    ) -> Option<Self> {
        let access: Vec<_> = access.into_iter().filter(AccessFinding::is_exposing).collect();
        objects.sort_by(|a, b| {
            b.finding
                .severity
                .cmp(&a.finding.severity)
                .then_with(|| b.finding.created_at.cmp(&a.finding.created_at))
        });
        let mut seen = std::collections::HashSet::new();
        objects.retain(|object| seen.insert(object.finding.object.case_id()));
        (!access.is_empty() && !objects.is_empty()).then(|| Self {
            bucket_arn: bucket.arn.clone(),
            bucket: bucket.name.clone(),
            account: bucket.account.clone(),
            access,
            objects,
        })
    }

    /// The objects that the last scan did not find, and of which it is not known that they are gone or clean.
    pub fn unconfirmed(&self) -> impl Iterator<Item = (&SensitiveObject, &str)> {
        self.objects.iter().filter_map(|object| Some((object, object.unconfirmed.as_deref()?)))
    }

    /// Whether everyone can reach it.
    pub fn is_public(&self) -> bool {
        self.access.iter().any(|finding| finding.is_public == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposure::access_finding::AccessStatus;
    use crate::fixtures::{access, planned_bucket as bucket, sensitive_object as object, time};

    fn record() -> BucketRecord {
        BucketRecord {
            bucket_arn: "arn:aws:s3:::finance".into(),
            account: "111122223333".into(),
            revision: 1,
            claimed_by: None,
            claimed_until: None,
            unread_job: None,
            scan_failures: 0,
            scan_not_before: None,
            report_failures: 0,
            result: None,
        }
    }

    #[test]
    fn what_fails_is_tried_again_soon_and_then_ever_later_up_to_a_day() {
        let minutes = [1, 2, 3, 7, 8, u32::MAX].map(|failures| back_off(failures).as_mins());
        assert_eq!(minutes, [15, 30, 60, 16 * 60, 24 * 60, 24 * 60]);
    }

    #[test]
    fn no_job_is_made_while_an_earlier_one_counts_or_failures_are_backed_off_from() {
        let (month, at) = (SignedDuration::from_hours(24 * 30), |text| Some(time(text)));
        let scan = ScanRecord { job_id: "j".into(), scanned_at: time("2026-03-01T00:00:00.000Z") };
        let job = JobRecord {
            bucket_arn: "job#c#0".into(),
            job_id: "k".into(),
            started_at: time("2026-03-05T00:00:00.000Z"),
            task_token: None,
            finished_at: None,
            problem: None,
        };
        assert_eq!(
            record().next_scan(None, None, month),
            None,
            "one that was never scanned is scanned at once"
        );
        assert_eq!(record().next_scan(Some(&scan), None, month), at("2026-03-31T00:00:00.000Z"));
        assert_eq!(record().next_scan(Some(&scan), Some(&job), month), at("2026-04-04T00:00:00.000Z"));
        let failed = BucketRecord { scan_not_before: at("2026-05-01T00:00:00.000Z"), ..record() };
        assert_eq!(failed.next_scan(Some(&scan), Some(&job), month), at("2026-05-01T00:00:00.000Z"));
        assert_eq!(failed.next_scan(None, None, month), at("2026-05-01T00:00:00.000Z"));
    }

    #[test]
    fn an_exposure_needs_both_sides() {
        assert!(Exposure::join(&bucket(), vec![access(AccessStatus::Active)], vec![]).is_none());
        assert!(Exposure::join(&bucket(), vec![access(AccessStatus::Resolved)], vec![object("a")]).is_none());
        assert!(Exposure::join(&bucket(), vec![access(AccessStatus::Active)], vec![object("a")]).is_some());
    }

    #[test]
    fn an_object_found_twice_is_listed_once() {
        let joined = Exposure::join(
            &bucket(),
            vec![access(AccessStatus::Active)],
            vec![object("a"), object("a"), object("b")],
        );
        assert_eq!(joined.unwrap().objects.len(), 2);
    }

    #[test]
    fn batches_have_distinct_client_tokens() {
        let batch = |cycle: &str, number| {
            let planned_at = time("2026-03-11T01:14:07.482Z");
            Batch { cycle: cycle.into(), number, kind: BatchKind::Scan, planned_at, buckets: vec![] }
                .client_token()
        };
        assert_ne!(batch("c", 1), batch("c", 2));
        assert_ne!(batch("c#1", 2), batch("c", 12));
        assert_eq!(batch("c", 1).len(), 64);
    }
}
