//! What becomes of a finding that a person decides on.

use anyhow::{Context, Result};
use cordon_domain::case::{Decision, OutcomeResult, Status};
use cordon_sandbox::{Fault, FaultRule, slack::Outage};
use cordon_tests::{ALICE, CHANNEL, OTHER_CHANNEL, TestEnv, eventually, run_test};

#[test]
fn a_click_on_quarantine_moves_the_object_and_the_message_says_by_whom() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("review-quarantine").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        for says in ["CREDIT_CARD_NUMBER", "High", "macie/home", "states/home", "<@U0ALICE001>"] {
            assert!(message["blocks"].to_string().contains(says), "{says} is not in {message}");
        }
        assert!(env.is_there(&bucket, "card.txt").await?, "nothing happens before the click");
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        let message = env.shows(&bucket, "Quarantined.").await?;
        let blocks = message["blocks"].to_string();
        assert!(blocks.contains("decided by <@U0ALICE001>") && !blocks.contains("quarantine:"), "{blocks}");
        assert_eq!(env.messages(&bucket).len(), 1, "the same message was brought up to date");
        Ok(())
    })
}

#[test]
fn a_click_on_dismiss_leaves_the_object() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("review-dismiss").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await?;
        let message = env.shows(&bucket, "Dismissed.").await?;
        assert!(message["blocks"].to_string().contains("Reason: test data"), "{message}");
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert!(!env.states(&run).await?.contains(&"QuarantineObject".to_owned()));
        Ok(())
    })
}

#[test]
fn without_a_decision_the_case_expires_and_the_object_stays() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("review-expiry").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let asked = env.asked(&bucket).await?;
        env.succeeded(&run).await?;
        env.shows(&bucket, "Expired.").await?;
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert_eq!(env.case(&object).await?.outcome().unwrap().result, OutcomeResult::Expired);
        // A click on the message as it was is told so in private, and changes nothing.
        let mut late = env.sandbox.slack().interaction(ALICE, CHANNEL, asked["ts"].as_str().unwrap(), "none");
        assert!(late.is_err(), "the button is gone");
        late = Ok(old_click(&asked));
        assert_eq!(env.sandbox.slack().send_interaction(&late.unwrap()).await.status, 200);
        note(env, ALICE, "Already decided").await?;
        assert!(env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

/// A click on a button that the message no longer has.
fn old_click(message: &serde_json::Value) -> serde_json::Value {
    let blocks = message["blocks"].as_array().unwrap();
    let button = &blocks.iter().find(|block| block["type"] == "actions").unwrap()["elements"][0];
    serde_json::json!({"type": "block_actions", "api_app_id": "A0CORDON01", "user": {"id": ALICE, "team_id": "T0CORDON01"},
        "team": {"id": "T0CORDON01"}, "channel": {"id": CHANNEL},
        "actions": [{"action_id": button["action_id"], "value": button["value"], "type": "button"}]})
}

/// Waits for a private note to Alice.
async fn note(env: &TestEnv, user: &str, text: &str) -> Result<()> {
    eventually(&format!("a private note with {text:?}"), async || {
        let notes = env.sandbox.slack().ephemerals();
        Ok(notes.iter().any(|note| note["user"] == user && note.to_string().contains(text)).then_some(()))
    })
    .await
}

#[test]
fn a_click_that_comes_before_the_token_is_stored_is_not_lost() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("early-click").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        // Step Functions does not get the token into the record, so nobody can be woken by it yet.
        env.sandbox.faults().inject(FaultRule {
            service: "dynamodb".into(),
            operation: Some("UpdateItem".into()),
            principal: Some("cordon-finding_response".into()),
            kind: Fault::InternalError,
            times: u32::MAX,
        });
        let id = env.finding("Financial", &object);
        env.sandbox.macie().publish_finding(&id).await?;
        let run = env.run_for(&id).await?;
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        let case = env.case(&object).await?;
        assert_eq!((case.decision(), case.waits.task_token), (Some(Decision::Quarantine), None));
        env.sandbox.faults().clear();
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn of_two_clicks_at_once_one_counts_and_the_other_is_told() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("two-clicks").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        let clicks = tokio::join!(
            env.click(ALICE, &message, "quarantine:"),
            env.click(ALICE, &message, "quarantine:"),
            env.click(ALICE, &message, "quarantine:"),
        );
        for status in [clicks.0?, clicks.1?, clicks.2?] {
            assert_eq!(status, 200);
        }
        env.succeeded(&run).await?;
        let case = env.case(&object).await?;
        assert_eq!(case.approval.votes.len(), 1);
        assert_eq!(Some(case.approval.votes[0].decision), case.decision());
        let moved = !env.is_there(&bucket, "card.txt").await?;
        assert_eq!(moved, case.decision() == Some(Decision::Quarantine));
        note(env, ALICE, "Already decided").await
    })
}

