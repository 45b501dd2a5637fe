//! Activities, their tokens and their history.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_sfn::{
    Error,
    types::{EncryptionConfiguration, EncryptionType, ExecutionStatus, HistoryEventType},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::harness::{StepFunctions, alone_in_bare_sandbox, code, eventually, in_bare_sandbox, unique};

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    durations[durations.len() / 2]
}

fn parsed(document: Option<String>) -> Result<Value> {
    Ok(serde_json::from_str(&document.context("a document")?)?)
}

#[test]
fn an_activity_timeout_counts_from_the_pick_up_and_not_from_scheduling() -> Result<()> {
    alone_in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({ "TimeoutSeconds": 1 })).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        // That nothing happens can only be seen by letting the time go by.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(sfn.describe(&execution).await?.status, ExecutionStatus::Running);

        let token = sfn.pick_up(&activity).await?;
        let picked_up = Instant::now();
        let end = sfn.end(&execution).await?;
        assert_eq!((end.status, end.error.as_deref()), (ExecutionStatus::Failed, Some("States.Timeout")));
        assert!(picked_up.elapsed() > Duration::from_millis(900), "after {:?}", picked_up.elapsed());
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn a_task_lives_by_its_heartbeats_and_times_out_without_them() -> Result<()> {
    alone_in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) =
            sfn.machine_with_activity(json!({ "TimeoutSeconds": 60, "HeartbeatSeconds": 1 })).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            sfn.beat(&token).await?;
        }
        let last_beat = Instant::now();
        let end = sfn.end(&execution).await?;
        assert_eq!(end.error.as_deref(), Some("States.HeartbeatTimeout"));
        assert!(last_beat.elapsed() > Duration::from_millis(900), "after {:?}", last_beat.elapsed());
        assert!(matches!(sfn.beat(&token).await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn a_scheduled_task_reaches_a_waiting_poller_and_its_success_the_run_at_once() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let (mut pick_ups, mut wakes) = (Vec::new(), Vec::new());
        for _ in 0..10 {
            let poll = tokio::spawn({
                let (sfn, activity) = (sfn.clone(), activity.clone());
                async move { anyhow::Ok((sfn.pick_up(&activity).await?, unix_seconds())) }
            });
            let execution = sfn.start(&machine, json!({})).await?;
            let (token, picked_up) = poll.await??;
            let history = sfn.history(&execution).await?;
            let scheduled = history.iter().find(|event| event.r#type == HistoryEventType::ActivityScheduled);
            let scheduled = scheduled.context("an ActivityScheduled event")?.timestamp.as_secs_f64();
            pick_ups.push(Duration::from_secs_f64((picked_up - scheduled).max(0.0)));

            let answered = unix_seconds();
            sfn.succeed(&token, "{}").await?;
            let stopped = sfn.end(&execution).await?.stop_date.context("a stop date")?.as_secs_f64();
            wakes.push(Duration::from_secs_f64((stopped - answered).max(0.0)));
        }
        let (pick_up, wake) = (median(pick_ups), median(wakes));
        println!(
            "median of ten: pick-up {pick_up:.1?} after scheduling, run awake {wake:.1?} after the answer"
        );
        assert!(pick_up < Duration::from_millis(100), "{pick_up:?}");
        assert!(wake < Duration::from_millis(100), "{wake:?}");
        Ok(())
    })
}

/// Seconds since 1970, to compare with the timestamps of events.
fn unix_seconds() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

#[test]
fn a_token_that_has_served_answers_task_timed_out() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        sfn.succeed(&token, "null").await?;
        assert_eq!(sfn.output(&execution).await?, json!(null));
        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        assert!(matches!(sfn.fail(&token, "Late", "").await, Err(Error::TaskTimedOut(_))));
        assert!(matches!(sfn.beat(&token).await, Err(Error::TaskTimedOut(_))));
        Ok(())
    })
}

