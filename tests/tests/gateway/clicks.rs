//! Clicks in numbers, and none lost.

use std::time::Duration;

use anyhow::{Result, ensure};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{
    clicks::{Answer, GATEWAY, GatewayEnv, click, form},
    eventually, report, run_test,
};
use futures::future::join_all;

/// How long Slack waits for an answer.
const SLACK_TIMEOUT: Duration = Duration::from_secs(3);
const CLICKS: usize = 200;

fn slow(service: &str, operation: &str, by: Duration, times: usize) -> FaultRule {
    FaultRule {
        service: service.into(),
        operation: Some(operation.into()),
        principal: Some(GATEWAY.into()),
        kind: Fault::Latency(by),
        times: u32::try_from(times).expect("a small number"),
    }
}

fn in_time(answers: &[Answer]) -> Result<()> {
    let slowest = answers.iter().map(|answer| answer.took).max().unwrap_or_default();
    ensure!(slowest < SLACK_TIMEOUT, "the slowest of {} answers took {slowest:?}", answers.len());
    Ok(())
}

fn all_taken(answers: &[Answer]) -> Result<()> {
    ensure!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    Ok(())
}

#[test]
fn two_hundred_clicks_at_once_are_on_record_when_they_are_answered_in_time() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let cases = env.open(CLICKS).await?;
        let answers = env.click_all(&gateway.url, &cases).await;
        in_time(&answers)?;
        let slowest = answers.iter().map(|answer| answer.took.as_millis()).max().unwrap_or_default();
        // The sandbox's DynamoDB may be too slow for all of them: who is told so clicks again.
        let refused: Vec<_> = cases.iter().zip(&answers).filter(|(_, answer)| answer.status != 200).collect();
        ensure!(refused.iter().all(|(_, answer)| answer.status == 503), "{answers:?}");
        for (case, _) in &refused {
            all_taken(&[env.click(&gateway.url, case).await])?;
        }
        ensure!(env.votes(&cases).await?.iter().all(|&votes| votes == 1));
        let at_first = CLICKS - refused.len();
        report(&format!(
            "PROOF gateway_burst clicks={CLICKS} recorded={CLICKS} taken_at_first={at_first} slowest_ms={slowest}"
        ));
        Ok(())
    })
}

#[test]
fn of_two_hundred_clicks_at_once_on_one_case_one_counts() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = env.open(1).await?;
        let answers = env.click_all(&gateway.url, &vec![case[0].clone(); CLICKS]).await;
        all_taken(&answers)?;
        in_time(&answers)?;
        ensure!(env.votes(&case).await? == [1]);
        Ok(())
    })
}

#[test]
fn a_request_that_is_replayed_changes_nothing() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = env.open(1).await?;
        let body = form(&click(&case[0]));
        let (timestamp, signature) = env.signed(&body);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let before = env.sandbox.calls().last();
        for _ in 0..5 {
            let request = http
                .post(format!("{}/slack/interactions", gateway.url))
                .header("x-slack-request-timestamp", &timestamp)
                .header("x-slack-signature", &signature)
                .body(body.clone());
            ensure!(request.send().await?.status() == 200);
        }
        ensure!(env.votes(&case).await? == [1]);
        let woken = cordon_sandbox::CallFilter {
            after: Some(before),
            service: Some("states".into()),
            ..cordon_sandbox::CallFilter::default()
        };
        ensure!(env.sandbox.calls().select(&woken).is_empty(), "there is no run to wake");
        Ok(())
    })
}

#[test]
fn where_dynamodb_is_slow_clicks_are_answered_in_time_and_recorded_late_and_once() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let cases = env.open(CLICKS).await?;
        env.sandbox.faults().inject(slow("dynamodb", "UpdateItem", Duration::from_secs(4), CLICKS));
        let answers = env.click_all(&gateway.url, &cases).await;
        in_time(&answers)?;
        let not_said = answers.iter().all(|answer| answer.status == 503);
        ensure!(not_said, "nobody is told of a vote that is not on record: {answers:?}");
        eventually("the votes", async || {
            Ok(env.votes(&cases).await?.iter().all(|&votes| votes == 1).then_some(()))
        })
        .await
    })
}

#[test]
fn of_more_clicks_than_the_gateway_holds_the_surplus_is_refused_and_can_be_repeated() -> Result<()> {
    const HELD: usize = 256;
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let cases = env.open(HELD + 64).await?;
        env.sandbox.faults().inject(slow("dynamodb", "UpdateItem", Duration::from_secs(4), cases.len()));
        let answers = env.click_all(&gateway.url, &cases).await;
        env.sandbox.faults().clear();
        in_time(&answers)?;
        ensure!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
        eventually("the votes that were held", async || {
            let recorded: usize = env.votes(&cases).await?.iter().sum();
            ensure!(recorded < cases.len(), "none was refused");
            Ok((recorded >= HELD).then_some(()))
        })
        .await?;
        for some in cases.chunks(64) {
            all_taken(&env.click_all(&gateway.url, some).await)?;
        }
        ensure!(env.votes(&cases).await?.iter().all(|&votes| votes == 1));
        Ok(())
    })
}

#[test]
fn where_step_functions_is_slow_clicks_are_on_record_and_answered_in_time() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let cases = env.open(20).await?;
        env.wait_for(&cases).await?;
        env.sandbox.faults().inject(slow("states", "SendTaskSuccess", Duration::from_secs(4), cases.len()));
        let answers = env.click_all(&gateway.url, &cases).await;
        all_taken(&answers)?;
        in_time(&answers)?;
        ensure!(env.votes(&cases).await?.iter().all(|&votes| votes == 1));
        Ok(())
    })
}

#[test]
fn a_gateway_that_is_told_to_stop_loses_no_click_and_records_none_twice() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let mut gateway = env.gateway(None, &[]).await?;
        let cases = env.open(45).await?;
        env.wait_for(&cases).await?;
        let (early, late) = cases.split_at(30);
        env.sandbox.faults().inject(slow("dynamodb", "UpdateItem", Duration::from_secs(1), cases.len()));
        let url = gateway.url.clone();
        let before = env.sandbox.calls().last();
        let clicks = env.click_all(&url, early);
        let stop = async {
            // The votes are on their way, and no answer has been given.
            eventually("clicks in hand", async || {
                let still_to_come = u32::try_from(late.len())?;
                Ok((env.sandbox.faults().left() == still_to_come).then_some(()))
            })
            .await?;
            let ended = gateway.process.terminate();
            let meanwhile = join_all(late.iter().map(|case| env.click(&url, case)));
            let (ended, meanwhile) = tokio::join!(ended, meanwhile);
            anyhow::Ok((ended?, meanwhile))
        };
        let (answers, stopped) = tokio::join!(clicks, stop);
        let (ended, meanwhile) = stopped?;
        ensure!(ended.success(), "it ended as {ended}: {}", gateway.process.end_of_log());
        all_taken(&answers)?;
        all_taken(&meanwhile)?;
        in_time(&answers)?;
        ensure!(env.votes(&cases).await?.iter().all(|&votes| votes == 1));
        let woken = cordon_sandbox::CallFilter {
            after: Some(before),
            operation: Some("SendTaskSuccess".into()),
            principal: Some(GATEWAY.into()),
            ..cordon_sandbox::CallFilter::default()
        };
        let woken = env.sandbox.calls().select(&woken);
        ensure!(
            woken.iter().filter(|call| call.status == 200).count() == cases.len(),
            "each run was woken once"
        );
        ensure!(env.click(&url, &cases[0]).await.status == 0, "nobody listens any more");
        Ok(())
    })
}
