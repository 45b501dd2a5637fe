//! What anybody but the worker writes to the table of cases moves nothing, whatever rights they have there; nor does what
//! the gateway's role may do besides.

use anyhow::{Context, Result, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{error::ProvideErrorMetadata, types::AttributeValue};
use cordon::{
    app::requests::{self, Kind},
    clock,
    store::{Cases, keys},
};
use cordon_domain::{
    case::{
        Case, Decision, Restore,
        vote::{Vote, Voter},
    },
    fixtures,
    request::{RestoreRequest, SlackRequest},
};
use cordon_sandbox::Intervention;
use cordon_tests::{ALICE, BOB, run_test, signed_as};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    approvals::{read, work},
    fixture::{BOBS_ID, Fixture},
    promise,
    repeats::triaged,
    requests::{quarantined, restore},
    scenario::{Direction, SCENARIOS, Task},
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

/// The gateway's role.
async fn gateway(fixture: &Fixture) -> Result<SdkConfig> {
    let root = fixture.sandbox.sdk_config().await;
    signed_as(&root, fixture.sandbox.account(), fixture.deployment.output("gateway_role_name")?).await
}

/// The task that moves the object of a case that people are asked about.
async fn asked(fixture: &Fixture, bucket: &str) -> Result<Task> {
    let setup = triaged(fixture, bucket.to_owned()).await?;
    work(fixture, "post_approval", &setup.input).await?;
    let case = read(fixture, setup.input["case_id"].as_str().context("a case")?).await?;
    let input = json!({"execution_arn": case.execution_arn, "case_id": case.case_id});
    Ok(Task {
        stem: "quarantine_object",
        input,
        direction: Direction::Away,
        case,
        named: vec![],
        others: vec![],
    })
}

async fn is_refused(fixture: &Fixture, task: &Task, says: &str) -> Result<()> {
    let answer = fixture.run_to_the_end(task, |_| Intervention::Pass).await?;
    ensure!(answer["error"] == "NotAuthorized", "it ended with {answer}");
    let cause = answer["cause"].as_str().unwrap_or_default();
    ensure!(cause.contains(says), "{cause}");
    Ok(())
}

async fn is_still_there(fixture: &Fixture, case: &Case) -> Result<()> {
    let object = case.object();
    fixture.s3.head_object().bucket(&object.bucket).key(&object.key).send().await.context("it is moved")?;
    Ok(())
}

fn by_command(plan_hash: &str, slack_user: &str) -> Vote {
    let by = Voter::Iam { principal: BOBS_ID.into(), slack_user: Some(slack_user.into()) };
    Vote { by, ..fixtures::vote("", plan_hash) }
}

#[test]
fn with_the_gateways_role_no_vote_is_about_anything_else_and_nobody_votes_by_command() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let _turn = fixture.turn().await;
        let aws = gateway(fixture).await?;
        let dynamodb = aws_sdk_dynamodb::Client::new(&aws);
        let table = fixture.deployment.output("cases_table")?.to_owned();
        let as_gateway = Cases::new(dynamodb.clone(), table.clone());

        // The plan is out of its reach.
        let task = asked(fixture, "forged-plan").await?;
        let case_id = task.case.case_id.clone();
        let update =
            dynamodb.update_item().table_name(&table).key("id", AttributeValue::S(format!("case#{case_id}")));
        let update = update.update_expression("SET plan_hash = :hash");
        let refused = update.expression_attribute_values(":hash", AttributeValue::S("x".into())).send().await;
        ensure!(refused.is_err_and(|error| error.code() == Some("AccessDeniedException")));

        // Another hash, with votes of the right people for it.
        let hash = "0".repeat(64);
        let key = AttributeValue::S(keys::approval(&case_id));
        let update = dynamodb.update_item().table_name(&table).key("id", key);
        let update = update.update_expression("SET plan_hash = :hash");
        update.expression_attribute_values(":hash", AttributeValue::S(hash.clone())).send().await?;
        let vote = fixtures::vote(ALICE, &hash);
        as_gateway.vote_under(&["plan_hash = :plan"], &case_id, "", None, &vote).await?;
        let answer = fixture.run(&task, |_| Intervention::Pass).await?.answer.context("nothing is held")?;
        ensure!(answer["error"].is_string(), "it ended with {answer}");
        is_still_there(fixture, &task.case).await?;

        // A vote as if by the command line: alone, and beside a true one.
        let alone = asked(fixture, "forged-command").await?;
        let vote = by_command(&alone.case.approval.plan_hash, BOB);
        as_gateway.vote(&alone.case, &vote).await?;
        ensure!(read(fixture, &alone.case.case_id).await?.decision() == Some(Decision::Quarantine));
        is_refused(fixture, &alone, "its vote by the command line is not the one").await?;
        is_still_there(fixture, &alone.case).await?;
        let second = asked(fixture, "two-people-forged").await?;
        let hash = &second.case.approval.plan_hash;
        as_gateway.vote(&second.case, &fixtures::vote(ALICE, hash)).await?;
        as_gateway.vote(&second.case, &by_command(hash, BOB)).await?;
        is_refused(fixture, &second, "its vote by the command line is not the one").await?;
        is_still_there(fixture, &second.case).await?;

        // That nobody has decided in time, before the time is over.
        let early = asked(fixture, "expiry-moves-forged").await?;
        as_gateway.expire(&early.case, "00".repeat(32)).await?.stands().context("it is written")?;
        is_refused(fixture, &early, "its expiry is not the one").await?;
        is_still_there(fixture, &early.case).await
    })
}

