//! A double of IAM Access Analyzer: analyzers, archive rules, and external-access findings for S3 buckets.
//!
//! Findings are derived from what the buckets really grant (policy, ACL, public-access block): when a bucket
//! changes, new access makes a new finding, access that is gone resolves its finding, and each change of a finding
//! is published on EventBridge. Changed access is new access: it gets a new id.

mod finding;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use self::finding::Finding;
use super::{
    Answer, ApiError, Call, Home, Operation, Tags, bucket_access, now, page, required, strings, tagged_arn,
    without_nulls,
};
use crate::Emulator;

/// Findings, analyzers or rules that one list gives.
const MOST_ITEMS: usize = 100;

/// AWS takes up to half an hour; the sandbox takes just long enough to show that it is not at once.
const DEFAULT_DELAY: Duration = Duration::from_millis(200);

/// The Access Analyzer double.
#[derive(Debug)]
pub struct AccessAnalyzer {
    emulator: Arc<Emulator>,
    home: Home,
    state: Mutex<State>,
    /// Held while a bucket is read and its findings are changed, so that an older reading never wins over a newer.
    analysis: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    /// By name.
    analyzers: BTreeMap<String, Analyzer>,
    /// In order of creation.
    findings: Vec<Finding>,
    tags: Tags,
    delay: Duration,
}

#[derive(Debug)]
struct Analyzer {
    arn: String,
    /// As GetAnalyzer gives it, without tags.
    description: Value,
    /// By name.
    archive_rules: BTreeMap<String, Value>,
}

impl Analyzer {
    fn finds_external_access(&self) -> bool {
        matches!(self.description["type"].as_str(), Some("ACCOUNT" | "ORGANIZATION"))
    }

    fn archives(&self, finding: &Value) -> bool {
        self.archive_rules.values().any(|rule| finding::matches(finding, &rule["filter"]))
    }
}

impl AccessAnalyzer {
    /// An Access Analyzer without any analyzer yet.
    pub fn new(emulator: Arc<Emulator>) -> Arc<Self> {
        let home = Home { account: emulator.account().to_owned(), region: emulator.region().to_owned() };
        let state = State {
            analyzers: BTreeMap::new(),
            findings: vec![],
            tags: Tags::default(),
            delay: DEFAULT_DELAY,
        };
        Arc::new(Self { emulator, home, state: Mutex::new(state), analysis: tokio::sync::Mutex::default() })
    }

    /// How long after a change a bucket is analysed.
    pub fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// Tells that a bucket's policy, ACL, ownership or public-access block changed, or that it was deleted. Returns
    /// when the bucket has been analysed, which is after the delay.
    pub async fn bucket_changed(&self, bucket: &str) {
        let delay = self.lock().delay;
        tokio::time::sleep(delay).await;
        self.analyse(bucket).await;
    }

    /// All findings of all analyzers as GetFinding gives them, oldest first.
    pub fn findings(&self) -> Vec<Value> {
        self.lock().findings.iter().map(Finding::summary).collect()
    }

    /// Registers a hand-made finding (in the API's shape) with an analyzer, without publishing it.
    ///
    /// # Errors
    /// If there is no such analyzer.
    pub fn put_finding(&self, analyzer_arn: &str, finding: Value) -> anyhow::Result<()> {
        let mut state = self.lock();
        anyhow::ensure!(
            state.analyzers.values().any(|analyzer| analyzer.arn == analyzer_arn),
            "there is no analyzer {analyzer_arn}"
        );
        state.findings.retain(|known| known.summary()["id"] != finding["id"]);
        state.findings.push(Finding::hand_made(analyzer_arn, finding));
        Ok(())
    }

    /// Publishes an event as Access Analyzer does, with any detail: late, repeated, deleted or malformed ones.
    ///
    /// # Errors
    /// If the event bus refuses it.
    pub async fn publish_event(&self, analyzer_arn: &str, detail: Value) -> anyhow::Result<()> {
        let resources = vec![analyzer_arn.to_owned()];
        self.emulator.put_event("aws.access-analyzer", "Access Analyzer Finding", resources, detail).await
    }

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

