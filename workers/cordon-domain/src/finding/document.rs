//! Reads findings from files: as EventBridge brings them, as `aws macie2 get-findings` prints them, or bare; one or
//! several.
//!
//! For people who ask what a policy would do. The worker never reads them: it asks Macie.

use serde_json::Value;

use super::{Finding, FindingEvent, RawAffected, RawDetection, RawFinding};
use crate::invalid::{Invalid, Result};

impl Finding {
    /// The findings of a text, each as a document of its own: one, a list, what `aws macie2 get-findings` prints, or
    /// several of these one after the other, as lines of a log are.
    ///
    /// # Errors
    /// Where the text is not JSON.
    pub fn documents(text: &str) -> serde_json::Result<Vec<Value>> {
        let mut all = Vec::new();
        for document in serde_json::Deserializer::from_str(text).into_iter() {
            add(document?, &mut all);
        }
        Ok(all)
    }

    /// Reads the finding of one document; `None` for a policy finding, which is about no object. An event has to be one
    /// that starts a response.
    ///
    /// # Errors
    /// Saying what is missing.
    pub fn from_document(document: &Value) -> Result<Option<Self>> {
        let is_event = ["source", "detail-type", "detail"].iter().any(|field| document.get(field).is_some());
        let finding = match document.get("detail") {
            _ if !is_event => document,
            detail => {
                FindingEvent::parse(document)?;
                detail.unwrap_or(&Value::Null)
            }
        };
        if finding.get("category").and_then(Value::as_str) == Some("POLICY") {
            return Ok(None);
        }
        Finding::from_raw(raw(finding)).map(Some).map_err(|lacking| invalid(&lacking.to_string()))
    }
}

/// Adds a document, or those that it lists.
fn add(document: Value, all: &mut Vec<Value>) {
    match document {
        Value::Array(documents) => documents.into_iter().for_each(|document| add(document, all)),
        Value::Object(mut members) if members.get("findings").is_some_and(Value::is_array) => {
            add(members["findings"].take(), all);
        }
        document => all.push(document),
    }
}

/// The members of a document, whatever their types: what is of another type is as good as missing.
fn raw(finding: &Value) -> RawFinding {
    let text = |pointer: &str| finding.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let object = |member: &str| text(&format!("/resourcesAffected/s3Object/{member}"));
    let tags = |of: &str| pairs(finding.pointer(&format!("/resourcesAffected/{of}/tags")));
    RawFinding {
        id: text("/id"),
        finding_type: text("/type"),
        score: finding.pointer("/severity/score").and_then(Value::as_i64),
        title: text("/title"),
        region: text("/region"),
        created_at: text("/createdAt"),
        sample: finding.get("sample").and_then(Value::as_bool),
        account: text("/accountId"),
        affected: RawAffected {
            bucket: text("/resourcesAffected/s3Bucket/name"),
            bucket_tags: tags("s3Bucket"),
            key: object("key"),
            version_id: object("versionId"),
            // The event spells it in lower case, the API does not.
            etag: object("eTag").or(object("etag")),
            size: finding.pointer("/resourcesAffected/s3Object/size").and_then(Value::as_i64),
            last_modified: object("lastModified"),
            tags: tags("s3Object"),
        },
        detections: detections(finding),
        status: (
            text("/classificationDetails/result/status/code"),
            text("/classificationDetails/result/status/reason"),
        ),
        job_id: text("/classificationDetails/jobId"),
    }
}

fn pairs(tags: Option<&Value>) -> Vec<(String, String)> {
    let tags = tags.and_then(Value::as_array).into_iter().flatten();
    tags.filter_map(|tag| Some((tag["key"].as_str()?.to_owned(), tag["value"].as_str()?.to_owned())))
        .collect()
}

fn detections(finding: &Value) -> Vec<RawDetection> {
    let list = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_array).cloned();
    let result = "/classificationDetails/result";
    let text = |found: &Value, member: &str| found[member].as_str().map(str::to_owned);
    let mut all = Vec::new();
    for item in list(finding, &format!("{result}/sensitiveData")).unwrap_or_default() {
        let found = list(&item, "/detections").unwrap_or_default();
        all.extend(found.iter().map(|found| RawDetection {
            category: Some(text(&item, "category").unwrap_or_default()),
            name: text(found, "type"),
            arn: None,
            count: found["count"].as_i64(),
        }));
    }
    let custom = list(finding, &format!("{result}/customDataIdentifiers/detections")).unwrap_or_default();
    all.extend(custom.iter().map(|found| RawDetection {
        category: None,
        name: text(found, "name"),
        arn: text(found, "arn"),
        count: found["count"].as_i64(),
    }));
    all
}

