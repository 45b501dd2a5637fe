//! Many open approvals at once: worker and gateway end and are followed by others, and every case can still be decided.

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use cordon::{
    clients::store::Cases,
    domain::{
        case::{Case, Decision, OutcomeResult, Status},
        finding::{ObjectVersion, bare_etag},
    },
};
use cordon_sandbox::{Options, Sandbox, deployment::Deployment};
use cordon_tests::{ALICE, eventually_within, finding_document, report};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

/// Where the objects are.
const BUCKET: &str = "waits";
/// Open approvals, unless `CORDON_OPEN_APPROVALS` says how many.
const CASES: usize = 200;
/// Calls of the test itself at once.
const AT_ONCE: usize = 8;
/// The most that opening or closing all of them takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// A sandbox with Cordon in it.
struct Installation {
    sandbox: Sandbox,
    deployment: Deployment,
    s3: aws_sdk_s3::Client,
    cases: Cases,
}

#[tokio::test(flavor = "multi_thread")]
async fn open_approvals_outlive_worker_and_gateway_and_all_can_be_decided() -> Result<()> {
    let total = match env::var("CORDON_OPEN_APPROVALS") {
        Ok(number) => number.parse().context("CORDON_OPEN_APPROVALS is a number")?,
        Err(_) => CASES,
    };
    let installation = Installation::new().await?;
    let deployment = &installation.deployment;
    let mut worker = deployment.start_worker(&[]).await?;
    let (mut gateway, _) = deployment.start_gateway(&[]).await?;

    let started = Instant::now();
    stream::iter(0..total).map(|n| installation.ask(n)).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let open = eventually_within(PATIENCE, "every run waiting", async || {
        let open = installation.cases(Status::Open).await?;
        let waiting = open.iter().filter(|case| case.task_token.is_some()).count();
        Ok((waiting == total).then_some(open))
    })
    .await?;
    let opened = started.elapsed();

    worker.kill().await?;
    gateway.kill().await?;
    let _worker = deployment.start_worker(&[]).await?;
    let _gateway = deployment.start_gateway(&[]).await?;

    let started = Instant::now();
    let slack = installation.sandbox.slack();
    let statuses: Vec<u16> = stream::iter(&open)
        .map(|case| async move { slack.send_interaction(&dismissal(case)).await.status })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let closed = eventually_within(PATIENCE, "the end of every case", async || {
        let closed = installation.cases(Status::Closed).await?;
        Ok((closed.len() == total).then_some(closed))
    })
    .await?;
    let decided = closed.iter().filter(|case| is_dismissed(case)).count();
    report(&format!("PROOF open_approvals total={total} decided={decided}"));
    report(&format!(
        "opened in {:.0} s, decided in {:.0} s",
        opened.as_secs_f64(),
        started.elapsed().as_secs_f64()
    ));
    ensure!(decided == total);
    Ok(())
}

impl Installation {
    async fn new() -> Result<Self> {
        let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
        sandbox.slack().set_rate_limits(None);
        let rule = json!({"name": "ask", "disposition": "review", "approvers": {"users": [ALICE]}});
        let variables = json!({"schedule_expression": "rate(30 days)", "policy": {"rules": [rule]}});
        let deployment = Deployment::apply(&sandbox, variables).await?;
        let root = sandbox.sdk_config().await;
        let s3 = aws_sdk_s3::Client::new(&root);
        s3.create_bucket().bucket(BUCKET).send().await?;
        let table = deployment.output("cases_table")?.to_owned();
        let cases = Cases::new(aws_sdk_dynamodb::Client::new(&root), table);
        Ok(Self { sandbox, deployment, s3, cases })
    }

    /// Has a finding about a new object answered.
    async fn ask(&self, n: usize) -> Result<()> {
        let key = format!("card-{n}.txt");
        let body = ByteStream::from(format!("5163200000000008 {n}").into_bytes());
        let put = self.s3.put_object().bucket(BUCKET).key(&key).body(body).send().await?;
        let version = ObjectVersion {
            account: self.sandbox.account().to_owned(),
            bucket: BUCKET.to_owned(),
            key,
            version_id: None,
            etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).to_owned(),
        };
        let id = format!("{n:032x}");
        self.sandbox.macie().put_finding(finding_document(
            self.sandbox.region(),
            &id,
            "Financial",
            &version,
            20,
        ));
        self.sandbox.macie().publish_finding(&id).await?;
        Ok(())
    }

    async fn cases(&self, status: Status) -> Result<Vec<Case>> {
        let (mut all, mut page) = (Vec::new(), None);
        loop {
            let (cases, next) = self.cases.in_status(status, page).await?;
            all.extend(cases);
            page = next;
            if page.is_none() {
                return Ok(all);
            }
        }
    }
}

fn is_dismissed(case: &Case) -> bool {
    let dismissed = case.outcome.as_ref().is_some_and(|outcome| outcome.result == OutcomeResult::Dismissed);
    dismissed && case.decision == Some(Decision::Dismiss) && case.votes.len() == 1
}

/// The modal that Alice sends after *Dismiss*.
fn dismissal(case: &Case) -> serde_json::Value {
    let opened = json!({"action_id": format!("dismiss:{}", case.approval_id),
        "value": format!("{}:{}", case.case_id, case.plan_hash)});
    json!({"type": "view_submission", "user": {"id": ALICE, "team_id": "T0CORDON01"}, "team": {"id": "T0CORDON01"},
        "view": {"private_metadata": opened.to_string(),
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "test data"}}}}}})
}
