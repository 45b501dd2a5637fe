//! Macie findings in the shape that GetFindings gives, and as the event that EventBridge gets.

use serde_json::{Value, json};

use super::{
    description::public_access,
    detection::{Detection, Identifier, REPORTED_PLACES},
};
use crate::doubles::{Home, bucket_access::BucketAccess, hex_id, now, uuid};

/// The bucket of sample findings, which does not exist.
pub(super) const SAMPLE_BUCKET: &str = "macie-sample-finding-bucket";

/// Where Macie says the details of a finding are while no results bucket is configured.
const NO_RESULTS_BUCKET: &str = "[export-config-not-set]";

/// What one object turned out to hold.
pub(super) struct ScannedObject {
    pub(super) size: i64,
    /// `s3Object`, in the API's shape.
    pub(super) description: Value,
    pub(super) mime_type: String,
    pub(super) detections: Vec<Detection>,
}

/// A sensitive-data finding of a job, in the API's shape.
pub(super) fn of_object(home: &Home, job_id: &str, bucket: &Value, object: &ScannedObject) -> Value {
    let detections = &object.detections;
    let mut categories: Vec<&str> = detections.iter().map(|found| found.identifier.category()).collect();
    categories.dedup();
    let kind = match categories.as_slice() {
        ["CREDENTIALS"] => "Credentials",
        ["FINANCIAL_INFORMATION"] => "Financial",
        _ => "Multiple",
    };
    let score = detections.iter().map(|found| found.identifier.severity(found.count)).max().unwrap_or(1);
    let total: u64 = detections.iter().map(|found| found.count).sum();
    let mut places_left = REPORTED_PLACES;
    let sensitive_data: Vec<Value> = categories
        .iter()
        .map(|category| {
            let of_category: Vec<&Detection> =
                detections.iter().filter(|found| found.identifier.category() == *category).collect();
            json!({
                "category": category,
                "totalCount": of_category.iter().map(|found| found.count).sum::<u64>(),
                "detections": of_category
                    .iter()
                    .map(|found| {
                        let places = &found.places[..found.places.len().min(places_left)];
                        places_left -= places.len();
                        json!({
                            "type": found.identifier.name(),
                            "count": found.count,
                            "occurrences": occurrences(places.iter().map(|place| (place.line, place.column))),
                        })
                    })
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    let (title, description) = wording(kind);
    let at = now();
    json!({
        "schemaVersion": "1.0",
        "id": hex_id(),
        "accountId": home.account,
        "partition": "aws",
        "region": home.region,
        "type": format!("SensitiveData:S3Object/{kind}"),
        "title": title,
        "description": description,
        "severity": severity(score),
        "createdAt": at,
        "updatedAt": at,
        "count": 1,
        "resourcesAffected": {"s3Bucket": bucket, "s3Object": object.description},
        "category": "CLASSIFICATION",
        "classificationDetails": {
            "jobArn": home.arn("macie2", &format!("classification-job/{job_id}")),
            "jobId": job_id,
            "result": {
                "status": {"code": "COMPLETE", "reason": null},
                "sizeClassified": object.size,
                "mimeType": object.mime_type,
                "additionalOccurrences": total > REPORTED_PLACES as u64,
                "sensitiveData": sensitive_data,
                "customDataIdentifiers": {"totalCount": 0, "detections": []},
            },
            "detailedResultsLocation": format!(
                "s3://{NO_RESULTS_BUCKET}/AWSLogs/{account}/Macie/{}/{job_id}/{account}/{}.jsonl.gz",
                home.region, uuid(), account = home.account
            ),
            "originType": "SENSITIVE_DATA_DISCOVERY_JOB",
        },
        "policyDetails": null,
        "sample": false,
        "archived": false,
    })
}

/// A sample finding of a type, or `None` if the double has no sample of it.
pub(super) fn sample(home: &Home, finding_type: &str) -> Option<Value> {
    let kind = finding_type.strip_prefix("SensitiveData:S3Object/")?;
    let detected: &[Identifier] = match kind {
        "Credentials" => &[Identifier::AwsCredentials],
        "Financial" => &[Identifier::CreditCardNumber],
        "Multiple" => &[Identifier::AwsCredentials, Identifier::CreditCardNumber],
        _ => return None,
    };
    let at = now();
    let key = "macie-sample-finding-object.csv";
    let arn = format!("arn:aws:s3:::{SAMPLE_BUCKET}");
    let encryption = json!({"encryptionType": "AES256", "kmsMasterKeyId": null});
    let bucket = json!({
        "arn": arn, "name": SAMPLE_BUCKET, "createdAt": at,
        "owner": {"displayName": null, "id": "0".repeat(64)},
        "tags": [], "defaultServerSideEncryption": encryption,
        "publicAccess": public_access(SAMPLE_BUCKET, &home.account, &BucketAccess::default()),
        "allowsUnencryptedObjectUploads": "TRUE",
    });
    let object = ScannedObject {
        size: 4750,
        description: json!({
            "bucketArn": arn, "key": key, "path": format!("{SAMPLE_BUCKET}/{key}"), "extension": "csv",
            "lastModified": at, "versionId": "", "serverSideEncryption": encryption, "size": 4750,
            "storageClass": "STANDARD", "tags": [], "publicAccess": false, "eTag": hex_id(),
        }),
        mime_type: "text/csv".to_owned(),
        detections: detected
            .iter()
            .map(|identifier| Detection {
                identifier: *identifier,
                count: 1,
                places: vec![super::detection::Place { line: 1, column: 1 }],
            })
            .collect(),
    };
    let mut finding = of_object(home, &hex_id(), &bucket, &object);
    finding["sample"] = json!(true);
    Some(finding)
}

/// A finding as EventBridge gets it: Macie's event spells the object's tag `etag`, its API `eTag`.
pub(super) fn as_event(finding: &Value) -> Value {
    let mut detail = finding.clone();
    if let Some(object) = detail["resourcesAffected"]["s3Object"].as_object_mut()
        && let Some(tag) = object.remove("eTag")
    {
        object.insert("etag".to_owned(), tag);
    }
    detail
}

/// A finding as the API gives it, from either spelling.
pub(super) fn as_api(mut finding: Value) -> Value {
    if let Some(object) = finding["resourcesAffected"]["s3Object"].as_object_mut()
        && let Some(tag) = object.remove("etag")
    {
        object.insert("eTag".to_owned(), tag);
    }
    finding
}

fn occurrences(places: impl Iterator<Item = (u64, u64)>) -> Value {
    let ranges: Vec<Value> =
        places.map(|(line, column)| json!({"start": line, "end": line, "startColumn": column})).collect();
    json!({"lineRanges": ranges, "offsetRanges": null, "pages": null, "records": null, "cells": null})
}

fn severity(score: u8) -> Value {
    let description = match score {
        1 => "Low",
        2 => "Medium",
        _ => "High",
    };
    json!({"score": score, "description": description})
}

fn wording(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "Credentials" => (
            "The S3 object contains credentials",
            "The S3 object contains credentials such as private keys or AWS secret access keys.",
        ),
        "Financial" => (
            "The S3 object contains financial information",
            "The S3 object contains financial information such as bank account numbers or credit card numbers.",
        ),
        _ => (
            "The S3 object contains multiple categories of sensitive data",
            "The S3 object contains more than one category of sensitive data.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubles::macie::detection::Place;

    fn home() -> Home {
        Home { account: "111122223333".into(), region: "us-east-1".into() }
    }

    fn detection(identifier: Identifier, count: u64) -> Detection {
        let places = (1..=count.min(15)).map(|line| Place { line, column: 1 }).collect();
        Detection { identifier, count, places }
    }

    fn finding(detections: Vec<Detection>) -> Value {
        let object = ScannedObject {
            size: 10,
            description: json!({"eTag": "07b21b45c9ed4a3fabf8173be102d9c2"}),
            mime_type: "text/plain".into(),
            detections,
        };
        of_object(&home(), "3ce05dbb7ec5505def334104bde0f1a2", &json!({}), &object)
    }

    #[test]
    fn the_type_follows_the_categories_and_the_severity_the_table() {
        use Identifier::{AwsCredentials, CreditCardNumber};
        for (detections, kind) in [
            (vec![detection(AwsCredentials, 1)], "Credentials"),
            (vec![detection(CreditCardNumber, 1)], "Financial"),
            (vec![detection(AwsCredentials, 1), detection(CreditCardNumber, 2)], "Multiple"),
        ] {
            let finding = finding(detections);
            assert_eq!(finding["type"], format!("SensitiveData:S3Object/{kind}"));
            assert_eq!(finding["severity"], json!({"score": 3, "description": "High"}));
            assert_eq!(finding["createdAt"], finding["updatedAt"]);
        }
    }

    #[test]
    fn at_most_fifteen_places_are_told_over_all_detections() {
        let finding = finding(vec![
            detection(Identifier::AwsCredentials, 10),
            detection(Identifier::CreditCardNumber, 10),
        ]);
        let result = &finding["classificationDetails"]["result"];
        let places = |index: usize| {
            result["sensitiveData"][index]["detections"][0]["occurrences"]["lineRanges"]
                .as_array()
                .map(Vec::len)
        };
        assert_eq!((places(0), places(1)), (Some(10), Some(5)));
        assert_eq!(result["additionalOccurrences"], true);
        assert_eq!(result["sensitiveData"][1]["totalCount"], 10);
    }

    #[test]
    fn the_event_spells_the_etag_as_macie_does() {
        let finding = finding(vec![detection(Identifier::CreditCardNumber, 1)]);
        let event = as_event(&finding);
        let object = &event["resourcesAffected"]["s3Object"];
        assert_eq!(object["etag"], "07b21b45c9ed4a3fabf8173be102d9c2");
        assert!(object["eTag"].is_null());
        assert_eq!(as_api(event), finding);
    }

    #[test]
    fn a_sample_finding_is_marked_and_lies_in_the_sample_bucket() {
        let sample = sample(&home(), "SensitiveData:S3Object/Credentials").expect("a sample");
        assert_eq!(sample["sample"], true);
        assert_eq!(sample["resourcesAffected"]["s3Bucket"]["name"], SAMPLE_BUCKET);
        assert!(super::sample(&home(), "SensitiveData:S3Object/Unknown").is_none());
    }
}
