//! An approval, broken off between any two of its steps: the worker while it asks, goes to the next round, or lets the
//! case expire; the gateway while it takes a click. The successor has to ask once, and every vote that was answered, or
//! that is cast again, counts once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use cordon::{clock, store::keys};
use cordon_domain::case::{Case, Decision, Status};
use cordon_sandbox::{Fault, Intervention};
use cordon_tests::{ALICE, CHANNEL, run_test};
use jiff::SignedDuration;
use serde_json::Value;

use super::{
    Points,
    fixture::Fixture,
    repeats::triaged,
    scenario::{Direction, Task},
};

const MOMENTS: [Intervention; 2] = [Intervention::Instead(Fault::Hang), Intervention::After(Fault::Hang)];

/// What the worker does for an approval.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// People are asked first.
    Ask,
    /// The first round is over.
    Remind,
    /// The last round is over.
    Expire,
}

#[test]
fn an_approval_goes_on_whenever_worker_or_gateway_is_killed() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let mut points = Points::default();
        for step in [Step::Ask, Step::Remind, Step::Expire] {
            for moment in MOMENTS {
                kill_worker(fixture, step, moment, &mut points).await?;
            }
        }
        for moment in MOMENTS {
            kill_gateway(fixture, moment, &mut points).await?;
        }
        points.prove("approval_kills", "points=")
    })
}

/// Kills a worker at the first call of a step, another at the second, and so on, until one ends before its turn comes.
async fn kill_worker(fixture: &Fixture, step: Step, moment: Intervention, points: &mut Points) -> Result<()> {
    for n in 1.. {
        let task =
            step.prepare(fixture, &format!("killed-{step:?}-{n}-{}", name(moment)).to_lowercase()).await?;
        let run =
            fixture.run(&task, move |call| if call.n == n { moment } else { Intervention::Pass }).await?;
        let killed = run.answer.is_none();
        let survived = async {
            if killed {
                fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
                show(fixture, &task).await?;
            }
            step.is_done(fixture, &task.case.case_id).await
        };
        let survived = survived.await;
        if !killed {
            return survived.with_context(|| format!("{step:?}, undisturbed"));
        }
        points.note(format!("{step:?}, {:?} {moment:?}", run.calls[n - 1]), survived);
    }
    Ok(())
}

impl Step {
    async fn prepare(self, fixture: &Fixture, bucket: &str) -> Result<Task> {
        let setup = triaged(fixture, bucket.to_owned()).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?.to_owned();
        let round = match self {
            Step::Ask => None,
            Step::Remind => Some(1),
            Step::Expire => Some(2),
        };
        if let Some(round) = round {
            work(fixture, "post_approval", &setup.input).await?;
            let over = clock::now() - SignedDuration::from_secs(1);
            let case = read(fixture, &case_id).await?;
            fixture
                .cases
                .begin_round(&case, round, over)
                .await?
                .stands()
                .context("the round could not be ended")?;
        }
        let stem = if round.is_some() { "advance_round" } else { "post_approval" };
        let case = read(fixture, &case_id).await?;
        Ok(Task { stem, input: setup.input, direction: Direction::Away, case, named: vec![], others: vec![] })
    }

    /// What holds once the step is done, however often it was begun.
    async fn is_done(self, fixture: &Fixture, case_id: &str) -> Result<()> {
        let case = read(fixture, case_id).await?;
        let expected = match self {
            Step::Ask => (1, 1, None),
            Step::Remind => (3, 2, None),
            Step::Expire => (2, 2, Some(Decision::Expired)),
        };
        ensure!((case.approval.asked, case.approval.round, case.decision()) == expected, "{case:?}");
        ensure!(case.status == Status::Open, "the case is {:?}", case.status);
        if let Step::Remind = self {
            let due = fixture.cases.due_channel(&keys::approval(case_id)).await?;
            ensure!(due.is_none(), "Slack is told of a round before its approvers are known");
        }
        let messages = about(fixture, case_id);
        ensure!(messages.len() == 1, "{} messages", messages.len());
        ensure!(button(&messages[0]).is_some(), "no buttons: {}", messages[0]);
        Ok(())
    }
}

