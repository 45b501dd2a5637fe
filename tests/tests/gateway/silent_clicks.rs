//! Whoever clicks hears within seconds what came of it, whatever is slow or fails; nobody waits for Slack, and a failure
//! of Slack is nobody's refusal.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use cordon::{
    app::notifications,
    slack::blocks::actions::{DISMISS_ACTION, QUARANTINE_ACTION, RESTORE_ACTION},
};
use cordon_domain::case::{Case, Decision, Outcome, OutcomeResult, QuarantineCopy};
use cordon_sandbox::{
    Fault, FaultRule,
    slack::{MethodFault, MethodFaultKind},
};
use cordon_tests::{
    ALICE, BOB, CAROL, CHANNEL, GROUP,
    clicks::{GATEWAY, GatewayEnv, RunningGateway, form},
    eventually_within, run_test,
};
use futures::future::join_all;
use serde_json::{Value, json};

/// What "within seconds" means here.
const NOTE_DEADLINE: Duration = Duration::from_secs(8);
/// How long the gateway asks a store that fails.
const CALL_TIMEOUT: Duration = Duration::from_secs(12);
/// How long Slack waits for an answer.
const SLACK_TIMEOUT: Duration = Duration::from_secs(3);

/// A case that Alice and Carol's group may decide, with its message in Slack.
async fn asked(env: &GatewayEnv) -> Result<Case> {
    let case = env.draft("card.txt")?.with_plan(|plan| plan.effect.approvers.groups = vec![GROUP.into()]);
    ensure!(env.cases.open(&case, None).await?.stands().is_some(), "the case is new");
    shown(env, &case).await
}

async fn shown(env: &GatewayEnv, case: &Case) -> Result<Case> {
    let clients = env.clients().await?;
    env.cases.show_round(case, "2099-03-11T09:47:00Z".parse()?, None, None).await?;
    notifications::render_case(&clients, &case.case_id).await?;
    now(env, case).await
}

async fn now(env: &GatewayEnv, case: &Case) -> Result<Case> {
    env.cases.get(&case.case_id).await?.context("the case is there")
}

/// The payload of a click on a button of the case's message, as Slack makes it.
async fn payload(env: &GatewayEnv, user: &str, case: &Case, action: &str) -> Result<Value> {
    let message = env.cases.message(&case.case_id).await?.and_then(|message| message.posted);
    let ts = message.context("the message is in Slack")?.ts;
    let action = format!("{action}{}", case.approval.id);
    env.sandbox.slack().interaction(user, CHANNEL, &ts, &action).map_err(|error| anyhow!(error))
}

/// Clicks; the answer's status, which must come before Slack gives up.
async fn click(env: &GatewayEnv, gateway: &RunningGateway, payload: &Value) -> Result<u16> {
    let answer = env.send(&gateway.url, &form(payload)).await;
    ensure!(answer.took < SLACK_TIMEOUT, "the answer took {:?}", answer.took);
    Ok(answer.status)
}

/// Waits for a private note to somebody; of those that came after the first `before`.
async fn note(env: &GatewayEnv, before: usize, user: &str, text: &str) -> Result<()> {
    note_within(NOTE_DEADLINE, env, before, user, text).await
}

async fn note_within(
    deadline: Duration,
    env: &GatewayEnv,
    before: usize,
    user: &str,
    text: &str,
) -> Result<()> {
    eventually_within(deadline, &format!("a private note to {user} with {text:?}"), async || {
        let notes = env.sandbox.slack().ephemerals();
        let says = |note: &Value| note["user"] == user && note.to_string().contains(text);
        Ok(notes[before..].iter().any(says).then_some(()))
    })
    .await
}

fn notes(env: &GatewayEnv) -> usize {
    env.sandbox.slack().ephemerals().len()
}

fn fault(method: &str, kind: MethodFaultKind) -> MethodFault {
    MethodFault { method: Some(method.into()), channel: None, kind, times: None }
}

fn slow(operation: &str, kind: Fault, times: u32) -> FaultRule {
    FaultRule {
        service: "dynamodb".into(),
        operation: Some(operation.into()),
        principal: Some(GATEWAY.into()),
        kind,
        times,
    }
}

#[test]
fn a_form_that_does_not_open_is_told_within_seconds() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        for (kind, why) in [
            (MethodFaultKind::Hangs(Duration::from_secs(20)), "Slack did not answer in time"),
            (MethodFaultKind::Refused("expired_trigger_id".into()), "Slack answered expired_trigger_id"),
            (MethodFaultKind::RateLimited { retry_after: 30 }, "Slack asks to wait 30 seconds"),
        ] {
            env.sandbox.slack().inject(fault("views.open", kind));
            let before = notes(env);
            let pressed = payload(env, ALICE, &case, DISMISS_ACTION).await?;
            ensure!(click(env, &gateway, &pressed).await? == 200);
            note(env, before, ALICE, &format!("did not open ({why}), and nothing has changed")).await?;
            env.sandbox.slack().clear_faults();
        }
        ensure!(now(env, &case).await?.approval.votes.is_empty());
        Ok(())
    })
}

