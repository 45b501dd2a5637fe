//! `move-bench <cordon binary>`: quarantine beside `aws s3 mv`, on the same objects, in the same run.
//!
//! Ours pins, copies, verifies, records, removes and attests, as a worker that takes its tasks from Step Functions;
//! theirs copies and deletes. Printed are CPU time of the client, requests to S3 and STS, and wall time for each
//! object. The S3 is the sandbox's and not quick: wall times compare with each other and with nothing else. How far it
//! is goes to standard error.

use std::{
    collections::HashMap,
    env,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use cordon::store::Cases;
use cordon_domain::{
    case::{Case, plan::Plan},
    finding::{Finding, ObjectVersion, Severity, bare_etag},
    policy::{Fallback, Policy, answer::PolicyAnswer, decide},
};
use cordon_sandbox::{CallFilter, Options, Sandbox, deployment::Deployment};
use cordon_tests::{signed_as, vouched};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

const SMALL: usize = 1_000;
/// The large object is made of so many parts of the same bytes.
const PARTS: i32 = 32;
const PART_BYTES: usize = 8 << 20;
/// How often it is told how far ours is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What is moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Objects {
    Small,
    Large,
}

impl Objects {
    fn name(self) -> &'static str {
        match self {
            Objects::Small => "small",
            Objects::Large => "large",
        }
    }
}

/// What moving some objects took.
struct Taken {
    objects: usize,
    cpu: f64,
    requests: usize,
    wall: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cordon = env::args().nth(1).context("the path of a release build of cordon")?;
    let version = Command::new("aws").arg("--version").output();
    let version = version.context("the AWS CLI, which is what we compare with, is not installed")?;
    let theirs_is = String::from_utf8_lossy(&version.stdout);
    let theirs_is = theirs_is.split_whitespace().next().unwrap_or("aws-cli").to_owned();

    let began = Instant::now();
    tell(began, "sandbox and Terraform");
    let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
    let variables = json!({"schedule_expression": "rate(30 days)", "worker_count": 0, "gateway_count": 0});
    let deployment = Deployment::apply(&sandbox, variables).await?;
    let settings: HashMap<_, _> = deployment.settings("worker").await?.into_iter().collect();
    let bench = Bench {
        worker: signed_as(
            &sandbox.sdk_config().await,
            sandbox.account(),
            deployment.output("worker_role_name")?,
        )
        .await?,
        mac_key_arn: settings["CORDON_MAC_KEY_ARN"].clone(),
        s3: aws_sdk_s3::Client::new(&sandbox.sdk_config().await),
        sfn: aws_sdk_sfn::Client::new(&sandbox.sdk_config().await),
        cases: Cases::new(
            aws_sdk_dynamodb::Client::new(&sandbox.sdk_config().await),
            deployment.output("cases_table")?.to_owned(),
        ),
        sandbox,
        deployment,
        began,
    };
    let (ours, theirs) = (bench.ours(Objects::Small, &cordon).await?, bench.theirs(Objects::Small).await?);
    compare("cpu_ms_per_small_object", ours.each(ours.cpu), theirs.each(theirs.cpu), 1.0, &theirs_is);
    let requests = ours.requests as f64 / ours.objects as f64;
    let verdict = if requests <= 10.0 { "ok" } else { "missed" };
    println!(
        "BENCH quarantine_requests_per_small_object ours={requests:.1} theirs={:.1} ({theirs_is}) target=10 {verdict}",
        theirs.requests as f64 / theirs.objects as f64
    );
    println!(
        "BENCH quarantine_wall_ms_per_small_object ours={:.1} theirs={:.1} ({theirs_is})",
        ours.each(ours.wall),
        theirs.each(theirs.wall)
    );
    let (ours, theirs) = (bench.ours(Objects::Large, &cordon).await?, bench.theirs(Objects::Large).await?);
    compare("wall_ms_large_object", ours.each(ours.wall), theirs.each(theirs.wall), 1.0, &theirs_is);
    tell(began, "done");
    bench.sandbox.stop().await;
    Ok(())
}

fn tell(began: Instant, what: &str) {
    eprintln!("{:>4} s  {what}", began.elapsed().as_secs());
}

fn compare(what: &str, ours: f64, theirs: f64, target: f64, theirs_is: &str) {
    let ratio = ours / theirs;
    let verdict = if ratio <= target { "ok" } else { "missed" };
    println!(
        "BENCH quarantine_{what} ours={ours:.1} theirs={theirs:.1} ({theirs_is}) ratio={ratio:.2} target={target:.0} {verdict}"
    );
}

