//! Executions that an earlier release has begun come to their end under this one.

use anyhow::{Result, ensure};
use cordon_tests::{TestEnv, release::Frozen, report, run_test};

#[test]
fn what_an_earlier_release_has_begun_this_one_ends() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let all = Frozen::all()?;
        ensure!(all.len() >= 2, "only {} are frozen", all.len());
        for (release, frozen) in &all {
            let (run, placed, message) = frozen.resume(env).await?;
            let ended = async {
                frozen.decide(env, &message).await?;
                env.succeeded(&run).await?;
                let bucket = &placed.version.bucket;
                env.shows(bucket, if frozen.ends_there() { "Put back" } else { "Moved" }).await?;
                ensure!(env.messages(bucket).len() == 1, "{bucket} has more than the message that it had");
                let there = env.is_there(bucket, &placed.version.key).await?;
                ensure!(there == frozen.ends_there(), "the object is there: {there}");
                anyhow::Ok(())
            };
            ended.await.map_err(|error| error.context(format!("{} of {release}", frozen.name)))?;
        }
        report(&format!("PROOF upgrades frozen={} ended={}", all.len(), all.len()));
        Ok(())
    })
}
