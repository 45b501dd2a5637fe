//! A decision whose wake-up does not reach Step Functions.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{ALICE, Stage, on_stage};

#[test]
fn a_run_that_the_gateway_cannot_wake_is_woken_by_the_reconciler() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("asleep").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        stage.reaches(&run, "AwaitDecision").await?;
        stage.sandbox.faults().inject(FaultRule {
            service: "states".into(),
            operation: Some("SendTaskSuccess".into()),
            principal: Some("cordon-gateway".into()),
            kind: Fault::Latency(Duration::from_secs(120)),
            times: 100,
        });
        let clicked = Instant::now();
        let status = stage.click(ALICE, &message, "quarantine:").await?;
        let answered = clicked.elapsed();
        let ended = stage.succeeded(&run).await;
        stage.sandbox.faults().clear();
        ensure!(status == 200 && answered < Duration::from_secs(3), "{status} after {answered:?}");
        ended?;
        let states = stage.states(&run).await?;
        ensure!(
            !states.contains(&"AdvanceRound".to_owned()),
            "it was woken, and did not time out: {states:?}"
        );
        ensure!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}
