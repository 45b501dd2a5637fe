use super::*;
use crate::{
    case::vote::Voter,
    fixtures::{case, decided, time, vote},
};

#[test]
fn only_an_allowed_vote_for_the_pinned_plan_authorizes_a_reviewed_move() {
    let mut case = case(Disposition::Review);
    assert!(case.authorization("arn:run").is_err());
    case.approval.decided = Some(decided(Decision::Quarantine));
    for refused in
        [vec![], vec![vote("U0MALLORY3", &case.approval.plan_hash)], vec![vote("U0ALICE001", "another plan")]]
    {
        case.approval.votes = refused;
        assert!(case.authorization("arn:run").is_err());
    }
    case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
    assert!(matches!(case.authorization("arn:run"), Ok(Authorized::Votes(_))));
    assert!(case.authorization("arn:another-run").is_err());
    let hash = case.approval.plan_hash.clone();
    case = case.with_plan(|plan| plan.object.key = "another key".into());
    case.approval.plan_hash = hash;
    assert!(case.authorization("arn:run").is_err());
}

#[test]
fn a_case_that_was_closed_authorizes_nothing() {
    let mut case = case(Disposition::Quarantine);
    assert!(case.authorization("arn:run").is_ok());
    for closed in [Status::Closed, Status::Restoring] {
        case.status = closed;
        assert!(case.authorization("arn:run").is_err(), "{closed:?}");
    }
}

#[test]
fn a_later_generation_knows_the_copies_of_those_before_unless_they_are_purged() {
    let mut earlier = case(Disposition::Quarantine);
    let copy = |generation| QuarantineCopy { generation, key: format!("a/b/c/{generation}/object") };
    earlier.quarantine.copies = vec![copy(1)];
    let mut later = case(Disposition::Review).after(earlier.clone());
    later.quarantine.copies.push(copy(2));
    assert_eq!(later.quarantine.copies, [copy(1), copy(2)]);
    earlier.quarantine.purge = Some(Purge {
        requested_by: "arn:alice".into(),
        reason: "a test".into(),
        requested_at: time("2026-03-11T09:50:00.000Z"),
        done_at: None,
    });
    let later = case(Disposition::Review).after(earlier.clone());
    assert_eq!(later.quarantine.copies, []);
    assert_eq!(later.history[0].quarantine.copies, [copy(1)]);
}

#[test]
fn two_people_have_to_say_the_same_where_policy_asks_for_two() {
    let mut case = case(Disposition::Review);
    case = case.with_plan(|plan| plan.effect.approvals = 2);
    let by = |voter| Vote { by: voter, ..vote("", &case.approval.plan_hash) };
    let alice = vote("U0ALICE001", &case.approval.plan_hash);
    let alice_by_iam =
        by(Voter::Iam { principal: "AIDAALICE".into(), slack_user: Some("U0ALICE001".into()) });
    let of_group = |group: &str| {
        by(Voter::Slack { team: "T0CORDON01".into(), user: "U0CAROL".into(), group: Some(group.into()) })
    };
    assert_eq!(case.count(&alice), Counted::Missing(1));
    case.approval.votes = vec![alice.clone()];
    assert_eq!(case.count(&alice_by_iam), Counted::Repeated, "one person by two ways");
    assert_eq!(case.count(&of_group("S0SECURITY")), Counted::Decides);
    case.approval.decided = Some(decided(Decision::Quarantine));
    for (second, authorized) in [
        (alice_by_iam, false),
        (of_group("S0OTHERS"), false),
        (vote("U0FALLBACK", &case.approval.plan_hash), false),
        (of_group("S0SECURITY"), true),
        (by(Voter::Iam { principal: "AIDABOB".into(), slack_user: Some("U0BOB00002".into()) }), true),
        (by(Voter::Iam { principal: "AROAADMIN:bob".into(), slack_user: None }), false),
    ] {
        case.approval.votes = vec![alice.clone(), second];
        assert_eq!(case.authorization("arn:run").is_ok(), authorized, "{:?}", case.approval.votes);
    }
    case.approval.votes = vec![alice, vote("U0FALLBACK", &case.approval.plan_hash)];
    case.approval.escalation = Some(Escalation { at: time("2026-03-11T09:50:00.000Z"), why: String::new() });
    assert!(case.authorization("arn:run").is_ok(), "fallback approvers may after an escalation");
}

#[test]
fn nothing_is_moved_for_a_policy_that_only_tells_what_it_would_do() {
    let mut case = case(Disposition::Quarantine);
    assert!(case.authorization("arn:run").is_ok());
    case = case.with_plan(|plan| plan.shadow = true);
    assert!(case.authorization("arn:run").is_err());
}

