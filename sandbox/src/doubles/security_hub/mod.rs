//! A double of AWS Security Hub: the hub, import of findings with the checks and update rules of the service, and
//! lists by filter. Every import is published on EventBridge, as the service does.

mod asff;
mod filters;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{
    Answer, ApiError, Call, Home, Operation, Tags, now, page, tagged_arn, text, values_at, without_nulls,
};
use crate::Emulator;

/// Findings that one import, update or list handles.
const MAX_FINDINGS: usize = 100;

/// Largest batch of an import, in bytes of JSON.
const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024;

/// The Security Hub double.
#[derive(Debug)]
pub struct SecurityHub {
    emulator: Arc<Emulator>,
    home: Home,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    hub: Option<Value>,
    /// In order of their first import.
    findings: Vec<Kept>,
    tags: Tags,
    /// Answers as where it is not enabled, whatever is enabled.
    off: bool,
    /// Resources of which no finding is imported.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Kept {
    finding: Value,
    /// Shared members that a customer has changed; imports leave them alone from then on.
    touched: Vec<String>,
}

impl SecurityHub {
    /// A Security Hub that is not enabled yet, as in a new account.
    pub fn new(emulator: Arc<Emulator>) -> Arc<Self> {
        let home = Home { account: emulator.account().to_owned(), region: emulator.region().to_owned() };
        Arc::new(Self { emulator, home, state: Mutex::default() })
    }

    /// All findings as GetFindings gives them, in order of their first import.
    pub fn findings(&self) -> Vec<Value> {
        self.lock().findings.iter().map(|kept| kept.finding.clone()).collect()
    }

    /// Lets every call be answered as where Security Hub is not enabled, until it is on again. What is known is kept.
    pub fn set_off(&self, off: bool) {
        self.lock().off = off;
    }

    /// Lets imports of findings whose first resource has this ARN fail, one by one, in answers that are 200
    /// nevertheless; `refuse` says from now on or no longer.
    pub fn refuse_findings_about(&self, resource: &str, refuse: bool) {
        let refused = &mut self.lock().refused;
        if refuse {
            refused.insert(resource.to_owned())
        } else {
            refused.remove(resource)
        };
    }

    /// Names what a request asks for; `None` if the double does not have it.
    pub fn operation(
        &self,
        method: &str,
        path: &[String],
        _query: &[(String, String)],
        body: &Value,
    ) -> Option<Operation> {
        let segments: Vec<&str> = path.iter().map(String::as_str).collect();
        let hub = || self.hub_arn();
        match (method, segments.as_slice()) {
            ("POST", ["accounts"]) => {
                Operation::new("EnableSecurityHub", "securityhub:EnableSecurityHub", hub())
            }
            ("GET", ["accounts"]) => Operation::new("DescribeHub", "securityhub:DescribeHub", hub()),
            ("PATCH", ["accounts"]) => Operation::new(
                "UpdateSecurityHubConfiguration",
                "securityhub:UpdateSecurityHubConfiguration",
                hub(),
            ),
            ("DELETE", ["accounts"]) => {
                Operation::new("DisableSecurityHub", "securityhub:DisableSecurityHub", hub())
            }
            ("POST", ["findings", "import"]) => {
                let product = body["Findings"][0]["ProductArn"].as_str().unwrap_or("*");
                Operation::new("BatchImportFindings", "securityhub:BatchImportFindings", product)
            }
            ("POST", ["findings"]) => Operation::new("GetFindings", "securityhub:GetFindings", hub()),
            ("PATCH", ["findings", "batchupdate"]) => {
                Operation::new("BatchUpdateFindings", "securityhub:BatchUpdateFindings", hub())
            }
            ("GET", ["tags", _, ..]) => {
                Operation::new("ListTagsForResource", "securityhub:ListTagsForResource", tagged_arn(path))
            }
            ("POST", ["tags", _, ..]) => {
                Operation::new("TagResource", "securityhub:TagResource", tagged_arn(path))
            }
            ("DELETE", ["tags", _, ..]) => {
                Operation::new("UntagResource", "securityhub:UntagResource", tagged_arn(path))
            }
            _ => None,
        }
    }

