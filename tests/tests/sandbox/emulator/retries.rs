//! Retry.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::Instant;

use super::harness::{StepFunctions, eventually, in_bare_sandbox};

#[test]
fn max_delay_seconds_caps_the_interval_between_retries() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let retry = json!([{
            "ErrorEquals": ["Again"], "IntervalSeconds": 1, "BackoffRate": 20, "MaxDelaySeconds": 2, "MaxAttempts": 2
        }]);
        let (activity, machine) = sfn.machine_with_activity(json!({ "Retry": retry })).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let begun = Instant::now();
        for _ in 0..3 {
            let token = sfn.pick_up(&activity).await?;
            sfn.fail(&token, "Again", "").await?;
        }
        // One second, then two instead of twenty.
        let waited = begun.elapsed();
        assert!((2900..6000).contains(&waited.as_millis()), "{waited:?}");
        assert_eq!(sfn.end(&execution).await?.error.as_deref(), Some("Again"));
        Ok(())
    })
}

#[test]
fn full_jitter_draws_the_interval_between_nothing_and_its_whole_length() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let retry = json!([{ "ErrorEquals": ["Again"], "IntervalSeconds": 2, "JitterStrategy": "FULL", "MaxAttempts": 1 }]);
        let (activity, machine) = sfn.machine_with_activity(json!({ "Retry": retry })).await?;
        let (mut executions, mut tokens, mut delays) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..10 {
            executions.push(sfn.start(&machine, json!({})).await?);
        }
        for _ in 0..10 {
            tokens.push(sfn.pick_up(&activity).await?);
        }
        for token in tokens {
            sfn.fail(&token, "Again", "").await?;
        }
        for execution in executions {
            let delay = eventually("the retry", async || {
                let history = sfn.history(&execution).await?;
                let at = |kind: &str| {
                    let found = history.iter().filter(|event| event.r#type.as_str() == kind);
                    found.map(|event| event.timestamp.as_secs_f64()).collect::<Vec<_>>()
                };
                let (failed, scheduled) = (at("ActivityFailed"), at("ActivityScheduled"));
                Ok((scheduled.len() == 2).then(|| scheduled[1] - failed[0]))
            })
            .await?;
            delays.push(Duration::from_secs_f64(delay.max(0.0)));
            sfn.stop(&execution).await?;
        }
        // Ten draws that are all in the same half happen once in 500 runs; all above three quarters, once in a million.
        assert!(delays.iter().any(|delay| *delay < Duration::from_millis(1500)), "{delays:?}");
        assert!(delays.iter().all(|delay| *delay < Duration::from_millis(2600)), "{delays:?}");
        Ok(())
    })
}
