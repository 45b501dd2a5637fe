//! ECS replaces a task that is busy: nothing is lost, and the task has ended within the time that Terraform declares.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cordon_domain::case::{OutcomeResult, Status};
use cordon_sandbox::{CallFilter, Fault, FaultRule};
use cordon_tests::{
    clicks::{click, draft},
    eventually, eventually_within, report, run_test,
};
use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use serde_json::json;
use tokio::time::interval;

use super::{Installation, MAX_CONCURRENCY, STOP_TIMEOUT};

const CLICKS: u32 = 300;
/// Fifty clicks a second.
const BETWEEN_CLICKS: Duration = Duration::from_millis(20);
/// Five parts.
const BYTES: usize = 24 << 20;
const BUCKET: &str = "sizes-replaced";

#[test]
fn a_gateway_that_is_replaced_under_fifty_clicks_a_second_loses_none() -> Result<()> {
    run_test(async {
        let installation = Installation::lock().await?;
        let records = installation.cases()?;
        let drafts = (0..CLICKS).map(|number| draft(&installation.sandbox, "card.txt", number));
        let cases: Vec<_> = drafts.collect::<Result<_>>()?;
        stream::iter(&cases)
            .map(|case| async {
                ensure!(records.open(case, None).await?.stands().is_some(), "the case is new");
                Ok(())
            })
            .buffer_unordered(MAX_CONCURRENCY)
            .try_collect::<()>()
            .await?;
        installation.revise("gateway", &[("CORDON_DEREGISTRATION_DELAY_SECONDS", "10")]).await?;
        installation.scale("gateway", 1).await?;
        let replaced_task = installation.deployment.tasks(&installation.sandbox, "gateway");

        let slack = installation.sandbox.slack();
        let under_way = AtomicU32::new(0);
        let clicks = async {
            let mut beat = interval(BETWEEN_CLICKS);
            let mut sent = Vec::new();
            for case in &cases {
                beat.tick().await;
                under_way.fetch_add(1, Ordering::Relaxed);
                sent.push(tokio::spawn({
                    let (slack, payload) = (slack.clone(), click(case));
                    async move { slack.send_interaction(&payload).await.status }
                }));
            }
            join_all(sent).await
        };
        let revise = async {
            // Clicks come before, while and after one task takes over from the other.
            eventually("a sixth of the clicks", async || {
                Ok((under_way.load(Ordering::Relaxed) >= CLICKS / 6).then_some(()))
            })
            .await?;
            let began = Instant::now();
            let revision =
                installation.revise("gateway", &[("CORDON_DEREGISTRATION_DELAY_SECONDS", "3")]).await?;
            installation.replaced("gateway", revision, 1).await?;
            anyhow::Ok(began.elapsed())
        };
        let (statuses, replaced) = tokio::join!(clicks, revise);
        let replaced = replaced?;
        let statuses: Vec<u16> = statuses.into_iter().collect::<Result<_, _>>()?;
        let votes = async || -> Result<Vec<usize>> {
            let votes = stream::iter(&cases).map(|case| async {
                let case = records.get(&case.case_id).await?.context("the case is there")?;
                anyhow::Ok(case.approval.votes.len())
            });
            votes.buffered(MAX_CONCURRENCY).try_collect().await
        };
        let first = votes().await?;
        let lost =
            statuses.iter().zip(&first).filter(|(status, votes)| **status == 200 && **votes != 1).count();
        ensure!(lost == 0, "{lost} clicks were answered with 200 and are not on record");
        // Where the machine is too busy for an answer within three seconds, Slack shows an error, and people click again.
        let refused: Vec<_> = cases.iter().zip(&statuses).filter(|(_, status)| **status != 200).collect();
        for (case, _) in &refused {
            eventually("an answer in time", async || {
                Ok((slack.send_interaction(&click(case)).await.status == 200).then_some(()))
            })
            .await?;
        }
        let recorded = votes().await?.into_iter().filter(|votes| *votes == 1).count();
        report(&format!(
            "PROOF clicks_while_the_gateway_is_replaced clicks={CLICKS} recorded={recorded} lost={lost} answered_late={} \
             replaced_in_s={}",
            refused.len(),
            replaced.as_secs()
        ));
        ensure!(recorded == CLICKS as usize);
        ensure!(replaced < STOP_TIMEOUT);
        let log = std::fs::read_to_string(&replaced_task.first().context("a task")?.log)?;
        ensure!(log.contains("click recorded") && log.contains("gateway stopped"), "it has ended in order");
        installation.reset_services().await?;
        // No execution belongs to these cases: workers of the next tests would try to bring the two together.
        stream::iter(&cases)
            .map(|case| installation.forget(&case.case_id))
            .buffer_unordered(MAX_CONCURRENCY)
            .try_collect::<()>()
            .await
    })
}