fn invalid(what: &str) -> Invalid {
    Invalid(format!(
        "This is not a Macie finding: it {what}. Expected is one finding, as an EventBridge event has it or as `aws \
             macie2 get-findings` prints it."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::finding::Incomplete;

    fn document() -> Value {
        json!({"id": "d5a83c6d", "accountId": "444455556666", "region": "us-east-1",
            "type": "SensitiveData:S3Object/Multiple", "title": "t", "severity": {"score": 3, "description": "High"},
            "createdAt": "2026-03-11T09:46:53Z", "category": "CLASSIFICATION", "sample": false,
            "resourcesAffected": {"s3Bucket": {"name": "finance"}, "s3Object": {"key": "2026 Sourcing.csv",
                "lastModified": "2026-03-11T09:02:17+00:00", "versionId": "", "size": 4750, "etag": "6bb7"}},
            "classificationDetails": {"jobId": null, "result": {
                "sensitiveData": [{"category": "FINANCIAL_INFORMATION", "totalCount": 30, "detections": [
                    {"type": "CREDIT_CARD_NUMBER", "count": 30}]}],
                "customDataIdentifiers": {"totalCount": 2, "detections": [{"arn": "0e8e", "name": "Employee id", "count": 2}]}}}})
    }

    #[test]
    fn a_finding_is_the_same_from_an_event_from_the_api_and_bare() {
        let bare = document();
        let mut api = document();
        let object = &mut api["resourcesAffected"]["s3Object"];
        object["eTag"] = object["etag"].take();
        let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": bare});
        let expected = Finding::from_document(&bare).unwrap().unwrap();
        assert_eq!((expected.object.bucket.as_str(), expected.object.etag.as_str()), ("finance", "6bb7"));
        assert_eq!(expected.object.version_id, None);
        assert_eq!(expected.created_at.to_string(), "2026-03-11T09:46:53.000Z");
        let found: Vec<_> =
            expected.detections.iter().map(|d| (d.category.as_str(), d.name.as_str(), d.count)).collect();
        assert_eq!(
            found,
            [("FINANCIAL_INFORMATION", "CREDIT_CARD_NUMBER", 30), ("CUSTOM_IDENTIFIER", "Employee id", 2)]
        );
        for other in [event, json!({"findings": [api]})] {
            let [only] = <[Value; 1]>::try_from(Finding::documents(&other.to_string()).unwrap()).unwrap();
            assert_eq!(Finding::from_document(&only).unwrap().as_ref(), Some(&expected));
        }
    }

    #[test]
    fn a_policy_finding_is_none_and_what_is_no_finding_says_what_it_lacks() {
        let mut policy = document();
        policy["category"] = json!("POLICY");
        assert_eq!(Finding::from_document(&policy).unwrap(), None);
        for (pointer, says) in [
            ("/id", "has no id"),
            ("/severity/score", "severity of score 1, 2 or 3"),
            ("/accountId", "has no accountId"),
            ("/createdAt", "has no createdAt"),
            ("/resourcesAffected/s3Bucket", "has no resourcesAffected.s3Bucket.name"),
            ("/resourcesAffected/s3Object/key", "s3Object.key"),
            ("/resourcesAffected/s3Object/etag", "s3Object.eTag"),
        ] {
            let mut lacking = document();
            *lacking.pointer_mut(pointer).unwrap() = Value::Null;
            let error = Finding::from_document(&lacking).unwrap_err();
            assert!(error.to_string().contains(says), "{pointer}: {error}");
        }
        for (strange, says) in [
            (json!("a text"), "has no id"),
            (json!({"detail": document()}), "it has no source"),
            (
                json!({"source": "aws.macie2", "detail-type": "Macie Finding", "detail": document()}),
                "aws.macie2",
            ),
            (
                json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": 7}),
                "detail.id is missing",
            ),
        ] {
            assert!(Finding::from_document(&strange).unwrap_err().to_string().contains(says), "{strange}");
        }
    }

    #[test]
    fn several_findings_come_in_a_list_as_macie_prints_them_or_line_by_line() {
        let bare = document();
        let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": bare});
        for (text, count) in [
            (json!([event, bare]).to_string(), 2),
            (json!({"findings": [bare, bare, bare]}).to_string(), 3),
            (format!("{event}\n{bare}\n\n{event}\n"), 3),
            (format!("{}\n{}", json!({"findings": [bare]}), json!([[event], bare])), 3),
            ("[]".into(), 0),
            (json!({"findings": []}).to_string(), 0),
            (String::new(), 0),
        ] {
            let documents = Finding::documents(&text).unwrap();
            assert_eq!(documents.len(), count, "{text}");
            assert!(documents.iter().all(|document| Finding::from_document(document).unwrap().is_some()));
        }
        assert!(Finding::documents(&format!("{bare}\n{{")).is_err());
    }

    #[test]
    fn what_macie_could_not_read_is_told() {
        let mut partial = document();
        partial["classificationDetails"]["result"]["status"] =
            json!({"code": "PARTIAL", "reason": "ARCHIVE_CONTAINS_UNPROCESSED_FILES"});
        let incomplete = Finding::from_document(&partial).unwrap().unwrap().incomplete;
        assert_eq!(incomplete, Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES")));
        partial["classificationDetails"]["result"]["status"] = json!({"code": "COMPLETE", "reason": null});
        assert_eq!(Finding::from_document(&partial).unwrap().unwrap().incomplete, None);
    }
}
