//! The operations on findings.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{
    AccessAnalyzer, MAX_ITEMS,
    finding::{self, Finding},
    no_such,
};
use crate::doubles::{Answer, ApiError, Call, page, required, strings, without_nulls};

impl AccessAnalyzer {
    fn check_analyzer(&self, arn: &str) -> Result<(), ApiError> {
        let known = self.lock().analyzers.values().any(|analyzer| analyzer.arn == arn);
        known.then_some(()).ok_or_else(|| no_such("analyzer", arn))
    }

    pub(super) fn list_findings(&self, body: &Value, show: fn(&Finding) -> Value) -> Answer {
        let arn = required(body, "analyzerArn")?;
        self.check_analyzer(arn)?;
        finding::check_filter(&body["filter"])?;
        let state = self.lock();
        let mut findings: Vec<&Finding> = state
            .findings
            .iter()
            .filter(|finding| {
                finding.analyzer_arn == arn && finding::matches(&finding.summary(), &body["filter"])
            })
            .collect();
        if let Some(attribute) = body["sort"]["attributeName"].as_str() {
            findings.sort_by_key(|finding| finding.summary()[attribute].to_string());
        }
        if body["sort"]["orderBy"] == "DESC" {
            findings.reverse();
        }
        let shown = findings.into_iter().map(show).collect();
        let page = page(shown, body["maxResults"].as_u64(), body["nextToken"].as_str(), MAX_ITEMS)?;
        Ok(without_nulls(json!({"findings": page.items, "nextToken": page.next})))
    }

    pub(super) fn get_finding(&self, call: &Call, show: fn(&Finding) -> Value) -> Answer {
        let arn = call.query("analyzerArn").ok_or_else(|| ApiError::validation("analyzerArn is required"))?;
        self.check_analyzer(arn)?;
        let id = call.segment(1);
        let state = self.lock();
        let found = state
            .findings
            .iter()
            .find(|finding| finding.analyzer_arn == arn && finding.summary()["id"] == id);
        found.map(show).ok_or_else(|| no_such("finding", id))
    }

    pub(super) async fn update_findings(&self, body: &Value) -> Answer {
        let (arn, status) = (required(body, "analyzerArn")?, required(body, "status")?);
        self.check_analyzer(arn)?;
        if !matches!(status, "ACTIVE" | "ARCHIVED") {
            return Err(ApiError::validation("status must be ACTIVE or ARCHIVED"));
        }
        let ids = strings(&body["ids"]);
        if ids.is_empty() && body["resourceArn"].is_null() {
            return Err(ApiError::validation("ids or resourceArn is required"));
        }
        let changed = {
            let mut state = self.lock();
            let wanted = |finding: &&mut Finding| {
                let summary = finding.summary();
                let named = summary["id"].as_str().is_some_and(|id| ids.iter().any(|wanted| wanted == id))
                    || (!body["resourceArn"].is_null() && summary["resource"] == body["resourceArn"]);
                finding.analyzer_arn == arn
                    && named
                    && summary["status"] != "RESOLVED"
                    && summary["status"] != status
            };
            state.findings.iter_mut().filter(wanted).map(|finding| finding.become_status(status)).collect()
        };
        self.publish(changed).await;
        Ok(json!({}))
    }

    pub(super) fn start_resource_scan(self: &Arc<Self>, body: &Value) -> Answer {
        self.check_analyzer(required(body, "analyzerArn")?)?;
        let resource = required(body, "resourceArn")?;
        let bucket = resource
            .strip_prefix("arn:aws:s3:::")
            .ok_or_else(|| ApiError::lacking(&format!("analysis of {resource}")))?;
        let (this, bucket) = (self.clone(), bucket.to_owned());
        tokio::spawn(async move { this.bucket_changed(&bucket).await });
        Ok(json!({}))
    }
}
