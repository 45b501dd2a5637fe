//! What the message says while there is something to decide: who may, until when, what was said so far, and what each
//! button does exactly.

use cordon_domain::{
    case::{
        Case, Decision,
        vote::{Vote, votes_for},
    },
    manifest::quarantine_key,
    policy::{Disposition, OnExpiry, Versions},
};
use serde_json::{Value, json};

use super::{
    actions::{DISMISS_ACTION, QUARANTINE_ACTION, SNOOZE_ACTION},
    limits::Room,
    mrkdwn::{at, code, context, cut, escape, mention, mention_group, plain, section, voter, voters},
};

/// How many approvers are named.
const NAMED: usize = 20;

/// Whether people are asked.
pub(super) fn is_asked(case: &Case) -> bool {
    case.disposition == Disposition::Review
        && case.closing.is_none()
        && case.waits.paused.is_none()
        && case.takes_votes(&case.approval.id, &case.approval.plan_hash)
}

pub(super) fn blocks(case: &Case, room: Room) -> Vec<Value> {
    let mut blocks = vec![section(&format!(
        "*Who decides:* {}.{} {}",
        approvers(case, room),
        if case.plan.effect.approvals > 1 {
            format!(" {} of them have to say the same.", case.plan.effect.approvals)
        } else {
            String::new()
        },
        until(case)
    ))];
    blocks.extend(case.approval.renewal.as_ref().map(|renewal| {
        section(&format!(
            ":arrows_counterclockwise: {} Changed at {}. Earlier votes no longer count.",
            escape(&renewal.why, room.of(1_000)),
            at(renewal.at)
        ))
    }));
    blocks.extend(case.approval.escalation.as_ref().map(|escalation| {
        section(&format!(
            ":rotating_light: The fallback approvers may decide too since {}: {}.",
            at(escalation.at),
            escape(&escalation.why, room.of(500))
        ))
    }));
    for decision in [Decision::Quarantine, Decision::Dismiss] {
        blocks.extend(so_far(case, decision, room));
    }
    blocks.extend(case.approval.snooze.as_ref().map(|snooze| {
        section(&format!(
            ":zzz: Snoozed by {} until {}. Whoever may decide still can.",
            voter(&snooze.by, room),
            at(snooze.until)
        ))
    }));
    blocks.push(context(&effects(case, room)));
    blocks.push(json!({"type": "actions", "block_id": "decision", "elements": buttons(case)}));
    blocks
}

/// Who is asked, as mentions.
pub(super) fn approvers(case: &Case, room: Room) -> String {
    let plan = &case.plan;
    let fallback = if case.approval.escalation.is_some() { plan.fallback_approvers.as_slice() } else { &[] };
    let mut users: Vec<&String> = plan.effect.approvers.users.iter().collect();
    users.extend(fallback.iter().filter(|user| !plan.effect.approvers.users.contains(user)));
    let mut who: Vec<String> =
        plan.effect.approvers.groups.iter().map(|group| mention_group(group)).collect();
    who.extend(users.into_iter().map(|user| mention(user)));
    let named = room.items(NAMED);
    let more = who.len().saturating_sub(named);
    who.truncate(named);
    who.extend((more > 0).then(|| format!("{more} more")));
    who.join(", ")
}

/// Until when, and what happens then.
pub(super) fn until(case: &Case) -> String {
    let end = case.approval.round_ends_at.map_or_else(|| "the round's end".into(), at);
    let (round, rounds) = (case.approval.round.max(1), case.plan.effect.rounds);
    if round < rounds {
        return format!("Round {round} of {rounds}, until {end}; then they are asked again.");
    }
    let then = match case.plan.effect.on_expiry {
        OnExpiry::Leave => "the case expires and the object stays where it is",
        OnExpiry::AskAgain => "they are asked again, and operators are told",
        OnExpiry::Quarantine => "*policy quarantines the object*",
    };
    let round = if rounds > 1 { format!("Last round of {rounds}, until") } else { "Until".into() };
    format!("{round} {end}; without a decision {then}.")
}

fn so_far(case: &Case, decision: Decision, room: Room) -> Option<Value> {
    let votes_for = votes_for(&case.approval.votes, &case.approval.plan_hash, decision);
    let voted = |vote: &Vote| format!("{} at {}", voter(&vote.by, room), at(vote.at));
    (!votes_for.is_empty()).then(|| {
        section(&format!(
            ":ballot_box_with_ballot: *{} of {} for {}:* {}. Another person has to say the same.",
            votes_for.len(),
            case.plan.effect.approvals,
            if decision == Decision::Quarantine { "quarantine" } else { "dismissal" },
            voters(&votes_for, ", ", room, voted)
        ))
    })
}

/// What each button does, exactly.
fn effects(case: &Case, room: Room) -> String {
    let object = case.object();
    let what = match (&object.version_id, case.plan.effect.versions) {
        (_, Versions::All) => "every version of the key".to_owned(),
        (Some(version), Versions::Reported) => {
            format!("version {} (older versions stay)", code(version, room.of(200)))
        }
        (None, Versions::Reported) => "the object, if it has not been written again since,".to_owned(),
    };
    format!(
        "*Quarantine* copies {what} to quarantine under {}, verifies the copy, and removes it from {}. *Dismiss* leaves it \
         and asks for a reason; findings about this version are then not asked about again. *Snooze* asks again in {}.",
        code(&quarantine_key(case, ""), 300),
        code(&object.bucket, 100),
        length(case.plan.effect.snooze_seconds),
    )
}

fn length(seconds: u32) -> String {
    let (amount, unit) = match seconds {
        s if s >= 172_800 && s.is_multiple_of(86_400) => (s / 86_400, "day"),
        s if s >= 3_600 && s.is_multiple_of(3_600) => (s / 3_600, "hour"),
        s if s >= 60 && s.is_multiple_of(60) => (s / 60, "minute"),
        s => (s, "second"),
    };
    format!("{amount} {unit}{}", if amount == 1 { "" } else { "s" })
}

pub(super) fn buttons(case: &Case) -> Vec<Value> {
    let button = |action: &str, text: &str| {
        json!({"type": "button", "action_id": format!("{action}{}", case.approval.id), "text": plain(75, text),
            "value": format!("{}:{}", case.case_id, case.approval.plan_hash)})
    };
    let what = match (&case.object().version_id, case.plan.effect.versions) {
        (_, Versions::All) => "every version of the object",
        (Some(_), Versions::Reported) => "this version of the object",
        (None, Versions::Reported) => "the object",
    };
    let mut quarantine = button(QUARANTINE_ACTION, "Quarantine");
    quarantine["style"] = json!("danger");
    quarantine["confirm"] = json!({"title": plain(100, "Quarantine this object?"), "style": "danger",
        "text": plain(300, &format!("Copies {what} to the quarantine bucket, verifies the copy, and removes it from {}.",
            cut(&case.object().bucket, 70))),
        "confirm": plain(30, "Quarantine"), "deny": plain(30, "Cancel")});
    vec![quarantine, button(DISMISS_ACTION, "Dismiss"), button(SNOOZE_ACTION, "Snooze")]
}