/// What the renderer does once the claim of the worker that was killed has run out.
async fn show(fixture: &Fixture, task: &Task) -> Result<()> {
    let table = fixture.deployment.output("cases_table")?;
    let key = AttributeValue::S(keys::message(&task.case.case_id));
    let update = fixture.dynamodb.update_item().table_name(table).key("id", key);
    update.update_expression("REMOVE claimed_until").send().await?;
    let asking = task.stem == "post_approval";
    if asking { work(fixture, "post_approval", &task.input).await } else { Ok(()) }
}

/// Kills a gateway at the first call of a click, another at the second, and so on.
async fn kill_gateway(fixture: &Fixture, moment: Intervention, points: &mut Points) -> Result<()> {
    for n in 1.. {
        let setup = triaged(fixture, format!("clicked-{n}-{}", name(moment))).await?;
        work(fixture, "post_approval", &setup.input).await?;
        let case_id = setup.input["case_id"].as_str().context("a case")?;
        // Calls before the click, such as those of the health check, are not the click's.
        let clicked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&clicked);
        let proxy = fixture.sandbox.intercept(move |_| match counted.load(Ordering::SeqCst) {
            0 => Intervention::Pass,
            came => {
                counted.store(came + 1, Ordering::SeqCst);
                if came == n { moment } else { Intervention::Pass }
            }
        });
        let proxy = proxy.await?;
        let environment = proxy.environment(fixture.deployment.output("gateway_role_name")?);
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (mut gateway, _) = fixture.deployment.start_gateway(&environment).await?;
        clicked.store(1, Ordering::SeqCst);
        let answered = tokio::select! {
            status = click(fixture, case_id) => Some(status?),
            () = proxy.held() => None,
        };
        gateway.kill().await?;
        let (mut successor, _) = fixture.deployment.start_gateway(&[]).await?;
        let survived = async {
            ensure!(answered.is_none_or(|status| status == 200), "the click was answered with {answered:?}");
            let before = read(fixture, case_id).await?;
            ensure!(
                answered.is_none() || before.approval.decided.is_some(),
                "an answered click is on record"
            );
            ensure!(click(fixture, case_id).await? == 200, "the second click");
            let case = read(fixture, case_id).await?;
            ensure!(
                (case.decision(), case.approval.votes.len()) == (Some(Decision::Quarantine), 1),
                "{case:?}"
            );
            Ok(())
        };
        let survived = survived.await;
        successor.kill().await?;
        if answered.is_some() {
            return survived.context("a click, undisturbed");
        }
        points.note(format!("click, call {n} {moment:?}"), survived);
    }
    Ok(())
}

fn name(moment: Intervention) -> &'static str {
    if matches!(moment, Intervention::After(_)) { "after" } else { "before" }
}

pub(super) async fn work(fixture: &Fixture, stem: &str, input: &Value) -> Result<()> {
    let done = fixture.worker.run_once(stem, input.to_string()).await;
    done.map(|_| ()).map_err(|failure| anyhow!("{stem}: {failure:?}"))
}

pub(super) async fn read(fixture: &Fixture, case_id: &str) -> Result<Case> {
    fixture.cases.get(case_id).await?.context("the case is on record")
}

pub(super) fn about(fixture: &Fixture, case_id: &str) -> Vec<Value> {
    let all = fixture.sandbox.slack().messages(CHANNEL);
    let ours =
        |message: &Value| message["thread_ts"].is_null() && message["metadata"].to_string().contains(case_id);
    all.into_iter().filter(ours).collect()
}

pub(super) fn button(message: &Value) -> Option<String> {
    let blocks =
        message["blocks"].as_array()?.iter().flat_map(|block| block["elements"].as_array()).flatten();
    let mut ids = blocks.filter_map(|element| element["action_id"].as_str());
    ids.find(|id| id.starts_with("quarantine:")).map(str::to_owned)
}

/// Alice's click on *Quarantine*, as Slack sends it.
async fn click(fixture: &Fixture, case_id: &str) -> Result<u16> {
    let message = about(fixture, case_id).pop().context("a message")?;
    let (ts, id) = (message["ts"].as_str().context("a ts")?, button(&message).context("a button")?);
    Ok(fixture.sandbox.slack().click(ALICE, CHANNEL, ts, &id).await.status)
}
