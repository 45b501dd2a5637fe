//! The Slack message of a case: a function of the record, nothing else.
//!
//! Everything that came from outside (keys, bucket names, identifiers) is escaped, so that no mention, link or
//! formatting can be smuggled in, and cut, so that Slack's limits hold.

mod standing;

use cordon_domain::{
    case::{Case, OutcomeResult, Status},
    links,
    policy::Disposition,
};
use serde_json::{Value, json};

pub use self::standing::decider;
use self::standing::state;
pub(super) use self::standing::{can_be_restored, decider_in, label, restore_button};
use crate::slack::blocks::{
    approval,
    limits::Room,
    message::{METADATA_TYPE, Message, REMINDER_TYPE, Reminder},
    mrkdwn::{at, code, code_with_ends, context, escape, field, plain, section},
};

/// How many kinds of sensitive data are named.
const DETECTIONS_SHOWN: usize = 8;
/// How much of a key is always shown, however much else there is to say.
const KEY_SHOWN: usize = 300;
/// A longer link is left out: cut it would lead elsewhere.
const LONGEST_LINK: usize = 1_000;

/// The reminder that the thread does not have yet, if one is due.
pub fn reminder(case: &Case, reminded: u32) -> Option<Reminder> {
    let open =
        case.status == Status::Open && case.approval.decided.is_none() && case.approval.snooze.is_none();
    if !open || case.approval.asked < 2 || case.approval.asked <= reminded {
        return None;
    }
    let sign = if case.approval.escalation.is_some() { ":rotating_light: *Escalated.* " } else { ":bell: " };
    Some(Reminder {
        text: format!(
            "{sign}{}: please decide. {}",
            approval::approvers(case, Room::ALL),
            approval::until(case)
        ),
        metadata: json!({"event_type": REMINDER_TYPE,
            "event_payload": {"case_id": case.case_id, "generation": case.generation, "asked": case.approval.asked}}),
    })
}

/// Where the object is, as code that nothing can leave.
pub fn place(case: &Case) -> String {
    let object = case.object();
    let (key, cut) = code_with_ends(&object.key, 2_000);
    format!("{key} in {}{}", code(&object.bucket, 100), if cut { " (the key is shown in part)" } else { "" })
}

/// Renders a case.
pub fn render(case: &Case) -> Message {
    Room::fit(|room| render_in(case, room))
}

/// Renders a case in few words, for when Slack does not take the message as it is: which object, where the case stands,
/// and the buttons.
pub fn render_plainly(case: &Case) -> Message {
    let (room, Message { text, metadata, .. }) = (Room::LEAST, render(case));
    let standing = match case.outcome() {
        Some(outcome) => format!("*{}* {}", label(outcome.result), escape(&outcome.detail, 300)),
        None if approval::is_asked(case) => {
            format!("*Who decides:* {}. {}", approval::approvers(case, room), approval::until(case))
        }
        None => decider_in(case, room),
    };
    let title = escape(&format!("{}{}", mark(case), title(case)), 150);
    let mut blocks = vec![
        section(&format!("*{title}*\n{}\n{standing}", object(case, room))),
        context(&format!("Slack does not take more of it; see `cordon approvals show {}`.", case.case_id)),
    ];
    if approval::is_asked(case) {
        blocks.push(json!({"type": "actions", "block_id": "decision", "elements": approval::buttons(case)}));
    } else if can_be_restored(case) {
        blocks.push(restore_button(case));
    }
    Message { text, blocks: Value::Array(blocks), metadata }
}

/// What marks a case that touches nothing.
fn mark(case: &Case) -> &'static str {
    match (case.plan.shadow, case.plan.protected_by.is_some(), case.finding.sample) {
        (true, true, true) => "[PROTECTED] [SAMPLE] ",
        (true, true, false) => "[PROTECTED] ",
        (true, false, true) => "[SHADOW] [SAMPLE] ",
        (true, false, false) => "[SHADOW] ",
        (false, _, true) => "[SAMPLE] ",
        (false, _, false) => "",
    }
}

fn title(case: &Case) -> &'static str {
    match (case.status, case.disposition) {
        (Status::Open | Status::Closed, _) if case.plan.shadow => "Sensitive data in S3: nothing was touched",
        (Status::Open, Disposition::Review) if case.approval.decided.is_none() => {
            "Sensitive data in S3: your decision, please"
        }
        (Status::Open, _) => "Sensitive data in S3: quarantine under way",
        (Status::Restoring, _) => "Sensitive data in S3: being put back",
        (Status::Closed, _) if case.quarantine.is_put_back() => {
            "Sensitive data in S3: put back from quarantine"
        }
        (Status::Closed, _) => match case.outcome().map(|outcome| outcome.result) {
            Some(OutcomeResult::Quarantined) => "Sensitive data in S3: quarantined",
            Some(OutcomeResult::Dismissed) => "Sensitive data in S3: dismissed",
            Some(OutcomeResult::Failed) | None => "Sensitive data in S3: response failed",
            Some(_) => "Sensitive data in S3: closed",
        },
    }
}

