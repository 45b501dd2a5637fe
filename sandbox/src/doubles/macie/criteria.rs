//! Macie's finding criteria: which findings a list asks for, and in which order.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::{ApiError, strings, text, values_at};

/// Fields that Macie documents for filters. A misspelt field must not quietly match nothing.
const FIELDS: [&str; 43] = [
    "accountId",
    "archived",
    "category",
    "classificationDetails.jobArn",
    "classificationDetails.jobId",
    "classificationDetails.originType",
    "classificationDetails.result.customDataIdentifiers.detections.arn",
    "classificationDetails.result.customDataIdentifiers.detections.count",
    "classificationDetails.result.customDataIdentifiers.detections.name",
    "classificationDetails.result.customDataIdentifiers.totalCount",
    "classificationDetails.result.mimeType",
    "classificationDetails.result.sensitiveData.category",
    "classificationDetails.result.sensitiveData.detections.count",
    "classificationDetails.result.sensitiveData.detections.type",
    "classificationDetails.result.sensitiveData.totalCount",
    "classificationDetails.result.sizeClassified",
    "classificationDetails.result.status.code",
    "count",
    "createdAt",
    "id",
    "partition",
    "region",
    "resourcesAffected.s3Bucket.arn",
    "resourcesAffected.s3Bucket.defaultServerSideEncryption.encryptionType",
    "resourcesAffected.s3Bucket.name",
    "resourcesAffected.s3Bucket.owner.displayName",
    "resourcesAffected.s3Bucket.owner.id",
    "resourcesAffected.s3Bucket.publicAccess.effectivePermission",
    "resourcesAffected.s3Bucket.tags.key",
    "resourcesAffected.s3Bucket.tags.value",
    "resourcesAffected.s3Object.bucketArn",
    "resourcesAffected.s3Object.eTag",
    "resourcesAffected.s3Object.extension",
    "resourcesAffected.s3Object.key",
    "resourcesAffected.s3Object.lastModified",
    "resourcesAffected.s3Object.path",
    "resourcesAffected.s3Object.publicAccess",
    "resourcesAffected.s3Object.versionId",
    "sample",
    "severity.description",
    "severity.score",
    "type",
    "updatedAt",
];

/// Refuses criteria with unknown fields or conditions, or conditions of the wrong shape.
pub(super) fn check(criteria: &Value) -> Result<(), ApiError> {
    let Some(criterion) = criteria.get("criterion") else { return Ok(()) };
    let fields = criterion.as_object().ok_or_else(|| ApiError::validation("criterion must be an object"))?;
    for (field, conditions) in fields {
        if !FIELDS.contains(&field.as_str()) {
            return Err(ApiError::validation(format!("findings cannot be filtered by {field}")));
        }
        let conditions = conditions
            .as_object()
            .ok_or_else(|| ApiError::validation(format!("{field} needs a condition")))?;
        for (name, value) in conditions {
            let right = match name.as_str() {
                "eq" | "neq" | "eqExactMatch" | "prefix" => {
                    value.as_array().is_some_and(|values| (1..=50).contains(&values.len()))
                }
                "gt" | "gte" | "lt" | "lte" => value.is_i64() || value.is_u64(),
                _ => return Err(ApiError::validation(format!("{name} is no condition for {field}"))),
            };
            if !right {
                return Err(ApiError::validation(format!("{name} of {field} has the wrong form")));
            }
        }
    }
    Ok(())
}

/// Whether a finding meets all of the criteria.
pub(super) fn matches(finding: &Value, criteria: &Value) -> bool {
    criteria["criterion"].as_object().into_iter().flatten().all(|(field, conditions)| {
        let values = values_at(finding, field);
        conditions.as_object().into_iter().flatten().all(|(name, wanted)| {
            let any = |test: &dyn Fn(&str, &str) -> bool| {
                let wanted = strings(wanted);
                values.iter().any(|value| wanted.iter().any(|wanted| test(&text(value), wanted)))
            };
            let compared = |holds: fn(Ordering) -> bool| {
                let wanted = wanted.as_f64().unwrap_or(f64::NAN);
                values.iter().filter_map(|v| number(v)).filter_map(|v| v.partial_cmp(&wanted)).any(holds)
            };
            match name.as_str() {
                "eq" | "eqExactMatch" => any(&|value, wanted| value == wanted),
                "neq" => !any(&|value, wanted| value == wanted),
                "prefix" => any(&|value, wanted| value.starts_with(wanted)),
                "gt" => compared(Ordering::is_gt),
                "gte" => compared(Ordering::is_ge),
                "lt" => compared(Ordering::is_lt),
                _ => compared(Ordering::is_le),
            }
        })
    })
}

