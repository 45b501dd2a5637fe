//! IAM Access Analyzer findings about buckets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::other_than,
    invalid::{Invalid, Result},
    quoted::quoted,
    time::Time,
};

/// Whether the access that a finding speaks of exists now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AccessStatus {
    /// It does.
    Active,
    /// A person or an archive rule says that it is intended.
    Archived,
    /// It was taken away.
    Resolved,
    /// The finding no longer exists.
    Deleted,
}

/// One finding of external access to a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccessFinding {
    /// The finding's id.
    pub finding_id: String,
    /// The bucket.
    pub bucket_arn: String,
    /// The account that owns the bucket.
    pub account: String,
    /// Whether the access exists.
    pub status: AccessStatus,
    /// When it changed.
    pub updated_at: Time,
    /// Who has access; absent when the analyzer could not say.
    pub principal: Option<String>,
    /// The actions that are allowed.
    pub actions: Vec<String>,
    /// Whether everyone has access; unknown when the analyzer could not say.
    pub is_public: Option<bool>,
    /// Why the analyzer could not analyze the bucket.
    pub error: Option<String>,
}

impl AccessFinding {
    /// Reads an `Access Analyzer Finding` event. `None` for findings that are not about an ordinary bucket.
    ///
    /// # Errors
    /// Saying what is missing.
    pub fn from_event(event: &Value) -> Result<Option<Self>> {
        if let Some(other) = other_than(event, "aws.access-analyzer", "Access Analyzer Finding") {
            return Err(invalid(&other));
        }
        let detail = event.get("detail").ok_or_else(|| invalid("it has no detail"))?;
        let text = |field: &str| {
            detail
                .get(field)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| invalid(&format!("detail.{field} is missing or is not text")))
        };
        if text("resourceType")? != "AWS::S3::Bucket" {
            return Ok(None);
        }
        // Deletion leaves the status as it was, so it is asked first.
        let deleted = detail.get("isDeleted").and_then(Value::as_bool).unwrap_or(false);
        let status = match text("status")?.as_str() {
            _ if deleted => AccessStatus::Deleted,
            "ACTIVE" => AccessStatus::Active,
            "ARCHIVED" => AccessStatus::Archived,
            "RESOLVED" => AccessStatus::Resolved,
            other => {
                return Err(invalid(&format!(
                    "detail.status is {}, not ACTIVE, ARCHIVED or RESOLVED",
                    quoted(other)
                )));
            }
        };
        let bucket_arn = text("resource")?;
        if bucket_name(&bucket_arn).is_none() {
            return Err(invalid(&format!("detail.resource is {}, not a bucket's ARN", quoted(&bucket_arn))));
        }
        Ok(Some(Self {
            finding_id: text("id")?,
            bucket_arn,
            account: text("accountId")?,
            status,
            updated_at: time(&text("updatedAt")?)?,
            principal: detail.get("principal").and_then(principal),
            actions: detail
                .get("action")
                .and_then(Value::as_array)
                .map(|actions| actions.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .unwrap_or_default(),
            is_public: detail.get("isPublic").and_then(Value::as_bool),
            error: detail.get("error").and_then(Value::as_str).map(str::to_owned),
        }))
    }

    /// What orders the states of one finding that its events and lists tell of: the time, and at the same time a
    /// deletion comes last.
    pub fn order(&self) -> String {
        format!("{}#{}", self.updated_at, u8::from(self.status == AccessStatus::Deleted))
    }

    /// Whether somebody outside the zone of trust can reach the bucket, or the analyzer cannot rule it out.
    pub fn is_exposing(&self) -> bool {
        self.status == AccessStatus::Active
    }

    /// Whether a bucket with these findings is exposed. None of them says so only where they are `complete`; otherwise
    /// it is unknown.
    pub fn exposed(findings: &[Self], complete: bool) -> Option<bool> {
        if findings.iter().any(Self::is_exposing) { Some(true) } else { complete.then_some(false) }
    }

    /// Who has access, for a reader.
    pub fn who(&self) -> String {
        match (&self.error, self.is_public, &self.principal) {
            (Some(error), ..) => format!("unknown (the analyzer reports {error})"),
            (None, Some(true), _) => "everyone (public)".into(),
            (None, _, Some(principal)) => match principal.strip_prefix("AWS ") {
                Some(account) if account.bytes().all(|byte| byte.is_ascii_digit()) => {
                    format!("account {account}")
                }
                _ => principal.clone(),
            },
            (None, _, None) => "unknown".into(),
        }
    }
}

/// The bucket's name in `arn:aws:s3:::name`.
pub fn bucket_name(arn: &str) -> Option<&str> {
    let (prefix, name) = arn.split_once(":s3:::")?;
    (prefix.starts_with("arn:") && !name.is_empty() && !name.contains('/')).then_some(name)
}

