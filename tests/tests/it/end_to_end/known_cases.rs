//! Findings about an object version that has a case already.

use anyhow::{Context, Result, ensure};
use cordon_tests::{ALICE, BOB, CAROL, Placed, TestEnv, eventually, run_test};
use serde_json::{Value, json};

use super::policy::{read, under};

/// An object with sensitive data in a bucket whose rule this is.
async fn placed(env: &TestEnv, rule: &str) -> Result<(String, Placed)> {
    let bucket = env.bucket(rule).await?;
    let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
    Ok((bucket, object))
}

async fn there(env: &TestEnv, object: &Placed) -> Result<bool> {
    env.is_there(&object.version.bucket, &object.version.key).await
}

/// The policy as it is, with the most automatic moves in an hour.
async fn limited(env: &TestEnv, limit: u32) -> Result<Vec<u8>> {
    let mut policy: Value = serde_json::from_slice(&read(env).await?)?;
    policy["max_automatic_per_hour"] = json!(limit);
    Ok(policy.to_string().into_bytes())
}

/// Has operators told of a limit again, whenever they were told last.
async fn forget_notice(env: &TestEnv) -> Result<()> {
    let key = aws_sdk_dynamodb::types::AttributeValue::S("notice#rate_limit".into());
    let delete = aws_sdk_dynamodb::Client::new(&env.root).delete_item().key("id", key);
    delete.table_name(env.deployment.output("cases_table")?).send().await?;
    Ok(())
}

/// A run that ends without a state that asks or moves.
async fn joins(env: &TestEnv, run: &str) -> Result<()> {
    env.succeeded(run).await?;
    assert_eq!(env.states(run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
    Ok(())
}

#[test]
fn what_was_asked_because_of_a_limit_and_dismissed_is_not_moved_by_the_next_scan() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let (bucket, object) = placed(env, "left-limit").await?;
        let policy = limited(env, 0).await?;
        forget_notice(env).await?;
        under(env, &policy, async {
            let run = env.respond("Credentials", &object).await?;
            env.operator_notice("Policy would move more objects than it may").await?;
            let message = env.asked(&bucket).await?;
            assert_eq!(env.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
            env.succeeded(&run).await
        })
        .await?;
        let finding = tempfile::NamedTempFile::new()?;
        std::fs::write(finding.path(), env.finding_document("again", "Credentials", &object).to_string())?;
        let (file, case_id) = (finding.path().to_string_lossy(), object.version.case_id());
        let said = env.cordon(&["policy", "explain", &file, "--case", &case_id]).await?;
        assert!(said.out.contains("The case is dismissed by a person"), "{said:?}");
        assert!(said.out.contains("The finding joins the case, and nothing happens."), "{said:?}");
        let run = env.respond("Credentials", &object).await?;
        joins(env, &run).await?;
        assert!(there(env, &object).await?, "a person has left it");
        Ok(())
    })
}

#[test]
fn what_was_dismissed_is_asked_about_again_when_a_stricter_rule_would_move_it_and_never_moved() -> Result<()>
{
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, object) = placed(env, "left-stricter").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await?;
        let run = env.respond("Credentials", &object).await?;
        env.reaches(&run, "AwaitDecision").await?;
        let message = env.shows(&bucket, "a person left the object where it is").await?;
        assert!(there(env, &object).await?);
        assert_eq!(env.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await?;
        joins(env, &env.respond("Credentials", &object).await?).await?;
        assert!(there(env, &object).await?);
        Ok(())
    })
}

#[test]
fn an_open_case_is_moved_when_a_stricter_finding_comes_and_its_message_says_why() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, object) = placed(env, "open-moves").await?;
        let run = env.respond("Financial", &object).await?;
        env.reaches(&run, "AwaitDecision").await?;
        joins(env, &env.respond("Credentials", &object).await?).await?;
        env.succeeded(&run).await?;
        assert!(!there(env, &object).await?);
        let message = env.shows(&bucket, "Quarantined.").await?["blocks"].to_string();
        assert!(message.contains("Decided by policy, rule `credentials`"), "{message}");
        assert!(message.contains("A newer finding") && message.contains("is stricter"), "{message}");
        Ok(())
    })
}

#[test]
fn a_stricter_finding_puts_an_open_case_to_people_anew_and_their_earlier_votes_lapse() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, object) = placed(env, "two-people").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        env.reaches(&run, "AwaitDecision").await?;
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        joins(env, &env.respond("Credentials", &object).await?).await?;
        let renewed = env.shows(&bucket, "Earlier votes no longer count").await?;
        assert_eq!(renewed["ts"], message["ts"], "in the same message");
        eventually("a reminder in the thread", async || {
            let all = env.sandbox.slack().messages(cordon_tests::CHANNEL);
            Ok(all.iter().any(|reply| reply["thread_ts"] == message["ts"]).then_some(()))
        })
        .await?;
        assert_eq!(env.click(BOB, &renewed, "quarantine:").await?, 200);
        env.shows(&bucket, "1 of 2 for quarantine").await?;
        assert!(there(env, &object).await?, "of two votes one was for the earlier plan");
        assert_eq!(env.click(CAROL, &renewed, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!there(env, &object).await?);
        let case = env.case(&object).await?;
        assert_eq!((case.generation, case.approval.votes.len()), (1, 3));
        Ok(())
    })
}

#[test]
fn what_policy_would_move_when_nobody_decides_is_asked_again_above_the_limit() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let (bucket, object) = placed(env, "expiry-moves").await?;
        let policy = limited(env, 0).await?;
        forget_notice(env).await?;
        let run = under(env, &policy, async {
            let run = env.respond("Financial", &object).await?;
            let notice = env.operator_notice(&format!("bucket {bucket},")).await?;
            ensure!(notice.contains("more than 0 automatic moves in this hour"), "{notice}");
            assert!(there(env, &object).await?);
            env.asked(&bucket).await?;
            Ok(run)
        })
        .await?;
        env.succeeded(&run).await?;
        assert!(!there(env, &object).await?, "without the limit policy moves it when the next round is over");
        let case = env.case(&object).await?;
        assert!(case.approval.asked >= 2, "{}", case.approval.asked);
        case.outcome().context("an outcome").map(drop)
    })
}
