use std::time::Duration;

use super::{
    HEARTBEAT_TIMEOUT, run_worker,
    script::{Event, Reply, Script, retryable},
    secs, work,
};
use crate::CallError;

const INTERVAL: Duration = secs(HEARTBEAT_TIMEOUT.as_secs() / 3);

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_every_third_of_the_timeout_until_the_task_ends() {
    let outcome = run_worker(Script::new().task("a", work(70)), 1, secs(300)).await;
    assert_eq!(outcome.heartbeats(), [INTERVAL, INTERVAL * 2, INTERVAL * 3]);
    assert!(outcome.events.contains(&(INTERVAL, Event::Heartbeat { token: "a".into() })));
}

#[tokio::test(start_paused = true)]
async fn a_short_task_sends_no_heartbeat() {
    let outcome = run_worker(Script::new().task("a", work(19)), 1, secs(300)).await;
    assert!(outcome.heartbeats().is_empty());
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_until_the_answer_was_accepted() {
    // Seven refusals take between 11 and 23 s; the answer is first sent at 15 s.
    let script = Script::new()
        .task("a", work(15))
        .answers(vec![Reply::Refuse(retryable()); 7])
        .heartbeats([Reply::Accept]);
    let outcome = run_worker(script, 1, secs(300)).await;
    let answers = outcome.answers();
    let (first, last) = (answers[0].0, answers[7].0);
    assert!(first < INTERVAL && last > INTERVAL, "{first:?} to {last:?} has a heartbeat's time in it");
    assert_eq!(outcome.heartbeats(), [INTERVAL]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_timed_out_is_dropped_and_not_answered() {
    for error in [CallError::TaskTimedOut, CallError::InvalidToken] {
        let script = Script::new()
            .task("a", work(1_000))
            .heartbeats([Reply::Accept, Reply::Refuse(error)])
            .task("b", work(10));
        let outcome = run_worker(script, 1, secs(300)).await;
        assert_eq!(outcome.drops(), [INTERVAL * 2]);
        assert_eq!(outcome.starts(), [secs(0), INTERVAL * 2], "its slot is free for the next task");
        let answered = Event::Success { token: "b".into(), output: "\"done\"".into() };
        assert_eq!(outcome.answers(), [(INTERVAL * 2 + secs(10), answered)]);
        assert_eq!(outcome.heartbeats().len(), 2, "nothing follows the refused one");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_after_every_other_error() {
    let errors = [retryable(), CallError::Terminal("ValidationException: no".into()), retryable()];
    let script = Script::new().task("a", work(90)).heartbeats(errors.map(Reply::Refuse));
    let outcome = run_worker(script, 1, secs(300)).await;
    assert_eq!(outcome.heartbeats(), [1, 2, 3, 4].map(|n| INTERVAL * n));
    assert!(outcome.drops().is_empty());
    assert_eq!(outcome.answers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_hangs_does_not_delay_the_next() {
    let script = Script::new().task("a", work(70)).heartbeats([Reply::Hang, Reply::Hang]);
    let outcome = run_worker(script, 1, secs(300)).await;
    assert_eq!(outcome.heartbeats(), [1, 2, 3].map(|n| INTERVAL * n));
    assert_eq!(outcome.answers().len(), 1);
}
