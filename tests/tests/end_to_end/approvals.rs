//! What becomes of a finding that a person decides on.

use std::time::Duration;

use anyhow::Result;
use cordon_domain::case::{Decision, OutcomeResult, Status};
use cordon_sandbox::{
    Fault, FaultRule,
    slack::{MethodFault, MethodFaultKind, Outage},
};
use cordon_tests::{ALICE, CHANNEL, OTHER_CHANNEL, Stage, eventually, on_stage};

#[test]
fn a_click_on_quarantine_moves_the_object_and_the_message_says_by_whom() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("review-quarantine").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        for says in ["CREDIT_CARD_NUMBER", "High", "macie/home", "states/home", "<@U0ALICE001>"] {
            assert!(message["blocks"].to_string().contains(says), "{says} is not in {message}");
        }
        assert!(stage.is_there(&bucket, "card.txt").await?, "nothing happens before the click");
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        let message = stage.shows(&bucket, "Quarantined.").await?;
        let blocks = message["blocks"].to_string();
        assert!(blocks.contains("decided by <@U0ALICE001>") && !blocks.contains("quarantine:"), "{blocks}");
        assert_eq!(stage.messages(&bucket).len(), 1, "the same message was brought up to date");
        Ok(())
    })
}

#[test]
fn a_click_on_dismiss_leaves_the_object() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("review-dismiss").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await?;
        let message = stage.shows(&bucket, "Dismissed.").await?;
        assert!(message["blocks"].to_string().contains("Reason: test data"), "{message}");
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert!(!stage.states(&run).await?.contains(&"QuarantineObject".to_owned()));
        Ok(())
    })
}

#[test]
fn without_a_decision_the_case_expires_and_the_object_stays() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("review-expiry").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let asked = stage.asked(&bucket).await?;
        stage.succeeded(&run).await?;
        stage.shows(&bucket, "Expired.").await?;
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(stage.case(&object).await?.outcome.unwrap().result, OutcomeResult::Expired);
        // A click on the message as it was is told so in private, and changes nothing.
        let mut late =
            stage.sandbox.slack().interaction(ALICE, CHANNEL, asked["ts"].as_str().unwrap(), "none");
        assert!(late.is_err(), "the button is gone");
        late = Ok(old_click(&asked));
        assert_eq!(stage.sandbox.slack().send_interaction(&late.unwrap()).await.status, 200);
        note(stage, ALICE, "Already decided").await?;
        assert!(stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

/// A click on a button that the message no longer has.
fn old_click(message: &serde_json::Value) -> serde_json::Value {
    let blocks = message["blocks"].as_array().unwrap();
    let button = &blocks.iter().find(|block| block["type"] == "actions").unwrap()["elements"][0];
    serde_json::json!({"type": "block_actions", "user": {"id": ALICE, "team_id": "T0CORDON01"},
        "team": {"id": "T0CORDON01"}, "channel": {"id": CHANNEL},
        "actions": [{"action_id": button["action_id"], "value": button["value"], "type": "button"}]})
}

/// Waits for a private note to Alice.
async fn note(stage: &Stage, user: &str, text: &str) -> Result<()> {
    eventually(&format!("a private note with {text:?}"), async || {
        let notes = stage.sandbox.slack().ephemerals();
        Ok(notes.iter().any(|note| note["user"] == user && note.to_string().contains(text)).then_some(()))
    })
    .await
}

#[test]
fn a_click_that_comes_before_the_token_is_stored_is_not_lost() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("early-click").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        // The answer of the activity that posted the message is slow, so the run is not waiting yet.
        let id = stage.finding("Financial", &object);
        stage.sandbox.macie().publish_finding(&id).await?;
        let run = stage.run_for(&id).await?;
        stage.reaches(&run, "PostApproval").await?;
        stage.sandbox.faults().inject(FaultRule {
            service: "states".into(),
            operation: Some("SendTaskSuccess".into()),
            principal: Some("cordon-worker".into()),
            kind: Fault::Latency(Duration::from_secs(3)),
            times: 1,
        });
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        let before = stage.states(&run).await?;
        stage.sandbox.faults().clear();
        stage.succeeded(&run).await?;
        assert!(!before.contains(&"AwaitDecision".to_owned()), "the click came first: {before:?}");
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn of_two_clicks_at_once_one_counts_and_the_other_is_told() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("two-clicks").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        let clicks = tokio::join!(
            stage.click(ALICE, &message, "quarantine:"),
            stage.click(ALICE, &message, "quarantine:"),
            stage.click(ALICE, &message, "quarantine:"),
        );
        for status in [clicks.0?, clicks.1?, clicks.2?] {
            assert_eq!(status, 200);
        }
        stage.succeeded(&run).await?;
        let case = stage.case(&object).await?;
        assert_eq!(case.votes.len(), 1);
        assert_eq!(Some(case.votes[0].decision), case.decision);
        let moved = !stage.is_there(&bucket, "card.txt").await?;
        assert_eq!(moved, case.decision == Some(Decision::Quarantine));
        note(stage, ALICE, "Already decided").await
    })
}

#[test]
fn a_click_by_somebody_who_may_not_decide_changes_nothing() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("not-allowed").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click("U0BOB00002", &message, "quarantine:").await?, 200);
        eventually("a private note to bob", async || {
            let notes = stage.sandbox.slack().ephemerals();
            Ok(notes.iter().any(|note| note["user"] == "U0BOB00002").then_some(()))
        })
        .await?;
        assert_eq!(stage.click("U0MALLORY3", &message, "quarantine:").await?, 400, "of another workspace");
        let mut forged = old_click(&message);
        forged["actions"][0]["value"] = format!("{}:{}", object.version.case_id(), "0".repeat(64)).into();
        stage.sandbox.slack().send_interaction(&forged).await;
        let case = stage.case(&object).await?;
        assert_eq!((case.votes.len(), case.decision, case.status), (0, None, Status::Open));
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await
    })
}

