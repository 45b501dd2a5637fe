//! A double of Amazon Macie: the session, one-time classification jobs that read real objects, and findings.
//!
//! A job reads the latest version of every object of its buckets through S3, after a settable pace; each object
//! with sensitive data makes one finding, kept for GetFindings and published on EventBridge at once. What Macie cannot
//! read (an archive class, a customer's own key, a KMS key whose policy does not name its service-linked role) is
//! skipped, and the job is COMPLETE without an error.

mod criteria;
mod detection;
mod finding;
mod job;
mod keys;
mod scope;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::job::Job;
use super::{
    Answer, ApiError, Call, Home, Operation, Tags, hex_id, now, page, required, strings, tagged_arn, text,
    values_at, without_nulls,
};
use crate::Emulator;

/// Findings that one GetFindings or ListFindings handles.
const MOST_FINDINGS: usize = 50;

/// Jobs that one ListClassificationJobs gives.
const MOST_JOBS: usize = 200;

/// How often a job may be created, as AWS publishes it.
const CREATE_INTERVAL: Duration = Duration::from_secs(10);

/// The only template that an account has.
const TEMPLATE: &str = "automated-sensitive-data-discovery";

/// Types that CreateSampleFindings makes when none are named.
const SAMPLE_TYPES: [&str; 3] = [
    "SensitiveData:S3Object/Credentials",
    "SensitiveData:S3Object/Financial",
    "SensitiveData:S3Object/Multiple",
];

/// The Macie double.
#[derive(Debug)]
pub struct Macie {
    emulator: Arc<Emulator>,
    home: Home,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Value>,
    jobs: Vec<Job>,
    /// In order of creation, in the shape of the API.
    findings: Vec<Value>,
    tags: Tags,
    pace: Duration,
    create_interval: Option<Duration>,
    last_create: Option<Instant>,
    fail_next_job: bool,
    /// Custom data identifiers and allow lists that there are.
    own_identifiers: BTreeSet<String>,
    /// `includes` and `excludes` of the template, once automated discovery is on.
    template: Option<Value>,
}

impl Macie {
    /// A Macie that is not enabled yet, as in a new account.
    pub fn new(emulator: Arc<Emulator>) -> Arc<Self> {
        let home = Home { account: emulator.account().to_owned(), region: emulator.region().to_owned() };
        let state = State { create_interval: Some(CREATE_INTERVAL), ..State::default() };
        Arc::new(Self { emulator, home, state: Mutex::new(state) })
    }

    /// How long a job runs before it looks at the first object. At first it does so at once.
    pub fn set_pace(&self, pace: Duration) {
        self.lock().pace = pace;
    }

    /// The shortest time between two CreateClassificationJob calls; faster ones are throttled. At first it is ten seconds,
    /// as AWS publishes it.
    pub fn set_create_interval(&self, interval: Option<Duration>) {
        let mut state = self.lock();
        state.create_interval = interval;
        state.last_create = None;
    }

    /// Lets the next job end COMPLETE with a `lastRunErrorStatus` of ERROR, as one that could not access its buckets.
    pub fn fail_next_job(&self) {
        self.lock().fail_next_job = true;
    }

    /// Lets there be custom data identifiers and allow lists of these ids. Jobs may name them and find nothing by them.
    pub fn put_own_identifiers(&self, ids: &[&str]) {
        self.lock().own_identifiers.extend(ids.iter().map(|id| (*id).to_owned()));
    }

    /// Switches automated discovery on, with `includes` and `excludes` of its template, or off.
    pub fn set_inspection_template(&self, template: Option<Value>) {
        self.lock().template = template;
    }

    /// Registers a hand-made finding (either spelling of the ETag), so that GetFindings knows it.
    pub fn put_finding(&self, finding: Value) {
        let finding = finding::as_api(finding);
        let mut state = self.lock();
        state.findings.retain(|known| known["id"] != finding["id"]);
        state.findings.push(finding);
    }

    /// Publishes a finding that GetFindings knows on EventBridge, once more if it has been published before.
    ///
    /// # Errors
    /// If no such finding is known or the event bus refuses it.
    pub async fn publish_finding(&self, id: &str) -> anyhow::Result<()> {
        let finding = self.lock().findings.iter().find(|finding| finding["id"] == id).cloned();
        let finding = finding.ok_or_else(|| anyhow::anyhow!("there is no Macie finding {id}"))?;
        self.publish_event(&finding).await
    }

