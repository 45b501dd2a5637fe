//! Who decides, how often they are asked, and what happens when nobody does.

use anyhow::{Context, Result};
use cordon_domain::case::{Decision, OutcomeResult, Status};
use cordon_sandbox::slack::Outage;
use cordon_tests::{ALICE, BOB, CAROL, CHANNEL, FALLBACK, GROUP, Placed, Stage, eventually, on_stage};
use serde_json::Value;

/// A case in a bucket whose rule this is; its run, object and message.
async fn asked(stage: &Stage, rule: &str) -> Result<(String, String, Placed, Value)> {
    let bucket = stage.bucket(rule).await?;
    let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
    let run = stage.respond("Financial", &object).await?;
    let message = stage.asked(&bucket).await?;
    Ok((bucket, run, object, message))
}

/// Waits for a private note to somebody about this case or everything.
async fn note(stage: &Stage, user: &str, text: &str) -> Result<()> {
    eventually(&format!("a private note with {text:?}"), async || {
        let notes = stage.sandbox.slack().ephemerals();
        Ok(notes.iter().any(|note| note["user"] == user && note.to_string().contains(text)).then_some(()))
    })
    .await
}

fn blocks(message: &Value) -> String {
    message["blocks"].to_string()
}

/// The answers in the thread under a message.
fn thread(stage: &Stage, message: &Value) -> Vec<String> {
    let all = stage.sandbox.slack().messages(CHANNEL);
    let replies = all.iter().filter(|reply| reply["thread_ts"] == message["ts"]);
    replies.map(|reply| reply["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn two_people_have_to_say_the_same_and_one_of_them_twice_is_not_two() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "two-people").await?;
        assert!(blocks(&message).contains("2 of them have to say the same"), "{message}");
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        let message = stage.shows(&bucket, "1 of 2 for quarantine").await?;
        assert!(
            blocks(&message).contains("<@U0ALICE001>") && blocks(&message).contains("quarantine:"),
            "{message}"
        );
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        note(stage, ALICE, "another person has to say the same").await?;
        let case = stage.case(&object).await?;
        assert_eq!((case.votes.len(), case.decision), (1, None));
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(stage.click(CAROL, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        let message = stage.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("<@U0ALICE001> and <@U0CAROL004>"), "{message}");
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn of_two_people_one_can_come_by_slack_and_one_by_the_command_line_and_nobody_is_both() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "two-people").await?;
        let case_id = object.version.case_id();
        let approve = ["approvals", "approve", &case_id, "--reason", "a card is in it", "--json"];
        let said = stage.cordon_as("bob", &approve).await?;
        assert_eq!((said.code, said.json()?[0]["result"].as_str()), (Some(0), Some("counted")), "{said:?}");
        stage.shows(&bucket, "1 of 2 for quarantine").await?;
        // By whichever way Bob comes, he is one person.
        assert_eq!(stage.click(BOB, &message, "quarantine:").await?, 200);
        note(stage, BOB, "another person has to say the same").await?;
        let said = stage.cordon_as("bob", &approve).await?;
        assert!(said.code == Some(1) && said.out.contains("another person has to say the same"), "{said:?}");
        let case = stage.case(&object).await?;
        assert_eq!((case.votes.len(), case.decision), (1, None));
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        let message = stage.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("assumed-role/olivia/bob` and <@U0ALICE001>"), "{message}");
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn people_who_disagree_decide_nothing_until_one_of_them_changes_their_mind() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "two-people").await?;
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        assert_eq!(stage.click_because(BOB, &message, "dismiss:", "test data").await?, 200);
        let message = stage.shows(&bucket, "1 of 2 for dismissal").await?;
        assert!(blocks(&message).contains("1 of 2 for quarantine"), "{message}");
        assert_eq!(stage.case(&object).await?.decision, None);
        assert_eq!(stage.click_because(ALICE, &message, "dismiss:", "bob is right").await?, 200);
        stage.succeeded(&run).await?;
        let message = stage.shows(&bucket, "Dismissed.").await?;
        assert!(blocks(&message).contains("test data; bob is right"), "{message}");
        assert!(stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn two_people_who_click_at_once_are_both_counted() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (_, run, object, message) = asked(stage, "two-people").await?;
        let clicks = tokio::join!(
            stage.click(ALICE, &message, "quarantine:"),
            stage.click(BOB, &message, "quarantine:"),
            stage.click(CAROL, &message, "quarantine:"),
        );
        assert_eq!((clicks.0?, clicks.1?, clicks.2?), (200, 200, 200));
        stage.succeeded(&run).await?;
        let case = stage.case(&object).await?;
        assert_eq!((case.votes.len(), case.decision), (2, Some(Decision::Quarantine)));
        Ok(())
    })
}

