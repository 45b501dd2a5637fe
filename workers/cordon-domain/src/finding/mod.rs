//! Macie findings, and the object versions that they are about.

mod document;
mod raw;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::raw::{Lacking, RawAffected, RawDetection, RawFinding};
use super::event::other_than;
use crate::{
    invalid::{Invalid, Result},
    time::Time,
};

/// Exactly one version of one object: what a finding names and what a case is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The account that owns the bucket.
    pub account: String,
    /// The bucket's name.
    pub bucket: String,
    /// The key, raw UTF-8, never URL-encoded.
    pub key: String,
    /// The version id; `None` for the `null` version of a bucket that is unversioned or suspended.
    pub version_id: Option<String>,
    /// The entity tag, without quotes.
    pub etag: String,
}

impl ObjectVersion {
    /// Hex SHA-256 over account, bucket, key, version id (or `null`) and ETag, each with its length in front, so that
    /// no two different objects can run together into one identity.
    pub fn case_id(&self) -> String {
        let mut hash = Sha256::new();
        for part in
            [&self.account, &self.bucket, &self.key, self.version_id.as_deref().unwrap_or("null"), &self.etag]
        {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// An ETag without the quotes that S3 puts around it and Macie does not.
pub fn bare_etag(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// A version id as Macie writes it: `""` for an unversioned bucket
/// (<https://docs.aws.amazon.com/macie/latest/user/findings-publish-event-schemas.html>).
pub fn real_version(version_id: Option<&str>) -> Option<String> {
    version_id.filter(|id| !id.is_empty() && *id != "null").map(str::to_owned)
}

/// Macie's severities, which are exactly three
/// (<https://docs.aws.amazon.com/macie/latest/user/findings-severity.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Score 1.
    Low,
    /// Score 2.
    Medium,
    /// Score 3.
    High,
}

/// As Macie spells it.
impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
        })
    }
}

impl Severity {
    /// From Macie's score.
    pub fn from_score(score: i64) -> Option<Self> {
        match score {
            1 => Some(Self::Low),
            2 => Some(Self::Medium),
            3 => Some(Self::High),
            _ => None,
        }
    }
}

/// A kind of sensitive data, and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// `FINANCIAL_INFORMATION`, …, or `CUSTOM_IDENTIFIER`.
    pub category: String,
    /// The managed identifier's type, or the custom identifier's name.
    pub name: String,
    /// Occurrences.
    pub count: i64,
}

/// That Macie did not read all of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    /// Macie's status: `PARTIAL`, `SKIPPED`.
    pub code: String,
    /// Macie's reason, such as `ARCHIVE_CONTAINS_UNPROCESSED_FILES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Incomplete {
    /// From the status of a finding's classification result; `None` where it is complete, or none is given.
    pub fn of(code: Option<&str>, reason: Option<&str>) -> Option<Self> {
        let given = |text: &&str| !text.is_empty();
        let code = code.filter(given).filter(|code| *code != "COMPLETE")?;
        Some(Self { code: code.to_owned(), reason: reason.filter(given).map(str::to_owned) })
    }
}

/// One sentence for who decides.
impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or(&self.code);
        match self.code.as_str() {
            "PARTIAL" => write!(formatter, "Macie could read only a part of this object ({reason})."),
            "SKIPPED" => write!(formatter, "Macie could not read this object ({reason})."),
            _ => write!(formatter, "Macie does not say that it read all of this object ({reason})."),
        }
    }
}

/// A Macie sensitive-data finding, as far as Cordon decides on it or tells of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The finding's id.
    pub id: String,
    /// For example `SensitiveData:S3Object/Financial`.
    pub finding_type: String,
    /// How severe.
    pub severity: Severity,
    /// Macie's title.
    pub title: String,
    /// The Region of finding and bucket.
    pub region: String,
    /// When it was made.
    pub created_at: Time,
    /// Made by CreateSampleFindings: about no real object.
    pub sample: bool,
    /// Which object.
    pub object: ObjectVersion,
    /// Bytes, when Macie says.
    pub size: Option<i64>,
    /// When the object was last written, as Macie says.
    pub last_modified: Option<Time>,
    /// Whose the object is, as its tag `owner` or that of the bucket says, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What was found.
    pub detections: Vec<Detection>,
    /// What Macie could not read of the object; absent where it read all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Incomplete>,
    /// The discovery job, absent for automated discovery.
    pub job_id: Option<String>,
}