#[test]
fn a_worker_that_is_replaced_in_the_middle_of_a_large_move_loses_no_byte() -> Result<()> {
    run_test(async {
        let installation = Installation::lock().await?;
        installation.s3.create_bucket().bucket(BUCKET).send().await?;
        installation.revise("worker", &[("CORDON_PART_BYTES", "5242880")]).await?;
        installation.scale("worker", 1).await?;
        installation.scale("gateway", 1).await?;
        let key = "large.csv";
        let body = "5163200000000008\n".repeat(BYTES / 17).into_bytes();
        let size = body.len();
        let case = installation.ask_about(BUCKET, key, body).await?;
        let records = installation.cases()?;
        let asked = eventually("the question", async || {
            let case = records.get(&case).await?;
            Ok(case.filter(|case| case.waits.task_token.is_some()))
        })
        .await?;

        // Each part takes a while, so that the worker is told to stop between two of them.
        let after = installation.sandbox.calls().last();
        installation.sandbox.faults().inject(FaultRule {
            service: "s3".into(),
            operation: Some("UploadPartCopy".into()),
            principal: None,
            kind: Fault::Latency(Duration::from_secs(2)),
            times: 100,
        });
        let clicked = installation.sandbox.slack().send_interaction(&click(&asked)).await;
        ensure!(clicked.status == 200, "{clicked:?}");
        eventually("a part", async || {
            let parts = installation.sandbox.calls().select(&CallFilter {
                after: Some(after),
                operation: Some("UploadPartCopy".into()),
                ..CallFilter::default()
            });
            Ok((!parts.is_empty()).then_some(()))
        })
        .await?;
        let worker =
            installation.deployment.tasks(&installation.sandbox, "worker").pop().context("a worker")?;
        let began = Instant::now();
        let stop = json!({"cluster": installation.deployment.cluster(), "task": worker.arn});
        installation.deployment.ecs("StopTask", &stop).await?;
        let ended = eventually_within(STOP_TIMEOUT * 2, "the end of the task", async || {
            let request = json!({"cluster": installation.deployment.cluster(), "tasks": [worker.arn]});
            let task = installation.deployment.ecs("DescribeTasks", &request).await?;
            let task = &task["tasks"][0];
            Ok((task["lastStatus"] == "STOPPED").then(|| task["containers"][0]["exitCode"].clone()))
        })
        .await?;
        let took = began.elapsed();
        ensure!(ended == 0 && took < STOP_TIMEOUT, "it ended with {ended} after {took:?}");
        installation.sandbox.faults().clear();
        let closed = eventually("the move", async || {
            let case = records.get(&case).await?.context("the case is there")?;
            Ok((case.status == Status::Closed).then_some(case))
        })
        .await?;
        ensure!(closed.outcome().is_some_and(|outcome| outcome.result == OutcomeResult::Quarantined));
        let source = installation.s3.head_object().bucket(BUCKET).key(key).send().await;
        ensure!(source.is_err(), "the object is gone from its bucket");
        let copy = &closed.quarantine.copies.first().context("a copy")?.key;
        let quarantine = installation.deployment.output("quarantine_bucket")?;
        let head = installation.s3.head_object().bucket(quarantine).key(copy).send().await?;
        ensure!(head.content_length() == Some(i64::try_from(size)?), "{head:?}");
        report(&format!("PROOF move_while_the_worker_is_replaced ended_in_s={}", took.as_secs()));
        installation.reset_services().await
    })
}
