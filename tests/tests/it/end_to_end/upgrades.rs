//! What an earlier release has begun comes to its end under this one.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use cordon_tests::{
    TestEnv,
    release::{Frozen, FrozenCase, FrozenCycle, Shift, Work},
    report, run_test,
};

/// How many kinds of work each release freezes.
const KINDS: usize = 6;

#[test]
fn what_an_earlier_release_has_begun_this_one_ends() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let all = Frozen::all()?;
        let mut of_release: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, _) in &all {
            *of_release.entry(name.split('/').next().unwrap_or_default()).or_default() += 1;
        }
        ensure!(!all.is_empty() && of_release.values().all(|&kinds| kinds == KINDS), "{of_release:?}");
        for (name, frozen) in &all {
            let shift = Shift::since(frozen.at);
            let ended = match &frozen.work {
                Work::Case(case) => ends_case(env, case, shift).await,
                Work::Cycle(cycle) => ends_cycle(env, cycle, shift).await,
            };
            ended.with_context(|| name.clone())?;
        }
        report(&format!("PROOF upgrades frozen={} ended={}", all.len(), all.len()));
        Ok(())
    })
}

async fn ends_case(env: &TestEnv, frozen: &FrozenCase, shift: Shift) -> Result<()> {
    let placed = frozen.resume(env, shift).await?;
    let run = frozen.go_on(env, &placed).await?;
    env.succeeded(&run).await?;
    let bucket = &placed.version.bucket;
    env.shows(bucket, if frozen.ends_there() { "Put back" } else { "Moved" }).await?;
    ensure!(env.messages(bucket).len() == 1, "{bucket} has more than the message that it had");
    let there = env.is_there(bucket, &placed.version.key).await?;
    ensure!(there == frozen.ends_there(), "the object is there: {there}");
    Ok(())
}

async fn ends_cycle(env: &TestEnv, frozen: &FrozenCycle, shift: Shift) -> Result<()> {
    let jobs = env.sandbox.macie().jobs().len();
    let run = frozen.resume(env, shift).await?;
    env.succeeded(&run).await?;
    ensure!(env.sandbox.macie().jobs().len() == jobs + 1, "the job that ran is the one that is read");
    let arn = format!("arn:aws:s3:::{}", frozen.bucket());
    let findings = env.sandbox.security_hub().findings();
    let told = findings.iter().find(|finding| finding["Resources"][0]["Id"] == arn);
    ensure!(told.context("Security Hub is told")?["RecordState"] == "ACTIVE");
    Ok(())
}