#[test]
fn a_member_of_a_group_decides_and_who_is_none_is_told_and_recorded() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "group").await?;
        assert!(blocks(&message).contains(&format!("<!subteam^{GROUP}>")), "{message}");
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        note(stage, ALICE, "not among the people who may decide").await?;
        assert_eq!(blocks(&message), blocks(&stage.asked(&bucket).await?), "the message is unchanged");
        let case = stage.case(&object).await?;
        assert_eq!((case.refused[0].by.person(), case.refused[0].asked.as_str()), (ALICE, "quarantine"));
        assert_eq!(stage.click(CAROL, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn where_nobody_is_left_to_decide_the_fallback_approvers_may_and_operators_are_told() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "departed").await?;
        let case_id = object.version.case_id();
        let told = stage.operators_told(&case_id).await?;
        assert!(told.contains("0 are left in Slack"), "{told}");
        assert!(blocks(&message).contains("The fallback approvers may decide too"), "{message}");
        assert_eq!(stage.click(FALLBACK, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn a_snooze_asks_again_when_it_is_over_and_a_decision_ends_it() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "snoozed").await?;
        assert_eq!(stage.click(BOB, &message, "snooze:").await?, 200);
        note(stage, BOB, "not among the people who may decide").await?;
        assert_eq!(stage.click(ALICE, &message, "snooze:").await?, 200);
        stage.shows(&bucket, "Snoozed by <@U0ALICE001>").await?;
        eventually("the snooze", async || {
            Ok(stage.states(&run).await?.contains(&"AwaitSnooze".to_owned()).then_some(()))
        })
        .await?;
        eventually("a reminder", async || {
            Ok(thread(stage, &message).iter().any(|text| text.contains("please decide")).then_some(()))
        })
        .await?;
        assert!(stage.case(&object).await?.snooze.is_none());
        let message = stage.asked(&bucket).await?;
        assert_eq!(stage.click(ALICE, &message, "snooze:").await?, 200);
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200, "the buttons stay");
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(thread(stage, &message).len(), 1, "each asking is told once");
        Ok(())
    })
}

#[test]
fn each_round_reminds_in_the_thread_and_the_last_escalates() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "reminded").await?;
        assert!(blocks(&message).contains("Round 1 of 2"), "{message}");
        assert_eq!(stage.click(FALLBACK, &message, "quarantine:").await?, 200);
        note(stage, FALLBACK, "not among the people who may decide").await?;
        stage.shows(&bucket, "Last round of 2").await?;
        eventually("a reminder", async || {
            let replies = thread(stage, &message);
            Ok(replies.iter().any(|text| text.contains("Escalated") && text.contains(FALLBACK)).then_some(()))
        })
        .await?;
        assert!(stage.case(&object).await?.escalation.is_some());
        assert_eq!(stage.click(FALLBACK, &stage.asked(&bucket).await?, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert_eq!(thread(stage, &message).len(), 1);
        Ok(())
    })
}

#[test]
fn an_expiry_moves_the_object_where_policy_says_so() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "expiry-moves").await?;
        assert!(blocks(&message).contains("policy quarantines the object"), "{message}");
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        let case = stage.case(&object).await?;
        assert_eq!(case.outcome.context("an outcome")?.result, OutcomeResult::Quarantined);
        assert_eq!(case.decision, Some(Decision::Expired));
        let told = stage.operators_told(&object.version.case_id()).await?;
        assert!(told.contains("policy moves the object"), "{told}");
        let message = stage.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("Nobody decided"), "{message}");
        Ok(())
    })
}

