//! What the message of a case says of how it stands: decided by whom, under way, ended, put back, purged.

use cordon_domain::{
    case::{Case, Decision, OutcomeResult, Restore, RestoreResult, Status, vote::votes_for},
    policy::Disposition,
};
use serde_json::{Value, json};

use crate::slack::blocks::{
    actions::RESTORE_ACTION,
    approval,
    limits::Room,
    mrkdwn::{at, code, context, escape, mention, plain, section},
};

/// How many restores of a case its message tells of.
const RESTORES_SHOWN: usize = 5;

/// What the message says of the state of the case, and the buttons while there is something to decide.
pub(super) fn state(case: &Case, room: Room) -> Vec<Value> {
    if let Some(outcome) = case.outcome() {
        let sign = match outcome.result {
            OutcomeResult::Quarantined => ":lock:",
            OutcomeResult::Failed => ":rotating_light:",
            _ => ":white_check_mark:",
        };
        let detail = escape(&outcome.detail, room.of(2_000));
        let mut lines = vec![section(&format!("{sign} *{}* {detail}", label(outcome.result)))];
        lines.push(context(&format!("{}{}", decider_in(case, room), closed(case))));
        lines.extend(restores(case, room));
        if let Some(purge) = &case.quarantine.purge {
            let done = purge.done_at.map_or_else(
                || "is being deleted from quarantine".to_owned(),
                |time| format!("was deleted from quarantine at {}", at(time)),
            );
            lines.push(section(&format!(
                ":wastebasket: The copy {done}, as {} asked: {}",
                person(&purge.requested_by, room),
                escape(&purge.reason, room.of(500))
            )));
        } else if can_be_restored(case) {
            lines.push(restore_button(case));
        }
        lines.extend(pause(case, room));
        return lines;
    }
    if case.waits.paused.is_some() {
        return pause(case, room).into_iter().collect();
    }
    match case.decision() {
        _ if case.plan.shadow => Vec::new(),
        Some(Decision::Quarantine) => {
            vec![section(&format!(
                ":hourglass_flowing_sand: {} The object is being moved.",
                decider_in(case, room)
            ))]
        }
        Some(Decision::Dismiss) => {
            vec![section(&format!(":hourglass_flowing_sand: {}", decider_in(case, room)))]
        }
        Some(Decision::Expired) => vec![section(&format!(":hourglass: {}", decider_in(case, room)))],
        None if case.disposition == Disposition::Quarantine => {
            vec![section(":hourglass_flowing_sand: Policy quarantines this object at once.")]
        }
        None if approval::is_asked(case) => approval::blocks(case, room),
        None => Vec::new(),
    }
}

/// The latest restores, and how many there were before.
fn restores(case: &Case, room: Room) -> Vec<Value> {
    let earlier = case.quarantine.restores.len().saturating_sub(room.items(RESTORES_SHOWN));
    let mut lines: Vec<_> =
        case.quarantine.restores[earlier..].iter().map(|restore| restored(restore, room)).collect();
    if earlier > 0 {
        let times = if earlier == 1 { "once".to_owned() } else { format!("{earlier} times") };
        lines.insert(0, context(&format!("Restores were asked for {times} before.")));
    }
    lines
}

fn restored(restore: &Restore, room: Room) -> Value {
    let (sign, ended) = match &restore.outcome {
        None => (":hourglass_flowing_sand:", "Under way.".to_owned()),
        Some(outcome) => match outcome.result {
            RestoreResult::Restored => (
                ":leftwards_arrow_with_hook:",
                format!("*Put back* at {}. {}", at(outcome.at), escape(&outcome.detail, room.of(500))),
            ),
            RestoreResult::Failed => {
                (":warning:", format!("*Not put back.* {}", escape(&outcome.detail, room.of(1_000))))
            }
        },
    };
    section(&format!(
        "{sign} Restore asked for by {} at {} ({}). {ended}",
        person(&restore.requested_by, room),
        at(restore.requested_at),
        escape(&restore.reason, room.of(500)),
    ))
}

