//! A double of IAM Access Analyzer: analyzers, archive rules, and external-access findings for S3 buckets.
//!
//! Findings are derived from what the buckets really grant (policy, ACL, public-access block): when a bucket
//! changes, new access makes a new finding, access that is gone resolves its finding, and each change of a finding
//! is published on EventBridge. Changed access is new access: it gets a new id.

mod finding;
mod operations;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use self::finding::Finding;
use super::{Answer, ApiError, Home, Tags, bucket_access, now};
use crate::Emulator;

/// Findings, analyzers or rules that one list gives.
const MAX_ITEMS: usize = 100;

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

    /// How long after a change a bucket is analyzed.
    pub fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// Tells that a bucket's policy, ACL, ownership or public-access block changed, or that it was deleted. Returns
    /// when the bucket has been analyzed, which is after the delay.
    pub async fn bucket_changed(&self, bucket: &str) {
        let delay = self.lock().delay;
        tokio::time::sleep(delay).await;
        self.analyze(bucket).await;
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
    async fn analyze(&self, bucket: &str) {
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

    async fn analyze_all_buckets(&self) {
        match self.emulator.s3().list_buckets().send().await {
            Ok(listed) => {
                for bucket in listed.buckets().iter().filter_map(|bucket| bucket.name()) {
                    self.analyze(bucket).await;
                }
            }
            Err(error) => tracing::warn!(%error, "Access Analyzer cannot list the buckets"),
        }
    }
}

fn no_such(what: &str, name: &str) -> ApiError {
    ApiError::not_found(format!("there is no {what} {name}"))
}