impl Taken {
    /// Milliseconds an object.
    fn each(&self, seconds: f64) -> f64 {
        seconds * 1_000.0 / self.objects as f64
    }
}

struct Bench {
    /// SDK settings of the worker's role.
    worker: SdkConfig,
    mac_key_arn: String,
    sandbox: Sandbox,
    deployment: Deployment,
    s3: aws_sdk_s3::Client,
    sfn: aws_sdk_sfn::Client,
    cases: Cases,
    began: Instant,
}

impl Bench {
    async fn ours(&self, objects: Objects, cordon: &str) -> Result<Taken> {
        let run = format!("ours-{}", objects.name());
        tell(self.began, &format!("{run}: objects and cases"));
        let machine = self.machine(&run).await?;
        let execution = format!("{}:{run}", machine.replace(":stateMachine:", ":execution:"));
        let bucket = self.fill(&run, objects).await?;
        let cases: Vec<String> = stream::iter(self.listed(&bucket).await?)
            .map(|(object, size)| self.open(object, size, &execution))
            .buffered(16)
            .try_collect()
            .await?;
        tell(self.began, &format!("{run}: {} to be moved", cases.len()));
        let mut worker = self.deployment.start_worker_from(Path::new(cordon), &[]).await?;
        let (cpu, after, began) = (cpu_of(worker.pid())?, self.sandbox.calls().last(), Instant::now());
        let start = self.sfn.start_execution().state_machine_arn(&machine).name(&run);
        start.input(json!({"cases": cases}).to_string()).send().await?;
        let by_mover = CallFilter {
            after: Some(after),
            principal: Some("cordon-mover".into()),
            ..CallFilter::default()
        };
        let mut told = Instant::now();
        loop {
            let status = self.sfn.describe_execution().execution_arn(&execution).send().await?.status;
            if status.as_str() != "RUNNING" {
                ensure!(status.as_str() == "SUCCEEDED", "the run ended as {status:?}");
                break;
            }
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                let removals = CallFilter { operation: Some("DeleteObject".into()), ..by_mover.clone() };
                let removed = self.sandbox.calls().select(&removals).len();
                tell(self.began, &format!("{run}: {removed} of {} moved", cases.len()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_of(worker.pid())? - cpu);
        let sessions = CallFilter {
            after: Some(after),
            service: Some("sts".into()),
            operation: Some("AssumeRole".into()),
            principal: Some("cordon-worker".into()),
        };
        let calls = |filter| self.sandbox.calls().select(filter).len();
        let requests = calls(&by_mover) + calls(&sessions);
        // To stop it politely takes as long as a poll.
        worker.kill().await?;
        Ok(Taken { objects: cases.len(), cpu, requests, wall })
    }

    async fn theirs(&self, objects: Objects) -> Result<Taken> {
        let name = objects.name();
        tell(self.began, &format!("theirs-{name}"));
        let (from, to) = (self.fill(&format!("theirs-{name}"), objects).await?, format!("moved-{name}"));
        let count = self.listed(&from).await?.len();
        self.s3.create_bucket().bucket(&to).send().await?;
        let (after, began) = (self.sandbox.calls().last(), Instant::now());
        // The shell measures what its children take.
        let script = format!("TIMEFORMAT='%U %S'; time aws s3 mv s3://{from} s3://{to} --recursive --quiet");
        let environment = self.sandbox.environment();
        let aws =
            tokio::process::Command::new("bash").args(["-c", &script]).envs(environment).output().await?;
        let wall = began.elapsed().as_secs_f64();
        let told = String::from_utf8_lossy(&aws.stderr).into_owned();
        ensure!(aws.status.success(), "aws s3 mv failed: {told}");
        let cpu = told.lines().last().unwrap_or_default().split_whitespace();
        let cpu = cpu.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        let requests = self.sandbox.calls().select(&CallFilter {
            after: Some(after),
            service: Some("s3".into()),
            ..CallFilter::default()
        });
        let requests = requests.iter().filter(|call| call.principal.is_none()).count();
        Ok(Taken { objects: count, cpu, requests, wall })
    }

    /// A state machine of one state: QuarantineObject for each case, as many at once as a worker takes.
    async fn machine(&self, name: &str) -> Result<String> {
        let activity = self.deployment.outputs()["activity_arns"]["quarantine_object"].clone();
        let task = json!({"Type": "Task", "Resource": activity, "TimeoutSeconds": 600, "HeartbeatSeconds": 60, "End": true});
        let definition = json!({"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemsPath": "$.cases", "MaxConcurrency": 8,
            "Parameters": {"case_id.$": "$$.Map.Item.Value", "execution_arn.$": "$$.Execution.Id"},
            "ItemProcessor": {"StartAt": "QuarantineObject", "States": {"QuarantineObject": task}},
            "ResultPath": null, "End": true}}});
        let role = self.deployment.output("worker_role_name")?;
        let created = self
            .sfn
            .create_state_machine()
            .name(name)
            .definition(definition.to_string())
            .role_arn(format!("arn:aws:iam::{}:role/{role}", self.sandbox.account()))
            .send()
            .await?;
        Ok(created.state_machine_arn)
    }

