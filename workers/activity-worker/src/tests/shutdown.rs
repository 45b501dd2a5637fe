use std::time::Duration;

use super::{
    DRAIN_TIMEOUT, HEARTBEAT_TIMEOUT, Outcome, run_worker,
    script::{Event, LONG_POLL, Reply, Script, retryable},
    secs, work,
};
use crate::WORKER_SHUTDOWN;

fn assert_shut_down(outcome: &Outcome, at: Duration) {
    match &outcome.answers()[..] {
        [(answered, Event::Failure { token, code, .. })] => {
            assert_eq!((*answered, token.as_str(), code.as_str()), (at, "a", WORKER_SHUTDOWN));
        }
        other => panic!("{other:?}"),
    }
}

fn assert_succeeded(outcome: &Outcome, at: Duration) {
    let success = Event::Success { token: "a".into(), output: "\"done\"".into() };
    assert_eq!(outcome.answers(), [(at, success)]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_ends_when_its_poll_returns_and_polls_no_more() {
    let outcome = run_worker(Script::new(), 8, secs(10)).await;
    assert_eq!(outcome.polls(), [secs(0)]);
    assert_eq!(outcome.ended, LONG_POLL);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_the_poll_in_flight_brings_fails_at_once() {
    let script = Script::new().task_after(secs(40), "a", work(5));
    let outcome = run_worker(script, 8, secs(10)).await;
    assert_shut_down(&outcome, secs(40));
    assert!(outcome.starts().is_empty());
    assert_eq!(outcome.ended, secs(40));
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_does_not_return_is_dropped_after_the_drain_timeout() {
    let outcome = run_worker(Script::new().hanging_poll(), 8, secs(10)).await;
    assert_eq!(outcome.ended, secs(10) + DRAIN_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_after_a_failed_poll_ends_at_once() {
    let outcome = run_worker(Script::new().failed_polls(20), 8, secs(200)).await;
    assert_eq!(outcome.ended, secs(200));
}

#[tokio::test(start_paused = true)]
async fn a_task_under_way_is_finished_with_heartbeats_meanwhile() {
    let script = Script::new().task("a", work(90));
    let outcome = run_worker(script, 1, secs(10)).await;
    assert_succeeded(&outcome, secs(90));
    let interval = HEARTBEAT_TIMEOUT / 3;
    assert_eq!(outcome.heartbeats(), [1, 2, 3, 4].map(|n| interval * n));
    assert_eq!(outcome.ended, secs(90));
    assert_eq!(outcome.polls(), [secs(0)], "the worker waited for a slot, and its stop ended that");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_outlasts_the_drain_timeout_is_dropped_and_fails() {
    let outcome = run_worker(Script::new().task("a", work(1_000)), 1, secs(10)).await;
    assert_shut_down(&outcome, secs(10) + DRAIN_TIMEOUT);
    assert_eq!(outcome.drops(), [secs(10) + DRAIN_TIMEOUT]);
    assert_eq!(outcome.ended, secs(10) + DRAIN_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn the_worker_ends_only_after_its_last_answer() {
    let script = Script::new().task("a", work(1_000)).answers(vec![Reply::Refuse(retryable()); 3]);
    let outcome = run_worker(script, 1, secs(10)).await;
    let answers = outcome.answers();
    assert_eq!(answers.len(), 4);
    assert_eq!(outcome.ended, answers[3].0);
}
