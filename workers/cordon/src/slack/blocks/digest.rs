//! The message that lists many cases of a bucket.

use cordon_domain::{
    case::{Case, Decision},
    digest::{self, Digest},
    policy::Disposition,
};
use serde_json::{Value, json};

use super::{
    actions::PAGE_ACTION,
    approval,
    case::{can_be_restored, decider_in, dot, label, metadata, restore_button},
    limits::Room,
    message::{Message, REMINDER_TYPE, Reminder},
    mrkdwn::{at, code, code_with_ends, context, escape, plain, section, voter, voters},
};

/// How much of a key is always shown.
const KEY_SHOWN: usize = 100;

/// Renders a digest, given the cases on its page.
pub fn render_digest(digest: &Digest, cases: &[Case]) -> Message {
    Room::fit(|room| render_in(digest, cases, room))
}

/// Renders a digest in few words, for when Slack does not take the message as it is: which objects, and the buttons.
pub fn render_digest_plainly(digest: &Digest, cases: &[Case]) -> Message {
    let Message { text, metadata, .. } = render_digest(digest, cases);
    let mut blocks = vec![section(&format!("*{text}*"))];
    for (number, case) in cases.iter().enumerate() {
        blocks.push(section(&code_with_ends(&case.object().key, KEY_SHOWN).0));
        blocks.extend(buttons(case, number));
    }
    blocks.extend(turning(digest, digest.shown_page(), digest.pages()));
    Message { text, blocks: Value::Array(blocks), metadata }
}

fn render_in(digest: &Digest, cases: &[Case], room: Room) -> Message {
    let (count, page, pages) = (digest.members.len(), digest.shown_page(), digest.pages());
    let title = format!("Sensitive data in {}: {count} more objects", digest.bucket);
    let mut blocks = vec![
        json!({"type": "header", "text": plain(150, &title)}),
        context(
            "So many came at once that they share this message. Each is a case of its own, and is decided on its own.",
        ),
    ];
    if let Some(case) = cases.iter().find(|case| is_open(case)) {
        blocks.push(section(&format!("*Who decides:* {}.", approval::approvers(case, room))));
    }
    for (number, case) in cases.iter().enumerate() {
        blocks.push(json!({"type": "divider"}));
        blocks.push(section(&entry(case, room)));
        blocks.extend(buttons(case, number));
    }
    blocks.push(json!({"type": "divider"}));
    blocks.push(context(&format!(
        "Page {} of {pages}. All of them: `cordon approvals list --bucket {}`",
        page + 1,
        escape(&digest.bucket, 63)
    )));
    blocks.extend(turning(digest, page, pages));
    Message {
        text: escape(&title, 1_000),
        blocks: Value::Array(blocks),
        metadata: metadata(&digest.id, digest::GENERATION),
    }
}

/// The reminder for a digest's thread, when its cases were asked for more often than it tells of.
pub fn digest_reminder(digest: &Digest, asked: u32) -> Option<Reminder> {
    (asked >= 2 && asked > digest.message.reminded).then(|| Reminder {
        text: format!(":bell: Objects in {} still wait for a decision.", code(&digest.bucket, 63)),
        metadata: json!({"event_type": REMINDER_TYPE,
            "event_payload": {"case_id": digest.id, "generation": digest::GENERATION, "asked": asked}}),
    })
}

/// The buttons of a case that is the `number`th of its page, if it has any.
fn buttons(case: &Case, number: usize) -> Option<Value> {
    if is_open(case) {
        return Some(json!({"type": "actions", "block_id": format!("decision-{number}"),
            "elements": approval::buttons(case)}));
    }
    can_be_restored(case).then(|| {
        let mut button = restore_button(case);
        button["block_id"] = json!(format!("restore-{number}"));
        button
    })
}

fn is_open(case: &Case) -> bool {
    case.disposition == Disposition::Review && case.takes_votes(&case.approval.id, &case.approval.plan_hash)
}