#[test]
fn expiry_moves_an_object_only_where_policy_says_so() {
    let mut case = case(Disposition::Review);
    case.approval.decided = Some(decided(Decision::Expired));
    assert!(case.authorization("arn:run").is_err());
    case = case.with_plan(|plan| plan.effect.on_expiry = OnExpiry::Quarantine);
    assert_eq!(case.authorization("arn:run"), Ok(Authorized::Expiry));
}

#[test]
fn what_only_people_may_move_does_not_move_when_nobody_decides() {
    let mut case = case(Disposition::Quarantine);
    case = case.with_plan(|plan| plan.effect.on_expiry = OnExpiry::Quarantine);
    let mut case = case.only_by_people("somebody left it");
    assert_eq!(
        (case.disposition, case.policy_answer.disposition),
        (Disposition::Review, Disposition::Quarantine)
    );
    case.approval.decided = Some(decided(Decision::Expired));
    assert!(case.authorization("arn:run").is_err());
}

#[test]
fn a_record_remembers_its_last_twenty_generations() {
    let mut latest = case(Disposition::Review);
    for _ in 0..25 {
        latest = case(Disposition::Review).after(latest);
    }
    assert_eq!(latest.generation, 26);
    assert_eq!(latest.history.len(), HISTORY);
    assert_eq!(latest.history.last().unwrap().generation, 25);
}

#[test]
fn a_case_survives_the_store() {
    let mut case = case(Disposition::Review);
    case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
    case.approval.decided = Some(decided(Decision::Quarantine));
    case.waits.task_token = Some("a secret".into());
    case.quarantine.copies = vec![QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() }];
    case.closing = Some(crate::fixtures::closing(OutcomeResult::Quarantined, "Moved."));
    let item: serde_dynamo::Item = serde_dynamo::to_item(&case).unwrap();
    let back: Case = serde_dynamo::from_item(item).unwrap();
    assert_eq!(back.plan.hash(), case.approval.plan_hash);
    assert_eq!(back, case);
}

#[test]
fn a_vote_that_comes_late_or_once_too_often_changes_nothing() {
    let mut case = case(Disposition::Review).with_plan(|plan| plan.effect.approvals = 2);
    let hash = case.approval.plan_hash.clone();
    let at = |minute: u32, decision| Vote {
        at: time(&format!("2026-03-11T10:{minute:02}:00.000Z")),
        decision,
        ..vote("U0ALICE001", &hash)
    };
    case.approval.votes = vec![at(30, Decision::Dismiss)];
    assert_eq!(case.count(&at(20, Decision::Quarantine)), Counted::Superseded);
    assert_eq!(case.count(&at(40, Decision::Quarantine)), Counted::Missing(1));
    let changes = (0..10).map(|n| at(n, if n % 2 == 0 { Decision::Quarantine } else { Decision::Dismiss }));
    case.approval.votes = changes.collect();
    assert_eq!(case.count(&at(50, Decision::Quarantine)), Counted::TooMany);
    assert_eq!(case.count(&vote("U0BOB00002", &hash)), Counted::Missing(1), "others still vote");
}

#[test]
fn a_vote_on_record_is_said_to_decide_only_what_was_decided() {
    let mut case = case(Disposition::Review);
    let vote = vote("U0ALICE001", &case.approval.plan_hash);
    case.approval.votes = vec![vote.clone()];
    case.approval.decided = Some(decided(Decision::Quarantine));
    assert_eq!(case.recorded(&vote), Counted::Decides);
    case.approval.decided = Some(decided(Decision::Dismiss));
    assert_eq!(case.recorded(&vote), Counted::Repeated);
}

#[test]
fn no_text_in_a_vote_makes_its_message_that_of_another() {
    let mut one = case(Disposition::Review);
    let by = Voter::Iam { principal: "AIDAMALLORY".into(), slack_user: None };
    let vote = Vote { by, ..vote("", "plan") };
    one.approval.id = format!("a\nplan\nquarantine\n{}\nU0BOB00002", vote.at);
    let mut other = one.clone();
    other.approval.id = "a".into();
    let rest = one.vote_message(&vote).replace("\\n", "\n");
    let by = Voter::Iam { principal: rest, slack_user: Some("U0BOB00002".into()) };
    assert_ne!(one.vote_message(&vote), other.vote_message(&Vote { by, ..vote.clone() }));
    assert_eq!(serde_json::from_str::<Vec<String>>(&one.vote_message(&vote)).unwrap().len(), 9);
}
