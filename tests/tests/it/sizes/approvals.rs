//! Many open approvals at once: worker and gateway end and are followed by others, and every case can still be decided.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use cordon_domain::case::{Case, Decision, OutcomeResult, Status};
use cordon_tests::{ALICE, Size, eventually_within, report, run_test};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{Installation, MAX_CONCURRENCY};

const BUCKET: &str = "sizes-waits";
/// The most that opening or closing a hundred of them takes on a busy machine.
const DEADLINE_OF_A_HUNDRED: Duration = Duration::from_secs(120);

#[test]
fn open_approvals_outlive_worker_and_gateway_and_all_can_be_decided() -> Result<()> {
    run_test(async {
        let size = Size::of_this_run();
        let count = size.pick(200, 1_000, 10_000);
        let deadline = DEADLINE_OF_A_HUNDRED * (count / 100);
        let count = count as usize;
        let installation = Installation::lock().await?;
        installation.sandbox.slack().set_rate_limits(None);
        installation.s3.create_bucket().bucket(BUCKET).send().await?;
        let deployment = &installation.deployment;
        let mut worker = deployment.start_worker(&[]).await?;
        let (mut gateway, _) = deployment.start_gateway(&[]).await?;

        let started = Instant::now();
        let asked = (0..count).map(|n| installation.ask(BUCKET, n));
        stream::iter(asked).buffer_unordered(MAX_CONCURRENCY).try_collect::<()>().await?;
        let open = eventually_within(deadline, "every run waiting", async || {
            let may_be = installation.count(Status::Open, "task_token").await? >= count;
            let waiting = |case: &&Case| case.task_token.is_some();
            let open = if may_be { installation.all(Status::Open, BUCKET).await? } else { Vec::new() };
            Ok((open.iter().filter(waiting).count() == count).then_some(open))
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
            .buffer_unordered(MAX_CONCURRENCY)
            .collect()
            .await;
        ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        let closed = eventually_within(deadline, "the end of every case", async || {
            let may_be = installation.count(Status::Closed, "outcome").await? >= count;
            let closed = if may_be { installation.all(Status::Closed, BUCKET).await? } else { Vec::new() };
            Ok((closed.len() == count).then_some(closed))
        })
        .await?;
        let decided = closed.iter().filter(|case| is_dismissed(case)).count();
        report(&format!("PROOF open_approvals size={size} total={count} decided={decided}"));
        report(&format!(
            "opened in {:.0} s, decided in {:.0} s",
            opened.as_secs_f64(),
            started.elapsed().as_secs_f64()
        ));
        ensure!(decided == count);
        let records = installation.cases()?;
        eventually_within(deadline, "every message in Slack up to date", async || {
            let due = records.render_due().await?;
            Ok((!due.iter().any(|due| closed.iter().any(|case| case.case_id == *due))).then_some(()))
        })
        .await?;
        Ok(())
    })
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
