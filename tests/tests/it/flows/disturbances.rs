//! Services that are away for a while, in the middle of a flow.

use std::time::Duration;

use anyhow::{Result, ensure};
use cordon_sandbox::Fault;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::harness::{Flow, HASTY, SCALED, in_bare_sandbox};

/// Five minutes at a hundredth.
const DISTURBANCE: Duration = Duration::from_secs(3);

impl Flow {
    /// Does the next task of an activity once the services that it needs are back.
    async fn does_after_a_disturbance(&self, stem: &str, output: Value) -> Result<()> {
        let (mut token, _) = self.take(stem).await?;
        let begun = Instant::now();
        let mut failures = 0;
        while begun.elapsed() < DISTURBANCE {
            self.refuse(&token, "Retryable", "The service is away.").await?;
            (token, _) = self.take(stem).await?;
            failures += 1;
        }
        ensure!(failures > 1, "the disturbance was over before it was noticed");
        self.answer(&token, output).await
    }
}

#[test]
fn a_disturbance_of_five_minutes_in_every_state_ends_no_response() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(SCALED, "finding_response").await?;
        // As many failures as the pauses of five minutes leave room for.
        let away = |operation: &str| flow.disturb("dynamodb", operation, Fault::InternalError, 5);
        let run = flow.start(json!({})).await?;
        flow.open_case("c", &run).await?;
        flow.does_after_a_disturbance(
            "triage_finding",
            json!({"disposition": "review", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
        away("UpdateItem");
        flow.disturb("sns", "Publish", Fault::InternalError, 5);
        flow.does_after_a_disturbance("post_approval", json!({"posted": "no", "notice": "Slack is away."}))
            .await?;
        assert_eq!(flow.notice().await?["what"], "Slack is away.");
        let token = flow.token("c", None).await?;
        flow.decide("c", "quarantine").await?;
        away("GetItem");
        flow.answer(&token, json!({})).await?;
        flow.does_after_a_disturbance("quarantine_object", json!({"result": "quarantined"})).await?;
        flow.does_after_a_disturbance("report_outcome", json!({"outcome": "quarantined", "detail": ""}))
            .await?;
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        let states = flow.states(&run).await?;
        assert!(!states.contains(&"AdvanceRound".to_owned()), "{states:?}");
        Ok(())
    })
}

#[test]
fn a_wait_outlives_every_error_that_keeps_its_token_from_being_stored() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        for kind in [Fault::InternalError, Fault::Throttle, Fault::Cut] {
            flow.disturb("dynamodb", "UpdateItem", kind, 2);
        }
        let run = flow.start(json!({})).await?;
        flow.open_case("c", &run).await?;
        flow.does(
            "triage_finding",
            json!({"disposition": "review", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
        flow.does("post_approval", json!({"posted": "yes"})).await?;
        let token = flow.token("c", None).await?;
        flow.decide("c", "dismiss").await?;
        flow.answer(&token, json!({})).await?;
        flow.does("report_outcome", json!({"outcome": "dismissed", "detail": ""})).await?;
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        Ok(())
    })
}

#[test]
fn whoever_holds_a_token_and_fails_it_ends_no_review() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        let run = flow.start(json!({})).await?;
        flow.open_case("c", &run).await?;
        flow.does(
            "triage_finding",
            json!({"disposition": "review", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
        flow.does("post_approval", json!({"posted": "yes"})).await?;
        let mut token = flow.token("c", None).await?;
        for error in ["Whatever", "WorkerPanicked", "DynamoDb.DynamoDbException"] {
            flow.refuse(&token, error, "Not an answer.").await?;
            token = flow.token("c", Some(&token)).await?;
        }
        // A decision that came in between is what fails the condition of the next attempt.
        flow.decide("c", "dismiss").await?;
        flow.refuse(&token, "Whatever", "Not an answer.").await?;
        let input = flow.does("report_outcome", json!({"outcome": "dismissed", "detail": ""})).await?;
        assert_eq!(input["run"]["error"], Value::Null);
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        assert!(flow.states(&run).await?.contains(&"ReadDecision".to_owned()));
        Ok(())
    })
}