fn render_in(case: &Case, room: Room) -> Message {
    let finding = &case.finding;
    let (mark, title) = (mark(case), title(case));
    let mut blocks = vec![json!({"type": "header", "text": plain(150, &format!("{mark}{title}"))})];
    if let Some(glob) = &case.plan.protected_by {
        blocks.push(context(&format!(
            "The bucket is *protected* (by {}): nothing is moved from it. This only tells what policy would do. Nobody is asked.",
            code(glob, 100)
        )));
    } else if case.plan.shadow {
        blocks.push(context(
            "Policy is in *shadow mode*: this only tells what it would do. Nobody is asked, and nothing is touched.",
        ));
    }
    if finding.sample {
        blocks.push(context(
            "This is a Macie *sample finding*: there is no such object, and nothing will be touched.",
        ));
    }
    blocks.push(section(&object(case, room)));
    let mut fields = vec![
        field("Severity", &format!("{} *{}*", dot(case), finding.severity)),
        field("Finding type", &code(&finding.finding_type, 200)),
        field("Account, Region", &escape(&format!("{}, {}", finding.object.account, finding.region), 100)),
        field(
            "Version",
            &finding
                .object
                .version_id
                .as_deref()
                .map_or_else(|| "unversioned".to_owned(), |id| code(id, room.of(300))),
        ),
        field("Found", &detections(case, room)),
        field("Rule", &escape(&case.plan.rule, room.of(300).max(100))),
    ];
    if let Some(size) = finding.size {
        let written = finding.last_modified.map_or_else(|| "unknown".to_owned(), at);
        fields.push(field("Size, last written", &format!("{size} bytes, {written}")));
    }
    fields.extend(finding.owner.as_ref().map(|owner| field("Owner (tag)", &code(owner, room.of(300)))));
    blocks.push(json!({"type": "section", "fields": fields}));
    blocks.extend(finding.incomplete.as_ref().map(|incomplete| {
        section(&format!(":warning: *{}* There may be more in it.", escape(&incomplete.to_string(), 300)))
    }));
    blocks.extend(
        (case.approval.asked > 0)
            .then(|| section(&format!("*Who can reach the bucket:* {}", reach(case, room)))),
    );
    blocks.push(context(&links(case)));
    blocks.push(json!({"type": "divider"}));
    blocks.extend(state(case, room));
    Message {
        text: escape(&format!("{mark}{title}: "), 100)
            + &escape(&finding.object.key, 300)
            + &escape(&format!(" in {} ({})", finding.object.bucket, finding.severity), 100),
        blocks: Value::Array(blocks),
        metadata: metadata(&case.case_id, case.generation),
    }
}

/// By which a message is found again.
pub(super) fn metadata(case_id: &str, generation: u32) -> Value {
    json!({"event_type": METADATA_TYPE, "event_payload": {"case_id": case_id, "generation": generation}})
}

/// Which object it is: the key first.
fn object(case: &Case, room: Room) -> String {
    let object = &case.finding.object;
    let (key, cut) = code_with_ends(&object.key, room.of(2_400).max(KEY_SHOWN));
    let mut shown = format!("*Object*\n{key}\nin bucket {}", code(&object.bucket, 100));
    if cut {
        shown.push_str(&format!(
            "\n:scissors: The key has {} characters and is shown in part. `cordon approvals show {}` shows all of it.",
            object.key.chars().count(),
            case.case_id
        ));
    }
    shown
}

/// Where else to look.
fn links(case: &Case) -> String {
    let (finding, object) = (&case.finding, &case.finding.object);
    let link = |url: &str, label: &str| format!("<{url}|{label}>");
    let to_object = links::object(&finding.region, &object.bucket, &object.key);
    let s3 = if to_object.len() <= LONGEST_LINK {
        link(&to_object, "S3 object")
    } else {
        let bucket = links::bucket(&finding.region, &object.bucket);
        format!("{} (the key is too long for a link to the object)", link(&bucket, "S3 bucket"))
    };
    format!(
        "{}  ·  {s3}  ·  {}  ·  case `{}`{}",
        link(&links::macie_finding(&finding.region, &finding.id), "Macie finding"),
        link(&links::execution(&finding.region, &case.execution_arn), "Step Functions run"),
        &case.case_id[..12.min(case.case_id.len())],
        if case.generation > 1 { format!(", generation {}", case.generation) } else { String::new() },
    )
}

/// Who outside can reach the bucket, as Access Analyzer said when people were asked last.
fn reach(case: &Case, room: Room) -> String {
    match case.approval.reach.as_deref() {
        None => "not known at the moment; see Access Analyzer.".into(),
        Some([]) => "nobody outside, as far as Access Analyzer has told.".into(),
        Some(lines) => {
            let shown = room.items(lines.len());
            let mut all: Vec<_> = lines.iter().take(shown).map(|line| code(line, 120)).collect();
            all.extend((lines.len() > shown).then(|| format!("and {} more", lines.len() - shown)));
            all.join(", ")
        }
    }
}

pub(super) fn dot(case: &Case) -> &'static str {
    match case.finding.severity {
        cordon_domain::finding::Severity::High => ":red_circle:",
        cordon_domain::finding::Severity::Medium => ":large_orange_circle:",
        cordon_domain::finding::Severity::Low => ":large_yellow_circle:",
    }
}

fn detections(case: &Case, room: Room) -> String {
    let all = &case.finding.detections;
    if all.is_empty() {
        return "see the finding".into();
    }
    let shown = all.iter().take(room.items(DETECTIONS_SHOWN));
    let mut lines: Vec<_> = shown.map(|d| format!("{} × {}", d.count, code(&d.name, 100))).collect();
    if all.len() > lines.len() {
        lines.push(format!("and {} more kinds", all.len() - lines.len()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
