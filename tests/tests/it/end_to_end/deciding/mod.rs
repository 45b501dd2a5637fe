//! Who decides, how often they are asked, and what happens when nobody does.

mod digests;

use anyhow::{Context, Result};
use cordon_domain::case::{Decision, OutcomeResult, Status};
use cordon_sandbox::slack::Outage;
use cordon_tests::{ALICE, BOB, CAROL, CHANNEL, FALLBACK, GROUP, Placed, TestEnv, eventually, run_test};
use serde_json::Value;

/// A case in a bucket whose rule this is; its run, object and message.
async fn asked(env: &TestEnv, rule: &str) -> Result<(String, String, Placed, Value)> {
    let bucket = env.bucket(rule).await?;
    let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
    let run = env.respond("Financial", &object).await?;
    let message = env.asked(&bucket).await?;
    Ok((bucket, run, object, message))
}

/// Waits for a private note to somebody about this case or everything.
async fn note(env: &TestEnv, user: &str, text: &str) -> Result<()> {
    eventually(&format!("a private note with {text:?}"), async || {
        let notes = env.sandbox.slack().ephemerals();
        Ok(notes.iter().any(|note| note["user"] == user && note.to_string().contains(text)).then_some(()))
    })
    .await
}

fn blocks(message: &Value) -> String {
    message["blocks"].to_string()
}

/// The answers in the thread under a message.
fn thread(env: &TestEnv, message: &Value) -> Vec<String> {
    let all = env.sandbox.slack().messages(CHANNEL);
    let replies = all.iter().filter(|reply| reply["thread_ts"] == message["ts"]);
    replies.map(|reply| reply["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn two_people_have_to_say_the_same_and_one_of_them_twice_is_not_two() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "two-people").await?;
        assert!(blocks(&message).contains("2 of them have to say the same"), "{message}");
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        let message = env.shows(&bucket, "1 of 2 for quarantine").await?;
        assert!(
            blocks(&message).contains("<@U0ALICE001>") && blocks(&message).contains("quarantine:"),
            "{message}"
        );
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        note(env, ALICE, "another person has to say the same").await?;
        let case = env.case(&object).await?;
        assert_eq!((case.approval.votes.len(), case.decision()), (1, None));
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert_eq!(env.click(CAROL, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        let message = env.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("<@U0ALICE001> and <@U0CAROL004>"), "{message}");
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn of_two_people_one_can_come_by_slack_and_one_by_the_command_line_and_nobody_is_both() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "two-people").await?;
        let case_id = object.version.case_id();
        let approve = ["approvals", "approve", &case_id, "--reason", "a card is in it", "--json"];
        let said = env.cordon_as("bob", &approve).await?;
        assert_eq!((said.code, said.json()?[0]["result"].as_str()), (Some(0), Some("counted")), "{said:?}");
        env.shows(&bucket, "1 of 2 for quarantine").await?;
        // By whichever way Bob comes, he is one person.
        assert_eq!(env.click(BOB, &message, "quarantine:").await?, 200);
        note(env, BOB, "another person has to say the same").await?;
        let said = env.cordon_as("bob", &approve).await?;
        assert!(said.code == Some(1) && said.out.contains("another person has to say the same"), "{said:?}");
        let case = env.case(&object).await?;
        assert_eq!((case.approval.votes.len(), case.decision()), (1, None));
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        let message = env.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("<@U0BOB00002> and <@U0ALICE001>"), "{message}");
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn people_who_disagree_decide_nothing_until_one_of_them_changes_their_mind() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "two-people").await?;
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        assert_eq!(env.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
        let message = env.shows(&bucket, "1 of 2 for dismissal").await?;
        assert!(blocks(&message).contains("1 of 2 for quarantine"), "{message}");
        assert_eq!(env.case(&object).await?.decision(), None);
        assert_eq!(env.click_because(ALICE, &message, "dismiss:", "bob is right").await?, 200);
        env.succeeded(&run).await?;
        let message = env.shows(&bucket, "Dismissed.").await?;
        assert!(blocks(&message).contains("test data; bob is right"), "{message}");
        assert!(env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn two_people_who_click_at_once_are_both_counted() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (_, run, object, message) = asked(env, "two-people").await?;
        let clicks = tokio::join!(
            env.click(ALICE, &message, "quarantine:"),
            env.click(BOB, &message, "quarantine:"),
            env.click(CAROL, &message, "quarantine:"),
        );
        assert_eq!((clicks.0?, clicks.1?, clicks.2?), (200, 200, 200));
        env.succeeded(&run).await?;
        let case = env.case(&object).await?;
        assert_eq!((case.approval.votes.len(), case.decision()), (2, Some(Decision::Quarantine)));
        Ok(())
    })
}