fn entry(case: &Case, room: Room) -> String {
    let found = case.finding.detections.iter().take(room.items(3));
    let found: Vec<_> = found.map(|d| format!("{} × {}", d.count, code(&d.name, room.of(60)))).collect();
    let (key, cut) = code_with_ends(&case.object().key, room.of(300).max(KEY_SHOWN));
    format!(
        "{} {key}{}\n{}{}  ·  case `{}`\n{}",
        dot(case),
        if cut { " (in part)" } else { "" },
        found.join(", "),
        if case.finding.incomplete.is_some() {
            " (and maybe more: Macie did not read all of it)"
        } else {
            ""
        },
        &case.case_id[..12.min(case.case_id.len())],
        standing(case, room)
    )
}

fn standing(case: &Case, room: Room) -> String {
    if let Some(outcome) = case.outcome() {
        let detail = escape(&outcome.detail, room.of(200));
        return format!("*{}* {detail} {}", label(outcome.result), decider_in(case, room));
    }
    if case.approval.decided.is_some() {
        return format!(":hourglass_flowing_sand: {}", decider_in(case, room));
    }
    let votes: Vec<String> = [(Decision::Quarantine, "quarantine"), (Decision::Dismiss, "dismissal")]
        .into_iter()
        .filter_map(|(decision, word)| {
            let votes_for = cordon_domain::case::vote::votes_for(
                &case.approval.votes,
                &case.approval.plan_hash,
                decision,
            );
            (!votes_for.is_empty()).then(|| {
                format!("{} for {word}", voters(&votes_for, ", ", room, |vote| voter(&vote.by, room)))
            })
        })
        .collect();
    let votes = if votes.is_empty() { String::new() } else { format!(" {} so far.", votes.join("; ")) };
    let snooze = case.approval.snooze.as_ref().map(|snooze| format!(" Snoozed until {}.", at(snooze.until)));
    format!("{}{votes}{}", approval::until(case), snooze.unwrap_or_default())
}

fn turning(digest: &Digest, page: usize, pages: usize) -> Option<Value> {
    let button = |text: &str, page: usize| {
        json!({"type": "button", "action_id": format!("{PAGE_ACTION}{page}"), "text": plain(75, text),
            "value": format!("{}:{page}", digest.id)})
    };
    let mut buttons = Vec::new();
    buttons.extend((page > 0).then(|| button("Previous page", page.saturating_sub(1))));
    buttons.extend((page + 1 < pages).then(|| button("Next page", page + 1)));
    (!buttons.is_empty()).then(|| json!({"type": "actions", "block_id": "page", "elements": buttons}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_domain::{
        fixtures::{case, time},
        slack_message::SlackMessage,
    };

    #[test]
    fn a_full_page_of_the_longest_keys_keeps_slacks_limits() {
        let cases: Vec<Case> = (0..digest::PAGE)
            .map(|_| {
                let mut case =
                    case(Disposition::Review).with_plan(|plan| plan.object.key = "&".repeat(1_024));
                case.approval.round_ends_at = Some(time("2026-03-11T13:47:00.000Z"));
                case
            })
            .collect();
        let digest = Digest {
            id: "digest#1".into(),
            bucket: "b".repeat(63),
            members: (0..digest::MEMBERS).map(|n| format!("{n:064}")).collect(),
            page: 3,
            message: SlackMessage::new(digest::GENERATION, "C0SECURITY"),
        };
        let message = render_digest(&digest, &cases);
        let blocks = message.blocks.as_array().unwrap();
        assert!(blocks.len() <= 50);
        let text = blocks.iter().filter_map(|block| block["text"]["text"].as_str());
        assert!(text.map(|text| text.chars().count()).sum::<usize>() < 9_000);
        let ids: std::collections::HashSet<_> =
            blocks.iter().filter_map(|block| block["block_id"].as_str()).collect();
        assert_eq!(ids.len(), digest::PAGE + 1, "each case has its buttons, and the page has its own");
    }
}
