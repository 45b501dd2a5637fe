//! Moves that no person decided, counted by many workers at once.

use anyhow::{Result, ensure};
use cordon::store::{AutomaticMove, Counted, RateLimits};
use cordon_domain::case::Case;
use cordon_tests::run_test;
use futures::future::try_join_all;

use super::{fixture::Fixture, scenario::SCENARIOS};

const LIMIT: u32 = 6;
/// What of it those below one prefix get.
const SHARE: usize = 3;
const MOVES: usize = 12;

/// Counts a move as a worker does: again, when others are at the counters.
async fn count(fixture: &Fixture, case: &Case, run: &str) -> Result<bool> {
    let limits = RateLimits { per_hour: None, per_bucket_per_hour: Some(LIMIT) };
    loop {
        match fixture.cases.count_automatic(AutomaticMove { case, execution_arn: run }, limits).await {
            Ok(counted) => return Ok(counted == Counted::Within),
            Err(error) if error.code().is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[test]
fn each_move_is_counted_once_and_what_does_not_come_about_gives_its_place_back() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        // All below one prefix of one bucket, and each with a run of its own.
        let case = SCENARIOS[0].prepare(fixture).await?.case;
        let runs: Vec<String> = (0..MOVES).map(|n| format!("{}-{n}", case.execution_arn)).collect();
        let all = || try_join_all(runs.iter().map(|run| count(fixture, &case, run)));
        let within = all().await?;
        ensure!(within.iter().filter(|within| **within).count() == SHARE, "{within:?}");
        ensure!(all().await? == within, "a repetition counts nothing, and comes to the same");
        let moved = runs.iter().zip(&within).find(|(_, within)| **within).map(|(run, _)| run.as_str());
        let moved = AutomaticMove { case: &case, execution_arn: moved.unwrap_or_default() };
        for _ in 0..2 {
            fixture.cases.give_back_automatic(moved).await?;
        }
        let late: Vec<String> = (0..3).map(|n| format!("{}-late-{n}", case.execution_arn)).collect();
        let mut there_is_room = Vec::new();
        for run in &late {
            there_is_room.push(count(fixture, &case, run).await?);
        }
        ensure!(there_is_room == [true, false, false], "one place was given back, once: {there_is_room:?}");

        // Below another prefix there is room until the bucket's own limit is reached, whoever has filled up the first.
        let elsewhere = case.with_plan(|plan| plan.object.key = format!("elsewhere/{}", plan.object.key));
        let mut there = Vec::new();
        for n in 0..=SHARE {
            there.push(
                count(fixture, &elsewhere, &format!("{}-elsewhere-{n}", elsewhere.execution_arn)).await?,
            );
        }
        ensure!(
            there == [true, true, true, false],
            "one prefix has used up the limit of the bucket: {there:?}"
        );
        Ok(())
    })
}
