//! What Slack is shown of a case, and what happens when it takes it late, otherwise or not at all.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use cordon::{
    app::{
        clients::Clients,
        notifications::{self, Shown},
    },
    clock,
    loops::notifier,
    store::keys,
};
use cordon_domain::{
    case::{Case, Outcome, OutcomeResult},
    slack_message::SlackMessage,
};
use cordon_sandbox::{
    CallFilter, Fault, FaultRule,
    slack::{MethodFault, MethodFaultKind, Outage},
};
use cordon_tests::{
    CHANNEL, OTHER_CHANNEL,
    clicks::{GatewayEnv, WORKER, click, form},
    eventually, run_test,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// A case that people are about to be asked about.
async fn due(env: &GatewayEnv) -> Result<Case> {
    show(env, &env.open_about("card.txt").await?).await
}

/// Has a case shown, as if people were asked.
async fn show(env: &GatewayEnv, case: &Case) -> Result<Case> {
    let ends_at = "2099-03-11T09:47:00Z".parse()?;
    env.cases.show_round(case, ends_at, None, None).await?.context("the case is open")
}

/// The messages of a case in a channel.
fn messages(env: &GatewayEnv, channel: &str, case: &Case) -> Vec<Value> {
    let all = env.sandbox.slack().messages(channel);
    all.into_iter().filter(|message| message["metadata"].to_string().contains(&case.case_id)).collect()
}

async fn render(clients: &Clients, case: &Case) -> Result<()> {
    notifications::render_case(clients, &case.case_id).await?;
    Ok(())
}

async fn message(env: &GatewayEnv, case: &Case) -> Result<SlackMessage> {
    Ok(env.cases.message(&case.case_id).await?.unwrap_or_default())
}

/// Which message of Slack's is the case's, as far as it is on record.
async fn shown_as(env: &GatewayEnv, case: &Case) -> Result<Option<String>> {
    Ok(message(env, case).await?.posted.map(|posted| posted.ts))
}

async fn is_due(env: &GatewayEnv, case: &Case) -> Result<bool> {
    Ok(env.cases.due_channel(&keys::approval(&case.case_id)).await?.is_some())
}

fn refuses(method: Option<&str>, channel: Option<&str>, error: &str, times: Option<u32>) -> MethodFault {
    MethodFault {
        method: method.map(str::to_owned),
        channel: channel.map(str::to_owned),
        kind: MethodFaultKind::Refused(error.to_owned()),
        times,
    }
}

fn has_buttons(message: &Value) -> bool {
    ["quarantine:", "dismiss:", "snooze:"].iter().all(|action| message["blocks"].to_string().contains(action))
}

#[test]
fn a_question_about_any_key_is_taken_by_slack_and_so_is_its_end() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        for key in
            ["%".repeat(800), "&".repeat(1_024), "字".repeat(341), "😀".repeat(256), " \u{1}\n`".repeat(200)]
        {
            let case = show(env, &env.open_about(&key).await?).await?;
            render(&clients, &case).await?;
            let [message] =
                <[Value; 1]>::try_from(messages(env, CHANNEL, &case)).ok().context("a question")?;
            ensure!(has_buttons(&message), "{message}");
            let outcome = Outcome {
                result: OutcomeResult::Failed,
                detail: format!("The object {key} could not be moved. ").repeat(5),
                code: None,
            };
            env.cases.close(&case, &outcome).await?.stands().context("the case was open")?;
            render(&clients, &case).await?;
            let [message] = <[Value; 1]>::try_from(messages(env, CHANNEL, &case)).ok().context("an end")?;
            ensure!(
                message["blocks"].to_string().contains("*Failed.*") && !has_buttons(&message),
                "{message}"
            );
        }
        Ok(())
    })
}

#[test]
fn what_has_just_been_shown_is_not_taken_to_be_shown_again() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        let case = due(env).await?;
        env.sandbox.faults().inject(FaultRule {
            service: "dynamodb".into(),
            operation: Some("UpdateItem".into()),
            principal: Some(WORKER.into()),
            kind: Fault::Latency(Duration::from_millis(500)),
            times: 100,
        });
        // Another worker looks while this one's writes are slow.
        let other = async {
            eventually("the message", async || Ok(messages(env, CHANNEL, &case).pop())).await?;
            loop {
                let until = clock::now() + jiff::SignedDuration::from_secs(60);
                let taken = env.cases.claim_rendering(&keys::approval(&case.case_id), until).await?;
                ensure!(taken.is_none(), "what Slack shows already was taken to be shown again");
            }
        };
        tokio::select! {
            shown = render(&clients, &case) => shown?,
            taken = other => taken?,
        }
        ensure!(!is_due(env, &case).await? && message(env, &case).await?.is_posted());
        Ok(())
    })
}

