//! A double of Amazon Macie: the session, one-time classification jobs that read real objects, and findings.
//!
//! A job reads the latest version of every object of its buckets through S3, after a settable pace; each object
//! with sensitive data makes one finding, kept for GetFindings and published on EventBridge at once. What Macie cannot
//! read (an archive class, a customer's own key, a KMS key whose policy does not name its service-linked role) is
//! skipped, and the job is COMPLETE without an error.

mod criteria;
mod description;
mod detection;
mod finding;
mod job;
mod keys;
mod operations;
mod scope;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use self::job::Job;
use super::{Home, Tags};
use crate::Emulator;

/// How often a job may be created, as AWS publishes it.
const CREATE_INTERVAL: Duration = Duration::from_secs(10);

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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the state is held")
    }

    fn job_arn(&self, id: &str) -> String {
        self.home.arn("macie2", &format!("classification-job/{id}"))
    }

    fn with_job<T>(&self, id: &str, change: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.lock().jobs.iter_mut().find(|job| job.id == id).map(change)
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
}