    /// Does what an authorized request asks for.
    ///
    /// # Errors
    /// The error answer, as Security Hub gives it.
    pub async fn call(self: &Arc<Self>, operation: &Operation, call: Call) -> Answer {
        self.home.check(&call)?;
        let not_enabled = |state: &State| state.hub.is_none() || state.off;
        if operation.name != "EnableSecurityHub" && not_enabled(&self.lock()) {
            let message = format!("Account {} is not subscribed to AWS Security Hub", self.home.account);
            return Err(ApiError::new(401, "InvalidAccessException", message));
        }
        let body = &call.body;
        match operation.name {
            "EnableSecurityHub" => self.enable(body),
            "DescribeHub" => self.describe(&call),
            "UpdateSecurityHubConfiguration" => self.configure(body),
            "DisableSecurityHub" => {
                *self.lock() = State::default();
                Ok(json!({}))
            }
            "BatchImportFindings" => self.import(body).await,
            "GetFindings" => self.get_findings(body),
            "BatchUpdateFindings" => self.update_findings(body),
            "ListTagsForResource" => Ok(json!({"Tags": self.lock().tags.list(&operation.resource)?})),
            "TagResource" => self.lock().tags.add(&operation.resource, &body["Tags"]).map(|()| json!({})),
            "UntagResource" => self.lock().tags.untag(&operation.resource, &call).map(|()| json!({})),
            other => Err(ApiError::lacking(other)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state is held")
    }

    fn hub_arn(&self) -> String {
        self.home.arn("securityhub", "hub/default")
    }

    fn enable(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        if state.hub.is_some() {
            let message = "Account is already subscribed to Security Hub";
            return Err(ApiError::new(409, "ResourceConflictException", message));
        }
        let arn = self.hub_arn();
        state.hub = Some(json!({
            "HubArn": arn,
            "SubscribedAt": now(),
            "AutoEnableControls": true,
            "ControlFindingGenerator": body["ControlFindingGenerator"].as_str().unwrap_or("SECURITY_CONTROL"),
        }));
        state.tags.set(&arn, &body["Tags"]);
        Ok(json!({}))
    }

    fn describe(&self, call: &Call) -> Answer {
        if call.query("HubArn").is_some_and(|arn| arn != self.hub_arn()) {
            return Err(ApiError::not_found("there is no such hub"));
        }
        Ok(self.lock().hub.clone().unwrap_or_default())
    }

    fn configure(&self, body: &Value) -> Answer {
        if let Some(hub) = &mut self.lock().hub {
            for name in ["AutoEnableControls", "ControlFindingGenerator"] {
                if !body[name].is_null() {
                    hub[name] = body[name].clone();
                }
            }
        }
        Ok(json!({}))
    }

    async fn import(&self, body: &Value) -> Answer {
        let batch = body["Findings"].as_array().map_or(&[][..], Vec::as_slice);
        if batch.is_empty() || batch.len() > MAX_FINDINGS {
            return Err(invalid(format!("Findings must have between 1 and {MAX_FINDINGS} items")));
        }
        if body.to_string().len() > MAX_BATCH_BYTES {
            return Err(invalid(format!("the batch is larger than {MAX_BATCH_BYTES} bytes")));
        }
        let mut failed = vec![];
        let mut imported = vec![];
        for finding in batch {
            match asff::check(&self.home, finding).and_then(|()| self.check_refused(finding)) {
                Ok(()) => imported.push(self.keep(finding)),
                Err((code, message)) => failed.push(json!({
                    "Id": finding["Id"].as_str().unwrap_or("unknown"),
                    "ErrorCode": code,
                    "ErrorMessage": message,
                })),
            }
        }
        let succeeded = imported.len();
        for finding in imported.into_iter().flatten() {
            self.publish(finding).await;
        }
        Ok(json!({"SuccessCount": succeeded, "FailedCount": failed.len(), "FailedFindings": failed}))
    }

    fn check_refused(&self, finding: &Value) -> Result<(), asff::Refusal> {
        let about = finding["Resources"][0]["Id"].as_str().unwrap_or_default();
        if self.lock().refused.contains(about) {
            return Err(("InternalException", "The finding could not be processed.".to_owned()));
        }
        Ok(())
    }

    /// Creates or updates; `None` when an older or equal import was ignored.
    fn keep(&self, import: &Value) -> Option<Value> {
        let mut state = self.lock();
        let known = state
            .findings
            .iter_mut()
            .find(|kept| ["Id", "ProductArn"].iter().all(|name| kept.finding[name] == import[name]));
        match known {
            Some(kept) => {
                kept.finding = asff::update(&self.home, &kept.finding, &kept.touched, import)?;
                Some(kept.finding.clone())
            }
            None => {
                let finding = asff::create(&self.home, import.clone());
                state.findings.push(Kept { finding: finding.clone(), touched: vec![] });
                Some(finding)
            }
        }
    }

    /// A bus that does not take the event does not undo the import.
    async fn publish(&self, finding: Value) {
        let resource = format!("{}/{}", text(&finding["ProductArn"]), text(&finding["Id"]));
        let detail = json!({"findings": [finding]});
        let kind = "Security Hub Findings - Imported";
        if let Err(error) = self.emulator.put_event("aws.securityhub", kind, vec![resource], detail).await {
            tracing::warn!(error = format!("{error:#}"), "Security Hub finding was not published");
        }
    }

    fn get_findings(&self, body: &Value) -> Answer {
        filters::check(&body["Filters"])?;
        let mut findings: Vec<Value> = self.findings();
        findings.retain(|finding| filters::matches(finding, &body["Filters"]));
        for criterion in body["SortCriteria"].as_array().into_iter().flatten().rev() {
            let field = criterion["Field"].as_str().unwrap_or_default();
            let place = filters::place(field)
                .ok_or_else(|| invalid(format!("findings cannot be sorted by {field}")))?;
            findings.sort_by(|a, b| {
                let key = |finding: &Value| values_at(finding, place).first().map(|value| text(value));
                let order = key(a).cmp(&key(b));
                if criterion["SortOrder"] == "desc" { order.reverse() } else { order }
            });
        }
        let page = page(findings, body["MaxResults"].as_u64(), body["NextToken"].as_str(), MAX_FINDINGS)
            .map_err(|error| invalid(error.message))?;
        Ok(without_nulls(json!({"Findings": page.items, "NextToken": page.next})))
    }

    fn update_findings(&self, body: &Value) -> Answer {
        let identifiers = body["FindingIdentifiers"].as_array().map_or(&[][..], Vec::as_slice);
        if identifiers.is_empty() || identifiers.len() > MAX_FINDINGS {
            return Err(invalid(format!("FindingIdentifiers must have between 1 and {MAX_FINDINGS} items")));
        }
        let mut state = self.lock();
        let (mut processed, mut unprocessed) = (vec![], vec![]);
        for identifier in identifiers {
            let known = state
                .findings
                .iter_mut()
                .find(|kept| ["Id", "ProductArn"].iter().all(|name| kept.finding[name] == identifier[name]));
            let Some(kept) = known else {
                unprocessed.push(json!({
                    "FindingIdentifier": identifier,
                    "ErrorCode": "FindingNotFound",
                    "ErrorMessage": "Finding Not Found",
                }));
                continue;
            };
            kept.change(body);
            processed.push(identifier.clone());
        }
        Ok(json!({"ProcessedFindings": processed, "UnprocessedFindings": unprocessed}))
    }
}

impl Kept {
    fn change(&mut self, update: &Value) {
        for name in [
            "VerificationState",
            "UserDefinedFields",
            "Workflow",
            "Confidence",
            "Criticality",
            "RelatedFindings",
            "Types",
        ] {
            if !update[name].is_null() {
                self.finding[name] = update[name].clone();
            }
        }
        if let Some(label) = update["Severity"]["Label"].as_str() {
            self.finding["Severity"]["Label"] = json!(label);
            self.finding["Severity"]["Normalized"] = json!(asff::normalized(label));
        }
        if !update["Note"].is_null() {
            self.finding["Note"] = update["Note"].clone();
            self.finding["Note"]["UpdatedAt"] = json!(now());
        }
        for name in asff::SHARED.map(str::to_owned) {
            if !update[&name].is_null() && !self.touched.contains(&name) {
                self.touched.push(name);
            }
        }
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::new(400, "InvalidInputException", message)
}
