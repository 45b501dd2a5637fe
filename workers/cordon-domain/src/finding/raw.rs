//! A Macie finding as it came, before anything is asked of it. Triage fills it from the API and `cordon policy explain` from
//! JSON, so that both read and refuse the same.

use std::fmt;

use super::{Detection, Finding, Incomplete, ObjectVersion, Severity, bare_etag, real_version};
use crate::quoted::quoted;

/// What a finding says, every member as optional as Macie's API has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawFinding {
    /// `id`.
    pub id: Option<String>,
    /// `type`.
    pub finding_type: Option<String>,
    /// `severity.score`.
    pub score: Option<i64>,
    /// `title`.
    pub title: Option<String>,
    /// `region`.
    pub region: Option<String>,
    /// `createdAt`, in any of Macie's forms.
    pub created_at: Option<String>,
    /// `sample`.
    pub sample: Option<bool>,
    /// `accountId`.
    pub account: Option<String>,
    /// `resourcesAffected`.
    pub affected: RawAffected,
    /// What was found: of managed identifiers first.
    pub detections: Vec<RawDetection>,
    /// `classificationDetails.result.status`: code and reason.
    pub status: (Option<String>, Option<String>),
    /// `classificationDetails.jobId`.
    pub job_id: Option<String>,
}

/// The bucket and the object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawAffected {
    /// The bucket's name.
    pub bucket: Option<String>,
    /// Its tags, key and value.
    pub bucket_tags: Vec<(String, String)>,
    /// The object's key.
    pub key: Option<String>,
    /// Its version.
    pub version_id: Option<String>,
    /// Its entity tag.
    pub etag: Option<String>,
    /// Its bytes.
    pub size: Option<i64>,
    /// When it was last written.
    pub last_modified: Option<String>,
    /// Its tags, key and value.
    pub tags: Vec<(String, String)>,
}

/// A kind of sensitive data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawDetection {
    /// The category; none for a custom identifier.
    pub category: Option<String>,
    /// The type, or the custom identifier's name.
    pub name: Option<String>,
    /// The custom identifier's ARN.
    pub arn: Option<String>,
    /// Occurrences.
    pub count: Option<i64>,
}

/// Why nothing can be done about a finding, to go on after its name: "has no region".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking(String);

impl fmt::Display for Lacking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn required(text: Option<String>, member: &str) -> Result<String, Lacking> {
    given(text).ok_or_else(|| lacks(member))
}

fn lacks(member: &str) -> Lacking {
    Lacking(format!("has no {member}"))
}

impl Finding {
    /// Reads a finding.
    ///
    /// # Errors
    /// The first member that it lacks.
    pub fn from_raw(raw: RawFinding) -> Result<Self, Lacking> {
        let sample = raw.sample.unwrap_or(false);
        let id = required(raw.id, "id")?;
        let finding_type = required(raw.finding_type, "type")?;
        let severity =
            raw.score.and_then(Severity::from_score).ok_or_else(|| lacks("severity of score 1, 2 or 3"))?;
        let region = required(raw.region, "region")?;
        let created_at = required(raw.created_at, "createdAt")?;
        let object = raw.affected;
        // A sample has no real object; only what identifies the case must be there.
        let etag = given(object.etag).or(sample.then(|| "sample".to_owned()));
        let (code, reason) = raw.status;
        Ok(Self {
            id,
            finding_type,
            severity,
            title: raw.title.unwrap_or_default(),
            region,
            created_at: created_at
                .parse()
                .map_err(|_| Lacking(format!("has a createdAt that is no time: {}", quoted(&created_at))))?,
            sample,
            owner: owner(&object.tags).or_else(|| owner(&object.bucket_tags)),
            object: ObjectVersion {
                account: required(raw.account, "accountId")?,
                bucket: required(object.bucket, "resourcesAffected.s3Bucket.name")?,
                key: required(object.key, "resourcesAffected.s3Object.key")?,
                version_id: real_version(object.version_id.as_deref()),
                etag: bare_etag(&required(etag, "resourcesAffected.s3Object.eTag")?).to_owned(),
            },
            size: object.size,
            last_modified: object.last_modified.and_then(|time| time.parse().ok()),
            detections: raw.detections.into_iter().map(RawDetection::read).collect(),
            incomplete: Incomplete::of(code.as_deref(), reason.as_deref()),
            job_id: given(raw.job_id),
        })
    }
}

impl RawDetection {
    fn read(self) -> Detection {
        Detection {
            category: self.category.unwrap_or_else(|| "CUSTOM_IDENTIFIER".into()),
            name: self.name.or(self.arn).unwrap_or_default(),
            count: self.count.unwrap_or_default(),
        }
    }
}

/// The value of the tag `owner`, in any case.
fn owner(tags: &[(String, String)]) -> Option<String> {
    let (_, owner) = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case("owner"))?;
    given(Some(owner.clone()))
}
