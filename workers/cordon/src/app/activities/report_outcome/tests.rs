use cordon_domain::{case::Decision, policy::Disposition};
use serde_json::Value;

use super::*;
use crate::clock;

fn left(run: Value) -> Run {
    serde_json::from_value(run).unwrap()
}

/// What the activity answers a finished move with.
fn quarantined() -> Value {
    json!({"result": "quarantined", "detail": "Moved.", "quarantine_key": "k"})
}

fn of(run: Value, decision: Option<Decision>) -> (OutcomeResult, String) {
    let outcome = outcome(&left(run), decision);
    (outcome.result, outcome.detail)
}

#[test]
fn an_error_is_a_failure_whatever_else_happened() {
    let run = json!({"error": {"Error": "AccessDenied", "Cause": "AWS refused."}, "move": quarantined()});
    assert_eq!(of(run, Some(Decision::Quarantine)), (OutcomeResult::Failed, "AWS refused.".into()));
    assert_eq!(
        of(json!({"error": {"Error": "States.Timeout", "Cause": ""}}), None),
        (OutcomeResult::Failed, "A step ended with States.Timeout.".into())
    );
}

#[test]
fn what_a_policy_in_shadow_mode_would_have_done_is_the_outcome() {
    let case = cordon_domain::fixtures::case(Disposition::Review).with_plan(|plan| plan.shadow = true);
    let outcome = shadow(&case);
    assert_eq!(outcome.result, OutcomeResult::Shadow);
    for says in
        ["nothing was touched", "Rule credentials", "U0ALICE001 or the group S0SECURITY would be asked"]
    {
        assert!(outcome.detail.contains(says), "{}", outcome.detail);
    }
}

#[test]
fn a_restore_has_put_back_only_what_says_so() {
    let result = |run: Value| restore_outcome(&left(run)).result;
    assert_eq!(
        result(json!({"move": {"result": "restored", "detail": "Put back."}})),
        RestoreResult::Restored
    );
    for failed in [
        json!({}),
        json!({"move": {"result": "restored", "detail": "Put back."}, "error": {"Error": "ObjectExists"}}),
    ] {
        assert_eq!(result(failed), RestoreResult::Failed);
    }
}

fn with(result: OutcomeResult, detail: &str, code: Option<&str>) -> Outcome {
    Outcome { result, detail: detail.into(), code: code.map(str::to_owned) }
}

#[test]
fn what_is_on_record_is_reported_and_a_run_that_failed_fails_whatever_is_on_record() {
    let quarantined = with(OutcomeResult::Quarantined, "Moved.", None);
    let failed = with(OutcomeResult::Failed, "AWS refused.", Some("AccessDenied"));
    // This task did it before it was repeated.
    assert_eq!(reported(&quarantined, Some(quarantined.clone())), quarantined);
    assert_eq!(failure(&quarantined), None);
    assert_eq!(reported(&failed, Some(quarantined.clone())), quarantined);
    assert_eq!(failure(&failed).unwrap().code, "AccessDenied");
    // Whoever took the run for dead.
    let dead = with(OutcomeResult::Failed, "The run ended as ABORTED.", Some("ABORTED"));
    let told = reported(&quarantined, Some(dead));
    assert_eq!(failure(&told).unwrap().code, "ABORTED");
    assert!(told.detail.contains("as ABORTED") && told.detail.contains("Moved."), "{}", told.detail);
    // Another run's.
    assert_eq!(failure(&reported(&quarantined, None)).unwrap().code, "NotAuthorized");
    assert_eq!(reported(&failed, None), failed);
}

#[test]
fn a_restore_that_its_case_does_not_know_or_that_was_taken_for_dead_is_a_failure() {
    let ended = |result| RestoreOutcome { result, detail: "d".into(), code: None, at: clock::now() };
    let (restored, dead) = (ended(RestoreResult::Restored), ended(RestoreResult::Failed));
    assert_eq!(restore_failure(&reported_restore(&restored, Some(restored.clone()))), None);
    for recorded in [None, Some(dead.clone())] {
        assert!(restore_failure(&reported_restore(&restored, recorded)).is_some());
    }
    assert_eq!(reported_restore(&dead, None), dead);
}

#[test]
fn a_new_object_that_could_not_be_scanned_is_for_a_person_and_changes_no_outcome() {
    let failed = json!({"rescan": {"Error": "AccessDenied", "Cause": "AWS refused."}});
    assert_eq!(
        unscanned(&left(failed.clone())).as_deref(),
        Some("The new object could not be scanned (AWS refused). Scan it in Macie by hand.")
    );
    for scanned in [json!({}), json!({"rescan": {"job_id": "j"}})] {
        assert_eq!(unscanned(&left(scanned)), None);
    }
    let run = json!({"move": {"Error": "ObjectChanged", "Cause": "c"}, "rescan": failed["rescan"]});
    assert_eq!(of(run, None).0, OutcomeResult::ObjectChanged);
}

#[test]
fn every_way_through_the_flow_has_its_outcome() {
    assert_eq!(of(json!({"move": quarantined()}), None).0, OutcomeResult::Quarantined);
    assert_eq!(
        of(json!({"move": {"Error": "ObjectChanged", "Cause": "c"}}), None),
        (OutcomeResult::ObjectChanged, "c".into())
    );
    assert_eq!(
        of(json!({"move": {"result": "sample", "detail": "d", "quarantine_key": null}}), None).0,
        OutcomeResult::Sample
    );
    assert_eq!(of(json!({}), Some(Decision::Dismiss)).0, OutcomeResult::Dismissed);
    assert_eq!(of(json!({}), Some(Decision::Expired)).0, OutcomeResult::Expired);
    assert_eq!(of(json!({}), None).0, OutcomeResult::Failed, "unknown is never a success");
    for (unknown, says) in [
        (json!({"result": "teleported"}), "unexpected result \"teleported\""),
        (json!({"Error": "ObjectGone", "Cause": ""}), "unexpected result \"ObjectGone\""),
        (json!(5), "unexpected result \"5\""),
    ] {
        let (result, detail) = of(json!({"move": unknown}), Some(Decision::Quarantine));
        assert!(result == OutcomeResult::Failed && detail.contains(says), "{detail}");
    }
}
