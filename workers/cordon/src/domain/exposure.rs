//! Exposures: who can reach a bucket from outside, joined with what Macie found in it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{access_finding::AccessFinding, case::Case, finding::Finding};

/// What a batch of a cycle is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchKind {
    /// Scan, then report.
    Scan,
    /// Report only: scanned recently, or no longer exposed.
    Report,
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
    /// Which buckets.
    pub buckets: Vec<PlannedBucket>,
}

impl Batch {
    /// The key of the batch's job record.
    pub fn job_record(&self) -> String {
        format!("job#{}#{}", self.cycle, self.number)
    }

    /// The idempotency token of the batch's job: hex SHA-256 of cycle and number, cut to 64 characters.
    pub fn client_token(&self) -> String {
        hex::encode(Sha256::digest(self.job_record()))
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
    pub claimed_until: Option<String>,
    /// How many scans in a row did not read everything.
    #[serde(default)]
    pub incomplete: u32,
}

impl BucketRecord {
    /// How long after such a scan the bucket is due again: at once after the first, then ever later, up to a day.
    pub fn patience(&self) -> SignedDuration {
        const FIRST: SignedDuration = SignedDuration::from_mins(30);
        match self.incomplete {
            0 | 1 => SignedDuration::ZERO,
            n => FIRST.saturating_mul(1 << (n - 2).min(10)).min(SignedDuration::from_hours(24)),
        }
    }
}

/// A Macie job of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// [`Batch::job_record`].
    pub bucket_arn: String,
    /// Macie's id.
    pub job_id: String,
    /// When it was created.
    pub started_at: String,
    /// The token of the wait; a secret.
    #[serde(default)]
    pub task_token: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub finished_at: Option<String>,
    /// Why it did not read everything; absent when it did.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The last complete scan of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScanRecord {
    /// Macie's id.
    pub job_id: String,
    /// When the job was created; what was written later was not seen.
    pub scanned_at: String,
}

/// What Security Hub was last told of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// When the exposure was first reported.
    pub created_at: String,
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
}

impl SensitiveObject {
    /// Joins a finding with the case that answers it.
    pub fn new(finding: Finding, case: Option<&Case>) -> Self {
        let case_status = match case {
            None => "none".into(),
            Some(case) => case.outcome.as_ref().map_or("open", |outcome| outcome.result.name()).to_owned(),
        };
        Self { finding, case_status, case_id: case.map(|case| case.case_id.clone()) }
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

    /// Whether everyone can reach it.
    pub fn is_public(&self) -> bool {
        self.access.iter().any(|finding| finding.is_public == Some(true))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::domain::{access_finding::AccessStatus, finding::Severity, policy::tests::finding};

    #[test]
    fn a_scan_that_stays_incomplete_is_repeated_ever_later() {
        let bucket = |incomplete| BucketRecord {
            bucket_arn: "arn:aws:s3:::finance".into(),
            account: "111122223333".into(),
            revision: 1,
            claimed_by: None,
            claimed_until: None,
            incomplete,
        };
        let minutes = [0, 1, 2, 3, 7, u32::MAX].map(|n| bucket(n).patience().as_mins());
        assert_eq!(minutes, [0, 0, 30, 60, 16 * 60, 24 * 60]);
    }

    pub(crate) fn bucket() -> PlannedBucket {
        PlannedBucket {
            arn: "arn:aws:s3:::finance".into(),
            name: "finance".into(),
            account: "111122223333".into(),
            revision: 1,
        }
    }

    pub(crate) fn access(status: AccessStatus) -> AccessFinding {
        AccessFinding {
            finding_id: "2222".into(),
            bucket_arn: "arn:aws:s3:::finance".into(),
            account: "111122223333".into(),
            status,
            updated_at: "2026-03-11T01:14:07.482Z".into(),
            principal: Some("AWS 999988887777".into()),
            actions: vec!["s3:GetObject".into()],
            is_public: Some(false),
            error: None,
        }
    }

    pub(crate) fn object(key: &str) -> SensitiveObject {
        let mut finding = finding("SensitiveData:S3Object/Financial", Severity::High, "finance");
        finding.object.key = key.into();
        SensitiveObject::new(finding, None)
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
            Batch { cycle: cycle.into(), number, kind: BatchKind::Scan, buckets: vec![] }.client_token()
        };
        assert_ne!(batch("c", 1), batch("c", 2));
        assert_ne!(batch("c#1", 2), batch("c", 12));
        assert_eq!(batch("c", 1).len(), 64);
    }
}
