//! Macie findings, made by hand.

use cordon::clock;
use cordon_domain::finding::ObjectVersion;
use serde_json::{Value, json};

/// A finding of a kind (`Credentials`, `Financial`) about an object, as Macie's API has it.
pub fn finding_document(region: &str, id: &str, kind: &str, version: &ObjectVersion, size: usize) -> Value {
    let at = clock::now();
    let (category, name) = match kind {
        "Credentials" => ("CREDENTIALS", "AWS_CREDENTIALS"),
        _ => ("FINANCIAL_INFORMATION", "CREDIT_CARD_NUMBER"),
    };
    json!({
        "schemaVersion": "1.0", "id": id, "accountId": version.account, "partition": "aws",
        "region": region, "type": format!("SensitiveData:S3Object/{kind}"),
        "title": "The S3 object contains sensitive data", "description": "The S3 object contains sensitive data.",
        "severity": {"score": 3, "description": "High"}, "createdAt": at, "updatedAt": at, "count": 1,
        "resourcesAffected": {
            "s3Bucket": {"arn": format!("arn:aws:s3:::{}", version.bucket), "name": version.bucket},
            "s3Object": {"bucketArn": format!("arn:aws:s3:::{}", version.bucket), "key": version.key,
                "path": format!("{}/{}", version.bucket, version.key), "extension": "",
                "lastModified": at, "versionId": version.version_id.clone().unwrap_or_default(),
                "size": size, "storageClass": "STANDARD", "eTag": version.etag},
        },
        "category": "CLASSIFICATION",
        "classificationDetails": {"jobArn": null, "jobId": null, "originType": "AUTOMATED_SENSITIVE_DATA_DISCOVERY",
            "result": {"status": {"code": "COMPLETE", "reason": null}, "sizeClassified": size,
                "mimeType": "text/plain", "additionalOccurrences": false,
                "sensitiveData": [{"category": category, "totalCount": 1,
                    "detections": [{"type": name, "count": 1, "occurrences": {}}]}],
                "customDataIdentifiers": {"totalCount": 0, "detections": []}}},
        "policyDetails": null, "sample": false, "archived": false,
    })
}