#[test]
fn a_click_by_somebody_who_may_not_decide_changes_nothing() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("not-allowed").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click("U0BOB00002", &message, "quarantine:").await?, 200);
        eventually("a private note to bob", async || {
            let notes = env.sandbox.slack().ephemerals();
            Ok(notes.iter().any(|note| note["user"] == "U0BOB00002").then_some(()))
        })
        .await?;
        assert_eq!(env.click("U0MALLORY3", &message, "quarantine:").await?, 400, "of another workspace");
        let mut forged = old_click(&message);
        forged["actions"][0]["value"] = format!("{}:{}", object.version.case_id(), "0".repeat(64)).into();
        env.sandbox.slack().send_interaction(&forged).await;
        let case = env.case(&object).await?;
        assert_eq!((case.approval.votes.len(), case.decision(), case.status), (0, None, Status::Open));
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await
    })
}

#[test]
fn an_unsigned_or_altered_request_is_refused() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let url = env.interactions_url()?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let now = cordon::clock::now().timestamp().as_second();
        let body = "payload=%7B%7D";
        let signature = env.sandbox.slack().sign(now, body.as_bytes());
        let send = async |timestamp: i64, signature: &str, body: &str| {
            let request = http
                .post(url)
                .header("x-slack-request-timestamp", timestamp.to_string())
                .header("x-slack-signature", signature)
                .body(body.to_owned());
            anyhow::Ok(request.send().await?.status().as_u16())
        };
        assert_eq!(http.post(url).body(body).send().await?.status().as_u16(), 401, "unsigned");
        assert_eq!(send(now, &signature, "payload=%7B%7E").await?, 401, "altered");
        assert_eq!(
            send(now - 400, &env.sandbox.slack().sign(now - 400, body.as_bytes()), body).await?,
            401,
            "stale"
        );
        assert_eq!(send(now, &signature, body).await?, 400, "signed, but no click");
        let large = "x".repeat(300 * 1024);
        assert_eq!(
            send(now, &env.sandbox.slack().sign(now, large.as_bytes()), &large).await?,
            413,
            "too large"
        );
        Ok(())
    })
}

#[test]
fn while_slack_is_away_a_decision_counts_and_the_message_follows_later() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("slack-away").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        let away = env.slack_is_away(Outage::ServerError);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?, "the run did not wait for Slack");
        assert!(!env.messages(&bucket)[0]["blocks"].to_string().contains("Quarantined."));
        drop(away);
        env.shows(&bucket, "Quarantined.").await?;
        assert_eq!(env.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn a_case_that_opens_while_slack_is_away_is_posted_once_when_it_is_back() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("slack-late").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let away = env.slack_is_away(Outage::OkFalse("channel_not_found".into()));
        let run = env.respond("Financial", &object).await?;
        env.reaches(&run, "AwaitDecision").await?;
        drop(away);
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        env.succeeded(&run).await?;
        assert_eq!(env.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn a_question_for_an_archived_channel_is_asked_in_the_fallback_channel_and_operators_are_told() -> Result<()>
{
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let _closed = env.channel_refuses(OTHER_CHANNEL, "is_archived");
        let bucket = env.bucket("closed-channel").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = env.respond("Financial", &object).await?;
        let message = env.asked(&bucket).await?;
        let notice = env.operator_notice(OTHER_CHANNEL).await?;
        assert!(notice.contains("is_archived") && notice.contains("Unarchive the channel"), "{notice}");
        let shown = env.message_of(&object).await?.posted.context("a message")?;
        assert_eq!(shown.channel, CHANNEL);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        env.shows(&bucket, "Quarantined.").await?;
        assert_eq!(env.messages(&bucket).len(), 1, "the message is brought up to date where it is");
        Ok(())
    })
}

#[test]
fn a_question_that_nobody_saw_fails_instead_of_expiring() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("never-asked").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let away = env.slack_is_away(Outage::OkFalse("channel_not_found".into()));
        let run = env.respond("Financial", &object).await?;
        let ended = env.ended(&run).await;
        drop(away);
        let ended = ended?;
        assert_eq!(ended.status.as_str(), "FAILED");
        assert!(
            ended.cause().unwrap_or_default().contains("Slack never took the message"),
            "{:?}",
            ended.cause()
        );
        env.operator_notice(run.rsplit(':').next().unwrap()).await?;
        assert!(env.is_there(&bucket, "card.txt").await?);
        env.shows(&bucket, "Failed.").await?;
        Ok(())
    })
}

#[test]
fn the_restore_button_works_for_the_people_whom_policy_names_and_for_nobody_else() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("restore-button").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        let message = env.shows(&bucket, "restore:").await?;

        assert_eq!(env.click("U0BOB00002", &message, "restore:").await?, 200);
        note(env, "U0BOB00002", "may have objects back").await?;
        assert!(
            env.case(&object).await?.quarantine.restores.is_empty()
                && !env.is_there(&bucket, "key.txt").await?
        );

        assert_eq!(env.click_because(ALICE, &message, "restore:", "a false alarm").await?, 200);
        let message = env.shows(&bucket, "Put back").await?;
        assert!(message["blocks"].to_string().contains("<@U0ALICE001>"), "{message}");
        assert!(env.is_there(&bucket, "key.txt").await?);
        let [restore] =
            <[_; 1]>::try_from(env.case(&object).await?.quarantine.restores).expect("one restore");
        assert!(restore.requested_by.ends_with("/U0ALICE001"), "{}", restore.requested_by);
        assert_eq!(restore.reason, "a false alarm");
        Ok(())
    })
}