/// Sorts by one attribute, ascending unless `DESC` is asked for; equal ones keep their order.
pub(super) fn sort(findings: &mut [Value], criteria: &Value) {
    let Some(attribute) = criteria["attributeName"].as_str() else { return };
    let descending = criteria["orderBy"] == "DESC";
    findings.sort_by(|a, b| {
        let (a, b) = (values_at(a, attribute).first().copied(), values_at(b, attribute).first().copied());
        let order = match (a.and_then(number), b.and_then(number)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.map(text).cmp(&b.map(text)),
        };
        if descending { order.reverse() } else { order }
    });
}

/// A number, or a time in milliseconds since the epoch, as criteria give them.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| {
        let time: jiff::Timestamp = value.as_str()?.parse().ok()?;
        Some(time.as_millisecond() as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finding() -> Value {
        json!({"id": "f1", "type": "SensitiveData:S3Object/Financial", "sample": false, "severity": {"score": 3},
               "updatedAt": "2026-03-11T09:46:53.031Z",
               "resourcesAffected": {"s3Bucket": {"name": "amzn-s3-demo-bucket1", "tags": [{"key": "a"}, {"key": "b"}]}}})
    }

    fn holds(criterion: Value) -> bool {
        let criteria = json!({"criterion": criterion});
        check(&criteria).expect("valid criteria");
        matches(&finding(), &criteria)
    }

    #[test]
    fn each_condition_decides_as_documented() {
        assert!(holds(
            json!({"type": {"eq": ["SensitiveData:S3Object/Personal", "SensitiveData:S3Object/Financial"]}})
        ));
        assert!(!holds(json!({"type": {"neq": ["SensitiveData:S3Object/Financial"]}})));
        assert!(holds(json!({"resourcesAffected.s3Bucket.name": {"prefix": ["amzn-"]}})));
        assert!(holds(json!({"severity.score": {"gte": 3, "lt": 4}})));
        assert!(!holds(json!({"severity.score": {"gt": 3}})));
        assert!(holds(json!({"sample": {"eq": ["false"]}})));
        assert!(holds(json!({"resourcesAffected.s3Bucket.tags.key": {"eq": ["b"]}})));
        assert!(!holds(json!({"classificationDetails.jobId": {"eq": ["x"]}})));
        assert!(holds(json!({"id": {"eq": ["f1"]}, "sample": {"neq": ["true"]}})));
    }

    #[test]
    fn times_are_compared_in_milliseconds() {
        let at = "2026-03-11T09:46:53.031Z".parse::<jiff::Timestamp>().expect("a time").as_millisecond();
        assert!(holds(json!({"updatedAt": {"gte": at}})));
        assert!(!holds(json!({"updatedAt": {"gt": at}})));
    }

    #[test]
    fn a_misspelt_field_or_condition_is_refused() {
        for criterion in
            [json!({"jobId": {"eq": ["x"]}}), json!({"type": {"equals": ["x"]}}), json!({"type": {"eq": []}})]
        {
            let error = check(&json!({"criterion": criterion})).expect_err("refused");
            assert_eq!((error.status, error.code), (400, "ValidationException"));
        }
    }

    #[test]
    fn findings_are_sorted_both_ways() {
        let mut all = vec![
            json!({"createdAt": "2026-03-11T09:46:53Z"}),
            json!({"createdAt": "2026-03-11T09:46:52.5Z"}),
        ];
        sort(&mut all, &json!({"attributeName": "createdAt"}));
        assert_eq!(all[0]["createdAt"], "2026-03-11T09:46:52.5Z");
        sort(&mut all, &json!({"attributeName": "createdAt", "orderBy": "DESC"}));
        assert_eq!(all[0]["createdAt"], "2026-03-11T09:46:53Z");
    }
}
