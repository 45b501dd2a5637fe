//! What holds for one case, for as many as a bad day brings.

mod approvals;
mod outage;
mod replacements;
mod replay;
mod stopped;

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use cordon::store::Cases;
use cordon_domain::{
    case::{Case, Status},
    finding::{ObjectVersion, bare_etag},
};
use cordon_sandbox::{Sandbox, deployment::Deployment};
use cordon_tests::{ALICE, eventually_within, existing_network, finding_document, start_sandbox, waiting};
use serde_json::{Value, json};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

/// Calls of a test itself at once.
const MAX_CONCURRENCY: usize = 8;
/// What ECS runs, where a test has it do so.
const SERVICES: [&str; 2] = ["worker", "gateway"];
/// What the task definitions declare.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// What the names of the buckets that tests make here begin with.
pub(super) const BUCKETS: &str = "sizes-";

/// A sandbox with Cordon in it, whose policy asks Alice about everything. No process of Cordon runs in it but those of
/// the test that has it.
pub(super) struct Installation {
    pub(super) sandbox: Sandbox,
    pub(super) deployment: Deployment,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    sfn: aws_sdk_sfn::Client,
}

/// The one that these tests use one after the other. One that is taken away is applied anew for the next of them.
static INSTALLATION: Mutex<Option<Installation>> = Mutex::const_new(None);