    async fn fill(&self, bucket: &str, objects: Objects) -> Result<String> {
        self.s3.create_bucket().bucket(bucket).send().await?;
        match objects {
            Objects::Small => {
                let put = |n| {
                    let body = ByteStream::from(b"5163200000000008 ".repeat(60));
                    self.s3.put_object().bucket(bucket).key(format!("{n:04}.txt")).body(body).send()
                };
                stream::iter((0..SMALL).map(put)).buffered(16).try_collect::<Vec<_>>().await?;
            }
            Objects::Large => self.put_large(bucket).await?,
        }
        Ok(bucket.to_owned())
    }

    /// Has S3 put a large object together: this process is not built to send one.
    async fn put_large(&self, bucket: &str) -> Result<()> {
        let seeds = format!("{bucket}-seeds");
        self.s3.create_bucket().bucket(&seeds).send().await?;
        let seed = ByteStream::from(vec![7; PART_BYTES]);
        let seed = self.s3.put_object().bucket(&seeds).key("seed").body(seed).customize();
        seed.disable_payload_signing().send().await?;
        let upload = self.s3.create_multipart_upload().bucket(bucket).key("large").send().await?;
        let upload = upload.upload_id().context("an upload has an id")?;
        let mut parts = CompletedMultipartUpload::builder();
        for number in 1..=PARTS {
            let part = self.s3.upload_part_copy().bucket(bucket).key("large").upload_id(upload);
            let copied = part.part_number(number).copy_source(format!("{seeds}/seed")).send().await?;
            let etag = copied.copy_part_result.and_then(|part| part.e_tag).context("a part has an ETag")?;
            parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(etag).build());
        }
        let complete = self.s3.complete_multipart_upload().bucket(bucket).key("large").upload_id(upload);
        complete.multipart_upload(parts.build()).send().await?;
        Ok(())
    }

    async fn listed(&self, bucket: &str) -> Result<Vec<(ObjectVersion, Option<i64>)>> {
        let listed = self.s3.list_objects_v2().bucket(bucket).send().await?;
        let object = |object: &aws_sdk_s3::types::Object| {
            let version = ObjectVersion {
                account: self.sandbox.account().to_owned(),
                bucket: bucket.to_owned(),
                key: object.key()?.to_owned(),
                version_id: None,
                etag: bare_etag(object.e_tag()?).to_owned(),
            };
            Some((version, object.size()))
        };
        Ok(listed.contents().iter().filter_map(object).collect())
    }

    /// Opens a case that policy alone authorizes; in the future, so that the reconciler leaves it alone.
    async fn open(&self, object: ObjectVersion, size: Option<i64>, execution: &str) -> Result<String> {
        let policy = json!({"version": 1, "rules": [{"name": "all", "disposition": "quarantine"}]});
        let policy = Policy::parse(policy.to_string().as_bytes())?;
        let finding = Finding {
            id: object.case_id()[..32].into(),
            finding_type: "SensitiveData:S3Object/Financial".into(),
            severity: Severity::High,
            title: String::new(),
            region: self.sandbox.region().into(),
            created_at: cordon::clock::now(),
            sample: false,
            object: object.clone(),
            size,
            last_modified: None,
            owner: None,
            detections: Vec::new(),
            incomplete: None,
            job_id: None,
        };
        let fallback = Fallback { approvers: Vec::new(), channel: String::new() };
        let decided = decide(Ok(&policy), &finding, None, &fallback);
        let plan = Plan::new(&finding, &decided, None);
        let opened_at = "2999-01-01T00:00:00Z".parse()?;
        let answer = PolicyAnswer::new(&finding, &decided, None);
        let case = Case::open(finding, answer, plan, execution, String::new(), opened_at);
        let case = vouched(&self.worker, &self.mac_key_arn, case).await?;
        ensure!(self.cases.open(&case, None).await?.stands().is_some(), "the case is new");
        Ok(case.case_id)
    }
}

/// Seconds of CPU that a process has taken, user and system.
fn cpu_of(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the worker runs")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}
