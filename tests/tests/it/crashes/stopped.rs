//! A run that is stopped, and its case closed, while a worker still has its task.

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use cordon::clock;
use cordon_domain::case::{Outcome, OutcomeResult, RestoreOutcome, RestoreResult};
use cordon_sandbox::{InterceptedCall, Intervention};
use cordon_tests::run_test;
use serde_json::Value;

use super::{
    fixture::Fixture,
    promise,
    scenario::{SCENARIOS, Scenario, Task},
};

/// What the reconciler does when a run was stopped.
async fn close(fixture: &Fixture, task: &Task) -> Result<()> {
    let case = fixture.cases.get(&task.case.case_id).await?.context("the case is on record")?;
    let outcome = Outcome {
        result: OutcomeResult::Failed,
        detail: "The run ended as ABORTED.".into(),
        code: Some("ABORTED".into()),
    };
    fixture.cases.close(&case, &outcome).await?;
    Ok(())
}

/// What the reconciler does when the run of a restore was stopped.
async fn end_restore(fixture: &Fixture, task: &Task) -> Result<()> {
    let case = fixture.cases.get(&task.case.case_id).await?.context("the case is on record")?;
    let ended = case.with_open_restore(|restore| {
        restore.outcome = Some(RestoreOutcome {
            result: RestoreResult::Failed,
            detail: "The run ended as ABORTED.".into(),
            code: Some("ABORTED".into()),
            at: clock::now(),
        });
    });
    fixture.cases.close_restore(&ended).await?.context("the restore is ended").map(drop)
}

#[test]
fn a_restore_that_is_stopped_puts_back_no_further_version() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == "all versions, back");
        let scenario = scenario.context("it is there")?;
        let _turn = fixture.turn().await;
        let task = scenario.prepare(fixture).await?;
        // After the first version is on record as put back, and before the second is.
        let mut recorded = 0;
        let before_the_second = move |call: &InterceptedCall| {
            recorded += usize::from(call.operation == "UpdateItem");
            let asked = call.operation == "BatchGetItem" && recorded == 1;
            if asked { Intervention::Hold } else { Intervention::Pass }
        };
        let mut process = fixture.start(&task, before_the_second).await?;
        ensure!(process.answer().await?.is_none(), "the record is not read between two versions");
        end_restore(fixture, &task).await?;
        process.proxy.release();
        let answer = process.answer().await?.context("nothing more is held")?;
        ensure!(answer["error"] == "NotAuthorized", "it ended with {answer}");
        let object = task.case.object();
        let listed = fixture.s3.list_object_versions().bucket(&object.bucket).send().await?;
        ensure!(listed.versions().len() == 1, "the source holds {:?}", listed.versions());
        Ok(())
    })
}

fn is_refused(answer: &Value) -> Result<()> {
    ensure!(answer["error"] == "NotAuthorized", "it ended with {answer}");
    let cause = answer["cause"].as_str().unwrap_or_default();
    ensure!(cause.contains("the case is closed already"), "{cause}");
    Ok(())
}

#[test]
fn a_run_that_was_stopped_moves_nothing_any_more() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let moves: Vec<&Scenario> = SCENARIOS.iter().filter(|scenario| scenario.is_away()).collect();
        for scenario in moves {
            let _turn = fixture.turn().await;
            let task = scenario.prepare(fixture).await?;
            close(fixture, &task).await?;
            is_refused(&fixture.run_to_the_end(&task, |_| Intervention::Pass).await?)?;
            promise::is_untouched(fixture, &task).await.with_context(|| scenario.name)?;
        }
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_while_it_copies_removes_nothing_and_its_copy_is_on_record() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        for scenario in SCENARIOS.iter().filter(|scenario| scenario.is_away()) {
            let _turn = fixture.turn().await;
            let task = scenario.prepare(fixture).await?;
            let mut was_late = false;
            let first_copy_is_late = move |call: &InterceptedCall| {
                let copies = ["CopyObject", "CompleteMultipartUpload"].contains(&call.operation.as_str());
                if copies && !std::mem::replace(&mut was_late, true) {
                    Intervention::Hold
                } else {
                    Intervention::Pass
                }
            };
            let mut process = fixture.start(&task, first_copy_is_late).await?;
            ensure!(process.answer().await?.is_none(), "{}: nothing is copied", scenario.name);
            close(fixture, &task).await?;
            process.proxy.release();
            let answer = process.answer().await?.context("nothing more is held")?;
            is_refused(&answer).with_context(|| scenario.name)?;
            promise::nothing_is_lost(fixture, &task).await.with_context(|| scenario.name)?;
            promise::is_at_source(fixture, &task).await.with_context(|| scenario.name)?;
            let case = fixture.cases.get(&task.case.case_id).await?.context("the case is on record")?;
            ensure!(!case.quarantine.copies.is_empty(), "{}: the copy is denied", scenario.name);
        }
        Ok(())
    })
}

