//! What holds for one case, for as many as a bad day brings.

mod approvals;
mod outage;
mod replay;

use anyhow::{Context, Result};
use aws_sdk_s3::primitives::ByteStream;
use cordon::store::Cases;
use cordon_domain::finding::{ObjectVersion, bare_etag};
use cordon_sandbox::{Options, Sandbox, deployment::Deployment};
use cordon_tests::{ALICE, finding_document};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Calls of a test itself at once.
const AT_ONCE: usize = 8;

/// A sandbox with Cordon in it, whose policy asks Alice about everything.
struct Installation {
    sandbox: Sandbox,
    deployment: Deployment,
    s3: aws_sdk_s3::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    /// One at a time: each has the machine's CPUs to itself.
    _alone: MutexGuard<'static, ()>,
}

impl Installation {
    /// With these Terraform variables besides.
    async fn new(variables: Value) -> Result<Self> {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
        let rule = json!({"name": "ask", "disposition": "review", "approvers": {"users": [ALICE]},
            "on_expiry": "ask_again"});
        let mut all = json!({"schedule_expression": "rate(30 days)", "policy": {"rules": [rule]}});
        all.as_object_mut().expect("an object").extend(variables.as_object().expect("an object").clone());
        let deployment = Deployment::apply(&sandbox, all).await?;
        let root = sandbox.sdk_config().await;
        Ok(Self {
            s3: aws_sdk_s3::Client::new(&root),
            dynamodb: aws_sdk_dynamodb::Client::new(&root),
            sandbox,
            deployment,
            _alone: alone,
        })
    }

    /// Has a finding about a new object answered.
    async fn ask(&self, bucket: &str, n: usize) -> Result<()> {
        let key = format!("card-{n}.txt");
        let body = ByteStream::from(format!("5163200000000008 {n}").into_bytes());
        let put = self.s3.put_object().bucket(bucket).key(&key).body(body).send().await?;
        let version = ObjectVersion {
            account: self.sandbox.account().to_owned(),
            bucket: bucket.to_owned(),
            key,
            version_id: None,
            etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).to_owned(),
        };
        let id = format!("{n:032x}");
        let finding = finding_document(self.sandbox.region(), &id, "Financial", &version, 20);
        self.sandbox.macie().put_finding(finding);
        self.sandbox.macie().publish_finding(&id).await?;
        Ok(())
    }

    /// The records of cases.
    fn cases(&self) -> Result<Cases> {
        Ok(Cases::new(self.dynamodb.clone(), self.deployment.output("cases_table")?.to_owned()))
    }
}