#[test]
fn a_member_of_a_group_decides_and_who_is_none_is_told_and_recorded() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "group").await?;
        assert!(blocks(&message).contains(&format!("<!subteam^{GROUP}>")), "{message}");
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        note(env, ALICE, "not among the people who may decide").await?;
        assert_eq!(blocks(&message), blocks(&env.asked(&bucket).await?), "the message is unchanged");
        let case = env.case(&object).await?;
        assert_eq!(
            (case.approval.refused[0].by.person(), case.approval.refused[0].asked.as_str()),
            (ALICE, "quarantine")
        );
        assert_eq!(env.click(CAROL, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn where_nobody_is_left_to_decide_the_fallback_approvers_may_and_operators_are_told() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "departed").await?;
        let case_id = object.version.case_id();
        let notice = env.operator_notice(&case_id).await?;
        assert!(notice.contains("0 are left in Slack"), "{notice}");
        assert!(blocks(&message).contains("The fallback approvers may decide too"), "{message}");
        assert_eq!(env.click(FALLBACK, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn a_snooze_asks_again_when_it_is_over_and_a_decision_ends_it() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "snoozed").await?;
        assert_eq!(env.click(BOB, &message, "snooze:").await?, 200);
        note(env, BOB, "not among the people who may decide").await?;
        assert_eq!(env.click(ALICE, &message, "snooze:").await?, 200);
        env.shows(&bucket, "Snoozed by <@U0ALICE001>").await?;
        eventually("the snooze", async || {
            Ok(env.states(&run).await?.contains(&"AwaitSnooze".to_owned()).then_some(()))
        })
        .await?;
        eventually("a reminder", async || {
            Ok(thread(env, &message).iter().any(|text| text.contains("please decide")).then_some(()))
        })
        .await?;
        assert!(env.case(&object).await?.approval.snooze.is_none());
        let message = env.asked(&bucket).await?;
        assert_eq!(env.click(ALICE, &message, "snooze:").await?, 200);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200, "the buttons stay");
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        assert_eq!(thread(env, &message).len(), 1, "each asking is told once");
        Ok(())
    })
}

#[test]
fn each_round_reminds_in_the_thread_and_the_last_escalates() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "reminded").await?;
        assert!(blocks(&message).contains("Round 1 of 2"), "{message}");
        assert_eq!(env.click(FALLBACK, &message, "quarantine:").await?, 200);
        note(env, FALLBACK, "not among the people who may decide").await?;
        env.shows(&bucket, "Last round of 2").await?;
        eventually("a reminder", async || {
            let replies = thread(env, &message);
            Ok(replies.iter().any(|text| text.contains("Escalated") && text.contains(FALLBACK)).then_some(()))
        })
        .await?;
        assert!(env.case(&object).await?.approval.escalation.is_some());
        assert_eq!(env.click(FALLBACK, &env.asked(&bucket).await?, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert_eq!(thread(env, &message).len(), 1);
        Ok(())
    })
}

#[test]
fn an_expiry_moves_the_object_where_policy_says_so() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "expiry-moves").await?;
        assert!(blocks(&message).contains("policy quarantines the object"), "{message}");
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        let case = env.case(&object).await?;
        assert_eq!(case.outcome().context("an outcome")?.result, OutcomeResult::Quarantined);
        assert_eq!(case.decision(), Some(Decision::Expired));
        let notice = env.operator_notice(&object.version.case_id()).await?;
        assert!(notice.contains("policy moves the object"), "{notice}");
        let message = env.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("Nobody decided"), "{message}");
        Ok(())
    })
}