    /// Does what an authorised request asks for.
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state is held")
    }

    fn analyzer_arn(&self, name: &str) -> String {
        self.home.arn("access-analyzer", &format!("analyzer/{name}"))
    }

    fn with_analyzer(&self, name: &str, change: impl FnOnce(&mut Analyzer) -> Answer) -> Answer {
        let mut state = self.lock();
        change(state.analyzers.get_mut(name).ok_or_else(|| no_such("analyzer", name))?)
    }

    fn with_rule(&self, name: &str, rule: &str, change: impl FnOnce(&mut Value) -> Value) -> Answer {
        self.with_analyzer(name, |analyzer| {
            analyzer.archive_rules.get_mut(rule).map(change).ok_or_else(|| no_such("archive rule", rule))
        })
    }

    /// Brings the findings of a bucket up to date with what it grants now.
    async fn analyse(&self, bucket: &str) {
        let _in_turn = self.analysis.lock().await;
        let grants = match bucket_access::read(self.emulator.s3(), bucket).await {
            Ok(access) => {
                access.map_or_else(Vec::new, |access| access.external_grants(bucket, &self.home.account))
            }
            Err(error) => {
                tracing::warn!(bucket, error = format!("{error:#}"), "Access Analyzer cannot read a bucket");
                return;
            }
        };
        let changed = {
            let mut state = self.lock();
            let State { analyzers, findings, .. } = &mut *state;
            let external = analyzers.values_mut().filter(|analyzer| analyzer.finds_external_access());
            external
                .flat_map(|analyzer| {
                    analyzer.description["lastResourceAnalyzed"] = json!(format!("arn:aws:s3:::{bucket}"));
                    analyzer.description["lastResourceAnalyzedAt"] = json!(now());
                    let archives = |finding: &Value| analyzer.archives(finding);
                    finding::reconcile(findings, &self.home, &analyzer.arn, bucket, &grants, archives)
                })
                .collect::<Vec<Finding>>()
        };
        self.publish(changed).await;
    }

    /// A bus that does not take an event is no reason to stop: delivery is best effort.
    async fn publish(&self, changed: Vec<Finding>) {
        for finding in changed {
            let detail = finding.event_detail(&self.home.region);
            if let Err(error) = self.publish_event(&finding.analyzer_arn, detail).await {
                tracing::warn!(error = format!("{error:#}"), "Access Analyzer finding was not published");
            }
        }
    }

    async fn analyse_all_buckets(&self) {
        match self.emulator.s3().list_buckets().send().await {
            Ok(listed) => {
                for bucket in listed.buckets().iter().filter_map(|bucket| bucket.name()) {
                    self.analyse(bucket).await;
                }
            }
            Err(error) => tracing::warn!(%error, "Access Analyzer cannot list the buckets"),
        }
    }

    fn create_analyzer(self: &Arc<Self>, body: &Value) -> Answer {
        let name = required(body, "analyzerName")?;
        let kind = required(body, "type")?;
        if !matches!(kind, "ACCOUNT" | "ORGANIZATION") {
            return Err(ApiError::lacking(&format!("analyzers of type {kind}")));
        }
        let mut state = self.lock();
        if state.analyzers.contains_key(name) {
            let message = format!("there is an analyzer {name} already");
            return Err(ApiError::new(409, "ConflictException", message));
        }
        if kind == "ACCOUNT" && state.analyzers.values().any(|other| other.description["type"] == "ACCOUNT") {
            let message = "there is an external-access analyzer of the account in this Region already";
            return Err(ApiError::new(402, "ServiceQuotaExceededException", message));
        }
        let arn = self.analyzer_arn(name);
        let mut archive_rules = BTreeMap::new();
        for rule in body["archiveRules"].as_array().into_iter().flatten() {
            archive_rules.insert(required(rule, "ruleName")?.to_owned(), archive_rule(rule)?);
        }
        let description = without_nulls(json!({
            "arn": arn, "name": name, "type": kind, "createdAt": now(), "status": "ACTIVE",
            "configuration": body["configuration"],
        }));
        state.tags.set(&arn, &body["tags"]);
        state.analyzers.insert(name.to_owned(), Analyzer { arn: arn.clone(), description, archive_rules });
        let (this, delay) = (self.clone(), state.delay);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            this.analyse_all_buckets().await;
        });
        Ok(json!({"arn": arn}))
    }

    fn get_analyzer(&self, name: &str) -> Answer {
        let state = self.lock();
        let analyzer = state.analyzers.get(name).ok_or_else(|| no_such("analyzer", name))?;
        let mut description = analyzer.description.clone();
        description["tags"] = state.tags.of(&analyzer.arn);
        Ok(json!({"analyzer": description}))
    }

    fn list_analyzers(&self, call: &Call) -> Answer {
        let kind = call.query("type");
        let state = self.lock();
        let wanted =
            state.analyzers.values().filter(|one| kind.is_none_or(|kind| one.description["type"] == kind));
        let page = page_by_query(wanted.map(|analyzer| analyzer.description.clone()).collect(), call)?;
        Ok(without_nulls(json!({"analyzers": page.items, "nextToken": page.next})))
    }

    fn update_analyzer(&self, name: &str, body: &Value) -> Answer {
        self.with_analyzer(name, |analyzer| {
            if !body["configuration"].is_null() {
                return Err(ApiError::validation("an external-access analyzer has no configuration"));
            }
            Ok(without_nulls(json!({"configuration": analyzer.description["configuration"]})))
        })
    }

    fn delete_analyzer(&self, name: &str) -> Answer {
        let mut state = self.lock();
        let analyzer = state.analyzers.remove(name).ok_or_else(|| no_such("analyzer", name))?;
        state.findings.retain(|finding| finding.analyzer_arn != analyzer.arn);
        state.tags.remove(&analyzer.arn);
        Ok(json!({}))
    }

    fn create_archive_rule(&self, name: &str, body: &Value) -> Answer {
        let rule = required(body, "ruleName")?;
        let description = archive_rule(body)?;
        self.with_analyzer(name, |analyzer| {
            if analyzer.archive_rules.contains_key(rule) {
                let message = format!("there is an archive rule {rule} already");
                return Err(ApiError::new(409, "ConflictException", message));
            }
            analyzer.archive_rules.insert(rule.to_owned(), description);
            Ok(json!({}))
        })
    }

    fn list_archive_rules(&self, name: &str, call: &Call) -> Answer {
        self.with_analyzer(name, |analyzer| {
            let page = page_by_query(analyzer.archive_rules.values().cloned().collect(), call)?;
            Ok(without_nulls(json!({"archiveRules": page.items, "nextToken": page.next})))
        })
    }

    /// An archive rule touches what is there already only when it is applied.
    async fn apply_archive_rule(&self, body: &Value) -> Answer {
        let (arn, rule) = (required(body, "analyzerArn")?, required(body, "ruleName")?);
        let changed = {
            let mut state = self.lock();
            let analyzer = state.analyzers.values().find(|analyzer| analyzer.arn == arn);
            let rules = &analyzer.ok_or_else(|| no_such("analyzer", arn))?.archive_rules;
            let filter = rules.get(rule).ok_or_else(|| no_such("archive rule", rule))?["filter"].clone();
            let active = |finding: &&mut Finding| {
                finding.analyzer_arn == arn
                    && finding.summary()["status"] == "ACTIVE"
                    && finding::matches(&finding.summary(), &filter)
            };
            state
                .findings
                .iter_mut()
                .filter(active)
                .map(|finding| finding.become_status("ARCHIVED"))
                .collect()
        };
        self.publish(changed).await;
        Ok(json!({}))
    }

    fn check_analyzer(&self, arn: &str) -> Result<(), ApiError> {
        let known = self.lock().analyzers.values().any(|analyzer| analyzer.arn == arn);
        known.then_some(()).ok_or_else(|| no_such("analyzer", arn))
    }

    fn list_findings(&self, body: &Value, show: fn(&Finding) -> Value) -> Answer {
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
        let page = page(shown, body["maxResults"].as_u64(), body["nextToken"].as_str(), MOST_ITEMS)?;
        Ok(without_nulls(json!({"findings": page.items, "nextToken": page.next})))
    }

    fn get_finding(&self, call: &Call, show: fn(&Finding) -> Value) -> Answer {
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

    async fn update_findings(&self, body: &Value) -> Answer {
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

    fn start_resource_scan(self: &Arc<Self>, body: &Value) -> Answer {
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

fn page_by_query(items: Vec<Value>, call: &Call) -> Result<super::Page, ApiError> {
    let size = call.query("maxResults").map(|size| size.parse().unwrap_or(0));
    page(items, size, call.query("nextToken"), MOST_ITEMS)
}

fn archive_rule(request: &Value) -> Answer {
    finding::check_filter(&request["filter"])?;
    let at = now();
    Ok(
        json!({"ruleName": request["ruleName"], "filter": request["filter"], "createdAt": at, "updatedAt": at}),
    )
}

fn no_such(what: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("there is no {what} {name}"))
}
