//! Many open approvals at once: workers and gateways are killed, ECS puts a new revision in their place, and every case can
//! still be decided.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordon::{clock, store::keys};
use cordon_domain::case::{Case, Decision, OutcomeResult, Status};
use cordon_tests::{ALICE, Size, eventually_within, report, run_test};
use futures::{StreamExt, TryStreamExt, stream};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Installation, MAX_CONCURRENCY, SERVICES};

const BUCKET: &str = "sizes-waits";
/// The most that opening or closing a hundred of them takes on a busy machine.
const DEADLINE_OF_A_HUNDRED: Duration = Duration::from_secs(120);

#[test]
fn open_approvals_outlive_workers_and_gateways_and_all_can_be_decided() -> Result<()> {
    run_test(async {
        let size = Size::of_this_run();
        let count = size.pick(200, 1_000, 10_000);
        let deadline = DEADLINE_OF_A_HUNDRED * (count / 100);
        let count = count as usize;
        let installation = Installation::lock().await?;
        installation.sandbox.slack().set_rate_limits(None);
        installation.s3.create_bucket().bucket(BUCKET).send().await?;
        // What is replaced is not waited for: a gateway serves on for a minute, and polls take as long.
        let short = [("CORDON_DEREGISTRATION_DELAY_SECONDS", "3"), ("CORDON_DRAIN_TIMEOUT_SECONDS", "3")];
        for service in SERVICES {
            installation.revise(service, &short).await?;
            installation.scale(service, 2).await?;
        }

        let started = Instant::now();
        let asked = (0..count).map(|n| installation.ask(BUCKET, n));
        stream::iter(asked).buffer_unordered(MAX_CONCURRENCY).try_collect::<()>().await?;
        let open = eventually_within(deadline, "every run waiting", async || {
            let may_be = installation.open().await? >= count;
            let waiting = |case: &&Case| case.waits.task_token.is_some();
            let open = if may_be { installation.all(BUCKET).await? } else { Vec::new() };
            Ok((open.iter().filter(waiting).count() == count).then_some(open))
        })
        .await?;
        let opened = started.elapsed();

        for task in installation.sandbox.tasks() {
            let pid = Pid::from_raw(task.pid.cast_signed()).context("a process id")?;
            kill_process(pid, Signal::KILL)?;
        }
        for service in SERVICES {
            let revision = installation.revise(service, &short).await?;
            installation.replaced(service, revision, 2).await?;
        }

        let started = Instant::now();
        let slack = installation.sandbox.slack();
        let statuses: Vec<u16> = stream::iter(&open)
            .map(|case| async move { slack.send_interaction(&dismissal(case)).await.status })
            .buffer_unordered(MAX_CONCURRENCY)
            .collect()
            .await;
        ensure!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        let closed = eventually_within(deadline, "the end of every case", async || {
            let may_be = installation.open().await? == 0;
            let mut closed = if may_be { installation.all(BUCKET).await? } else { Vec::new() };
            closed.retain(|case| case.status == Status::Closed);
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
            let due = records.slack_due(clock::now(), None).await?.entries;
            let is_due = |case: &Case| due.contains(&keys::approval(&case.case_id));
            Ok((!closed.iter().any(is_due)).then_some(()))
        })
        .await?;
        installation.reset_services().await
    })
}

fn is_dismissed(case: &Case) -> bool {
    let dismissed = case.outcome().is_some_and(|outcome| outcome.result == OutcomeResult::Dismissed);
    dismissed && case.decision() == Some(Decision::Dismiss) && case.approval.votes.len() == 1
}

/// The modal that Alice sends after *Dismiss*.
fn dismissal(case: &Case) -> serde_json::Value {
    let opened = json!({"action_id": format!("dismiss:{}", case.approval.id),
        "value": format!("{}:{}", case.case_id, case.approval.plan_hash)});
    json!({"type": "view_submission", "api_app_id": "A0CORDON01", "user": {"id": ALICE, "team_id": "T0CORDON01"}, "team": {"id": "T0CORDON01"},
        "view": {"private_metadata": opened.to_string(),
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "test data"}}}}}})
}