impl Installation {
    /// For one test alone.
    async fn lock() -> Result<MappedMutexGuard<'static, Installation>> {
        let mut installation = waiting(INSTALLATION.lock()).await;
        if installation.is_none() {
            *installation = Some(waiting(Installation::apply()).await?);
        }
        Ok(MutexGuard::map(installation, |one| one.as_mut().expect("it has just been applied")))
    }

    /// For a test that takes it down.
    pub(super) async fn take() -> Result<Installation> {
        let taken = waiting(INSTALLATION.lock()).await.take();
        match taken {
            Some(installation) => Ok(installation),
            None => Installation::apply().await,
        }
    }

    async fn apply() -> Result<Self> {
        let sandbox = start_sandbox().await?;
        let rule = json!({"name": "ask", "disposition": "review", "approvers": {"users": [ALICE]},
            "on_expiry": "ask_again"});
        // These tests start and stop worker and gateway themselves.
        let variables = json!({"schedule_expression": "rate(30 days)", "policy": {"rules": [rule]},
            "worker_count": 0, "gateway_count": 0, "network": existing_network(&sandbox).await?});
        let deployment = Deployment::apply(&sandbox, variables).await?;
        let root = sandbox.sdk_config().await;
        Ok(Self {
            s3: aws_sdk_s3::Client::new(&root),
            dynamodb: aws_sdk_dynamodb::Client::new(&root),
            sfn: aws_sdk_sfn::Client::new(&root),
            sandbox,
            deployment,
        })
    }

    /// Has ECS run so many tasks of a service, and waits until they are healthy.
    async fn scale(&self, service: &str, count: usize) -> Result<()> {
        let request =
            json!({"cluster": self.deployment.cluster(), "service": service, "desiredCount": count});
        self.deployment.ecs("UpdateService", &request).await?;
        self.deployment.is_steady(&self.sandbox).await
    }

    /// Has ECS replace the tasks of a service by those of a new revision, which has these variables besides; returns its
    /// number. The replacement goes on after that.
    async fn revise(&self, service: &str, variables: &[(&str, &str)]) -> Result<u64> {
        let family = format!("{}-{service}", self.deployment.cluster());
        let described =
            self.deployment.ecs("DescribeTaskDefinition", &json!({"taskDefinition": family})).await?;
        let mut revised = serde_json::Map::new();
        for member in [
            "family",
            "networkMode",
            "requiresCompatibilities",
            "cpu",
            "memory",
            "executionRoleArn",
            "taskRoleArn",
            "containerDefinitions",
            "runtimePlatform",
        ] {
            revised.insert(member.into(), described["taskDefinition"][member].clone());
        }
        let environment = revised["containerDefinitions"][0]["environment"].as_array_mut();
        let environment = environment.context("a container has an environment")?;
        environment.retain(|one| variables.iter().all(|(name, _)| one["name"] != *name));
        environment.extend(variables.iter().map(|(name, value)| json!({"name": name, "value": value})));
        let registered = self.deployment.ecs("RegisterTaskDefinition", &revised.into()).await?;
        let request = json!({"cluster": self.deployment.cluster(), "service": service,
            "taskDefinition": registered["taskDefinition"]["taskDefinitionArn"]});
        self.deployment.ecs("UpdateService", &request).await?;
        registered["taskDefinition"]["revision"].as_u64().context("a revision has a number")
    }

    /// Lets the services be as Terraform has made them: nothing runs, and its revision would.
    async fn reset_services(&self) -> Result<()> {
        for service in SERVICES {
            let cluster = self.deployment.cluster();
            let request = json!({"cluster": cluster, "service": service, "desiredCount": 0,
                "taskDefinition": format!("{cluster}-{service}:1")});
            self.deployment.ecs("UpdateService", &request).await?;
        }
        Ok(())
    }

    /// Waits until only tasks of a revision run, so many of them, all healthy.
    async fn replaced(&self, service: &str, revision: u64, count: usize) -> Result<()> {
        eventually_within(STOP_TIMEOUT, &format!("revision {revision} of the {service}"), async || {
            let tasks = self.deployment.tasks(&self.sandbox, service);
            let all = tasks.iter().all(|task| task.healthy && task.revision == revision);
            Ok((all && tasks.len() == count).then_some(()))
        })
        .await
    }

    /// Takes a case off the record.
    async fn forget(&self, case_id: &str) -> Result<()> {
        for item in ["case", "approval", "message"] {
            let id = AttributeValue::S(format!("{item}#{case_id}"));
            let table = self.deployment.output("cases_table")?;
            self.dynamodb.delete_item().table_name(table).key("id", id).send().await?;
        }
        Ok(())
    }

    /// Has a finding about a new object answered.
    async fn ask(&self, bucket: &str, n: usize) -> Result<()> {
        self.ask_about(bucket, &format!("card-{n}.txt"), format!("5163200000000008 {n}").into_bytes())
            .await?;
        Ok(())
    }

    /// Has a finding about a new object with this content answered; returns the case's id.
    async fn ask_about(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<String> {
        let size = body.len();
        let body = ByteStream::from(body);
        let put = self.s3.put_object().bucket(bucket).key(key).body(body).send().await?;
        let version = ObjectVersion {
            account: self.sandbox.account().to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: None,
            etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).to_owned(),
        };
        let case_id = version.case_id();
        let id = case_id[..32].to_owned();
        let finding = finding_document(self.sandbox.region(), &id, "Financial", &version, size);
        self.sandbox.macie().put_finding(finding);
        self.sandbox.macie().publish_finding(&id).await?;
        Ok(case_id)
    }

    /// The records of cases.
    fn cases(&self) -> Result<Cases> {
        Ok(Cases::new(self.dynamodb.clone(), self.deployment.output("cases_table")?.to_owned()))
    }

    /// The cases about objects in a bucket.
    async fn all(&self, bucket: &str) -> Result<Vec<Case>> {
        let (records, mut all, mut page) = (self.cases()?, Vec::new(), None);
        loop {
            let ids = records.cases_of_bucket(bucket, page).await?;
            for case in records.get_all(&ids.entries).await? {
                all.push(case?);
            }
            page = ids.next;
            if page.is_none() {
                return Ok(all);
            }
        }
    }

    /// How many cases are open.
    async fn open(&self) -> Result<usize> {
        let (records, mut open, mut page) = (self.cases()?, 0, None);
        loop {
            let cases = records.open_cases(Status::Open, page).await?;
            open += cases.entries.len();
            page = cases.next;
            if page.is_none() {
                return Ok(open);
            }
        }
    }

    /// Does something while an approval that begins to wait waits so long, as if Terraform had been told so.
    async fn with_rounds_of<T>(&self, seconds: u64, act: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        let machines = self.deployment.outputs().get("state_machine_arns").context("an output")?;
        let machine = machines["finding_response"].as_str().context("a state machine")?;
        let described = self.sfn.describe_state_machine().state_machine_arn(machine).send().await?;
        let mut changed: Value = serde_json::from_str(&described.definition)?;
        changed["States"]["AwaitDecision"]["TimeoutSeconds"] = seconds.into();
        let define = async |definition: String| {
            self.sfn.update_state_machine().state_machine_arn(machine).definition(definition).send().await
        };
        define(changed.to_string()).await?;
        let result = act().await;
        define(described.definition).await?;
        result
    }
}
