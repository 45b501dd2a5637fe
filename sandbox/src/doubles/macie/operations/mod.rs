//! The API operations, by name: what a request asks for, and who answers it. Their bodies are one file a topic.

mod findings;
mod jobs;
mod session;

use std::sync::Arc;

use serde_json::{Value, json};

use super::Macie;
use crate::doubles::{Answer, ApiError, Call, Operation, tagged_arn};

impl Macie {
    /// Names what a request asks for; `None` if the double does not have it.
    pub fn operation(
        &self,
        method: &str,
        path: &[String],
        _query: &[(String, String)],
        _body: &Value,
    ) -> Option<Operation> {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let any_job = || self.home.arn("macie2", "classification-job/*");
        match (method, segments.as_slice()) {
            ("GET", ["macie"]) => Operation::new("GetMacieSession", "macie2:GetMacieSession", "*"),
            ("POST", ["macie"]) => Operation::new("EnableMacie", "macie2:EnableMacie", "*"),
            ("PATCH", ["macie"]) => Operation::new("UpdateMacieSession", "macie2:UpdateMacieSession", "*"),
            ("DELETE", ["macie"]) => Operation::new("DisableMacie", "macie2:DisableMacie", "*"),
            ("POST", ["jobs"]) => {
                Operation::new("CreateClassificationJob", "macie2:CreateClassificationJob", any_job())
            }
            ("POST", ["jobs", "list"]) => {
                Operation::new("ListClassificationJobs", "macie2:ListClassificationJobs", "*")
            }
            ("GET", ["jobs", id]) => {
                let job = self.job_arn(id);
                Operation::new("DescribeClassificationJob", "macie2:DescribeClassificationJob", job)
            }
            ("PATCH", ["jobs", id]) => {
                let job = self.job_arn(id);
                Operation::new("UpdateClassificationJob", "macie2:UpdateClassificationJob", job)
            }
            ("POST", ["findings"]) => Operation::new("ListFindings", "macie2:ListFindings", "*"),
            ("POST", ["findings", "describe"]) => Operation::new("GetFindings", "macie2:GetFindings", "*"),
            ("POST", ["findings", "statistics"]) => {
                Operation::new("GetFindingStatistics", "macie2:GetFindingStatistics", "*")
            }
            ("POST", ["findings", "sample"]) => {
                Operation::new("CreateSampleFindings", "macie2:CreateSampleFindings", "*")
            }
            ("GET", ["templates", "sensitivity-inspections"]) => Operation::new(
                "ListSensitivityInspectionTemplates",
                "macie2:ListSensitivityInspectionTemplates",
                "*",
            ),
            ("GET", ["templates", "sensitivity-inspections", _]) => Operation::new(
                "GetSensitivityInspectionTemplate",
                "macie2:GetSensitivityInspectionTemplate",
                "*",
            ),
            ("GET", ["tags", _, ..]) => {
                Operation::new("ListTagsForResource", "macie2:ListTagsForResource", tagged_arn(path))
            }
            ("POST", ["tags", _, ..]) => {
                Operation::new("TagResource", "macie2:TagResource", tagged_arn(path))
            }
            ("DELETE", ["tags", _, ..]) => {
                Operation::new("UntagResource", "macie2:UntagResource", tagged_arn(path))
            }
            _ => None,
        }
    }

    /// Does what an authorized request asks for.
    ///
    /// # Errors
    /// The error answer, as Macie gives it.
    pub async fn call(self: &Arc<Self>, operation: &Operation, call: Call) -> Answer {
        self.home.check(&call)?;
        if !matches!(operation.name, "EnableMacie") && self.lock().session.is_none() {
            return Err(ApiError::new(403, "AccessDeniedException", "Macie is not enabled."));
        }
        let body = &call.body;
        match operation.name {
            "GetMacieSession" => Ok(self.lock().session.clone().unwrap_or_default()),
            "EnableMacie" => self.enable(body),
            "UpdateMacieSession" => self.update_session(body),
            "DisableMacie" => self.disable(),
            "CreateClassificationJob" => self.create_job(body),
            "ListClassificationJobs" => self.list_jobs(body),
            "DescribeClassificationJob" => self.describe_job(call.segment(1)),
            "UpdateClassificationJob" => self.update_job(call.segment(1), body),
            "ListFindings" => self.list_findings(body),
            "GetFindings" => self.get_findings(body),
            "GetFindingStatistics" => self.finding_statistics(body),
            "CreateSampleFindings" => self.create_samples(body).await,
            "ListSensitivityInspectionTemplates" => self.list_templates(),
            "GetSensitivityInspectionTemplate" => self.template(call.segment(2)),
            "ListTagsForResource" => Ok(json!({"tags": self.lock().tags.list(&operation.resource)?})),
            "TagResource" => self.lock().tags.add(&operation.resource, &body["tags"]).map(|()| json!({})),
            "UntagResource" => self.lock().tags.untag(&operation.resource, &call).map(|()| json!({})),
            other => Err(ApiError::lacking(other)),
        }
    }
}