#[test]
fn people_are_asked_again_where_policy_says_so_and_a_late_click_counts() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "expiry-asks").await?;
        let told = stage.operators_told(&object.version.case_id()).await?;
        assert!(told.contains("asked again from the first one on"), "{told}");
        eventually("a reminder", async || Ok((thread(stage, &message).len() == 1).then_some(()))).await?;
        let case = stage.case(&object).await?;
        assert_eq!((case.status, case.decision, case.asked), (Status::Open, None, 2));
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

#[test]
fn a_modal_says_what_is_wrong_and_a_cancelled_one_decides_nothing() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "review-modal").await?;
        assert_eq!(stage.click(BOB, &message, "dismiss:").await?, 200);
        note(stage, BOB, "not among the people who may decide").await?;
        let slack = stage.sandbox.slack();
        assert!(!slack.modals(BOB).iter().any(|modal| modal.to_string().contains(&bucket)));
        assert_eq!(stage.click(ALICE, &message, "dismiss:").await?, 200);
        let modal = stage.modal(ALICE, &message, "dismiss:").await?;
        let view = slack.modals(ALICE).into_iter().find(|view| view["id"] == *modal).context("the modal")?;
        assert!(view.to_string().contains(&bucket), "{view}");
        let blank = slack.submit(&modal, "    ").await;
        assert!(blank.body.contains("response_action") && blank.status == 200, "{blank:?}");
        assert_eq!(stage.case(&object).await?.votes.len(), 0);
        slack.cancel(&modal);
        assert_eq!(stage.case(&object).await?.decision, None);
        // What was sent by somebody who may not decide, past the modal that they were not given.
        assert_eq!(stage.click(ALICE, &message, "dismiss:").await?, 200);
        let modal = stage.modal(ALICE, &message, "dismiss:").await?;
        let mut forged = slack.submission(&modal, "let it be").map_err(anyhow::Error::msg)?;
        forged["user"]["id"] = BOB.into();
        assert_eq!(slack.send_interaction(&forged).await.status, 200);
        assert_eq!(stage.case(&object).await?.votes.len(), 0);
        assert_eq!(stage.click(ALICE, &message, "quarantine:").await?, 200);
        stage.succeeded(&run).await
    })
}

#[test]
fn while_slack_is_away_operators_are_told_how_to_decide_and_can() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("review-cli").await?;
        stage.sandbox.slack().set_outage(Outage::ServerError);
        let decided = async {
            let object = stage.put(&bucket, "card.txt", "5163200000000008").await?;
            let run = stage.respond("Financial", &object).await?;
            let case_id = object.version.case_id();
            let told = stage.operators_told("cordon approvals show").await?;
            assert!(told.contains("Nothing is lost"), "{told}");
            stage.reaches(&run, "AwaitDecision").await?;

            let said = stage.cordon(&["approvals", "list", "--bucket", &bucket]).await?;
            assert!(said.code == Some(0) && said.out.starts_with(&case_id), "{said:?}");
            let said = stage.cordon(&["approvals", "show", &case_id]).await?;
            assert!(said.out.contains("Who decides") && said.out.contains("U0ALICE001"), "{said:?}");
            let said = stage.cordon(&["approvals", "approve", &case_id]).await?;
            assert_eq!(said.code, Some(2), "a reason is required: {said:?}");
            let said = stage
                .cordon(&["approvals", "approve", &case_id, "--reason", "Slack is away", "--json"])
                .await?;
            assert_eq!(
                (said.code, said.json()?[0]["result"].as_str()),
                (Some(0), Some("decided")),
                "{said:?}"
            );
            stage.succeeded(&run).await?;
            let said = stage.cordon(&["approvals", "dismiss", &case_id, "--reason", "too late"]).await?;
            assert!(said.code == Some(1) && said.out.contains("It was decided at"), "{said:?}");
            anyhow::Ok(object)
        };
        let object = decided.await;
        stage.sandbox.slack().set_outage(Outage::None);
        let case = stage.case(&object?).await?;
        assert_eq!(case.votes.len(), 1);
        assert!(case.votes[0].by.person().contains("assumed-role/olivia"), "{:?}", case.votes);
        let message = stage.shows(&bucket, "Quarantined.").await?;
        assert!(blocks(&message).contains("Reason: Slack is away"), "{message}");
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_in_the_console_takes_its_buttons_with_it() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, run, object, message) = asked(stage, "review-stopped").await?;
        stage.sfn.stop_execution().execution_arn(&run).cause("by hand").send().await?;
        let message_then = stage.shows(&bucket, "Failed.").await?;
        assert!(!blocks(&message_then).contains("quarantine:"), "{message_then}");
        assert_eq!(stage.case(&object).await?.status, Status::Closed);
        assert!(stage.is_there(&bucket, "card.txt").await?);
        assert_eq!(message["ts"], message_then["ts"]);
        Ok(())
    })
}

