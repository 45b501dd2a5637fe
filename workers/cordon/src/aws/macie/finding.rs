//! Findings as Macie's API answers them.

use aws_sdk_macie2::{
    primitives::DateTime,
    types::{ClassificationResult, Finding as Answered, KeyValuePair},
};
use cordon_domain::finding::{Finding, RawAffected, RawDetection, RawFinding};

use crate::{
    aws,
    error::{Code, Error, Result},
};

/// Reads a finding.
///
/// # Errors
/// `InvalidFinding`, with the first member that it lacks.
pub(super) fn read(finding: Answered) -> Result<Finding> {
    let id = finding.id.clone().unwrap_or_default();
    Finding::from_raw(raw(finding)).map_err(|lacking| {
        Error::terminal(
            Code::InvalidFinding,
            format!(
                "Macie's finding {id} {lacking}, so nothing can be done about it automatically. Look at it in Macie."
            ),
        )
    })
}

fn raw(finding: Answered) -> RawFinding {
    let affected = finding
        .resources_affected
        .unwrap_or_else(|| aws_sdk_macie2::types::ResourcesAffected::builder().build());
    let (bucket, object) = (affected.s3_bucket, affected.s3_object);
    let result = finding.classification_details.as_ref().and_then(|details| details.result.as_ref());
    let status = result.and_then(|result| result.status.as_ref());
    RawFinding {
        id: finding.id,
        finding_type: finding.r#type.map(|kind| kind.as_str().to_owned()),
        score: finding.severity.and_then(|severity| severity.score),
        title: finding.title,
        region: finding.region,
        created_at: finding.created_at.and_then(written),
        sample: finding.sample,
        account: finding.account_id,
        affected: RawAffected {
            bucket_tags: bucket.as_ref().map(|bucket| pairs(bucket.tags())).unwrap_or_default(),
            bucket: bucket.and_then(|bucket| bucket.name),
            tags: object.as_ref().map(|object| pairs(object.tags())).unwrap_or_default(),
            size: object.as_ref().and_then(|object| object.size),
            last_modified: object.as_ref().and_then(|object| written(object.last_modified?)),
            version_id: object.as_ref().and_then(|object| object.version_id.clone()),
            etag: object.as_ref().and_then(|object| object.e_tag.clone()),
            key: object.and_then(|object| object.key),
        },
        detections: result.map(detections).unwrap_or_default(),
        status: (
            status.and_then(|status| status.code.clone()),
            status.and_then(|status| status.reason.clone()),
        ),
        job_id: finding.classification_details.and_then(|details| details.job_id),
    }
}

fn written(time: DateTime) -> Option<String> {
    aws::time(&time).map(|time| time.to_string())
}

fn pairs(tags: &[KeyValuePair]) -> Vec<(String, String)> {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect()
}

fn detections(result: &ClassificationResult) -> Vec<RawDetection> {
    let managed = result.sensitive_data.iter().flatten().flat_map(|item| {
        let category = item.category.as_ref().map_or("", |category| category.as_str());
        item.detections.iter().flatten().map(move |detection| RawDetection {
            category: Some(category.to_owned()),
            name: detection.r#type.clone(),
            arn: None,
            count: detection.count,
        })
    });
    let custom = result.custom_data_identifiers.iter().flat_map(|custom| custom.detections.iter().flatten());
    let custom = custom.map(|detection| RawDetection {
        category: None,
        name: detection.name.clone(),
        arn: detection.arn.clone(),
        count: detection.count,
    });
    managed.chain(custom).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_macie2::types;
    use cordon_domain::finding::Incomplete;

    use super::*;

    /// A finding as GetFindings answers it, with this status of what Macie read.
    fn finding(status: types::ClassificationResultStatus) -> types::Finding {
        let bucket = types::S3Bucket::builder().name("finance").build();
        let object = types::S3Object::builder().key("backup.zip").e_tag("6bb7").build();
        let result = types::ClassificationResult::builder().status(status).build();
        types::Finding::builder()
            .id("d5a83c6d")
            .account_id("444455556666")
            .region("us-east-1")
            .r#type(types::FindingType::SensitiveDataS3ObjectFinancial)
            .severity(types::Severity::builder().score(3).build())
            .created_at(aws_sdk_macie2::primitives::DateTime::from_secs(1_773_222_415))
            .resources_affected(
                types::ResourcesAffected::builder().s3_bucket(bucket).s3_object(object).build(),
            )
            .classification_details(types::ClassificationDetails::builder().result(result).build())
            .build()
    }

    #[test]
    fn what_macie_could_not_read_is_kept_with_the_finding() {
        let status = |code: &str| types::ClassificationResultStatus::builder().code(code);
        let partial = status("PARTIAL").reason("ARCHIVE_CONTAINS_UNPROCESSED_FILES").build();
        let read_in_part = read(finding(partial)).unwrap().incomplete;
        let expected = Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
        assert!(read_in_part.is_some());
        assert_eq!(read_in_part, expected);
        assert_eq!(read(finding(status("COMPLETE").build())).unwrap().incomplete, None);
    }
}
