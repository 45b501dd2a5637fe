//! Macie findings, and the object versions that they are about.

mod document;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};

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
    /// When it was made, as [`super::time::stored`].
    pub created_at: String,
    /// Made by CreateSampleFindings: about no real object.
    pub sample: bool,
    /// Which object.
    pub object: ObjectVersion,
    /// Bytes, when Macie says.
    pub size: Option<i64>,
    /// When the object was last written, as Macie says.
    pub last_modified: Option<String>,
    /// Whose the object is, as its tag `owner` or that of the bucket says, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What was found.
    pub detections: Vec<Detection>,
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
    /// `InvalidFinding`, saying what is missing.
    pub fn parse(event: &Value) -> Result<Self> {
        let invalid = |what: String| {
            Error::terminal(
                Code::InvalidFinding,
                format!(
                    "This is not a Macie finding event: {what}. Check the EventBridge rule or whoever started this run."
                ),
            )
        };
        for (field, expected) in [("source", "aws.macie"), ("detail-type", "Macie Finding")] {
            match event.get(field).and_then(Value::as_str) {
                Some(value) if value == expected => {}
                Some(value) => return Err(invalid(format!("its {field} is {value:?}, not {expected:?}"))),
                None => return Err(invalid(format!("it has no {field}"))),
            }
        }
        let id = event.pointer("/detail/id").and_then(Value::as_str).unwrap_or_default();
        let well_formed =
            !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !well_formed {
            return Err(invalid("detail.id is missing or is not a finding id".into()));
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
            assert_eq!(error.code(), Some(Code::InvalidFinding));
            assert!(error.to_string().contains(says), "{error}");
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
