use std::time::Duration;

use super::{
    Behavior, run_worker,
    script::{Event, Reply, Script, retryable},
    secs, work,
};
use crate::{CallError, INVALID_INPUT, INVALID_OUTPUT, WORKER_PANICKED};

fn fail(code: &str, cause: &str) -> Behavior {
    Behavior::Fail { code: code.into(), cause: cause.into() }
}

/// The answers to one task, which is all that Step Functions has.
async fn answers_to(behavior: Behavior, replies: impl IntoIterator<Item = Reply>) -> Vec<(Duration, Event)> {
    run_worker(Script::new().task("a", behavior).answers(replies), 1, secs(300)).await.answers()
}

/// Code and cause of a task's only answer.
async fn failure_of(behavior: Behavior) -> (String, String) {
    only_failure(&answers_to(behavior, []).await)
}

fn only_failure(answers: &[(Duration, Event)]) -> (String, String) {
    match answers {
        [(_, Event::Failure { code, cause, .. })] => (code.clone(), cause.clone()),
        other => panic!("one failure is wanted, and there are {} answers", other.len()),
    }
}

fn success() -> Event {
    Event::Success { token: "a".into(), output: "\"done\"".into() }
}

#[tokio::test(start_paused = true)]
async fn a_success_carries_the_output_as_json() {
    assert_eq!(answers_to(work(5), []).await, [(secs(5), success())]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_carries_code_and_cause() {
    assert_eq!(failure_of(fail("Broken", "It is broken.")).await, ("Broken".into(), "It is broken.".into()));
}

#[tokio::test(start_paused = true)]
async fn code_and_cause_are_cut_to_what_step_functions_takes() {
    assert_eq!(
        failure_of(fail(&"c".repeat(257), &"d".repeat(32_769))).await,
        ("c".repeat(256), "d".repeat(32_768))
    );
    let (code, cause) = (format!("c{}", "é".repeat(128)), format!("d{}", "é".repeat(16_384)));
    let cut = (format!("c{}", "é".repeat(127)), format!("d{}", "é".repeat(16_383)));
    assert_eq!(failure_of(fail(&code, &cause)).await, cut, "no character is cut in two");
}

#[tokio::test(start_paused = true)]
async fn an_output_of_256_kib_is_sent_and_a_larger_one_fails_the_task() {
    let answers = answers_to(Behavior::Return { bytes: 262_144 }, []).await;
    assert!(matches!(&answers[..], [(_, Event::Success { output, .. })] if output.len() == 262_144));
    let (code, cause) = failure_of(Behavior::Return { bytes: 262_145 }).await;
    assert_eq!(code, INVALID_OUTPUT);
    assert!(cause.contains("262145 bytes") && cause.len() < 200, "{cause}");
}

#[tokio::test(start_paused = true)]
async fn an_output_that_step_functions_refuses_fails_the_task() {
    let refused = Reply::Refuse(CallError::Terminal("InvalidOutput: bad".into()));
    let answers = answers_to(work(0), [refused]).await;
    assert_eq!(answers[0].1, success());
    let (code, cause) = only_failure(&answers[1..]);
    assert_eq!(code, INVALID_OUTPUT);
    assert!(cause.contains("InvalidOutput: bad"), "{cause}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_step_functions_refuses_is_not_repeated() {
    let refused = Reply::Refuse(CallError::Terminal("ValidationException: bad".into()));
    assert_eq!(answers_to(fail("Broken", "It is broken."), [refused]).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_repeated_with_growing_delays_until_it_is_accepted() {
    for behavior in [work(0), fail("Broken", "It is broken.")] {
        let answers = answers_to(behavior, vec![Reply::Refuse(retryable()); 4]).await;
        assert_eq!(answers.len(), 5);
        assert!(answers.iter().all(|(_, event)| *event == answers[0].1), "each says the same");
        for (pair, bound) in answers.windows(2).zip([200, 400, 800, 1_600].map(Duration::from_millis)) {
            let delay = pair[1].0 - pair[0].0;
            assert!((bound / 2..=bound).contains(&delay), "{delay:?} for a bound of {bound:?}");
        }
    }
}

/// Only the reply to the first answer was lost, or somebody else was faster.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_too_late_is_dropped() {
    for error in [CallError::TaskTimedOut, CallError::InvalidToken] {
        for behavior in [work(0), fail("Broken", "It is broken.")] {
            let replies = [Reply::Refuse(retryable()), Reply::Refuse(error.clone())];
            assert_eq!(answers_to(behavior, replies).await.len(), 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_eight_lost_answers_the_worker_gives_up_and_goes_on() {
    let script =
        Script::new().task("a", work(0)).answers(vec![Reply::Refuse(retryable()); 8]).task("b", work(0));
    let outcome = run_worker(script, 1, secs(300)).await;
    let tokens: Vec<_> = outcome
        .answers()
        .into_iter()
        .map(|(_, event)| match event {
            Event::Success { token, .. } => token,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(tokens, ["a", "a", "a", "a", "a", "a", "a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_fails_its_task_and_the_worker_goes_on() {
    let script = Script::new().task("a", Behavior::Panic).task("b", work(0));
    let outcome = run_worker(script, 1, secs(300)).await;
    let answers = outcome.answers();
    assert_eq!(only_failure(&answers[..1]).0, WORKER_PANICKED);
    assert_eq!(answers[1].1, Event::Success { token: "b".into(), output: "\"done\"".into() });
}

#[tokio::test(start_paused = true)]
async fn an_input_of_another_shape_fails_its_task_before_the_activity_starts() {
    let script = Script::new().task_with_input(secs(0), "a", r#"{"other":1}"#.into());
    let outcome = run_worker(script, 1, secs(300)).await;
    assert_eq!(only_failure(&outcome.answers()).0, INVALID_INPUT);
    assert!(outcome.starts().is_empty());
}