#[test]
fn of_two_answers_to_one_token_only_one_counts() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        let (first, second) = tokio::join!(sfn.succeed(&token, "1"), sfn.succeed(&token, "2"));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert_eq!(sfn.output(&execution).await?, if first.is_ok() { json!(1) } else { json!(2) });
        Ok(())
    })
}

#[test]
fn a_token_nobody_was_given_does_not_exist_and_what_is_no_token_is_invalid() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        let middle = token.len() / 2;
        let other = if &token[middle..=middle] == "A" { "B" } else { "A" };
        let forged = format!("{}{other}{}", &token[..middle], &token[middle + 1..]);
        assert!(matches!(sfn.succeed(&forged, "{}").await, Err(Error::TaskDoesNotExist(_))));
        assert!(matches!(sfn.beat(&forged).await, Err(Error::TaskDoesNotExist(_))));
        assert!(matches!(sfn.succeed("not a token", "{}").await, Err(Error::InvalidToken(_))));
        sfn.stop(&execution).await
    })
}

#[test]
fn output_that_is_not_json_is_refused_and_the_task_stays_open() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        assert!(matches!(sfn.succeed(&token, "{ not JSON").await, Err(Error::InvalidOutput(_))));
        sfn.succeed(&token, r#"{"done":true}"#).await?;
        assert_eq!(sfn.output(&execution).await?, json!({ "done": true }));
        Ok(())
    })
}

#[test]
fn output_error_and_cause_have_the_limits_of_aws() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let execution = sfn.start(&machine, json!({})).await?;
        let token = sfn.pick_up(&activity).await?;
        assert_eq!(
            code(sfn.succeed(&token, &format!("\"{}\"", "x".repeat(262_143))).await).as_deref(),
            Some("ValidationException")
        );
        assert_eq!(
            code(sfn.fail(&token, &"x".repeat(257), "").await).as_deref(),
            Some("ValidationException")
        );
        assert_eq!(
            code(sfn.fail(&token, "Error", &"x".repeat(32_769)).await).as_deref(),
            Some("ValidationException")
        );
        sfn.stop(&execution).await
    })
}

#[test]
fn a_poller_that_hangs_up_does_not_swallow_a_task() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        for _ in 0..3 {
            let poll = tokio::time::timeout(Duration::from_millis(300), sfn.poll(&activity)).await;
            assert!(poll.is_err(), "the poll ended by itself");
        }
        let execution = sfn.start(&machine, json!({ "for": "the living" })).await?;
        let task = tokio::time::timeout(Duration::from_secs(5), sfn.poll(&activity)).await??;
        assert_eq!(parsed(task.input)?, json!({ "for": "the living" }));
        sfn.stop(&execution).await
    })
}

#[test]
fn the_tasks_of_a_stopped_execution_are_dead() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let (activity, machine) = sfn.machine_with_activity(json!({})).await?;
        let in_hand = sfn.start(&machine, json!({ "n": 1 })).await?;
        let token = sfn.pick_up(&activity).await?;
        let queued = sfn.start(&machine, json!({ "n": 2 })).await?;
        eventually("the second task", async || {
            Ok(sfn.event_types(&queued).await?.contains(&"ActivityScheduled".to_owned()).then_some(()))
        })
        .await?;
        sfn.stop(&in_hand).await?;
        sfn.stop(&queued).await?;

        assert!(matches!(sfn.succeed(&token, "{}").await, Err(Error::TaskTimedOut(_))));
        assert!(matches!(sfn.beat(&token).await, Err(Error::TaskTimedOut(_))));
        let living = sfn.start(&machine, json!({ "n": 3 })).await?;
        assert_eq!(parsed(sfn.poll(&activity).await?.input)?, json!({ "n": 3 }));
        assert_eq!(sfn.event_types(&in_hand).await?.last().map(String::as_str), Some("ExecutionAborted"));
        sfn.stop(&living).await
    })
}

#[test]
fn a_poll_without_a_task_ends_after_a_minute_without_a_token() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let activity = sfn.activity().await?;
        let begun = Instant::now();
        let empty = sfn.poll(&activity).await?;
        assert!(empty.task_token.is_none() && empty.input.is_none());
        assert!((59..65).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        Ok(())
    })
}