#[test]
fn a_snooze_that_came_before_the_token_was_stored_is_kept() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        let run = flow.start(json!({})).await?;
        flow.open_case("c", &run).await?;
        flow.does(
            "triage_finding",
            json!({"disposition": "review", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
        let (token, _) = flow.take("post_approval").await?;
        flow.snooze("c").await?;
        flow.answer(&token, json!({"posted": "yes"})).await?;
        flow.does("advance_round", json!({"next": "snoozed", "seconds": 600})).await?;
        let token = flow.token("c", None).await?;
        flow.decide("c", "dismiss").await?;
        flow.answer(&token, json!({})).await?;
        flow.does("report_outcome", json!({"outcome": "dismissed", "detail": ""})).await?;
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        assert!(flow.states(&run).await?.contains(&"AwaitSnooze".to_owned()));
        Ok(())
    })
}

#[test]
fn a_panic_is_repeated_twice_and_then_told() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        let run = flow.start(json!({})).await?;
        for _ in 0..3 {
            flow.fails("triage_finding", "WorkerPanicked", "It panicked.").await?;
        }
        flow.does("report_outcome", json!({"outcome": "failed", "detail": "It panicked."})).await?;
        assert_eq!(flow.end(&run).await?.error.as_deref(), Some("WorkerPanicked"));
        assert_eq!(flow.notice().await?["code"], "WorkerPanicked");
        Ok(())
    })
}

#[test]
fn a_state_that_gives_up_ends_its_flow_visibly() -> Result<()> {
    in_bare_sandbox(async {
        let ends = [
            ("finding_response", "triage_finding", true),
            ("object_restore", "restore_object", true),
            ("access_finding_intake", "record_access_finding", false),
        ];
        try_join_all(ends.map(|(machine, first, reports)| async move {
            let flow = Flow::new(HASTY, machine).await?;
            let run =
                flow.start(json!({"case_id": "c", "request_id": "r", "approval": "approval#c"})).await?;
            for _ in 0..28 {
                flow.fails(first, "Retryable", "The service is away.").await?;
            }
            if reports {
                let input = flow.does("report_outcome", json!({"outcome": "failed", "detail": ""})).await?;
                ensure!(input["run"]["error"]["Error"] == "Retryable", "{input}");
            }
            let end = flow.end(&run).await?;
            ensure!(
                end.status.as_str() == "FAILED" && end.error() == Some("Retryable"),
                "{machine}: {end:?}"
            );
            ensure!(flow.notice().await?["why"] == "The service is away.");
            Ok(())
        }))
        .await?;
        Ok(())
    })
}

#[test]
fn a_notice_that_cannot_be_sent_delays_a_decision_and_does_not_end_the_review() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "finding_response").await?;
        flow.disturb("sns", "Publish", Fault::InternalError, 35);
        let run = flow.start(json!({})).await?;
        flow.open_case("c", &run).await?;
        flow.does(
            "triage_finding",
            json!({"disposition": "review", "case_id": "c", "approval": "approval#c"}),
        )
        .await?;
        flow.does("post_approval", json!({"posted": "no", "notice": "Slack is away."})).await?;
        flow.decide("c", "dismiss").await?;
        flow.does("report_outcome", json!({"outcome": "dismissed", "detail": ""})).await?;
        assert_eq!(flow.end(&run).await?.status.as_str(), "SUCCEEDED");
        Ok(())
    })
}

#[test]
fn a_failure_that_cannot_be_told_ends_with_the_error_by_which_the_worker_tells_it() -> Result<()> {
    in_bare_sandbox(async {
        let flow = Flow::new(HASTY, "access_finding_intake").await?;
        flow.disturb("sns", "Publish", Fault::InternalError, 100);
        let run = flow.start(json!({})).await?;
        flow.fails("record_access_finding", "AccessDenied", "The table refuses.").await?;
        let end = flow.end(&run).await?;
        assert_eq!((end.error(), end.cause()), (Some("OperatorsNotTold"), Some("The table refuses.")));
        Ok(())
    })
}