#[test]
fn a_question_that_its_channel_refuses_is_asked_and_decided_in_the_fallback_channel() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        let gateway = env.gateway(None, &[]).await?;
        for error in ["is_archived", "channel_not_found", "not_in_channel", "restricted_action"] {
            // One whose question was never shown, and one whose channel closed afterwards.
            for shown_before in [false, true] {
                let case = due(env).await?;
                if shown_before {
                    render(&clients, &case).await?;
                    show(env, &case).await?;
                }
                env.sandbox.slack().inject(refuses(None, Some(CHANNEL), error, None));
                render(&clients, &case).await?;
                env.sandbox.slack().clear_faults();
                let [message] = <[Value; 1]>::try_from(messages(env, OTHER_CHANNEL, &case))
                    .ok()
                    .with_context(|| format!("{error}: one question in the fallback channel"))?;
                ensure!(has_buttons(&message), "{message}");
                ensure!(
                    shown_as(env, &case).await?.as_deref() == message["ts"].as_str()
                        && !is_due(env, &case).await?
                );
                let mut elsewhere = click(&case);
                elsewhere["channel"]["id"] = json!("C0ELSEWHERE");
                ensure!(env.send(&gateway.url, &form(&elsewhere)).await.status == 400);
                let mut there = click(&case);
                there["channel"]["id"] = json!(OTHER_CHANNEL);
                ensure!(
                    env.send(&gateway.url, &form(&there)).await.status == 200,
                    "{error}: a click there counts"
                );
                ensure!(env.votes(&[case]).await? == [1]);
            }
        }
        Ok(())
    })
}

#[test]
fn a_message_that_slack_does_not_take_is_shown_plainly_with_its_buttons() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        for error in ["invalid_blocks", "msg_blocks_too_long", "msg_too_long", "invalid_arguments"] {
            let case = due(env).await?;
            for method in ["chat.postMessage", "chat.update"] {
                env.sandbox.slack().inject(refuses(Some(method), None, error, Some(1)));
                render(&clients, &case).await?;
                let [message] = <[Value; 1]>::try_from(messages(env, CHANNEL, &case))
                    .ok()
                    .with_context(|| format!("{error} of {method}: one message"))?;
                let blocks = message["blocks"].to_string();
                ensure!(has_buttons(&message) && blocks.contains("card.txt"), "{message}");
                ensure!(blocks.contains("cordon approvals show"), "it says where the rest is: {message}");
                ensure!(!is_due(env, &case).await?);
                show(env, &case).await?;
            }
        }
        Ok(())
    })
}

#[test]
fn a_message_that_cannot_be_changed_is_replaced_by_a_new_one() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        for error in ["cant_update_message", "edit_window_closed", "message_not_found"] {
            let case = due(env).await?;
            render(&clients, &case).await?;
            show(env, &case).await?;
            env.sandbox.slack().inject(refuses(Some("chat.update"), Some(CHANNEL), error, None));
            render(&clients, &case).await?;
            env.sandbox.slack().clear_faults();
            let [_, new] = <[Value; 2]>::try_from(messages(env, CHANNEL, &case))
                .ok()
                .with_context(|| format!("{error}: a new message"))?;
            ensure!(shown_as(env, &case).await?.as_deref() == new["ts"].as_str(), "{error}");
            ensure!(!is_due(env, &case).await?, "{error}");
        }
        Ok(())
    })
}

#[test]
fn what_slack_refuses_everywhere_is_tried_ever_later_and_operators_are_told_once() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = Arc::new(env.clients().await?);
        env.sandbox.slack().inject(refuses(None, None, "account_inactive", None));
        let before = env.sandbox.calls().last();
        let cases = [due(env).await?, due(env).await?, due(env).await?];
        let stop = CancellationToken::new();
        let running = tokio::spawn(notifier::run(clients, stop.clone()));
        for case in &cases {
            eventually("a refusal", async || Ok((message(env, case).await?.failures > 0).then_some(())))
                .await?;
            ensure!(is_due(env, case).await?, "no question is dropped");
            let now = env.cases.slack_due(clock::now(), None).await?.entries;
            ensure!(!now.contains(&keys::approval(&case.case_id)), "it is not tried at full pace");
        }
        stop.cancel();
        running.await?;
        let told = env.sandbox.calls().select(&CallFilter {
            after: Some(before),
            service: Some("events".into()),
            operation: Some("PutEvents".into()),
            ..CallFilter::default()
        });
        ensure!(told.len() == 1 && told[0].status == 200, "{told:?}");
        Ok(())
    })
}

#[test]
fn every_case_that_slack_does_not_take_hears_of_it_also_while_the_channel_is_left_in_peace() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let clients = env.clients().await?;
        let (first, second) = (due(env).await?, due(env).await?);
        env.sandbox.slack().set_outage(Outage::ServerError);
        let shown = async {
            let first = notifications::render_case(&clients, &first.case_id).await?.shown;
            let second = notifications::render_case(&clients, &second.case_id).await?.shown;
            anyhow::Ok([first, second])
        };
        let shown = shown.await;
        env.sandbox.slack().set_outage(Outage::None);
        for shown in shown? {
            ensure!(matches!(&shown, Shown::Away(why) if why.contains("cannot be reached")), "{shown:?}");
        }
        Ok(())
    })
}