    /// All jobs as DescribeClassificationJob gives them, oldest first.
    pub fn jobs(&self) -> Vec<Value> {
        self.lock().jobs.iter().map(Job::describe).collect()
    }

    /// All findings as GetFindings gives them, oldest first.
    pub fn findings(&self) -> Vec<Value> {
        self.lock().findings.clone()
    }

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

    /// Does what an authorised request asks for.
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state is held")
    }

    fn with_job<T>(&self, id: &str, change: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.lock().jobs.iter_mut().find(|job| job.id == id).map(change)
    }

    fn job_arn(&self, id: &str) -> String {
        self.home.arn("macie2", &format!("classification-job/{id}"))
    }

    /// Keeps a finding and publishes it. A bus that does not take it is no reason to stop: delivery is best effort.
    async fn publish(&self, finding: Value) {
        self.lock().findings.push(finding.clone());
        if let Err(error) = self.publish_event(&finding).await {
            tracing::warn!(error = format!("{error:#}"), "Macie finding was not published");
        }
    }

    async fn publish_event(&self, finding: &Value) -> anyhow::Result<()> {
        self.emulator.put_event("aws.macie", "Macie Finding", vec![], finding::as_event(finding)).await
    }

    fn enable(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        if state.session.is_some() {
            return Err(ApiError::new(409, "ConflictException", "Macie has already been enabled"));
        }
        let at = now();
        state.session = Some(json!({
            "status": body["status"].as_str().unwrap_or("ENABLED"),
            "findingPublishingFrequency": body["findingPublishingFrequency"].as_str().unwrap_or("FIFTEEN_MINUTES"),
            "serviceRole": keys::service_role(&self.home.account),
            "createdAt": at,
            "updatedAt": at,
        }));
        Ok(json!({}))
    }

    fn update_session(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        if let Some(session) = &mut state.session {
            for name in ["status", "findingPublishingFrequency"] {
                if !body[name].is_null() {
                    session[name] = body[name].clone();
                }
            }
            session["updatedAt"] = json!(now());
        }
        Ok(json!({}))
    }

    /// Macie forgets jobs and findings when it is disabled.
    fn disable(&self) -> Answer {
        let mut state = self.lock();
        for job in &mut state.jobs {
            // A run that is over already has nothing to cancel.
            let _ = job.change("CANCELLED");
        }
        let (pace, create_interval) = (state.pace, state.create_interval);
        *state = State { pace, create_interval, ..State::default() };
        Ok(json!({}))
    }

    fn create_job(self: &Arc<Self>, body: &Value) -> Answer {
        let mut state = self.lock();
        if let Some(interval) = state.create_interval {
            let now = Instant::now();
            if state.last_create.is_some_and(|last| now.duration_since(last) < interval) {
                return Err(ApiError::new(429, "ThrottlingException", "Rate exceeded"));
            }
            state.last_create = Some(now);
        }
        if state.session.as_ref().is_some_and(|session| session["status"] == "PAUSED") {
            return Err(ApiError::new(403, "AccessDeniedException", "Macie is paused."));
        }
        job::check(body)?;
        for name in ["customDataIdentifierIds", "allowListIds"] {
            if let Some(unknown) = strings(&body[name]).iter().find(|id| !state.own_identifiers.contains(*id))
            {
                return Err(ApiError::validation(format!("{name}: there is no {unknown}")));
            }
        }
        if let Some(job) = state.jobs.iter().find(|job| job.request["clientToken"] == body["clientToken"]) {
            if job.request != *body {
                let message = "the client token has been used for a job with other parameters";
                return Err(ApiError::new(409, "ConflictException", message));
            }
            return Ok(json!({"jobId": job.id, "jobArn": job.arn}));
        }
        let id = hex_id();
        let arn = self.job_arn(&id);
        state.tags.set(&arn, &body["tags"]);
        state.jobs.push(Job::new(id.clone(), arn.clone(), body.clone()));
        let forced_error = std::mem::take(&mut state.fail_next_job);
        tokio::spawn(job::run(self.clone(), id.clone(), state.pace, forced_error));
        Ok(json!({"jobId": id, "jobArn": arn}))
    }

    fn list_templates(&self) -> Answer {
        let on = self.lock().template.is_some();
        let template = on.then(|| json!({"id": TEMPLATE, "name": TEMPLATE}));
        Ok(json!({"sensitivityInspectionTemplates": template.into_iter().collect::<Vec<_>>()}))
    }

    fn template(&self, id: &str) -> Answer {
        let template = self.lock().template.clone().filter(|_| id == TEMPLATE);
        let mut template = template.ok_or_else(|| {
            ApiError::new(404, "ResourceNotFoundException", format!("there is no template {id}"))
        })?;
        template["sensitivityInspectionTemplateId"] = json!(TEMPLATE);
        template["name"] = json!(TEMPLATE);
        Ok(template)
    }

    fn describe_job(&self, id: &str) -> Answer {
        let mut job = self.with_job(id, |job| job.describe()).ok_or_else(|| no_job(id))?;
        job["tags"] = self.lock().tags.of(&self.job_arn(id));
        Ok(job)
    }

    fn update_job(&self, id: &str, body: &Value) -> Answer {
        let wanted = required(body, "jobStatus")?;
        self.with_job(id, |job| job.change(wanted)).ok_or_else(|| no_job(id))??;
        Ok(json!({}))
    }

    fn list_jobs(&self, body: &Value) -> Answer {
        let filter = &body["filterCriteria"];
        for term in ["includes", "excludes"].iter().flat_map(|kind| filter[kind].as_array()).flatten() {
            if !matches!(term["comparator"].as_str(), Some("EQ" | "NE" | "CONTAINS" | "STARTS_WITH")) {
                return Err(ApiError::lacking(
                    "filters of Macie jobs other than EQ, NE, CONTAINS and STARTS_WITH",
                ));
            }
        }
        let holds = |job: &Value, term: &Value| {
            let value = text(&job[term["key"].as_str().unwrap_or_default()]);
            let wanted = strings(&term["values"]);
            match term["comparator"].as_str() {
                Some("NE") => !wanted.contains(&value),
                Some("CONTAINS") => wanted.iter().any(|wanted| value.contains(wanted)),
                Some("STARTS_WITH") => wanted.iter().any(|wanted| value.starts_with(wanted)),
                _ => wanted.contains(&value),
            }
        };
        let terms = |kind: &str| filter[kind].as_array().cloned().unwrap_or_default();
        let (includes, excludes) = (terms("includes"), terms("excludes"));
        let mut jobs: Vec<Value> = self.lock().jobs.iter().map(Job::summary).collect();
        jobs.retain(|job| {
            includes.iter().all(|term| holds(job, term)) && !excludes.iter().any(|term| holds(job, term))
        });
        criteria::sort(&mut jobs, &body["sortCriteria"]);
        let page = page(jobs, body["maxResults"].as_u64(), body["nextToken"].as_str(), MOST_JOBS)?;
        Ok(without_nulls(json!({"items": page.items, "nextToken": page.next})))
    }

    fn matching_findings(&self, criteria: &Value) -> Result<Vec<Value>, ApiError> {
        criteria::check(criteria)?;
        let state = self.lock();
        Ok(state.findings.iter().filter(|finding| criteria::matches(finding, criteria)).cloned().collect())
    }

    fn list_findings(&self, body: &Value) -> Answer {
        let mut findings = self.matching_findings(&body["findingCriteria"])?;
        criteria::sort(&mut findings, &body["sortCriteria"]);
        let ids = findings.into_iter().map(|finding| finding["id"].clone()).collect();
        let page = page(ids, body["maxResults"].as_u64(), body["nextToken"].as_str(), MOST_FINDINGS)?;
        Ok(without_nulls(json!({"findingIds": page.items, "nextToken": page.next})))
    }

    fn get_findings(&self, body: &Value) -> Answer {
        let ids = strings(&body["findingIds"]);
        if ids.is_empty() || ids.len() > MOST_FINDINGS {
            return Err(ApiError::validation(format!(
                "findingIds must have between 1 and {MOST_FINDINGS} ids"
            )));
        }
        let state = self.lock();
        let mut findings: Vec<Value> =
            state.findings.iter().filter(|finding| ids.contains(&text(&finding["id"]))).cloned().collect();
        criteria::sort(&mut findings, &body["sortCriteria"]);
        Ok(json!({"findings": findings}))
    }

    fn finding_statistics(&self, body: &Value) -> Answer {
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

    async fn create_samples(&self, body: &Value) -> Answer {
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

fn no_job(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no classification job {id}"))
}
