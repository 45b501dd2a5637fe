//! The operations on findings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Macie, criteria, finding};
use crate::doubles::{Answer, ApiError, page, required, strings, text, values_at, without_nulls};

/// Findings that one GetFindings or ListFindings handles.
const MAX_FINDINGS: usize = 50;

/// Types that CreateSampleFindings makes when none are named.
const SAMPLE_TYPES: [&str; 3] = [
    "SensitiveData:S3Object/Credentials",
    "SensitiveData:S3Object/Financial",
    "SensitiveData:S3Object/Multiple",
];

impl Macie {
    fn matching_findings(&self, criteria: &Value) -> Result<Vec<Value>, ApiError> {
        criteria::check(criteria)?;
        let state = self.lock();
        Ok(state.findings.iter().filter(|finding| criteria::matches(finding, criteria)).cloned().collect())
    }

    pub(super) fn list_findings(&self, body: &Value) -> Answer {
        let mut findings = self.matching_findings(&body["findingCriteria"])?;
        criteria::sort(&mut findings, &body["sortCriteria"]);
        let ids = findings.into_iter().map(|finding| finding["id"].clone()).collect();
        let page = page(ids, body["maxResults"].as_u64(), body["nextToken"].as_str(), MAX_FINDINGS)?;
        Ok(without_nulls(json!({"findingIds": page.items, "nextToken": page.next})))
    }

    pub(super) fn get_findings(&self, body: &Value) -> Answer {
        let ids = strings(&body["findingIds"]);
        if ids.is_empty() || ids.len() > MAX_FINDINGS {
            return Err(ApiError::validation(format!(
                "findingIds must have between 1 and {MAX_FINDINGS} ids"
            )));
        }
        let state = self.lock();
        let mut findings: Vec<Value> =
            state.findings.iter().filter(|finding| ids.contains(&text(&finding["id"]))).cloned().collect();
        criteria::sort(&mut findings, &body["sortCriteria"]);
        Ok(json!({"findings": findings}))
    }

    pub(super) fn finding_statistics(&self, body: &Value) -> Answer {
        let group_by = required(body, "groupBy")?;
        let groups = [
            "resourcesAffected.s3Bucket.name",
            "type",
            "classificationDetails.jobId",
            "severity.description",
        ];
        if !groups.contains(&group_by) {
            return Err(ApiError::validation(format!("findings cannot be grouped by {group_by}")));
        }
        let mut counts = BTreeMap::<String, u64>::new();
        for finding in self.matching_findings(&body["findingCriteria"])? {
            for value in values_at(&finding, group_by) {
                *counts.entry(text(value)).or_default() += 1;
            }
        }
        let mut groups: Vec<Value> =
            counts.into_iter().map(|(key, count)| json!({"groupKey": key, "count": count})).collect();
        criteria::sort(&mut groups, &body["sortCriteria"]);
        groups.truncate(
            body["size"].as_u64().map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX)),
        );
        Ok(json!({"countsByGroup": groups}))
    }

    pub(super) async fn create_samples(&self, body: &Value) -> Answer {
        let mut types = strings(&body["findingTypes"]);
        if types.is_empty() {
            types = SAMPLE_TYPES.map(str::to_owned).to_vec();
        }
        let mut samples = vec![];
        for wanted in &types {
            let sample = finding::sample(&self.home, wanted);
            samples.push(
                sample
                    .ok_or_else(|| ApiError::lacking(&format!("a Macie sample finding of type {wanted}")))?,
            );
        }
        for sample in samples {
            self.publish(sample).await;
        }
        Ok(json!({}))
    }
}