#[test]
fn a_burst_shares_one_message_that_is_turned_page_by_page_and_each_case_stays_its_own() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        // People are asked until they decide, for so many take longer to open than a round lasts.
        let bucket = stage.bucket("expiry-asks-burst").await?;
        let mut runs = Vec::new();
        for n in 0..30 {
            let object =
                stage.put(&bucket, &format!("card-{n}.txt"), &format!("5163200000000008 {n}")).await?;
            runs.push((stage.respond("Financial", &object).await?, object));
        }
        for (run, _) in &runs {
            stage.reaches(run, "AwaitDecision").await?;
        }
        let mut listed = Vec::new();
        for (run, object) in runs {
            let case = stage.case(&object).await?;
            if case.digest.is_some() {
                listed.push((run, object, case));
            }
        }
        // Two minutes at most, so ten or twenty have messages of their own.
        assert!((10..=20).contains(&listed.len()), "{}", listed.len());
        let (run, object, case) = listed.last().context("a case that is listed")?;
        let digest = case.digest.as_ref().context("a digest")?;
        let shown = async || {
            let all = stage.messages(&bucket);
            let digests = all.into_iter().filter(|message| message["metadata"].to_string().contains(digest));
            anyhow::Ok(<[Value; 1]>::try_from(digests.collect::<Vec<_>>()).ok().map(|[only]| only))
        };
        let button = format!("quarantine:{}", case.approval_id);
        let message = eventually("the case in the digest", async || {
            let Some(message) = shown().await? else { return Ok(None) };
            if blocks(&message).contains(&button) {
                return Ok(Some(message));
            }
            // Its buttons are on a later page.
            if blocks(&message).contains("Next page") {
                // While everything is busy it may be answered with an error, and people click again.
                let _ = stage.click(BOB, &message, "page:").await;
            }
            Ok(None)
        })
        .await?;
        assert_eq!(stage.click(ALICE, &message, &button).await?, 200);
        stage.succeeded(run).await?;
        assert!(!stage.is_there(&bucket, &object.version.key).await?);
        eventually("the end in the digest", async || {
            Ok(shown().await?.filter(|message| blocks(message).contains("Quarantined.")))
        })
        .await?;
        let (other, _, _) = listed.first().context("another case")?;
        stage.reaches(other, "AwaitDecision").await?;
        for (run, ..) in &listed[..listed.len() - 1] {
            stage.sfn.stop_execution().execution_arn(run).send().await?;
        }
        Ok(())
    })
}

#[test]
fn a_case_that_only_a_digest_shows_expires_like_any_other() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("review-listed").await?;
        let mut runs = Vec::new();
        // More than a minute may pass, and each has ten with messages of their own.
        for n in 0..24 {
            let object =
                stage.put(&bucket, &format!("card-{n}.txt"), &format!("5163200000000008 {n}")).await?;
            runs.push((stage.respond("Financial", &object).await?, object));
        }
        let mut listed = 0;
        for (run, object) in &runs {
            stage.succeeded(run).await?;
            let case = stage.case(object).await?;
            listed += usize::from(case.digest.is_some());
            assert_eq!(case.outcome.context("an outcome")?.result, OutcomeResult::Expired);
        }
        assert!(listed > 0, "none was listed");
        Ok(())
    })
}