/// What an event from EventBridge is good for: it says that there is a finding. What the finding says is read from
/// Macie, because an event can be forged, late or cut short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingEvent {
    /// The finding's id.
    pub finding_id: String,
}

impl FindingEvent {
    /// Reads the event that Macie publishes, or one that the sweep made.
    ///
    /// # Errors
    /// Saying what is missing.
    pub fn parse(event: &Value) -> Result<Self> {
        let invalid = |what: &str| {
            Invalid(format!(
                "This is not a Macie finding event: {what}. Check the EventBridge rule, or what started this execution."
            ))
        };
        if let Some(other) = other_than(event, "aws.macie", "Macie Finding") {
            return Err(invalid(&other));
        }
        let id = event.pointer("/detail/id").and_then(Value::as_str).unwrap_or_default();
        let well_formed =
            !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !well_formed {
            return Err(invalid("detail.id is missing or is not a finding id"));
        }
        Ok(Self { finding_id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object() -> ObjectVersion {
        ObjectVersion {
            account: "111122223333".into(),
            bucket: "b".into(),
            key: "k".into(),
            version_id: None,
            etag: "e".into(),
        }
    }

    #[test]
    fn an_event_names_its_finding() {
        let event =
            json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": "ba3c7561"}});
        assert_eq!(FindingEvent::parse(&event).unwrap().finding_id, "ba3c7561");
    }

    #[test]
    fn a_malformed_event_is_refused_with_what_is_wrong() {
        for (event, says) in [
            (json!(null), "no source"),
            (json!({"source": "aws.macie2", "detail-type": "Macie Finding"}), "aws.macie2"),
            (json!({"source": "aws.macie", "detail-type": "Macie Finding"}), "detail.id"),
            (
                json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": 7}}),
                "detail.id",
            ),
            (
                json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": "a b"}}),
                "detail.id",
            ),
        ] {
            let error = FindingEvent::parse(&event).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn what_macie_could_not_read_is_one_sentence() {
        let told = |code, reason| Incomplete::of(code, reason).map(|incomplete| incomplete.to_string());
        assert_eq!(
            told(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES")).as_deref(),
            Some("Macie could read only a part of this object (ARCHIVE_CONTAINS_UNPROCESSED_FILES).")
        );
        let skipped = told(Some("SKIPPED"), Some("PERMISSION_DENIED"));
        assert_eq!(skipped.as_deref(), Some("Macie could not read this object (PERMISSION_DENIED)."));
        assert!(told(Some("NEW_STATUS"), None).is_some_and(|told| told.contains("(NEW_STATUS)")));
        for complete in [None, Some(""), Some("COMPLETE")] {
            assert_eq!(told(complete, None), None);
        }
    }

    #[test]
    fn the_empty_version_id_of_an_unversioned_bucket_is_the_null_version() {
        assert_eq!(real_version(Some("")), None);
        assert_eq!(real_version(Some("null")), None);
        assert_eq!(real_version(Some("L4k")), Some("L4k".into()));
    }

    proptest! {
        #[test]
        fn moving_a_character_between_bucket_and_key_makes_another_case(text in "[a-z]{2,20}", cut in 1usize..2) {
            let joined = ObjectVersion { bucket: text[..cut].into(), key: text[cut..].into(), ..object() };
            let moved = ObjectVersion { bucket: text[..cut + 1].into(), key: text[cut + 1..].into(), ..object() };
            prop_assert_ne!(joined.case_id(), moved.case_id());
        }

        #[test]
        fn any_event_is_read_or_refused_without_panic(text in ".{0,200}") {
            let value = serde_json::from_str(&text).unwrap_or(json!({"source": text}));
            let _ = FindingEvent::parse(&value);
        }
    }
}