/// The way to stop every move that needs nothing of Cordon: one call of IAM.
#[test]
fn a_denial_on_the_two_roles_stops_every_move_and_restore_and_its_end_lets_them_go_on() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let small = SCENARIOS.iter().find(|scenario| scenario.name == "small").context("it is there")?;
        let task = small.prepare(fixture).await?;
        let back = SCENARIOS.iter().find(|scenario| scenario.name == "small, back").context("it is there")?;
        let restore = back.prepare(fixture).await?;
        let iam = aws_sdk_iam::Client::new(&fixture.sandbox.sdk_config().await);
        let roles =
            [fixture.deployment.output("mover_role_name")?, fixture.deployment.output("restorer_role_name")?];
        // As docs/OPERATIONS.md says.
        let denial =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
        for role in roles {
            iam.put_role_policy().role_name(role).policy_name("stop").policy_document(denial).send().await?;
        }
        let stopped = fixture.run_to_the_end(&task, |_| Intervention::Pass).await;
        let back = fixture.run_to_the_end(&restore, |_| Intervention::Pass).await;
        for role in roles {
            iam.delete_role_policy().role_name(role).policy_name("stop").send().await?;
        }
        for answer in [stopped?, back?] {
            ensure!(answer["error"] == "AccessDenied", "it ended with {answer}");
        }
        promise::is_untouched(fixture, &task).await?;
        let moved = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &moved).await?;
        let restored = fixture.run_to_the_end(&restore, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &restore, &restored).await
    })
}

/// The kill switch depends on nothing: no process of Cordon runs in this installation.
#[test]
fn a_pause_is_ordered_while_no_process_of_cordon_runs_and_stops_whatever_starts_then() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let small = SCENARIOS.iter().find(|scenario| scenario.name == "small").context("it is there")?;
        let back = SCENARIOS.iter().find(|scenario| scenario.name == "small, back").context("it is there")?;
        let (task, restore) = (small.prepare(fixture).await?, back.prepare(fixture).await?);
        let paused = fixture.cordon(&["pause", "--reason", "a rule matches too much"]).await?;
        // Who may write this item may write anything into it.
        let table = fixture.deployment.output("cases_table")?;
        let item = [("id".to_owned(), AttributeValue::S("pause".into()))];
        fixture.dynamodb.put_item().table_name(table).set_item(Some(item.into())).send().await?;
        let stopped = fixture.run_to_the_end(&task, |_| Intervention::Pass).await;
        let not_back = fixture.run_to_the_end(&restore, |_| Intervention::Pass).await;
        let resumed = fixture.cordon(&["resume"]).await?;
        ensure!((paused.code, resumed.code) == (Some(0), Some(0)), "{paused:?} {resumed:?}");
        for answer in [stopped?, not_back?] {
            ensure!(answer["error"] == "Paused", "it ended with {answer}");
        }
        promise::is_untouched(fixture, &task).await?;
        let moved = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &moved).await?;
        let restored = fixture.run_to_the_end(&restore, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &restore, &restored).await
    })
}
