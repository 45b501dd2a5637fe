use cordon_domain::{
    case::{
        Case, Closing, Decided, Decision, Escalation, Outcome, OutcomeResult, Paused, Purge, QuarantineCopy,
        Renewal, Restore, RestoreOutcome, RestoreResult, Status,
        vote::{Snooze, Vote, Voter},
    },
    digest::{self, Digest},
    finding::{Detection, Severity},
    fixtures::{case, time},
    pause::Pause,
    policy::{Disposition, OnExpiry, Versions},
    slack_message::SlackMessage,
    time::Time,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::slack::{
    blocks::{
        case::{place, reminder, render, render_plainly},
        digest::{digest_reminder, render_digest, render_digest_plainly},
        modal::{self, Opened},
    },
    capability::Capability,
};

fn at() -> Time {
    time("2026-03-11T09:50:00.000Z")
}

/// The longest key that S3 takes, in bytes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>).
const LONGEST_KEY: usize = 1_024;

/// Text of at most so many bytes, and often of so many: of one character over and over, or of any.
fn text(bytes: usize) -> BoxedStrategy<String> {
    let filled = move |some: Vec<char>, length: usize| -> String {
        let mut left = length;
        let fits = some.into_iter().cycle().take_while(|c| {
            let room = left >= c.len_utf8();
            left = left.saturating_sub(c.len_utf8());
            room
        });
        fits.collect()
    };
    let awkward = select(vec![
        'a', ' ', '/', '%', '+', '&', '<', '>', '`', '*', '_', '~', '|', '@', '#', '\0', '\n', '\t',
        '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}', 'é', '字', '😀',
    ]);
    let some = prop_oneof![
        3 => vec(awkward.clone(), 1),
        1 => vec(awkward, 2..40),
        1 => vec(any::<char>(), 1..40),
    ];
    let length = prop_oneof![2 => Just(bytes), 1 => 4..=bytes];
    (some, length).prop_map(move |(some, length)| filled(some, length)).boxed()
}

fn voter() -> impl Strategy<Value = Voter> {
    let arn = (1usize..500, "[a-z@]{1,64}").prop_map(|(path, name)| {
        format!("arn:aws:sts::111122223333:assumed-role/{}/{name}", "p".repeat(path))
    });
    prop_oneof![
        "[UW][A-Z0-9]{2,30}".prop_map(|user| Voter::Slack { team: "T0CORDON01".into(), user, group: None }),
        arn.prop_map(|principal| Voter::Iam { principal, slack_user: None }),
    ]
}

fn person() -> impl Strategy<Value = String> {
    voter().prop_map(|voter| voter.to_string())
}

fn votes() -> impl Strategy<Value = Vec<Vote>> {
    let decision = select(vec![Decision::Quarantine, Decision::Dismiss]);
    let vote = (decision, voter(), option::of(text(4_000)));
    let vote = vote.prop_map(|(decision, by, reason)| Vote {
        decision,
        by,
        reason,
        at: at(),
        mac: None,
        plan_hash: String::new(),
    });
    vec(vote, 0..12)
}

fn restores() -> impl Strategy<Value = Vec<Restore>> {
    let ended = (select(vec![RestoreResult::Restored, RestoreResult::Failed]), text(4_000));
    let restore =
        (person(), text(2_000), option::of(ended)).prop_map(|(requested_by, reason, ended)| Restore {
            request_id: "r".into(),
            execution_arn: "arn".into(),
            requested_by,
            reason,
            replace: false,
            even_if_exposed: false,
            copy_generation: None,
            requested_at: at(),
            mac: None,
            versions_restored: 0,
            last_restored: None,
            outcome: ended.map(|(result, detail)| RestoreOutcome { result, detail, code: None, at: at() }),
        });
    vec(restore, 0..20)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use OutcomeResult::*;
    let result =
        select(vec![Quarantined, Dismissed, Expired, ObjectChanged, ObjectMissing, Sample, Shadow, Failed]);
    (result, text(8_000)).prop_map(|(result, detail)| Outcome { result, detail, code: None })
}

/// What is found and where.
fn found() -> impl Strategy<Value = Case> {
    let detection = (text(200), 0..i64::MAX).prop_map(|(name, count)| Detection {
        category: "PERSONAL_INFORMATION".into(),
        name,
        count,
    });
    let object = (
        text(LONGEST_KEY),
        "[a-z0-9.-]{3,63}",
        option::of((1usize..=1_024).prop_map(|length| "v".repeat(length))),
    );
    let told = (option::of(text(256)), option::of(0..i64::MAX), vec(detection, 0..40));
    let shown = (option::of(vec(text(400), 0..12)), text(600), any::<(bool, bool)>());
    let severity = select(vec![Severity::Low, Severity::Medium, Severity::High]);
    let disposition = select(vec![Disposition::Review, Disposition::Quarantine]);
    (object, told, shown, severity, disposition).prop_map(
        |((key, bucket, version), (owner, size, detections), (reach, rule, flags), severity, disposition)| {
            let mut case = case(disposition);
            let object = &mut case.finding.object;
            (object.key, object.bucket, object.version_id) = (key, bucket, version);
            (case.finding.owner, case.finding.size, case.finding.detections) = (owner, size, detections);
            case.finding.last_modified = Some(at());
            case.finding.severity = severity;
            let (shadow, sample) = flags;
            case.finding.sample = sample;
            let object = case.finding.object.clone();
            let mut case =
                case.with_plan(|plan| (plan.object, plan.shadow, plan.rule) = (object, shadow, rule));
            case.approval.reach = reach;
            case.execution_arn = format!(
                "arn:aws-us-gov:states:us-gov-west-1:111122223333:execution:{}:{}",
                "m".repeat(80),
                "r".repeat(80)
            );
            case
        },
    )
}

/// A case in any state, with everything that people and AWS may have written into it.
fn any_case() -> impl Strategy<Value = Case> {
    let asked = (vec("[UW][A-Z0-9]{10}", 0..40), vec("S[A-Z0-9]{10}", 0..30), 1u32..=2, 0u32..40);
    let expiry = select(vec![OnExpiry::Leave, OnExpiry::AskAgain, OnExpiry::Quarantine]);
    let waits = (option::of(text(600)), option::of(voter()), expiry, option::of((person(), text(2_000))));
    let decision = select(vec![Decision::Quarantine, Decision::Dismiss, Decision::Expired]);
    let ends = (option::of(decision), option::of(outcome()), restores());
    let renewed = (option::of(text(600)), any::<bool>());
    let purge = option::of((person(), text(2_000), any::<bool>()));
    let status = select(vec![Status::Open, Status::Closed, Status::Restoring]);
    (found(), asked, votes(), waits, ends, purge, status, any::<bool>(), renewed).prop_map(
        |(mut case, asked, votes, waits, ends, purge, status, every_version, (renewed, copied))| {
            case.approval.renewal = renewed.map(|why| Renewal { at: at(), why });
            let copy = QuarantineCopy { generation: 1, key: "k".into() };
            case.quarantine.copies = copied.then_some(copy).into_iter().collect();
            let (approvers, approver_groups, approvals, times) = asked;
            let (why, snoozed_by, on_expiry, paused) = waits;
            let mut case = case.with_plan(|plan| {
                plan.fallback_approvers = approvers.iter().map(|user| format!("{user}X")).collect();
                (plan.effect.approvers.users, plan.effect.approvers.groups, plan.effect.approvals) =
                    (approvers, approver_groups, approvals);
                if every_version {
                    plan.effect.versions = Versions::All;
                }
                plan.effect.on_expiry = on_expiry;
            });
            case.approval.asked = times;
            case.approval.escalation = why.map(|why| Escalation { at: at(), why });
            case.approval.snooze = snoozed_by.map(|by| Snooze { by, at: at(), until: at() });
            if let Some((paused_by, reason)) = paused {
                let by = Pause { paused_at: at(), paused_by, reason };
                case.waits.paused = Some(Paused { at: at(), by });
            }
            let (decision, outcome, restores) = ends;
            case.approval.decided = decision.map(|what| Decided { what, at: at(), mac: None });
            case.closing = outcome.map(|outcome| Closing { outcome, at: at() });
            case.quarantine.restores = restores;
            case.status = status;
            case.approval.round_ends_at = Some(at());
            case.generation = 1_000;
            case.quarantine.purge = purge.map(|(requested_by, reason, done)| Purge {
                requested_by,
                reason,
                requested_at: at(),
                done_at: done.then(at),
            });
            case.approval.votes = votes;
            for vote in &mut case.approval.votes {
                vote.plan_hash.clone_from(&case.approval.plan_hash);
            }
            case
        },
    )
}

fn any_digest() -> impl Strategy<Value = (Digest, Vec<Case>)> {
    (vec(any_case(), 1..=digest::PAGE), 1..=digest::MEMBERS, 0usize..80).prop_map(|(cases, members, page)| {
        let bucket = "b".repeat(63);
        let digest = Digest {
            id: "digest#1".into(),
            bucket,
            members: (0..members).map(|n| format!("{n:064}")).collect(),
            page,
            message: SlackMessage::new(digest::GENERATION, "C0SECURITY"),
        };
        (digest, cases)
    })
}

fn buttons(message: &Message) -> usize {
    let blocks = message.blocks.as_array().unwrap().iter();
    blocks
        .filter_map(|block| block["elements"].as_array())
        .flatten()
        .filter(|e| e["type"] == "button")
        .count()
}

/// What would hide or reorder text, or is no text.
fn is_harmful(c: char) -> bool {
    c.is_control() && c != '\n' || "\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}".contains(c)
}

fn harmful(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(is_harmful),
        Value::Array(items) => items.iter().any(harmful),
        Value::Object(members) => members.values().any(harmful),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_message_of_a_case_is_within_slacks_limits(case in any_case()) {
        let message = render(&case);
        prop_assert_eq!(exceeded(&message), Vec::<String>::new());
        prop_assert!(!harmful(&message.blocks) && !message.text.contains(is_harmful), "{:?}", message);
        let asks = case.disposition == Disposition::Review && !case.plan.shadow && case.approval.decided.is_none()
            && case.closing.is_none() && case.waits.paused.is_none() && case.status == Status::Open;
        if asks {
            prop_assert_eq!(buttons(&message), 3, "a question keeps its buttons");
        }
        let plain = render_plainly(&case);
        prop_assert_eq!(exceeded(&plain), Vec::<String>::new());
        prop_assert!(!harmful(&plain.blocks), "{:?}", plain);
        prop_assert_eq!((buttons(&plain), &plain.metadata), (buttons(&message), &message.metadata));
        if let Some(reminder) = reminder(&case, 0) {
            prop_assert!(reminder.text.len() <= NOTIFICATION);
        }
    }

    #[test]
    fn every_page_of_a_digest_is_within_slacks_limits((digest, cases) in any_digest()) {
        let message = render_digest(&digest, &cases);
        prop_assert_eq!(exceeded(&message), Vec::<String>::new());
        prop_assert!(!harmful(&message.blocks) && !message.text.contains(is_harmful), "{:?}", message);
        let plain = render_digest_plainly(&digest, &cases);
        prop_assert_eq!(exceeded(&plain), Vec::<String>::new());
        prop_assert!(!harmful(&plain.blocks), "{:?}", plain);
        prop_assert_eq!((buttons(&plain), &plain.metadata), (buttons(&message), &message.metadata));
        if let Some(reminder) = digest_reminder(&digest, 3) {
            prop_assert!(reminder.text.len() <= NOTIFICATION);
        }
    }

    #[test]
    fn every_modal_is_within_slacks_limits(case in any_case()) {
        let explanation = format!("{} stays where it is.", place(&case));
        let value = format!("{}:{}", case.case_id, case.approval.plan_hash);
        let response_url = Capability::new(format!("https://hooks.slack.com/actions/{}", "x".repeat(2_000)));
        let opened = Opened { action_id: "dismiss:a1", value: &value, response_url: Some(&response_url) };
        let view = modal::why("Dismiss this finding?", &explanation, "Dismiss", &opened);
        let texts: Vec<_> = ["title", "submit", "close"].iter().map(|part| length(view[part]["text"].as_str().unwrap())).collect();
        prop_assert!(texts.iter().all(|&length| (1..=24).contains(&length)), "{:?}", texts);
        prop_assert!(length(view["private_metadata"].as_str().unwrap()) <= 3_000);
        let mut found = Vec::new();
        view["blocks"].as_array().unwrap().iter().for_each(|block| check(block, "modal", &mut found));
        prop_assert_eq!(found, Vec::<String>::new());
        prop_assert!(!harmful(&view["blocks"]));
    }
}