#[test]
fn an_unsigned_or_altered_request_is_refused() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let url = stage.interactions_url();
        let http = reqwest::Client::builder().no_proxy().build()?;
        let now = cordon::clock::now().parse::<jiff::Timestamp>()?.as_second();
        let body = "payload=%7B%7D";
        let signature = stage.sandbox.slack().sign(now, body.as_bytes());
        let send = async |timestamp: i64, signature: &str, body: &str| {
            let request = http
                .post(&url)
                .header("x-slack-request-timestamp", timestamp.to_string())
                .header("x-slack-signature", signature)
                .body(body.to_owned());
            anyhow::Ok(request.send().await?.status().as_u16())
        };
        assert_eq!(http.post(&url).body(body).send().await?.status().as_u16(), 401, "unsigned");
        assert_eq!(send(now, &signature, "payload=%7B%7E").await?, 401, "altered");
        assert_eq!(
            send(now - 400, &stage.sandbox.slack().sign(now - 400, body.as_bytes()), body).await?,
            401,
            "stale"
        );
        assert_eq!(send(now, &signature, body).await?, 400, "signed, but no click");
        let large = "x".repeat(300 * 1024);
        assert_eq!(
            send(now, &stage.sandbox.slack().sign(now, large.as_bytes()), &large).await?,
            413,
            "too large"
        );
        Ok(())
    })
}

#[test]
fn while_slack_is_away_a_decision_counts_and_the_message_follows_later() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("slack-away").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        stage.sandbox.slack().set_outage(Outage::ServerError);
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?, "the run did not wait for Slack");
        assert!(!stage.messages(&bucket)[0]["blocks"].to_string().contains("Quarantined."));
        stage.sandbox.slack().set_outage(Outage::None);
        stage.shows(&bucket, "Quarantined.").await?;
        assert_eq!(stage.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn a_case_that_opens_while_slack_is_away_is_posted_once_when_it_is_back() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("slack-late").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        stage.sandbox.slack().set_outage(Outage::OkFalse("channel_not_found".into()));
        let run = stage.respond("Financial", &object).await?;
        stage.reaches(&run, "AwaitDecision").await?;
        stage.sandbox.slack().set_outage(Outage::None);
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "test data").await?, 200);
        stage.succeeded(&run).await?;
        assert_eq!(stage.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn a_question_for_an_archived_channel_is_asked_in_the_fallback_channel_and_operators_are_told() -> Result<()>
{
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        stage.sandbox.slack().inject(MethodFault {
            method: None,
            channel: Some(OTHER_CHANNEL.into()),
            kind: MethodFaultKind::Refused("is_archived".into()),
            times: None,
        });
        let bucket = stage.bucket("closed-channel").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        let run = stage.respond("Financial", &object).await?;
        let message = stage.asked(&bucket).await?;
        let told = stage.operators_told(OTHER_CHANNEL).await?;
        assert!(told.contains("is_archived") && told.contains("Unarchive the channel"), "{told}");
        assert_eq!(stage.case(&object).await?.slack_channel.as_deref(), Some(CHANNEL));
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        stage.shows(&bucket, "Quarantined.").await?;
        assert_eq!(stage.messages(&bucket).len(), 1, "the message is brought up to date where it is");
        Ok(())
    })
}

#[test]
fn a_question_that_nobody_saw_fails_instead_of_expiring() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("never-asked").await?;
        let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
        stage.sandbox.slack().set_outage(Outage::OkFalse("channel_not_found".into()));
        let run = stage.respond("Financial", &object).await?;
        let ended = stage.ended(&run).await;
        stage.sandbox.slack().set_outage(Outage::None);
        let ended = ended?;
        assert_eq!(ended.status.as_str(), "FAILED");
        assert!(
            ended.cause().unwrap_or_default().contains("Slack never took the message"),
            "{:?}",
            ended.cause()
        );
        stage.operators_told(run.rsplit(':').next().unwrap()).await?;
        assert!(stage.is_there(&bucket, "card.txt").await?);
        stage.shows(&bucket, "Failed.").await?;
        Ok(())
    })
}

#[test]
fn the_restore_button_works_for_the_people_whom_policy_names_and_for_nobody_else() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("restore-button").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        let message = stage.shows(&bucket, "restore:").await?;

        assert_eq!(stage.click("U0BOB00002", &message, "restore:").await?, 200);
        note(stage, "U0BOB00002", "may have objects back").await?;
        assert!(stage.case(&object).await?.restores.is_empty() && !stage.is_there(&bucket, "key.txt").await?);

        assert_eq!(stage.click_because(ALICE, &message, "restore:", "a false alarm").await?, 200);
        let message = stage.shows(&bucket, "Put back").await?;
        assert!(message["blocks"].to_string().contains("<@U0ALICE001>"), "{message}");
        assert!(stage.is_there(&bucket, "key.txt").await?);
        let [restore] = <[_; 1]>::try_from(stage.case(&object).await?.restores).expect("one restore");
        assert!(restore.requested_by.ends_with("/U0ALICE001"), "{}", restore.requested_by);
        assert_eq!(restore.reason, "a false alarm");
        Ok(())
    })
}
