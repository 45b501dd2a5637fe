//! The way to stop every move that needs ECS alone.

use anyhow::{Context, Result, ensure};
use cordon_domain::case::{OutcomeResult, Status};
use cordon_tests::{clicks::click, eventually, eventually_within, run_test};

use super::{Installation, STOP_TIMEOUT};

const BUCKET: &str = "sizes-stopped";
const KEY: &str = "card.txt";

#[test]
fn with_a_desired_count_of_zero_nothing_moves_and_with_workers_again_it_goes_on() -> Result<()> {
    run_test(async {
        let installation = Installation::lock().await?;
        installation.s3.create_bucket().bucket(BUCKET).send().await?;
        installation.scale("worker", 1).await?;
        installation.scale("gateway", 1).await?;
        let case = installation.ask_about(BUCKET, KEY, b"5163200000000008".to_vec()).await?;
        let records = installation.cases()?;
        let asked = eventually("the question", async || {
            Ok(records.get(&case).await?.filter(|case| case.waits.task_token.is_some()))
        })
        .await?;
        let running = installation.deployment.tasks(&installation.sandbox, "worker");
        let log = running.first().context("a worker")?.log.clone();
        installation.scale("worker", 0).await?;
        eventually_within(STOP_TIMEOUT, "the end of the worker", async || {
            Ok(installation.deployment.tasks(&installation.sandbox, "worker").is_empty().then_some(()))
        })
        .await?;
        let log = std::fs::read_to_string(&log)?;
        ensure!(log.contains(r#""Rounds":1"#), "what it counted since the last minute is lost: {log}");
        let clicked = installation.sandbox.slack().send_interaction(&click(&asked)).await;
        ensure!(clicked.status == 200, "{clicked:?}");
        // The execution has gone on to its move, which nobody makes.
        eventually("the wait for a worker", async || {
            let history = installation.sfn.get_execution_history().execution_arn(&asked.execution_arn);
            let events = history.max_results(1_000).send().await?.events;
            let entered = events.iter().filter_map(|event| event.state_entered_event_details.as_ref());
            Ok(entered.into_iter().any(|state| state.name == "QuarantineObject").then_some(()))
        })
        .await?;
        installation.s3.head_object().bucket(BUCKET).key(KEY).send().await.context("it is still there")?;
        ensure!(records.get(&case).await?.context("the case is there")?.status == Status::Open);

        installation.scale("worker", 1).await?;
        let closed = eventually("the move", async || {
            Ok(records.get(&case).await?.filter(|case| case.status == Status::Closed))
        })
        .await?;
        ensure!(closed.outcome().is_some_and(|outcome| outcome.result == OutcomeResult::Quarantined));
        installation.reset_services().await
    })
}
