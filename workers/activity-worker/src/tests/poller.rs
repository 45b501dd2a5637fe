use std::time::Duration;

use super::{
    run_worker,
    script::{LONG_POLL, Script},
    secs, work,
};
use crate::step_functions::POLL_TIMEOUT;

#[tokio::test(start_paused = true)]
async fn an_empty_poll_is_followed_by_the_next_at_once() {
    let outcome = run_worker(Script::new().empty_poll().empty_poll(), 8, secs(150)).await;
    assert_eq!(outcome.polls(), [secs(0), LONG_POLL, LONG_POLL * 2]);
}

#[tokio::test(start_paused = true)]
async fn tasks_are_taken_until_every_slot_is_taken() {
    let script = Script::new().task("a", work(30)).task("b", work(30)).task("c", work(30));
    let outcome = run_worker(script, 3, secs(29)).await;
    assert_eq!(outcome.starts(), [secs(0); 3]);
    assert_eq!(outcome.polls(), [secs(0); 3], "no fourth poll: no slot is free for what it might bring");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_becomes_free_is_polled_for() {
    let script = Script::new().task("a", work(30)).task("b", work(40)).task("c", work(1));
    let outcome = run_worker(script, 2, secs(39)).await;
    assert_eq!(outcome.starts(), [secs(0), secs(0), secs(30)]);
    assert_eq!(outcome.polls(), [secs(0), secs(0), secs(30), secs(31)]);
}

#[tokio::test(start_paused = true)]
async fn one_poll_is_open_at_a_time() {
    let script = Script::new().task_after(secs(10), "a", work(100)).empty_poll();
    let outcome = run_worker(script, 8, secs(60)).await;
    assert_eq!(outcome.polls(), [secs(0), secs(10)]);
}

#[tokio::test(start_paused = true)]
async fn failed_polls_are_delayed_more_and_more_up_to_a_limit_with_jitter() {
    let outcome = run_worker(Script::new().failed_polls(12), 1, secs(600)).await;
    let polls = &outcome.polls()[..13];
    let delays: Vec<_> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let bounds = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000];
    for (delay, bound) in delays.iter().zip(bounds.map(Duration::from_millis)) {
        assert!((bound / 2..=bound).contains(delay), "{delay:?} for a bound of {bound:?}");
    }
    assert!(delays[6..].windows(2).any(|pair| pair[0] != pair[1]), "no jitter: {delays:?}");
}

#[tokio::test(start_paused = true)]
async fn delays_start_again_after_a_task_and_after_an_empty_poll() {
    let script =
        Script::new().failed_polls(8).task("a", work(0)).failed_polls(8).empty_poll().failed_polls(1);
    let outcome = run_worker(script, 1, secs(1_000)).await;
    let polls = outcome.polls();
    for first_failure in [9, 18] {
        let delay = polls[first_failure + 1] - polls[first_failure];
        assert!(delay <= Duration::from_millis(500), "{delay:?} after failure {first_failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_is_the_age_of_the_last_good_poll_and_full_slots_are_no_fault() {
    let answered = run_worker(Script::new().empty_poll().empty_poll(), 8, secs(150)).await;
    assert_eq!(answered.poll_age, secs(30), "a poll that finds nothing is a good one");
    let failing = run_worker(Script::new().empty_poll().failed_polls(100), 8, secs(400)).await;
    assert_eq!(failing.poll_age, secs(340));
    let never = run_worker(Script::new().failed_polls(100), 8, secs(400)).await;
    assert_eq!(never.poll_age, secs(400), "it counts from the start");
    let full = run_worker(Script::new().task("a", work(3_000)), 1, secs(2_000)).await;
    assert_eq!(full.poll_age, secs(0), "there is nothing to poll with");
}

/// Step Functions took the task for handed over: it comes again only after its heartbeat timeout.
#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_the_worker_polls_on_and_takes_the_task_when_it_comes_again() {
    let script = Script::new().lost_poll().task_after(secs(20), "again", work(5));
    let outcome = run_worker(script, 1, secs(120)).await;
    let next_poll = outcome.polls()[1];
    assert!(next_poll > POLL_TIMEOUT && next_poll <= POLL_TIMEOUT + Duration::from_millis(500));
    assert_eq!(outcome.starts(), [next_poll + secs(20)]);
    assert_eq!(outcome.answers().len(), 1);
}
