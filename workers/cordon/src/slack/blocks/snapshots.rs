//! What people see: every state of every message, as it is.

use cordon_domain::{
    case::{
        Case, Closing, Decision, Escalation, Outcome, OutcomeResult, Paused, Purge, QuarantineCopy, Renewal,
        Restore, RestoreOutcome, RestoreResult, Status,
        vote::{Refused, Snooze, Voter},
    },
    digest::{self, Digest},
    finding::Incomplete,
    fixtures::{case, closing, decided, time, vote},
    pause::Pause,
    policy::{Disposition, OnExpiry},
    slack_message::SlackMessage,
    time::Time,
};
use serde_json::{Map, Value, json};

use super::{case as message, digest as digest_message, modal};

fn at() -> Time {
    time("2026-03-11T10:00:00.000Z")
}

fn asked() -> Case {
    let mut case = case(Disposition::Review);
    let approval = &mut case.approval;
    (approval.round, approval.asked, approval.round_ends_at) = (1, 1, Some(time("2026-03-11T13:47:00.000Z")));
    approval.reach = Some(vec!["AWS 999988887777 (s3:GetObject)".into()]);
    case
}

fn with(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

fn slack(user: &str) -> Voter {
    Voter::Slack { team: "T0CORDON01".into(), user: user.into(), group: None }
}

fn by_alice(what: Decision, reason: Option<&str>) -> Case {
    with(asked(), |case| {
        let mut vote = vote("U0ALICE001", &case.approval.plan_hash);
        (vote.decision, vote.reason) = (what, reason.map(str::to_owned));
        case.approval.votes = vec![vote];
        case.approval.decided = Some(decided(what));
    })
}

fn ended(case: Case, result: OutcomeResult, detail: &str) -> Case {
    with(case, |case| {
        case.status = Status::Closed;
        case.closing = Some(closing(result, detail));
    })
}

fn quarantined() -> Case {
    let moved = ended(
        by_alice(Decision::Quarantine, None),
        OutcomeResult::Quarantined,
        "Moved to the quarantine bucket. SHA-256 alike.",
    );
    with(moved, |case| {
        case.quarantine.copies = vec![QuarantineCopy { generation: 1, key: "a/b/c/1/object".into() }];
    })
}

fn restore(outcome: Option<RestoreResult>) -> Restore {
    Restore {
        request_id: "r".into(),
        execution_arn: "arn:aws:states:us-east-1:111122223333:execution:cordon-object_restore:r".into(),
        requested_by: "arn:aws:sts::111122223333:assumed-role/operator/olivia".into(),
        reason: "test data".into(),
        replace: false,
        even_if_exposed: false,
        copy_generation: None,
        requested_at: at(),
        mac: None,
        versions_restored: 0,
        last_restored: None,
        outcome: outcome.map(|result| RestoreOutcome {
            result,
            detail: "What became of it.".into(),
            code: None,
            at: at(),
        }),
    }
}

fn purged(done: bool) -> Case {
    with(quarantined(), |case| {
        case.quarantine.purge = Some(Purge {
            requested_by: "arn:aws:sts::111122223333:assumed-role/privacy/paul".into(),
            reason: "GDPR-17".into(),
            requested_at: at(),
            done_at: done.then(at),
        });
    })
}

fn paused() -> Paused {
    let by = Pause { paused_at: at(), paused_by: "arn:olivia".into(), reason: "INC-4711".into() };
    Paused { at: at(), by }
}

/// Every state of a case, by name.
fn states() -> Vec<(&'static str, Case)> {
    use OutcomeResult::*;
    let failed = Closing {
        outcome: Outcome { result: Failed, detail: "AWS refused.".into(), code: Some("AccessDenied".into()) },
        at: at(),
    };
    vec![
        ("asked", asked()),
        ("asked_nobody_outside", with(asked(), |case| case.approval.reach = Some(Vec::new()))),
        ("asked_reach_unknown", with(asked(), |case| case.approval.reach = None)),
        (
            "asked_of_two",
            with(asked().with_plan(|plan| (plan.effect.approvals, plan.effect.rounds) = (2, 3)), |case| {
                case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
            }),
        ),
        ("asked_again_on_expiry", asked().with_plan(|plan| plan.effect.on_expiry = OnExpiry::AskAgain)),
        ("asked_moves_on_expiry", asked().with_plan(|plan| plan.effect.on_expiry = OnExpiry::Quarantine)),
        ("asked_over_limit", asked().above_limit("more than 5 automatic moves in this hour".into())),
        (
            "asked_escalated",
            with(asked(), |case| {
                case.approval.escalation =
                    Some(Escalation { at: at(), why: "the last round has begun".into() });
            }),
        ),
        (
            "asked_renewed",
            with(asked(), |case| {
                let why = "A newer finding falls under rule cards, which is stricter.".into();
                case.approval.renewal = Some(Renewal { at: at(), why });
            }),
        ),
        (
            "asked_refused",
            with(asked(), |case| {
                let refused = Refused { by: slack("U0MALLORY3"), asked: "quarantine".into(), at: at() };
                case.approval.refused = vec![refused];
            }),
        ),
        (
            "snoozed",
            with(asked(), |case| {
                let until = time("2026-03-12T10:00:00.000Z");
                case.approval.snooze = Some(Snooze { by: slack("U0ALICE001"), at: at(), until });
            }),
        ),
        (
            "incomplete_scan",
            with(asked(), |case| {
                case.finding.incomplete =
                    Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
            }),
        ),
        ("sample", with(asked(), |case| case.finding.sample = true)),
        ("shadow", case(Disposition::Quarantine).with_plan(|plan| plan.shadow = true)),
        (
            "protected",
            case(Disposition::Quarantine).with_plan(|plan| {
                plan.shadow = true;
                plan.protected_by = Some("finance*".into());
            }),
        ),
        ("at_once", case(Disposition::Quarantine)),
        ("decided_quarantine", by_alice(Decision::Quarantine, None)),
        ("decided_dismiss", by_alice(Decision::Dismiss, Some("test data"))),
        ("decided_expired", with(asked(), |case| case.approval.decided = Some(decided(Decision::Expired)))),
        ("paused", with(by_alice(Decision::Quarantine, None), |case| case.waits.paused = Some(paused()))),
        ("quarantined", quarantined()),
        (
            "dismissed",
            ended(by_alice(Decision::Dismiss, Some("test data")), Dismissed, "The object stays where it is."),
        ),
        ("expired", ended(asked(), Expired, "Nobody decided in time; the object stays where it is.")),
        ("object_changed", ended(asked(), ObjectChanged, "Somebody has written it since.")),
        ("object_missing", ended(asked(), ObjectMissing, "It is gone.")),
        ("sample_closed", ended(asked(), Sample, "A sample finding has no object; nothing was touched.")),
        (
            "shadow_closed",
            ended(
                case(Disposition::Quarantine).with_plan(|plan| plan.shadow = true),
                Shadow,
                "Nothing was touched.",
            ),
        ),
        ("failed", with(ended(asked(), Failed, "AWS refused."), |case| case.closing = Some(failed))),
        (
            "being_put_back",
            with(quarantined(), |case| {
                case.status = Status::Restoring;
                case.quarantine.restores = vec![restore(None)];
            }),
        ),
        (
            "put_back",
            with(quarantined(), |case| {
                case.quarantine.restores =
                    vec![restore(Some(RestoreResult::Failed)), restore(Some(RestoreResult::Restored))];
            }),
        ),
        (
            "not_put_back",
            with(quarantined(), |case| case.quarantine.restores = vec![restore(Some(RestoreResult::Failed))]),
        ),
        ("being_purged", purged(false)),
        ("purged", purged(true)),
    ]
}

#[test]
fn every_state_of_a_case() {
    for (name, case) in states() {
        let message = message::render(&case);
        insta::assert_json_snapshot!(
            format!("case_{name}"),
            json!({"text": message.text, "blocks": message.blocks})
        );
    }
}

#[test]
fn every_state_of_a_case_in_few_words() {
    let plain: Map<String, Value> = states()
        .into_iter()
        .map(|(name, case)| (name.into(), message::render_plainly(&case).blocks))
        .collect();
    insta::assert_json_snapshot!(plain);
}

#[test]
fn every_reminder() {
    let again = |case: Case| with(case, |case| case.approval.asked = 2);
    let reminders: Map<String, Value> = states()
        .into_iter()
        .filter(|(name, _)| name.starts_with("asked"))
        .filter_map(|(name, case)| Some((name.to_owned(), message::reminder(&again(case), 1)?.text.into())))
        .collect();
    insta::assert_json_snapshot!(reminders);
}

#[test]
fn a_digest_its_plain_form_and_its_reminder() {
    let digest = Digest {
        id: "digest#C0SECURITY#finance#2026-03-11T10#0".into(),
        bucket: "finance".into(),
        members: (0..20).map(|n| format!("{n:064}")).collect(),
        page: 1,
        message: SlackMessage::new(digest::GENERATION, "C0SECURITY"),
    };
    let cases: Vec<Case> = ["asked", "decided_quarantine", "quarantined", "dismissed", "put_back", "failed"]
        .into_iter()
        .filter_map(|wanted| states().into_iter().find(|(name, _)| *name == wanted).map(|(_, case)| case))
        .collect();
    assert_eq!(cases.len(), 6);
    insta::assert_json_snapshot!(json!({
        "message": digest_message::render_digest(&digest, &cases).blocks,
        "plain": digest_message::render_digest_plainly(&digest, &cases).blocks,
        "reminder": digest_message::digest_reminder(&digest, 2).map(|reminder| reminder.text),
    }));
}

#[test]
fn the_modals_that_ask_why() {
    let opened = modal::Opened { action_id: "dismiss:a1b2c3", value: "case:plan", response_url: None };
    insta::assert_json_snapshot!(modal::why(
        "Dismiss this finding?",
        "`key` in `bucket` stays.",
        "Dismiss",
        &opened
    ));
    insta::assert_json_snapshot!(modal::says_nothing());
}