#[test]
fn who_clicks_on_an_expired_case_is_told_that_nobody_decided_and_nothing_changes() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        let pressed = payload(env, ALICE, &case, QUARANTINE_ACTION).await?;
        let expired = env.cases.expire(&case, String::new()).await?.stands().context("nobody has decided")?;
        let before = notes(env);
        ensure!(click(env, &gateway, &pressed).await? == 200);
        note(env, before, ALICE, "Already decided. Nobody decided").await?;
        ensure!(now(env, &case).await? == expired);
        Ok(())
    })
}

#[test]
fn a_note_is_not_held_back_because_the_channel_is() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        let limited = || MethodFaultKind::RateLimited { retry_after: 30 };
        env.sandbox.slack().inject(fault("chat.postEphemeral", limited()));
        env.sandbox.slack().inject(fault("chat.postMessage", limited()));
        for _ in 0..2 {
            let before = notes(env);
            let pressed = payload(env, BOB, &case, QUARANTINE_ACTION).await?;
            ensure!(click(env, &gateway, &pressed).await? == 200);
            note(env, before, BOB, "not among the people who may decide").await?;
        }
        Ok(())
    })
}

#[test]
fn where_a_click_cannot_be_answered_the_person_gets_a_note_and_no_other_host_hears_of_it() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        let elsewhere = TcpListener::bind(("127.0.0.1", 0))?;
        let strange = format!("http://{}/actions/T0CORDON01/1/x", elsewhere.local_addr()?);
        let slack = env.sandbox.slack_url();
        let userinfo = strange.replace("http://", &format!("{slack}@"));
        for url in [
            strange,
            userinfo,
            format!("{slack}/actions/T0CORDON01/1/guessed"),
            "no URL".into(),
            String::new(),
        ] {
            let before = notes(env);
            let mut pressed = payload(env, BOB, &case, QUARANTINE_ACTION).await?;
            pressed["response_url"] = json!(url);
            ensure!(click(env, &gateway, &pressed).await? == 200);
            note(env, before, BOB, "not among the people who may decide").await?;
        }
        elsewhere.set_nonblocking(true)?;
        ensure!(elsewhere.accept().is_err(), "another host was sent an answer");
        Ok(())
    })
}

#[test]
fn while_a_look_up_of_a_group_hangs_nobody_waits_and_nobody_is_refused() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let [for_carol, for_alice] = [asked(env).await?, asked(env).await?];
        env.sandbox
            .slack()
            .inject(fault("usergroups.users.list", MethodFaultKind::Hangs(Duration::from_secs(6))));
        let before = notes(env);
        let carols = payload(env, CAROL, &for_carol, QUARANTINE_ACTION).await?;
        let alices = payload(env, ALICE, &for_alice, QUARANTINE_ACTION).await?;
        // More than there are turns at the stores.
        let many = join_all((0..52).map(|_| click(env, &gateway, &carols)));
        let (many, alices) = tokio::join!(many, click(env, &gateway, &alices));
        for status in many {
            ensure!(status? == 200);
        }
        note(env, before, CAROL, "Click again in a minute").await?;
        ensure!(alices? == 200, "who is named in the plan waits for no look-up");
        ensure!(now(env, &for_alice).await?.approval.votes.len() == 1);
        let carols_case = now(env, &for_carol).await?;
        ensure!(
            carols_case.approval.refused.is_empty() && carols_case.approval.votes.is_empty(),
            "{carols_case:?}"
        );
        let asked_slack = || {
            let calls = env.sandbox.slack().calls();
            calls.iter().filter(|(method, _)| method == "usergroups.users.list").count()
        };
        let asked_before = asked_slack();
        // Once Slack has said it, it is known, and the click counts.
        eventually_within(Duration::from_secs(20), "a click that counts", async || {
            let pressed = payload(env, CAROL, &for_carol, QUARANTINE_ACTION).await?;
            ensure!(click(env, &gateway, &pressed).await? == 200);
            Ok((now(env, &for_carol).await?.approval.votes.len() == 1).then_some(()))
        })
        .await?;
        ensure!(asked_slack() == asked_before, "Slack was asked once for all of them");
        Ok(())
    })
}

#[test]
fn a_look_up_of_a_group_has_no_more_time_than_slow_records_have_left() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        env.sandbox
            .slack()
            .inject(fault("usergroups.users.list", MethodFaultKind::Hangs(Duration::from_secs(6))));
        env.sandbox.faults().inject(slow("UpdateItem", Fault::Latency(Duration::from_millis(900)), 1));
        let before = notes(env);
        let pressed = payload(env, CAROL, &case, QUARANTINE_ACTION).await?;
        ensure!(click(env, &gateway, &pressed).await? == 200, "the click was late");
        ensure!(env.sandbox.faults().left() == 0, "the records were not slow");
        note(env, before, CAROL, "Click again in a minute").await
    })
}

