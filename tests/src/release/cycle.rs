//! Work on the buckets of a batch: a cycle that waits for a job of Macie, with the records of job, bucket and who has access.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_macie2::types::{JobStatus, JobType, S3BucketDefinitionForJob, S3JobDefinition};
use aws_sdk_s3::primitives::ByteStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{FrozenExecution, Shift, entered, put_item, without_tokens};
use crate::{TestEnv, eventually};

/// Stands for the id of the job, which Macie gives anew.
const JOB: &str = "{{job}}";
/// Long enough for a job not to end before it is paused, on any machine.
const PACE: Duration = Duration::from_secs(5);
const CARD: &str =
    "This is a sample file with a dummy credit card\nCard Number: 5163200000000008\nExpiry Date: 08/20\n";

/// A cycle of a release, while Macie scans.
#[derive(Debug, Serialize, Deserialize)]
pub struct FrozenCycle {
    /// The cycle, in the state that has its batches done.
    execution: FrozenExecution,
    /// The state that its only batch waits in, and what it holds there.
    batch: (String, Value),
    /// The shared bucket.
    bucket: String,
    /// What is on record, with [`JOB`] for the job's id.
    items: Vec<Value>,
}

impl FrozenCycle {
    /// A cycle that waits for the scan of a bucket.
    pub(super) async fn scan(env: &TestEnv, release: &str) -> Result<Self> {
        let bucket = format!("upgrade-scan-{release}");
        put(env, &bucket).await?;
        let arn = format!("arn:aws:s3:::{bucket}");
        eventually("a record of the bucket", async || {
            let all = items(env).await?;
            Ok(all
                .iter()
                .any(|item| item["bucket_arn"]["S"] == arn && item["item"]["S"] == "bucket")
                .then_some(()))
        })
        .await?;
        env.sandbox.macie().set_pace(Duration::from_hours(1));
        let machine = env.machine("exposure_cycle")?;
        let name = format!("upgrade-scan-{release}");
        let started = env.sfn.start_execution().state_machine_arn(machine).name(name).send().await?;
        let run = started.execution_arn;
        env.reaches(&run, "ScanBatches").await?;
        let child = child(env, &run).await?;
        env.reaches(&child, "AwaitScan").await?;
        let (state, input) = entered(env, &child).await?;
        let job = input["scan"]["job_id"].as_str().context("a job")?.to_owned();
        let of_job = |value: &Value| -> Result<Value> {
            Ok(serde_json::from_str(&value.to_string().replace(&job, JOB))?)
        };
        let record = input["scan"]["record"].clone();
        let mine = |item: &Value| {
            [&json!(arn), &record, &json!("sweep"), &json!("sync"), &json!("lease")]
                .contains(&&item["bucket_arn"]["S"])
        };
        let items = items(env).await?;
        let frozen = Self {
            execution: FrozenExecution::of(env, &run).await?,
            batch: (state, of_job(&input)?),
            bucket,
            items: items.iter().filter(|item| mine(item)).map(of_job).collect::<Result<_>>()?,
        };
        env.sandbox.macie().set_pace(Duration::ZERO);
        let macie = aws_sdk_macie2::Client::new(&env.root);
        macie.update_classification_job().job_id(job).job_status(JobStatus::Cancelled).send().await?;
        Ok(frozen)
    }

    /// Puts everything in its place and lets the cycle wait for the job as it did; then the job ends. Gives back the execution.
    ///
    /// # Errors
    /// When something is refused.
    pub async fn resume(&self, env: &TestEnv, shift: Shift) -> Result<String> {
        put(env, &self.bucket).await?;
        let macie = aws_sdk_macie2::Client::new(&env.root);
        let definition = S3BucketDefinitionForJob::builder()
            .account_id(env.sandbox.account())
            .buckets(&self.bucket)
            .build();
        env.sandbox.macie().set_pace(PACE);
        let create = macie.create_classification_job().name(&self.bucket).client_token(&self.bucket);
        let create = create.job_type(JobType::OneTime);
        let create =
            create.s3_job_definition(S3JobDefinition::builder().bucket_definitions(definition).build());
        let job = create.send().await?.job_id.context("a job")?;
        let set = async |status: JobStatus| {
            macie.update_classification_job().job_id(&job).job_status(status).send().await
        };
        set(JobStatus::UserPaused).await?;
        env.sandbox.macie().set_pace(Duration::ZERO);

        let here = |value: &Value| -> Result<Value> {
            Ok(serde_json::from_str(&shift.of(value).to_string().replace(JOB, &job))?)
        };
        for item in &self.items {
            put_item(env, "exposures_table", &here(item)?).await?;
        }
        let (state, input) = &self.batch;
        let plan = &self.execution.input["plan"];
        let text = |name: &str| plan[name].as_str().with_context(|| format!("a {name} of the plan"));
        let batches = json!([here(input)?]).to_string();
        let put = env.s3.put_object().bucket(env.deployment.output("state_bucket")?).key(text("key")?);
        put.body(ByteStream::from(batches.into_bytes())).send().await?;
        // A batch begins where it waited, with what it held there.
        let mut definition = self.execution.definition.clone();
        let map = &mut definition["States"]["ScanBatches"];
        map["ItemProcessor"]["StartAt"] = json!(state);
        map.as_object_mut().context("a state")?.remove("ItemSelector");
        self.execution.go_on(env, definition, &shift.of(&self.execution.input)).await?;
        let run = self.execution.arn(env)?;
        env.reaches(&child(env, &run).await?, state).await?;
        let record = &self.batch.1["scan"]["record"];
        eventually("the token of the wait", async || {
            let key = json!({"bucket_arn": {"S": record}, "item": {"S": "job"}});
            let request = json!({"TableName": env.deployment.output("exposures_table")?, "Key": key, "ConsistentRead": true});
            let answer = env.deployment.call("dynamodb", "DynamoDB_20120810.GetItem", &request).await?;
            Ok(answer["Item"].get("task_token").map(|_| ()))
        })
        .await?;
        set(JobStatus::Running).await?;
        Ok(run)
    }

    /// The bucket that Security Hub is told of in the end.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }
}

/// A bucket with a card, shared.
async fn put(env: &TestEnv, bucket: &str) -> Result<()> {
    env.s3.create_bucket().bucket(bucket).send().await?;
    env.put(bucket, "card.txt", CARD).await?;
    env.share(bucket).await
}

/// All records of exposures.
async fn items(env: &TestEnv) -> Result<Vec<Value>> {
    let request = json!({"TableName": env.deployment.output("exposures_table")?, "ConsistentRead": true});
    let mut answer = env.deployment.call("dynamodb", "DynamoDB_20120810.Scan", &request).await?;
    let items = serde_json::from_value(answer["Items"].take())?;
    let items: Vec<super::Item> = items;
    Ok(items.into_iter().map(|item| without_tokens(item).into()).collect())
}

/// The execution of the cycle's only batch.
async fn child(env: &TestEnv, run: &str) -> Result<String> {
    eventually("a batch", async || {
        let runs = env.sfn.list_map_runs().execution_arn(run).send().await?.map_runs;
        let Some(run) = runs.first() else { return Ok(None) };
        let listed = env.sfn.list_executions().map_run_arn(&run.map_run_arn).send().await?.executions;
        Ok(listed.into_iter().next().map(|child| child.execution_arn))
    })
    .await
}