fn principal(value: &Value) -> Option<String> {
    let mut parts: Vec<String> = value
        .as_object()?
        .iter()
        .filter_map(|(kind, name)| Some(format!("{kind} {}", name.as_str()?)))
        .collect();
    parts.sort();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn time(updated_at: &str) -> Result<Time> {
    updated_at.parse().map_err(|_| {
        invalid(&format!(
            "detail.updatedAt is {}, not a time such as 2026-03-11T09:46:53Z",
            quoted(updated_at)
        ))
    })
}

fn invalid(what: &str) -> Invalid {
    Invalid(format!(
        "This is not an Access Analyzer finding event: {what}. Check the EventBridge rule, or what started this \
             execution."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(status: &str, updated_at: &str, deleted: bool) -> Value {
        json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding", "detail": {
            "id": "2222", "status": status, "resourceType": "AWS::S3::Bucket", "resource": "arn:aws:s3:::b",
            "accountId": "111122223333", "updatedAt": updated_at, "principal": {"AWS": "999988887777"},
            "action": ["s3:GetObject"], "isDeleted": deleted, "isPublic": false}})
    }

    fn read(event: &Value) -> AccessFinding {
        AccessFinding::from_event(event).unwrap().unwrap()
    }

    #[test]
    fn a_deletion_is_seen_although_its_status_says_active() {
        let finding = read(&event("ACTIVE", "2026-03-11T01:14:07.482Z", true));
        assert_eq!(finding.status, AccessStatus::Deleted);
        assert!(!finding.is_exposing());
    }

    #[test]
    fn at_the_same_time_a_deletion_comes_after_the_finding_itself() {
        let time = "2026-03-11T01:14:07Z";
        assert!(read(&event("ACTIVE", time, true)).order() > read(&event("ACTIVE", time, false)).order());
        assert!(
            read(&event("ACTIVE", "2026-03-11T01:14:08Z", false)).order()
                > read(&event("ACTIVE", time, true)).order()
        );
    }

    #[test]
    fn an_error_finding_is_exposing_and_says_that_who_is_unknown() {
        let mut event = event("ACTIVE", "2026-03-11T01:14:07Z", false);
        for field in ["principal", "action", "isPublic"] {
            event["detail"].as_object_mut().unwrap().remove(field);
        }
        event["detail"]["error"] = json!("ACCESS_DENIED");
        let finding = read(&event);
        assert!(finding.is_exposing());
        assert!(finding.who().contains("ACCESS_DENIED"));
    }

    #[test]
    fn that_nobody_can_reach_a_bucket_is_known_only_when_all_findings_are() {
        let active = read(&event("ACTIVE", "2026-03-11T01:14:07Z", false));
        let resolved = read(&event("RESOLVED", "2026-03-11T01:14:08Z", false));
        for complete in [true, false] {
            assert_eq!(AccessFinding::exposed(&[resolved.clone(), active.clone()], complete), Some(true));
        }
        for findings in [&[][..], &[resolved]] {
            assert_eq!(AccessFinding::exposed(findings, true), Some(false));
            assert_eq!(AccessFinding::exposed(findings, false), None);
        }
    }

    #[test]
    fn findings_about_roles_and_directory_buckets_are_none_of_ours() {
        for kind in ["AWS::IAM::Role", "AWS::S3Express::DirectoryBucket"] {
            let mut event = event("ACTIVE", "2026-03-11T01:14:07Z", false);
            event["detail"]["resourceType"] = json!(kind);
            assert_eq!(AccessFinding::from_event(&event).unwrap(), None);
        }
    }

    #[test]
    fn an_event_with_a_wrong_source_is_refused_in_one_clear_sentence() {
        let mut event = event("ACTIVE", "2026-03-11T01:14:07Z", false);
        for (source, says) in [
            (
                json!("access-analyzer.amazonaws.com"),
                r#"its source is "access-analyzer.amazonaws.com", not "aws.access-analyzer""#,
            ),
            (json!(null), "its source is not text"),
        ] {
            event["source"] = source;
            let told = AccessFinding::from_event(&event).unwrap_err().to_string();
            assert!(told.contains(says) && !told.contains("Some(") && !told.contains("None"), "{told}");
        }
        event["source"] = json!("aws.access-analyzer");
        event["detail"]["updatedAt"] = json!("yesterday");
        let told = AccessFinding::from_event(&event).unwrap_err().to_string();
        assert!(told.contains("detail.updatedAt is \"yesterday\", not a time"), "{told}");
        event["detail"]["status"] = json!("a\u{202e}\n");
        let told = AccessFinding::from_event(&event).unwrap_err().to_string();
        assert!(told.contains("detail.status is \"a\u{fffd}\u{fffd}\", not ACTIVE"), "{told}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let mut event = event("ACTIVE", "2026-03-11T01:14:07Z", false);
        event["detail"].as_object_mut().unwrap().remove("accountId");
        assert!(AccessFinding::from_event(&event).unwrap_err().to_string().contains("detail.accountId"));
    }
}
