//! Conditional writes whose answer is lost after they were carried out.
//!
//! The SDK repeats such a write, and its condition fails on what the write itself has changed. Each activity of an
//! approval, and each click, has to take that refusal for its own success: the same answer, the same record, and
//! whoever waits is woken, as if nothing had happened.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use cordon::{clock, store::keys};
use cordon_domain::case::Approval;
use cordon_sandbox::{Fault, InterceptedCall, Intervention, slack::Outage};
use cordon_tests::{ALICE, BOB, CHANNEL, eventually, run_test};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    Points,
    approvals::{about, button, read, work},
    fixture::Fixture,
    repeats::triaged,
    scenario::{Direction, Task},
};

const LOST: Intervention = Intervention::After(Fault::Cut);

/// A task of the worker in the course of an approval.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ask,
    /// Slack is away, and operators have to hear of it.
    AskWhileSlackIsAway,
    Remind,
    AskAgain,
    Expire,
    ExpireAndMove,
    Report,
}

const STEPS: [Step; 7] = [
    Step::Ask,
    Step::AskWhileSlackIsAway,
    Step::Remind,
    Step::AskAgain,
    Step::Expire,
    Step::ExpireAndMove,
    Step::Report,
];

/// What a person asks for.
#[derive(Clone, Copy, Debug)]
enum Click {
    /// By the only approver: recorded without a look at the case before.
    Decide,
    /// By the second of two.
    SecondVote,
    Dismiss,
    Snooze,
}

const CLICKS: [Click; 4] = [Click::Decide, Click::SecondVote, Click::Dismiss, Click::Snooze];

#[test]
fn a_write_whose_answer_is_lost_is_recognized_as_ones_own() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let mut points = Points::default();
        for step in STEPS {
            lose_answers_of_worker(fixture, step, &mut points).await?;
        }
        for click in CLICKS {
            lose_answers_of_gateway(fixture, click, &mut points).await?;
        }
        points.prove("lost_answers", "total=")
    })
}

fn is_conditional_write(call: &InterceptedCall) -> bool {
    call.service == "dynamodb" && call.writes()
}

/// Runs the step undisturbed, and then once for each of its writes with that write's answer lost.
async fn lose_answers_of_worker(fixture: &Fixture, step: Step, points: &mut Points) -> Result<()> {
    let stem = format!("lost-{step:?}").to_lowercase();
    let task = step.prepare(fixture, &format!("{}{stem}", step.rule())).await?;
    let run = step.run(fixture, &task, |_| Intervention::Pass).await?;
    let (expected, writes) = (step.facts(fixture, &task, &run.0).await?, run.1);
    ensure!(writes.iter().any(is_conditional_write), "{step:?} writes nothing: {writes:?}");
    for call in writes.into_iter().filter(is_conditional_write) {
        let lost_one = async {
            let task = step.prepare(fixture, &format!("{}{stem}-{}", step.rule(), call.n)).await?;
            let n = call.n;
            let meet = move |came: &InterceptedCall| if came.n == n { LOST } else { Intervention::Pass };
            let (answer, _) = step.run(fixture, &task, meet).await?;
            let found = step.facts(fixture, &task, &answer).await?;
            ensure!(found == expected, "it came to {found}\nand not to {expected}");
            Ok(())
        };
        points.note(format!("{step:?}, {call:?}"), lost_one.await);
    }
    Ok(())
}