#[test]
fn creating_an_activity_again_answers_the_one_that_exists() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let name = unique("again");
        let first = sfn.client.create_activity().name(&name).send().await?;
        let second = sfn.client.create_activity().name(&name).send().await?;
        assert_eq!(first.activity_arn, second.activity_arn);
        assert_eq!(first.creation_date, second.creation_date);

        // Under a key of one's own it stays, and under no other.
        let name = unique("encrypted");
        let under = |key: &str| {
            let kind = EncryptionType::CustomerManagedKmsKey;
            let encryption = EncryptionConfiguration::builder().r#type(kind).kms_key_id(key).build();
            let create = sfn.client.create_activity().name(&name);
            create.encryption_configuration(encryption.expect("a type")).send()
        };
        let key = "arn:aws:kms:us-east-1:111122223333:key/1";
        let made = under(key).await?;
        let described = sfn.client.describe_activity().activity_arn(&made.activity_arn).send().await?;
        assert_eq!(
            described.encryption_configuration.and_then(|found| found.kms_key_id).as_deref(),
            Some(key)
        );
        under(key).await?;
        assert_eq!(code(under("alias/other").await), Some("ActivityAlreadyExists".into()));
        Ok(())
    })
}

#[test]
fn the_history_tells_an_activity_task_from_scheduling_to_its_end() -> Result<()> {
    in_bare_sandbox(async {
        let sfn = StepFunctions::new().await;
        let retry = json!([{ "ErrorEquals": ["Again", "States.HeartbeatTimeout"], "IntervalSeconds": 1, "BackoffRate": 1 }]);
        let fields = json!({ "TimeoutSeconds": 2, "HeartbeatSeconds": 1, "Retry": retry });
        let (activity, machine) = sfn.machine_with_activity(fields).await?;
        let execution = sfn.start(&machine, json!({ "key": "value" })).await?;
        let failed = sfn.pick_up(&activity).await?;
        sfn.fail(&failed, "Again", "once more").await?;
        sfn.pick_up(&activity).await?;
        let last = sfn.pick_up(&activity).await?;
        sfn.succeed(&last, r#"{"made":"it"}"#).await?;
        sfn.output(&execution).await?;

        let story = sfn.event_types(&execution).await?;
        let tasks: Vec<&str> =
            story.iter().map(String::as_str).filter(|kind| kind.starts_with("Activity")).collect();
        assert_eq!(
            tasks,
            [
                "ActivityScheduled",
                "ActivityStarted",
                "ActivityFailed",
                "ActivityScheduled",
                "ActivityStarted",
                "ActivityTimedOut",
                "ActivityScheduled",
                "ActivityStarted",
                "ActivitySucceeded",
            ]
        );
        let history = sfn.history(&execution).await?;
        assert!(history.iter().all(|event| event.previous_event_id == event.id - 1));
        let details = history.iter().find_map(|event| event.activity_scheduled_event_details.clone());
        let details = details.context("the details of ActivityScheduled")?;
        assert_eq!(details.resource, activity);
        assert_eq!(parsed(details.input)?, json!({ "key": "value" }));
        assert_eq!((details.timeout_in_seconds, details.heartbeat_in_seconds), (Some(2), Some(1)));
        let started = history.iter().find_map(|event| event.activity_started_event_details.clone());
        assert_eq!(started.and_then(|details| details.worker_name).as_deref(), Some("worker-1"));
        let failure = history.iter().find_map(|event| event.activity_failed_event_details.clone());
        let failure = failure.context("the details of ActivityFailed")?;
        assert_eq!((failure.error.as_deref(), failure.cause.as_deref()), (Some("Again"), Some("once more")));
        let success = history.iter().find_map(|event| event.activity_succeeded_event_details.clone());
        assert_eq!(parsed(success.and_then(|details| details.output))?, json!({ "made": "it" }));
        Ok(())
    })
}
