//! The API operations, by name: what a request asks for, and who answers it. Their bodies are one file a topic.

mod analyzers;
mod findings;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{AccessAnalyzer, finding::Finding, no_such};
use crate::doubles::{Answer, ApiError, Call, Operation, now, tagged_arn};

impl AccessAnalyzer {
    /// Names what a request asks for; `None` if the double does not have it.
    pub fn operation(
        &self,
        method: &str,
        path: &[String],
        query: &[(String, String)],
        body: &Value,
    ) -> Option<Operation> {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let named = |name: &str| self.analyzer_arn(name);
        let rule =
            |analyzer: &str, rule: &str| format!("{}/archive-rule/{rule}", self.analyzer_arn(analyzer));
        let in_body = || body["analyzerArn"].as_str().unwrap_or("*").to_owned();
        let in_query = || {
            query
                .iter()
                .find(|(name, _)| name == "analyzerArn")
                .map_or_else(|| "*".to_owned(), |(_, arn)| arn.clone())
        };
        match (method, segments.as_slice()) {
            ("PUT", ["analyzer"]) => {
                let name = body["analyzerName"].as_str().unwrap_or("*");
                Operation::new("CreateAnalyzer", "access-analyzer:CreateAnalyzer", named(name))
            }
            ("GET", ["analyzer"]) => Operation::new("ListAnalyzers", "access-analyzer:ListAnalyzers", "*"),
            ("GET", ["analyzer", name]) => {
                Operation::new("GetAnalyzer", "access-analyzer:GetAnalyzer", named(name))
            }
            ("PUT", ["analyzer", name]) => {
                Operation::new("UpdateAnalyzer", "access-analyzer:UpdateAnalyzer", named(name))
            }
            ("DELETE", ["analyzer", name]) => {
                Operation::new("DeleteAnalyzer", "access-analyzer:DeleteAnalyzer", named(name))
            }
            ("PUT", ["analyzer", name, "archive-rule"]) => {
                let arn = rule(name, body["ruleName"].as_str().unwrap_or("*"));
                Operation::new("CreateArchiveRule", "access-analyzer:CreateArchiveRule", arn)
            }
            ("GET", ["analyzer", name, "archive-rule"]) => {
                Operation::new("ListArchiveRules", "access-analyzer:ListArchiveRules", named(name))
            }
            ("GET", ["analyzer", name, "archive-rule", id]) => {
                Operation::new("GetArchiveRule", "access-analyzer:GetArchiveRule", rule(name, id))
            }
            ("PUT", ["analyzer", name, "archive-rule", id]) => {
                Operation::new("UpdateArchiveRule", "access-analyzer:UpdateArchiveRule", rule(name, id))
            }
            ("DELETE", ["analyzer", name, "archive-rule", id]) => {
                Operation::new("DeleteArchiveRule", "access-analyzer:DeleteArchiveRule", rule(name, id))
            }
            ("PUT", ["archive-rule"]) => {
                Operation::new("ApplyArchiveRule", "access-analyzer:ApplyArchiveRule", in_body())
            }
            ("POST", ["finding"]) => {
                Operation::new("ListFindings", "access-analyzer:ListFindings", in_body())
            }
            ("POST", ["findingv2"]) => {
                Operation::new("ListFindingsV2", "access-analyzer:ListFindings", in_body())
            }
            ("GET", ["finding", _]) => Operation::new("GetFinding", "access-analyzer:GetFinding", in_query()),
            ("GET", ["findingv2", _]) => {
                Operation::new("GetFindingV2", "access-analyzer:GetFinding", in_query())
            }
            ("PUT", ["finding"]) => {
                Operation::new("UpdateFindings", "access-analyzer:UpdateFindings", in_body())
            }
            ("POST", ["resource", "scan"]) => {
                Operation::new("StartResourceScan", "access-analyzer:StartResourceScan", in_body())
            }
            ("GET", ["tags", _, ..]) => {
                Operation::new("ListTagsForResource", "access-analyzer:ListTagsForResource", tagged_arn(path))
            }
            ("POST", ["tags", _, ..]) => {
                Operation::new("TagResource", "access-analyzer:TagResource", tagged_arn(path))
            }
            ("DELETE", ["tags", _, ..]) => {
                Operation::new("UntagResource", "access-analyzer:UntagResource", tagged_arn(path))
            }
            _ => None,
        }
    }

    /// Does what an authorized request asks for.
    ///
    /// # Errors
    /// The error answer, as Access Analyzer gives it.
    pub async fn call(self: &Arc<Self>, operation: &Operation, call: Call) -> Answer {
        self.home.check(&call)?;
        let body = &call.body;
        let (name, rule) = (call.segment(1), call.segment(3));
        match operation.name {
            "CreateAnalyzer" => self.create_analyzer(body),
            "ListAnalyzers" => self.list_analyzers(&call),
            "GetAnalyzer" => self.get_analyzer(name),
            "UpdateAnalyzer" => self.update_analyzer(name, body),
            "DeleteAnalyzer" => self.delete_analyzer(name),
            "CreateArchiveRule" => self.create_archive_rule(name, body),
            "ListArchiveRules" => self.list_archive_rules(name, &call),
            "GetArchiveRule" => self.with_rule(name, rule, |rule| json!({"archiveRule": rule})),
            "UpdateArchiveRule" => self.with_rule(name, rule, |rule| {
                rule["filter"] = body["filter"].clone();
                rule["updatedAt"] = json!(now());
                json!({})
            }),
            "DeleteArchiveRule" => self.with_analyzer(name, |analyzer| {
                let gone = analyzer.archive_rules.remove(rule);
                gone.map(|_| json!({})).ok_or_else(|| no_such("archive rule", rule))
            }),
            "ApplyArchiveRule" => self.apply_archive_rule(body).await,
            "ListFindings" => self.list_findings(body, Finding::summary),
            "ListFindingsV2" => self.list_findings(body, Finding::summary_v2),
            "GetFinding" => self.get_finding(&call, |finding| json!({"finding": finding.summary()})),
            "GetFindingV2" => self.get_finding(&call, Finding::details_v2),
            "UpdateFindings" => self.update_findings(body).await,
            "StartResourceScan" => self.start_resource_scan(body),
            "ListTagsForResource" => Ok(json!({"tags": self.lock().tags.list(&operation.resource)?})),
            "TagResource" => self.lock().tags.add(&operation.resource, &body["tags"]).map(|()| json!({})),
            "UntagResource" => self.lock().tags.untag(&operation.resource, &call).map(|()| json!({})),
            other => Err(ApiError::lacking(other)),
        }
    }
}
