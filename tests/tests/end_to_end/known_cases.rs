//! Findings about an object version that has a case already.

use anyhow::{Context, Result};
use cordon_tests::{ALICE, BOB, CAROL, Placed, Stage, eventually, on_stage};
use serde_json::{Value, json};

use super::policy::{read, under};

/// An object with sensitive data in a bucket whose rule this is.
async fn placed(stage: &Stage, rule: &str) -> Result<(String, Placed)> {
    let bucket = stage.bucket(rule).await?;
    let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
    Ok((bucket, object))
}

async fn there(stage: &Stage, object: &Placed) -> Result<bool> {
    stage.is_there(&object.version.bucket, &object.version.key).await
}

/// The policy as it is, with the most automatic moves in an hour.
async fn limited(stage: &Stage, limit: u32) -> Result<Vec<u8>> {
    let mut policy: Value = serde_json::from_slice(&read(stage).await?)?;
    policy["max_automatic_per_hour"] = json!(limit);
    Ok(policy.to_string().into_bytes())
}

/// Has operators told of a limit again, whenever they were told last.
async fn forget_notice(stage: &Stage) -> Result<()> {
    let key = aws_sdk_dynamodb::types::AttributeValue::S("notice#rate_limit".into());
    let delete = aws_sdk_dynamodb::Client::new(&stage.root).delete_item().key("case_id", key);
    delete.table_name(stage.deployment.output("cases_table")?).send().await?;
    Ok(())
}

/// A run that ends without a state that asks or moves.
async fn joins(stage: &Stage, run: &str) -> Result<()> {
    stage.succeeded(run).await?;
    assert_eq!(stage.states(run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
    Ok(())
}

#[test]
fn what_was_asked_because_of_a_limit_and_dismissed_is_not_moved_by_the_next_scan() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let (bucket, object) = placed(stage, "left-limit").await?;
        let policy = limited(stage, 0).await?;
        forget_notice(stage).await?;
        under(stage, &policy, async {
            let run = stage.respond("Credentials", &object).await?;
            stage.operators_told("Policy would move more objects than it may").await?;
            let message = stage.asked(&bucket).await?;
            assert_eq!(stage.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
            stage.succeeded(&run).await
        })
        .await?;
        let finding = tempfile::NamedTempFile::new()?;
        std::fs::write(finding.path(), stage.finding_document("again", "Credentials", &object).to_string())?;
        let (file, case_id) = (finding.path().to_string_lossy(), object.version.case_id());
        let said = stage.cordon(&["policy", "explain", &file, "--case", &case_id]).await?;
        assert!(said.out.contains("The case is dismissed by a person"), "{said:?}");
        assert!(said.out.contains("The finding joins the case, and nothing happens."), "{said:?}");
        let run = stage.respond("Credentials", &object).await?;
        joins(stage, &run).await?;
        assert!(there(stage, &object).await?, "a person has left it");
        Ok(())
    })
}

#[test]
fn what_was_dismissed_is_asked_about_again_when_a_stricter_rule_would_move_it_and_never_moved() -> Result<()>
{
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, object) = placed(stage, "left-stricter").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await?;
        let run = stage.respond("Credentials", &object).await?;
        stage.reaches(&run, "AwaitDecision").await?;
        let message = stage.shows(&bucket, "a person left the object where it is").await?;
        assert!(there(stage, &object).await?);
        assert_eq!(stage.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await?;
        joins(stage, &stage.respond("Credentials", &object).await?).await?;
        assert!(there(stage, &object).await?);
        Ok(())
    })
}

#[test]
fn an_open_case_is_moved_when_a_stricter_finding_comes_and_its_message_says_why() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, object) = placed(stage, "open-moves").await?;
        let run = stage.respond("Financial", &object).await?;
        stage.reaches(&run, "AwaitDecision").await?;
        joins(stage, &stage.respond("Credentials", &object).await?).await?;
        stage.succeeded(&run).await?;
        assert!(!there(stage, &object).await?);
        let message = stage.shows(&bucket, "Quarantined.").await?["blocks"].to_string();
        assert!(message.contains("Decided by policy, rule `credentials`"), "{message}");
        assert!(message.contains("A newer finding") && message.contains("is stricter"), "{message}");
        Ok(())
    })
}

#[test]
fn a_stricter_finding_puts_an_open_case_to_people_anew_and_their_earlier_votes_lapse() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, object) = placed(stage, "two-people").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        stage.reaches(&run, "AwaitDecision").await?;
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        joins(stage, &stage.respond("Credentials", &object).await?).await?;
        let renewed = stage.shows(&bucket, "Earlier votes no longer count").await?;
        assert_eq!(renewed["ts"], message["ts"], "in the same message");
        eventually("a reminder in the thread", async || {
            let all = stage.sandbox.slack().messages(cordon_tests::CHANNEL);
            Ok(all.iter().any(|reply| reply["thread_ts"] == message["ts"]).then_some(()))
        })
        .await?;
        assert_eq!(stage.click(BOB, &renewed, "quarantine:").await?, 200);
        stage.shows(&bucket, "1 of 2 for quarantine").await?;
        assert!(there(stage, &object).await?, "of two votes one was for the earlier plan");
        assert_eq!(stage.click(CAROL, &renewed, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!there(stage, &object).await?);
        let case = stage.case(&object).await?;
        assert_eq!((case.generation, case.votes.len()), (1, 3));
        Ok(())
    })
}

#[test]
fn what_policy_would_move_when_nobody_decides_is_asked_again_above_the_limit() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let (bucket, object) = placed(stage, "expiry-moves").await?;
        let policy = limited(stage, 0).await?;
        forget_notice(stage).await?;
        let run = under(stage, &policy, async {
            let run = stage.respond("Financial", &object).await?;
            let told = stage.operators_told("policy does not move the object").await?;
            assert!(
                told.contains("more than 0 automatic moves in this hour") && told.contains(&bucket),
                "{told}"
            );
            assert!(there(stage, &object).await?);
            stage.asked(&bucket).await?;
            Ok(run)
        })
        .await?;
        stage.succeeded(&run).await?;
        assert!(
            !there(stage, &object).await?,
            "without the limit policy moves it when the next round is over"
        );
        let case = stage.case(&object).await?;
        assert!(case.asked >= 2, "{}", case.asked);
        case.outcome.context("an outcome").map(drop)
    })
}