impl Step {
    /// What the bucket's name begins with, and with it which rule decides.
    fn rule(self) -> &'static str {
        match self {
            Step::AskAgain => "asks-again-",
            Step::ExpireAndMove => "expiry-moves-",
            _ => "",
        }
    }

    async fn prepare(self, fixture: &Fixture, bucket: &str) -> Result<Task> {
        let setup = triaged(fixture, bucket.to_owned()).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?.to_owned();
        let (stem, round) = match self {
            Step::Ask | Step::AskWhileSlackIsAway => ("post_approval", None),
            Step::Report => ("report_outcome", None),
            Step::Remind => ("advance_round", Some(1)),
            Step::AskAgain | Step::Expire | Step::ExpireAndMove => ("advance_round", Some(2)),
        };
        if let Some(round) = round {
            work(fixture, "post_approval", &setup.input).await?;
            let over = clock::now() - SignedDuration::from_secs(1);
            let case = read(fixture, &case_id).await?;
            fixture.cases.begin_round(&case, round, over).await?.stands().context("the round is begun")?;
        }
        if let Step::AskWhileSlackIsAway = self {
            let table = fixture.deployment.output("cases_table")?;
            let notice = AttributeValue::S(keys::notice(&format!("slack#{CHANNEL}")));
            fixture.dynamodb.delete_item().table_name(table).key("id", notice).send().await?;
        }
        let case = read(fixture, &case_id).await?;
        let input = match self {
            Step::Report => {
                json!({"execution_arn": case.execution_arn, "run": {"triage": {"case_id": case_id},
                "error": {"Error": "AccessDenied", "Cause": "AWS refused it."}}})
            }
            _ => setup.input,
        };
        Ok(Task { stem, input, direction: Direction::Away, case, named: vec![], others: vec![] })
    }

    async fn run(
        self,
        fixture: &Fixture,
        task: &Task,
        meet: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> Result<(Value, Vec<InterceptedCall>)> {
        let away = matches!(self, Step::AskWhileSlackIsAway);
        if away {
            fixture.sandbox.slack().set_outage(Outage::ServerError);
        }
        let run = fixture.run(task, meet).await;
        fixture.sandbox.slack().set_outage(Outage::None);
        let run = run?;
        Ok((run.answer.context("nothing is held")?, run.calls))
    }

    /// What must be the same whether an answer was lost or not.
    async fn facts(self, fixture: &Fixture, task: &Task, answer: &Value) -> Result<String> {
        let case = read(fixture, &task.case.case_id).await?;
        let mut answer = answer.clone();
        if let Some(notice) = answer.pointer_mut("/output/notice") {
            *notice = json!(notice.as_str().map(|text| {
                text.replace(&case.case_id, "<case>").replace(&case.object().bucket, "<bucket>")
            }));
        }
        let shown = about(fixture, &case.case_id).len();
        let Approval { asked, round, .. } = &case.approval;
        Ok(format!(
            "{answer} asked={asked} round={round} {:?} {:?} {:?} messages={shown}",
            case.decision(),
            case.status,
            case.outcome()
        ))
    }
}

/// Clicks undisturbed, and then once for each write with that write's answer lost.
async fn lose_answers_of_gateway(fixture: &Fixture, click: Click, points: &mut Points) -> Result<()> {
    let stem = format!("lost-{click:?}").to_lowercase();
    let undisturbed = click.make(fixture, &format!("{}{stem}", click.rule()), None).await?;
    let writes = undisturbed.1;
    ensure!(writes > 0, "{click:?} writes nothing");
    for n in 1..=writes {
        let lost_one = async {
            let bucket = format!("{}{stem}-{n}", click.rule());
            let (found, _) = click.make(fixture, &bucket, Some(n)).await?;
            ensure!(found == undisturbed.0, "it came to {found}\nand not to {}", undisturbed.0);
            Ok(())
        };
        points.note(format!("click {click:?}, write {n}"), lost_one.await);
    }
    Ok(())
}

