//! What anybody but the worker writes to the table of cases moves nothing, whatever rights they have there.

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use cordon::store::keys;
use cordon_sandbox::Intervention;
use cordon_tests::run_test;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    fixture::Fixture,
    promise,
    scenario::{SCENARIOS, Task},
};

/// Sets attributes of an item of a case, as somebody with every right on the table; `None` removes one.
async fn forge(fixture: &Fixture, item: &str, attributes: &[(&str, Option<&str>)]) -> Result<()> {
    let table = fixture.deployment.output("cases_table")?;
    for (name, value) in attributes {
        let update = fixture
            .dynamodb
            .update_item()
            .table_name(table)
            .key("id", AttributeValue::S(item.to_owned()))
            .expression_attribute_names("#name", *name);
        match value {
            Some(value) => update
                .update_expression("SET #name = :value")
                .expression_attribute_values(":value", AttributeValue::S((*value).to_owned())),
            None => update.update_expression("REMOVE #name"),
        }
        .send()
        .await?;
    }
    Ok(())
}

/// What an item of a case holds as a text.
async fn text_of(fixture: &Fixture, item: &str, name: &str) -> Result<String> {
    let table = fixture.deployment.output("cases_table")?;
    let get = fixture.dynamodb.get_item().table_name(table).key("id", AttributeValue::S(item.to_owned()));
    let item = get.send().await?.item.context("the item is there")?;
    Ok(item.get(name).and_then(|value| value.as_s().ok()).context("a text")?.clone())
}

async fn is_not_moved(fixture: &Fixture, task: &Task) -> Result<()> {
    let answer = fixture.run_to_the_end(task, |_| Intervention::Pass).await?;
    ensure!(answer["error"] == "NotAuthorized", "it ended with {answer}");
    let cause = answer["cause"].as_str().unwrap_or_default();
    ensure!(cause.contains("not the one that Cordon's worker has written"), "{cause}");
    promise::is_untouched(fixture, task).await
}

#[test]
fn a_plan_that_somebody_else_has_written_is_not_carried_out() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let small = SCENARIOS.iter().find(|scenario| scenario.name == "small").context("it is there")?;
        let _turn = fixture.turn().await;
        let (rewritten, unvouched) = (small.prepare(fixture).await?, small.prepare(fixture).await?);
        let (borrowing, lender) = (small.prepare(fixture).await?, small.prepare(fixture).await?);
        let case = |task: &Task| format!("case#{}", task.case.case_id);

        // Another rule, with the hash that belongs to it in both places.
        let mut plan: Value = serde_json::from_str(&text_of(fixture, &case(&rewritten), "plan").await?)?;
        plan["versions"] = "all".into();
        let plan = plan.to_string();
        let hash = hex::encode(Sha256::digest(&plan));
        forge(fixture, &case(&rewritten), &[("plan", Some(&plan)), ("plan_hash", Some(&hash))]).await?;
        forge(fixture, &keys::approval(&rewritten.case.case_id), &[("plan_hash", Some(&hash))]).await?;
        is_not_moved(fixture, &rewritten).await?;

        forge(fixture, &case(&unvouched), &[("plan_mac", None)]).await?;
        is_not_moved(fixture, &unvouched).await?;

        // The code of another case, which the worker has made.
        let mac = text_of(fixture, &case(&lender), "plan_mac").await?;
        forge(fixture, &case(&borrowing), &[("plan_mac", Some(&mac))]).await?;
        is_not_moved(fixture, &borrowing).await
    })
}

#[test]
fn what_the_gateway_may_write_stands_for_nothing_that_a_case_is_about() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let small = SCENARIOS.iter().find(|scenario| scenario.name == "small").context("it is there")?;
        let _turn = fixture.turn().await;
        let task = small.prepare(fixture).await?;
        // The gateway may write any attribute of this item.
        let item = keys::approval(&task.case.case_id);
        let about = [
            ("plan", Some("{}")),
            ("finding", Some("x")),
            ("disposition", Some("Ignore")),
            ("history", Some("x")),
        ];
        forge(fixture, &item, &about).await?;
        let read = fixture.cases.get(&task.case.case_id).await?.context("the case is there")?;
        ensure!(read.plan == task.case.plan && read.finding == task.case.finding && read.history.is_empty());
        let moved = fixture.run_to_the_end(&task, |_| Intervention::Pass).await?;
        promise::is_kept(fixture, &task, &moved).await
    })
}
