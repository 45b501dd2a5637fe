//! Two processes that do one task at the same time.
//!
//! Step Functions gives a task out again when its heartbeats stay away, which says nothing about the worker that has
//! it: that one may only have been slow.

use anyhow::{Context, Result, ensure};
use cordon::error::RETRYABLE;
use cordon_sandbox::Intervention;
use cordon_tests::run_test;
use tokio::task::JoinSet;

use super::{Points, fixture::Fixture, promise, scenario::Scenario};

#[test]
fn two_workers_at_one_task_come_to_one_effect_and_one_outcome() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let mut pairs = JoinSet::new();
        for (scenario, calls) in fixture.undisturbed().await? {
            pairs.spawn(
                async move { (scenario, "both at once".into(), side_by_side(fixture, scenario).await) },
            );
            for call in calls.iter().filter(|call| call.writes()) {
                let what = format!("overtaken at {call:?}");
                pairs.spawn(async move { (scenario, what, overtaken(fixture, scenario, call.n).await) });
            }
        }
        let mut points = Points::default();
        for (scenario, what, result) in pairs.join_all().await {
            points.count(scenario, &what, result);
        }
        points.prove("two_workers", "points=")
    })
}

/// Both run freely.
async fn side_by_side(fixture: &Fixture, scenario: &Scenario) -> Result<()> {
    let _turn = fixture.turn().await;
    let task = scenario.prepare(fixture).await?;
    let one = fixture.run_to_the_end(&task, |_| Intervention::Pass);
    let other = fixture.run_to_the_end(&task, |_| Intervention::Pass);
    let (one, other) = tokio::try_join!(one, other)?;
    promise::is_kept(fixture, &task, &one).await?;
    ensure!(one["output"]["result"] == other["output"]["result"], "they ended with {one} and {other}");
    Ok(())
}

/// One waits with its `n`th call until the other has done the whole task.
async fn overtaken(fixture: &Fixture, scenario: &Scenario, n: usize) -> Result<()> {
    let _turn = fixture.turn().await;
    let task = scenario.prepare(fixture).await?;
    let late = move |call: &cordon_sandbox::InterceptedCall| {
        if call.n == n { Intervention::Hold } else { Intervention::Pass }
    };
    let mut late = fixture.start(&task, late).await?;
    ensure!(late.answer().await?.is_none(), "the call did not come");
    let first = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
    promise::is_kept(fixture, &task, &first).await.context("after the one that overtook")?;
    late.proxy.release();
    let mut last = late.answer().await?.context("nothing more is held")?;
    if last["error"] == RETRYABLE {
        last = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
    }
    promise::is_kept(fixture, &task, &last).await.context("after the one that was late")
}