impl Click {
    fn rule(self) -> &'static str {
        if matches!(self, Click::SecondVote) { "two-people-" } else { "" }
    }

    /// What the click came to when the answer to its write of this number was lost, and how many writes it made.
    async fn make(self, fixture: &Fixture, bucket: &str, lost: Option<usize>) -> Result<(String, usize)> {
        let setup = triaged(fixture, bucket.to_owned()).await?;
        work(fixture, "post_approval", &setup.input).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?;
        let token = format!("token-{bucket}");
        wait_with(fixture, case_id, &token).await?;
        let counting = Arc::new(AtomicBool::new(false));
        let counts = Arc::clone(&counting);
        let mut writes = 0;
        let proxy = fixture.sandbox.intercept(move |call| {
            if !counts.load(Ordering::SeqCst) || !is_conditional_write(call) {
                return Intervention::Pass;
            }
            writes += 1;
            if Some(writes) == lost { LOST } else { Intervention::Pass }
        });
        let proxy = proxy.await?;
        let environment = proxy.environment(fixture.deployment.output("gateway_role_name")?);
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (mut gateway, _) = fixture.deployment.start_gateway(&environment).await?;
        if let Click::SecondVote = self {
            ensure!(press(fixture, case_id, ALICE, "quarantine:").await? == 200, "the first vote");
        }
        let notes = fixture.sandbox.slack().ephemerals().len();
        let before = proxy.calls().len();
        counting.store(true, Ordering::SeqCst);
        let clicked = self.click(fixture, case_id).await;
        let wakes = || {
            let calls = proxy.calls();
            calls[before..]
                .iter()
                .any(|(call, _)| call.service == "states" && !call.operation.starts_with("Describe"))
        };
        // Whoever waits is woken, or told something in private, after the answer.
        let woken = eventually("the run being woken, or the person told", async || {
            let told = fixture.sandbox.slack().ephemerals().len() > notes;
            Ok((wakes() || told).then(wakes))
        });
        let woken = woken.await;
        gateway.kill().await?;
        let case = read(fixture, case_id).await?;
        let writes = proxy.calls()[before..].iter().filter(|(call, _)| is_conditional_write(call)).count();
        let status = case.status;
        let found = format!(
            "{} woken={} votes={} {:?} {status:?} snoozed={} refused={}",
            clicked?,
            woken?,
            case.approval.votes.len(),
            case.decision(),
            case.approval.snooze.is_some(),
            case.approval.refused.len()
        );
        Ok((found, writes))
    }

    async fn click(self, fixture: &Fixture, case_id: &str) -> Result<u16> {
        match self {
            Click::Decide => press(fixture, case_id, ALICE, "quarantine:").await,
            Click::SecondVote => press(fixture, case_id, BOB, "quarantine:").await,
            Click::Snooze => press(fixture, case_id, ALICE, "snooze:").await,
            Click::Dismiss => because(fixture, case_id, "dismiss:").await,
        }
    }
}

/// Leaves the token of a run that waits.
async fn wait_with(fixture: &Fixture, case_id: &str, token: &str) -> Result<()> {
    let table = fixture.deployment.output("cases_table")?;
    let key = AttributeValue::S(keys::approval(case_id));
    let update = fixture.dynamodb.update_item().table_name(table).key("id", key);
    update
        .update_expression("SET task_token = :token")
        .expression_attribute_values(":token", AttributeValue::S(token.to_owned()))
        .send()
        .await?;
    Ok(())
}

/// A click on a button of the newest state of the case, whether its message shows it already or not.
async fn press(fixture: &Fixture, case_id: &str, user: &str, action: &str) -> Result<u16> {
    Ok(fixture.sandbox.slack().send_interaction(&payload(fixture, case_id, user, action).await?).await.status)
}

async fn payload(fixture: &Fixture, case_id: &str, user: &str, action: &str) -> Result<Value> {
    let case = read(fixture, case_id).await?;
    let message = about(fixture, case_id).pop().context("a message")?;
    ensure!(button(&message).is_some(), "the message has no buttons");
    Ok(
        json!({"type": "block_actions", "api_app_id": "A0CORDON01", "user": {"id": user, "team_id": "T0CORDON01"},
        "team": {"id": "T0CORDON01"}, "channel": {"id": CHANNEL}, "trigger_id": "1.2.abc",
        "actions": [{"type": "button", "action_id": format!("{action}{}", case.approval.id),
            "value": format!("{case_id}:{}", case.approval.plan_hash)}]}),
    )
}

/// A modal that was sent for a button.
async fn because(fixture: &Fixture, case_id: &str, action: &str) -> Result<u16> {
    let mut sent = payload(fixture, case_id, ALICE, action).await?;
    let action = sent["actions"][0].clone();
    let metadata = json!({"action_id": action["action_id"], "value": action["value"]}).to_string();
    sent["type"] = json!("view_submission");
    sent["view"] = json!({"private_metadata": metadata,
        "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "a test"}}}}});
    let members: HashMap<_, _> = sent
        .as_object()
        .context("an object")?
        .iter()
        .filter(|(name, _)| !["channel", "actions"].contains(&name.as_str()))
        .collect();
    Ok(fixture.sandbox.slack().send_interaction(&json!(members)).await.status)
}