#[test]
fn people_are_asked_again_where_policy_says_so_and_a_late_click_counts() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "expiry-asks").await?;
        let notice = env.operator_notice(&object.version.case_id()).await?;
        assert!(notice.contains("asked again from the first one on"), "{notice}");
        eventually("a reminder", async || Ok((thread(env, &message).len() == 1).then_some(()))).await?;
        let case = env.case(&object).await?;
        assert_eq!((case.status, case.decision(), case.approval.asked), (Status::Open, None, 2));
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn a_modal_says_what_is_wrong_and_a_cancelled_one_decides_nothing() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "review-modal").await?;
        assert_eq!(env.click(BOB, &message, "dismiss:").await?, 200);
        note(env, BOB, "not among the people who may decide").await?;
        let slack = env.sandbox.slack();
        assert!(!slack.modals(BOB).iter().any(|modal| modal.to_string().contains(&bucket)));
        assert_eq!(env.click(ALICE, &message, "dismiss:").await?, 200);
        let modal = env.modal(ALICE, &message, "dismiss:").await?;
        let view = slack.modals(ALICE).into_iter().find(|view| view["id"] == *modal).context("the modal")?;
        assert!(view.to_string().contains(&bucket), "{view}");
        let blank = slack.submit(&modal, "    ").await;
        assert!(blank.body.contains("response_action") && blank.status == 200, "{blank:?}");
        assert_eq!(env.case(&object).await?.approval.votes.len(), 0);
        slack.cancel(&modal);
        assert_eq!(env.case(&object).await?.decision(), None);
        // What was sent by somebody who may not decide, past the modal that they were not given.
        assert_eq!(env.click(ALICE, &message, "dismiss:").await?, 200);
        let modal = env.modal(ALICE, &message, "dismiss:").await?;
        let mut forged = slack.submission(&modal, "let it be").map_err(anyhow::Error::msg)?;
        forged["user"]["id"] = BOB.into();
        assert_eq!(slack.send_interaction(&forged).await.status, 200);
        assert_eq!(env.case(&object).await?.approval.votes.len(), 0);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await
    })
}

#[test]
fn while_slack_is_away_operators_are_told_how_to_decide_and_can() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("review-cli").await?;
        let away = env.slack_is_away(Outage::ServerError);
        let decided = async {
            let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
            let run = env.respond("Financial", &object).await?;
            let case_id = object.version.case_id();
            let notice = env.operator_notice("cordon approvals show").await?;
            assert!(notice.contains("Nothing is lost"), "{notice}");
            env.reaches(&run, "AwaitDecision").await?;

            let said = env.cordon(&["approvals", "list", "--bucket", &bucket]).await?;
            assert!(said.code == Some(0) && said.out.starts_with(&case_id), "{said:?}");
            let said = env.cordon(&["approvals", "show", &case_id]).await?;
            assert!(said.out.contains("Who decides") && said.out.contains("U0ALICE001"), "{said:?}");
            let said = env.cordon(&["approvals", "approve", &case_id]).await?;
            assert_eq!(said.code, Some(2), "a reason is required: {said:?}");
            let said = env
                .cordon(&["approvals", "approve", &case_id, "--reason", "Slack is away", "--json"])
                .await?;
            assert_eq!(
                (said.code, said.json()?[0]["result"].as_str()),
                (Some(0), Some("decided")),
                "{said:?}"
            );
            env.succeeded(&run).await?;
            let said = env.cordon(&["approvals", "dismiss", &case_id, "--reason", "too late"]).await?;
            assert!(said.code == Some(1) && said.out.contains("It was decided at"), "{said:?}");
            anyhow::Ok(object)
        };
        let object = decided.await;
        drop(away);
        let case = env.case(&object?).await?;
        assert_eq!(case.approval.votes.len(), 1);
        assert!(
            case.approval.votes[0].by.person().starts_with(&env.operator_principal().await?),
            "{:?}",
            case.approval.votes
        );
        let message = env.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("Reason: Slack is away"), "{message}");
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_in_the_console_takes_its_buttons_with_it() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, run, object, message) = asked(env, "review-stopped").await?;
        env.sfn.stop_execution().execution_arn(&run).cause("by hand").send().await?;
        let message_then = env.shows(&bucket, "Failed.").await?;
        assert!(!blocks(&message_then).contains("quarantine:"), "{message_then}");
        assert_eq!(env.case(&object).await?.status, Status::Closed);
        assert!(env.is_there(&bucket, "card.txt").await?);
        assert_eq!(message["ts"], message_then["ts"]);
        Ok(())
    })
}