#[test]
fn with_the_gateways_role_nobody_has_an_object_put_back() -> Result<()> {
    run_test(async {
        let (fixture, _shared) = Fixture::shared().await?;
        let _turn = fixture.turn().await;
        let aws = gateway(fixture).await?;
        let task = asked(fixture, "forged-restore").await?;
        quarantined(fixture, &task.case).await?;
        let case = read(fixture, &task.case.case_id).await?;

        // As a message: as if by a person at the command line, and as if by one in Slack.
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let as_a_person = restore(&case, "whoever").input["body"].as_str().context("a body")?.to_owned();
        let as_slack = RestoreRequest::Slack(SlackRequest {
            timestamp: clock::now().timestamp().as_second().to_string(),
            signature: format!("v0={}", "00".repeat(32)),
            body: format!("payload={}", json!({"type": "view_submission"})),
        });
        let as_slack = serde_json::to_string(&as_slack)?;
        let clients = fixture.clients()?;
        let queue = Kind::Restores.queue(&clients);
        for (body, kind) in [(&as_a_person, "a person"), (&as_slack, "Slack")] {
            let url = &fixture.settings["CORDON_RESTORES_QUEUE_URL"];
            sqs.send_message().queue_url(url).message_body(body).send().await?;
            let message = queue.receive().await?.pop().context("a message")?;
            requests::handle(&clients, Kind::Restores, &message).await?;
            queue.delete(&message).await?;
            let now = read(fixture, &case.case_id).await?;
            ensure!(now.quarantine.restores.is_empty(), "the gateway was taken for {kind}");
        }
        let url = &fixture.settings["CORDON_APPROVALS_QUEUE_URL"];
        let refused = sqs.send_message().queue_url(url).message_body(&as_a_person).send().await;
        ensure!(refused.is_err(), "the gateway may send approvals");

        // In the record, with an execution of its own.
        let machine = &fixture.settings["CORDON_OBJECT_RESTORE_ARN"];
        let execution_arn = format!("{}:forged", machine.replace(":stateMachine:", ":execution:"));
        let forged = Restore {
            request_id: "forged".into(),
            execution_arn: execution_arn.clone(),
            requested_by: format!("slack:T0CORDON01/{ALICE}"),
            reason: "x".into(),
            replace: true,
            even_if_exposed: true,
            copy_generation: None,
            requested_at: clock::now(),
            mac: None,
            versions_restored: 0,
            last_restored: None,
            outcome: None,
        };
        let cases = Cases::new(
            aws_sdk_dynamodb::Client::new(&aws),
            fixture.deployment.output("cases_table")?.to_owned(),
        );
        cases.request_restore(&case, &forged).await?.stands().context("it is written")?;
        let start = aws_sdk_sfn::Client::new(&aws).start_execution().state_machine_arn(machine);
        let refused = start.name("forged").input("{}").send().await;
        ensure!(refused.is_err_and(|error| error.code() == Some("AccessDeniedException")));
        // Even where the reconciler starts it.
        let request = json!({"case_id": case.case_id, "request_id": "forged", "approval": keys::approval(&case.case_id)});
        let input = json!({"execution_arn": execution_arn, "request": request});
        let back = Task { stem: "restore_object", input, direction: Direction::Back, case, ..task };
        is_refused(fixture, &back, "the request on record is not one that Cordon's worker has written")
            .await?;
        let object = back.case.object();
        let head = fixture.s3.head_object().bucket(&object.bucket).key(&object.key).send().await;
        ensure!(head.is_err(), "it is put back");
        Ok(())
    })
}
