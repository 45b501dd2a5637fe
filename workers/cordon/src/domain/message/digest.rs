//! The message that lists many cases of a bucket.

use serde_json::{Value, json};

use super::{
    METADATA_TYPE, Message, PAGE_ACTION, REMINDER_TYPE, Reminder, asking, can_be_restored, decider, dot,
    label,
    mrkdwn::{at, code, context, escape, mrkdwn, plain, section, voter},
    restore_button,
};
use crate::domain::{
    case::{Case, Decision},
    digest::Digest,
    policy::Disposition,
};

/// Renders a digest, given the cases on its page.
pub fn render_digest(digest: &Digest, cases: &[Case]) -> Message {
    let (count, page, pages) = (digest.members.len(), digest.shown_page(), digest.pages());
    let title = format!("Sensitive data in {}: {count} more objects", digest.bucket);
    let mut blocks = vec![
        json!({"type": "header", "text": plain(150, &title)}),
        context(
            "So many came at once that they share this message. Each is a case of its own, and is decided on its own.",
        ),
    ];
    if let Some(case) = cases.iter().find(|case| is_open(case)) {
        blocks.push(section(&format!("*Who decides:* {}.", asking::approvers(case))));
    }
    for (number, case) in cases.iter().enumerate() {
        blocks.push(json!({"type": "divider"}));
        blocks.push(json!({"type": "section", "text": mrkdwn(&entry(case))}));
        if is_open(case) {
            blocks.push(json!({"type": "actions", "block_id": format!("decision-{number}"),
                "elements": asking::buttons(case)}));
        } else if can_be_restored(case) {
            let mut button = restore_button(case);
            button["block_id"] = json!(format!("restore-{number}"));
            blocks.push(button);
        }
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
        metadata: json!({"event_type": METADATA_TYPE,
            "event_payload": {"case_id": digest.case_id, "generation": digest.generation}}),
    }
}

/// The reminder for a digest's thread, when its cases were asked for more often than it tells of.
pub fn digest_reminder(digest: &Digest, asked: u32) -> Option<Reminder> {
    (asked >= 2 && asked > digest.reminded).then(|| Reminder {
        text: format!(":bell: Objects in {} still wait for a decision.", code(&digest.bucket, 63)),
        metadata: json!({"event_type": REMINDER_TYPE,
            "event_payload": {"case_id": digest.case_id, "generation": digest.generation, "asked": asked}}),
    })
}

fn is_open(case: &Case) -> bool {
    case.disposition == Disposition::Review && case.takes_votes(&case.approval_id, &case.plan_hash)
}

fn entry(case: &Case) -> String {
    let found: Vec<_> = case.finding.detections.iter().take(3).collect();
    let found: Vec<_> = found.iter().map(|d| format!("{} × {}", d.count, code(&d.name, 60))).collect();
    format!(
        "{} {}\n{}  ·  case `{}`\n{}",
        dot(case),
        code(&case.object().key, 300),
        found.join(", "),
        &case.case_id[..12.min(case.case_id.len())],
        standing(case)
    )
}

fn standing(case: &Case) -> String {
    if let Some(outcome) = &case.outcome {
        return format!("*{}* {} {}", label(outcome.result), escape(&outcome.detail, 200), decider(case));
    }
    if case.decision.is_some() {
        return format!(":hourglass_flowing_sand: {}", decider(case));
    }
    let votes: Vec<String> = [(Decision::Quarantine, "quarantine"), (Decision::Dismiss, "dismissal")]
        .into_iter()
        .flat_map(|(decision, word)| {
            let voices = crate::domain::vote::voices(&case.votes, &case.plan_hash, decision);
            voices.into_iter().map(move |vote| format!("{} for {word}", voter(&vote.by)))
        })
        .collect();
    let votes = if votes.is_empty() { String::new() } else { format!(" {} so far.", votes.join(", ")) };
    let snooze = case.snooze.as_ref().map(|snooze| format!(" Snoozed until {}.", at(&snooze.until)));
    format!("{}{votes}{}", asking::until(case), snooze.unwrap_or_default())
}

fn turning(digest: &Digest, page: usize, pages: usize) -> Option<Value> {
    let button = |text: &str, page: usize| {
        json!({"type": "button", "action_id": format!("{PAGE_ACTION}{page}"), "text": plain(75, text),
            "value": format!("{}:{page}", digest.case_id)})
    };
    let mut buttons = Vec::new();
    buttons.extend((page > 0).then(|| button("Previous page", page.saturating_sub(1))));
    buttons.extend((page + 1 < pages).then(|| button("Next page", page + 1)));
    (!buttons.is_empty()).then(|| json!({"type": "actions", "block_id": "page", "elements": buttons}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{case::tests::case, digest};

    #[test]
    fn a_full_page_of_the_longest_keys_keeps_slacks_limits() {
        let cases: Vec<Case> = (0..digest::PAGE)
            .map(|_| {
                let mut case = case(Disposition::Review);
                case.plan.object.key = "&".repeat(1_024);
                case.round_ends_at = Some("2026-03-11T13:47:00.000Z".into());
                case
            })
            .collect();
        let digest = Digest {
            case_id: digest::key("C0SECURITY", &"b".repeat(63), "2026-03-11T09:47:00.000Z", 0),
            generation: 1,
            channel: "C0SECURITY".into(),
            bucket: "b".repeat(63),
            members: (0..digest::MEMBERS).map(|n| format!("{n:064}")).collect(),
            page: 3,
            reminded: 0,
            slack_ts: None,
            slack_intent_at: None,
            render_due_at: None,
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