#[test]
fn what_cannot_be_found_out_is_told_and_is_nobodys_refusal() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        let failing = MethodFaultKind::Refused("internal_error".into());
        env.sandbox.slack().inject(fault("usergroups.users.list", failing));
        let before = notes(env);
        let pressed = payload(env, CAROL, &case, QUARANTINE_ACTION).await?;
        ensure!(click(env, &gateway, &pressed).await? == 200);
        note(env, before, CAROL, "Slack does not say at the moment").await?;
        ensure!(now(env, &case).await?.approval.refused.is_empty(), "Slack failed, not the person");
        env.sandbox.slack().clear_faults();

        let outcome = Outcome { result: OutcomeResult::Quarantined, detail: "Moved.".into(), code: None };
        let copy = QuarantineCopy { generation: 1, key: "k".into() };
        env.cases.begin_copying(case.clone(), copy.clone()).await?.stands().context("the case was open")?;
        env.cases.close(&case, &outcome).await?.stands().context("the case was open")?;
        notifications::render_case(&env.clients().await?, &case.case_id).await?;
        let closed = now(env, &case).await?;
        env.set_policy("{").await?;
        let before = notes(env);
        let pressed = payload(env, ALICE, &closed, RESTORE_ACTION).await?;
        let status = click(env, &gateway, &pressed).await;
        env.set_policy(r#"{"version": 1, "rules": []}"#).await?;
        ensure!(status? == 200);
        note(env, before, ALICE, "The policy, which says who may have objects back, cannot be read").await?;
        ensure!(now(env, &closed).await?.approval.refused.is_empty(), "the policy failed, not the person");

        let before = notes(env);
        ensure!(click(env, &gateway, &payload(env, ALICE, &closed, RESTORE_ACTION).await?).await? == 200);
        note(env, before, ALICE, "not among the people who may have objects back").await?;
        ensure!(now(env, &closed).await?.approval.refused.len() == 1, "who may not is on record");
        Ok(())
    })
}

#[test]
fn of_two_votes_of_a_person_the_one_that_was_cast_later_counts_whichever_is_recorded_first() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let two = env.draft("two.txt")?.with_plan(|plan| {
            plan.effect.approvals = 2;
            plan.effect.approvers.users.push(BOB.into());
        });
        ensure!(env.cases.open(&two, None).await?.stands().is_some(), "the case is new");
        let case = shown(env, &two).await?;
        let pressed = payload(env, ALICE, &case, DISMISS_ACTION).await?;
        ensure!(click(env, &gateway, &pressed).await? == 200);
        let form_id = eventually_within(NOTE_DEADLINE, "the form that asks why", async || {
            let forms = env.sandbox.slack().modals(ALICE);
            Ok(forms.last().and_then(|form| form["id"].as_str().map(str::to_owned)))
        })
        .await?;
        let before = notes(env);
        env.sandbox.faults().inject(slow("BatchGetItem", Fault::Latency(Duration::from_secs(3)), 1));
        let pressed = payload(env, ALICE, &case, QUARANTINE_ACTION).await?;
        let later = async {
            eventually_within(NOTE_DEADLINE, "the first click at the records", async || {
                Ok((env.sandbox.faults().left() == 0).then_some(()))
            })
            .await?;
            let dismissal =
                env.sandbox.slack().submission(&form_id, "a test").map_err(|error| anyhow!(error))?;
            click(env, &gateway, &dismissal).await
        };
        let (_, later) = tokio::join!(click(env, &gateway, &pressed), later);
        ensure!(later? == 200);
        note(env, before, ALICE, "A newer vote of yours is on record").await?;
        let votes = now(env, &case).await?.approval.votes;
        ensure!(matches!(&*votes, [vote] if vote.decision == Decision::Dismiss), "{votes:?}");
        Ok(())
    })
}

#[test]
fn who_clicks_while_the_records_are_slow_is_told_that_and_then_what_came_of_it() -> Result<()> {
    run_test(async {
        let (env, _alone) = GatewayEnv::alone().await?;
        let gateway = env.gateway(None, &[]).await?;
        let case = asked(env).await?;
        env.sandbox.faults().inject(slow("UpdateItem", Fault::Latency(Duration::from_secs(4)), 1));
        let before = notes(env);
        let pressed = payload(env, ALICE, &case, QUARANTINE_ACTION).await?;
        ensure!(click(env, &gateway, &pressed).await? == 503, "the vote is not on record yet");
        note(env, before, ALICE, "not on record yet").await?;
        note(env, before, ALICE, "is on record now").await?;
        ensure!(now(env, &case).await?.approval.votes.len() == 1);

        let case = asked(env).await?;
        env.sandbox.faults().inject(slow("UpdateItem", Fault::InternalError, 1_000));
        let before = notes(env);
        let pressed = payload(env, ALICE, &case, QUARANTINE_ACTION).await?;
        ensure!(click(env, &gateway, &pressed).await? == 503);
        let unknown = "not known whether your click is on record";
        note_within(CALL_TIMEOUT + NOTE_DEADLINE, env, before, ALICE, unknown).await?;
        env.sandbox.faults().clear();
        let log = std::fs::read_to_string(gateway.process.log())?;
        let url = pressed["response_url"].as_str().context("a URL")?;
        let trigger = pressed["trigger_id"].as_str().context("a trigger")?;
        ensure!(!log.contains(url) && !log.contains(trigger), "what Slack lends is in the log");
        Ok(())
    })
}