fn pause(case: &Case, room: Room) -> Option<Value> {
    let paused = case.waits.paused.as_ref()?;
    let (since, pause) = (&paused.at, &paused.by);
    let why =
        format!(", as {} ordered: {}", person(&pause.paused_by, room), escape(&pause.reason, room.of(500)));
    Some(section(&format!(
        ":double_vertical_bar: *Paused* since {}{why}. Nothing is touched until somebody runs `cordon resume`.",
        at(*since)
    )))
}

/// An IAM ARN, or a Slack user as a mention.
fn person(requested_by: &str, room: Room) -> String {
    match requested_by.strip_prefix("slack:").and_then(|slack| slack.split_once('/')) {
        Some((_, user)) => mention(user),
        None => crate::slack::blocks::mrkdwn::principal_id(requested_by, room),
    }
}

pub(in crate::slack::blocks) fn can_be_restored(case: &Case) -> bool {
    case.closing.is_some()
        && !case.quarantine.copies.is_empty()
        && case.status == Status::Closed
        && case.quarantine.purge.is_none()
}

pub(in crate::slack::blocks) fn restore_button(case: &Case) -> Value {
    json!({"type": "actions", "block_id": "restore", "elements": [
        {"type": "button", "action_id": format!("{RESTORE_ACTION}{}", case.approval.id), "text": plain(75, "Restore"),
            "value": format!("{}:{}", case.case_id, case.approval.plan_hash)}]})
}

/// Who decided what and when, as one sentence for people.
pub fn decider(case: &Case) -> String {
    decider_in(case, Room::ALL)
}

pub(in crate::slack::blocks) fn decider_in(case: &Case, room: Room) -> String {
    let decided_at = case.approval.decided.as_ref().map(|decided| at(decided.at)).unwrap_or_default();
    let rule = || code(&case.plan.rule, room.of(300).max(100));
    match case.decision() {
        _ if case.plan.protected_by.is_some() => {
            format!("Decided by policy, rule {}; the bucket is protected.", rule())
        }
        _ if case.plan.shadow => format!("Decided by policy in shadow mode, rule {}.", rule()),
        Some(Decision::Expired) => format!("Nobody decided; expired at {decided_at}."),
        Some(decision) => {
            let what = if decision == Decision::Quarantine { "Quarantine" } else { "Dismissal" };
            if decision == Decision::Quarantine && case.disposition == Disposition::Quarantine {
                return by_policy(case, room);
            }
            let votes = votes_for(&case.approval.votes, &case.approval.plan_hash, decision);
            let who = crate::slack::blocks::mrkdwn::voters(&votes, " and ", room, |vote| {
                crate::slack::blocks::mrkdwn::voter(&vote.by, room)
            });
            let why: Vec<_> = votes.iter().filter_map(|vote| vote.reason.as_deref()).collect();
            let why = if why.is_empty() {
                String::new()
            } else {
                format!(" Reason: {}", escape(&why.join("; "), room.of(1_000)))
            };
            format!("{what} decided by {who} at {decided_at}.{why}")
        }
        None if case.disposition == Disposition::Quarantine => by_policy(case, room),
        None => "Nobody decided.".into(),
    }
}

/// Policy alone has decided, at once or after a stricter finding came to the open case.
fn by_policy(case: &Case, room: Room) -> String {
    let why =
        case.approval.renewal.as_ref().map(|renewal| format!(" {}", escape(&renewal.why, room.of(500))));
    let rule = code(&case.plan.rule, room.of(300).max(100));
    format!("Decided by policy, rule {rule}.{}", why.unwrap_or_default())
}

fn closed(case: &Case) -> String {
    case.closed_at().map(|time| format!("  ·  closed at {}", at(time))).unwrap_or_default()
}

pub(in crate::slack::blocks) fn label(result: OutcomeResult) -> &'static str {
    match result {
        OutcomeResult::Quarantined => "Quarantined.",
        OutcomeResult::Dismissed => "Dismissed.",
        OutcomeResult::Expired => "Expired.",
        OutcomeResult::ObjectChanged => "Object changed.",
        OutcomeResult::ObjectMissing => "Object gone.",
        OutcomeResult::Sample => "Sample, nothing touched.",
        OutcomeResult::Shadow => "Shadow, nothing touched.",
        OutcomeResult::Failed => "Failed.",
    }
}
