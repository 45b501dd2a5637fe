//! A decision whose wake-up does not reach Step Functions.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{ALICE, TestEnv, run_test};

#[test]
fn a_run_that_the_gateway_cannot_wake_is_woken_by_the_reconciler() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("asleep").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        env.reaches(&run, "AwaitDecision").await?;
        env.sandbox.faults().inject(FaultRule {
            service: "states".into(),
            operation: Some("SendTaskSuccess".into()),
            principal: Some("cordon-gateway".into()),
            kind: Fault::Latency(Duration::from_secs(120)),
            times: 100,
        });
        let clicked = Instant::now();
        let status = env.click(ALICE, &message, "quarantine:").await?;
        let answered = clicked.elapsed();
        let ended = env.succeeded(&run).await;
        env.sandbox.faults().clear();
        ensure!(status == 200 && answered < Duration::from_secs(3), "{status} after {answered:?}");
        ended?;
        let states = env.states(&run).await?;
        ensure!(
            !states.contains(&"AdvanceRound".to_owned()),
            "it was woken, and did not time out: {states:?}"
        );
        ensure!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}
