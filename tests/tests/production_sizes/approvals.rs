//! Many open approvals at once: worker and gateway end and are followed by others, and every case can still be decided.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use cordon_domain::case::{Case, Decision, OutcomeResult, Status};
use cordon_tests::{ALICE, eventually_within, report};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{AT_ONCE, Installation};

const BUCKET: &str = "waits";
const CASES: usize = 1_000;
/// The most that opening or closing all of them takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

#[tokio::test(flavor = "multi_thread")]
async fn open_approvals_outlive_worker_and_gateway_and_all_can_be_decided() -> Result<()> {
    let installation = Installation::new(json!({})).await?;
    installation.sandbox.slack().set_rate_limits(None);
    installation.s3.create_bucket().bucket(BUCKET).send().await?;
    let deployment = &installation.deployment;
    let mut worker = deployment.start_worker(&[]).await?;
    let (mut gateway, _) = deployment.start_gateway(&[]).await?;

    let started = Instant::now();
    let asked = (0..CASES).map(|n| installation.ask(BUCKET, n));
    stream::iter(asked).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    eventually_within(PATIENCE, "every run waiting", async || {
        Ok((installation.count(Status::Open, "task_token").await? == CASES).then_some(()))
    })
    .await?;
    let open = installation.all(Status::Open).await?;
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
    eventually_within(PATIENCE, "the end of every case", async || {
        Ok((installation.count(Status::Closed, "outcome").await? == CASES).then_some(()))
    })
    .await?;
    let decided = installation.all(Status::Closed).await?.iter().filter(|case| is_dismissed(case)).count();
    report(&format!("PROOF open_approvals total={CASES} decided={decided}"));
    report(&format!(
        "opened in {:.0} s, decided in {:.0} s",
        opened.as_secs_f64(),
        started.elapsed().as_secs_f64()
    ));
    ensure!(decided == CASES);
    Ok(())
}

impl Installation {
    /// How many cases in a status have an attribute.
    async fn count(&self, status: Status, attribute: &str) -> Result<usize> {
        let query = self
            .dynamodb
            .query()
            .table_name(self.deployment.output("cases_table")?)
            .index_name("by_status")
            .key_condition_expression("#status = :status")
            .filter_expression("attribute_exists(#attribute)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":status", AttributeValue::S(status.name().into()))
            .select(Select::Count);
        let mut counted = 0;
        let mut pages = query.into_paginator().send();
        while let Some(page) = pages.next().await {
            counted += usize::try_from(page?.count)?;
        }
        Ok(counted)
    }

    async fn all(&self, status: Status) -> Result<Vec<Case>> {
        let (records, mut all, mut page) = (self.cases()?, Vec::new(), None);
        loop {
            let (cases, next) = records.in_status(status, page).await?;
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
