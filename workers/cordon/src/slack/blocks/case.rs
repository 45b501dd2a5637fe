//! The Slack message of a case: a function of the record, nothing else.
//!
//! Everything that came from outside (keys, bucket names, identifiers) is escaped, so that no mention, link or
//! formatting can be smuggled in, and cut, so that Slack's limits hold.

use cordon_domain::{
    case::{Case, Decision, OutcomeResult, Restore, RestoreResult, Status, vote::votes_for},
    links,
    policy::Disposition,
};
use serde_json::{Value, json};

use crate::slack::blocks::{
    approval,
    limits::Room,
    mrkdwn::{at, code_with_ends, context, field, mention, plain, section},
};
pub use crate::slack::blocks::{
    digest::{digest_reminder, render_digest, render_digest_plainly},
    mrkdwn::{code, escape},
};

/// The action id prefix of the button that quarantines; the case's approval id follows.
pub const QUARANTINE_ACTION: &str = "quarantine:";
/// The action id prefix of the button that leaves the object where it is.
pub const DISMISS_ACTION: &str = "dismiss:";
/// The action id prefix of the button that has people asked later.
pub const SNOOZE_ACTION: &str = "snooze:";
/// The action id prefix of the button that puts a quarantined object back.
pub const RESTORE_ACTION: &str = "restore:";
/// The action id prefix of the buttons that turn the page of a digest; the page follows.
pub const PAGE_ACTION: &str = "page:";
/// The `event_type` of the message metadata by which a posted message is found again.
pub const METADATA_TYPE: &str = "cordon_case";
/// The `event_type` of the metadata of reminders.
pub(super) const REMINDER_TYPE: &str = "cordon_reminder";
/// How many restores of a case its message tells of, and how many kinds of sensitive data.
const RESTORES_SHOWN: usize = 5;
const DETECTIONS_SHOWN: usize = 8;
/// How much of a key is always shown, however much else there is to say.
const KEY_SHOWN: usize = 300;
/// A longer link is left out: cut it would lead elsewhere.
const LONGEST_LINK: usize = 1_000;

/// A message as `chat.postMessage` and `chat.update` take it, without its channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What notifications and screen readers show.
    pub text: String,
    /// The blocks.
    pub blocks: Value,
    /// Names case and generation.
    pub metadata: Value,
}

/// What is said in the thread to people who are asked once more.
#[derive(Clone, Debug, PartialEq)]
pub struct Reminder {
    /// The text.
    pub text: String,
    /// Names case, generation, and which time it is.
    pub metadata: Value,
}

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
    match (case.plan.shadow, case.finding.sample) {
        (true, true) => "[SHADOW] [SAMPLE] ",
        (true, false) => "[SHADOW] ",
        (false, true) => "[SAMPLE] ",
        (false, false) => "",
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
        (Status::Closed, _) if put_back(case) => "Sensitive data in S3: put back from quarantine",
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
    if case.plan.shadow {
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
        let written = finding.last_modified.as_deref().unwrap_or("unknown");
        fields.push(field("Size, last written", &format!("{} bytes, {}", size, at(written))));
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

/// What the message says of the state of the case, and the buttons while there is something to decide.
fn state(case: &Case, room: Room) -> Vec<Value> {
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
            let done = purge.done_at.as_deref().map_or_else(
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

/// Whether the last word is that the object was put back.
fn put_back(case: &Case) -> bool {
    let last = case.quarantine.restores.last().and_then(|restore| restore.outcome.as_ref());
    last.is_some_and(|outcome| outcome.result == RestoreResult::Restored)
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
                format!("*Put back* at {}. {}", at(&outcome.at), escape(&outcome.detail, room.of(500))),
            ),
            RestoreResult::Failed => {
                (":warning:", format!("*Not put back.* {}", escape(&outcome.detail, room.of(1_000))))
            }
        },
    };
    section(&format!(
        "{sign} Restore asked for by {} at {} ({}). {ended}",
        person(&restore.requested_by, room),
        at(&restore.requested_at),
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
        at(since)
    )))
}

/// An IAM ARN, or a Slack user as a mention.
fn person(requested_by: &str, room: Room) -> String {
    match requested_by.strip_prefix("slack:").and_then(|slack| slack.split_once('/')) {
        Some((_, user)) => mention(user),
        None => crate::slack::blocks::mrkdwn::arn(requested_by, room),
    }
}

pub(super) fn can_be_restored(case: &Case) -> bool {
    case.closing.is_some()
        && !case.quarantine.copies.is_empty()
        && case.status == Status::Closed
        && case.quarantine.purge.is_none()
}

pub(super) fn restore_button(case: &Case) -> Value {
    json!({"type": "actions", "block_id": "restore", "elements": [
        {"type": "button", "action_id": format!("{RESTORE_ACTION}{}", case.approval.id), "text": plain(75, "Restore"),
            "value": format!("{}:{}", case.case_id, case.approval.plan_hash)}]})
}

/// Who decided what and when, as one sentence for people.
pub fn decider(case: &Case) -> String {
    decider_in(case, Room::ALL)
}

pub(super) fn decider_in(case: &Case, room: Room) -> String {
    let decided_at = case.approval.decided.as_ref().map(|decided| at(&decided.at)).unwrap_or_default();
    let rule = || code(&case.plan.rule, room.of(300).max(100));
    match case.decision() {
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

pub(super) fn label(result: OutcomeResult) -> &'static str {
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
mod tests {
    use super::*;
    use cordon_domain::{
        finding::Incomplete,
        fixtures::{self, case, closing, vote},
    };

    fn decided(mut case: Case) -> Case {
        case.approval.decided = Some(fixtures::decided(Decision::Quarantine));
        case.approval.votes = vec![vote("U0ALICE001", &case.approval.plan_hash)];
        case
    }

    fn buttons(message: &Message) -> usize {
        message.blocks.as_array().unwrap().iter().filter(|block| block["type"] == "actions").count()
    }

    #[test]
    fn a_case_of_a_policy_in_shadow_mode_is_marked_and_has_no_buttons() {
        for disposition in [Disposition::Review, Disposition::Quarantine] {
            let mut case = case(disposition).with_plan(|plan| plan.shadow = true);
            for closed in [false, true] {
                if closed {
                    case.status = Status::Closed;
                    case.closing = Some(closing(OutcomeResult::Shadow, "Policy alone would move it."));
                }
                let message = render(&case);
                let header = message.blocks[0]["text"]["text"].as_str().unwrap();
                assert!(
                    header.starts_with("[SHADOW]") && message.text.starts_with("[SHADOW]"),
                    "{message:?}"
                );
                assert_eq!(buttons(&message), 0);
                assert_eq!(message.blocks.to_string().contains("would move it"), closed);
            }
        }
    }

    #[test]
    fn once_decided_there_are_no_buttons() {
        assert_eq!(buttons(&render(&case(Disposition::Review))), 1);
        assert_eq!(buttons(&render(&decided(case(Disposition::Review)))), 0);
        assert_eq!(buttons(&render(&case(Disposition::Quarantine))), 0);
    }

    #[test]
    fn a_closed_case_names_outcome_and_decider() {
        let mut case = decided(case(Disposition::Review));
        case.status = Status::Closed;
        case.closing = Some(closing(OutcomeResult::Quarantined, "Moved to quarantine."));
        let blocks = render(&case).blocks.to_string();
        assert!(blocks.contains("Quarantined.") && blocks.contains("<@U0ALICE001>"), "{blocks}");
    }

    #[test]
    fn nothing_from_outside_can_mention_link_or_format() {
        let mut case = case(Disposition::Review);
        case.finding.object.key = "<!channel> <http://evil|x> `*_~ &amp;\n\u{202e}".into();
        let case = case.with_plan(|plan| plan.rule = "<!here>".into());
        let blocks = render(&case).blocks.to_string();
        for forbidden in ["<!channel>", "<http://evil", "<!here>", "\\n\u{202e}"] {
            assert!(!blocks.contains(forbidden), "{forbidden} in {blocks}");
        }
    }

    #[test]
    fn a_question_about_a_key_of_any_length_and_script_is_within_slacks_limits() {
        for key in ["%".repeat(800), "字".repeat(341), "&".repeat(1_024), "\u{1}".repeat(1_024)] {
            let mut case = case(Disposition::Review);
            case.finding.object.key.clone_from(&key);
            let case = case.with_plan(|plan| plan.object.key = key);
            let message = render(&case);
            assert_eq!(crate::slack::blocks::limits::exceeded(&message), Vec::<String>::new());
            assert_eq!(buttons(&message), 1);
        }
    }

    #[test]
    fn who_decides_is_told_what_macie_could_not_read() {
        let mut case = case(Disposition::Review);
        let told = |case: &Case| render(case).blocks.to_string().contains("Macie could read only a part");
        assert!(!told(&case));
        case.finding.incomplete = Incomplete::of(Some("PARTIAL"), Some("ARCHIVE_CONTAINS_UNPROCESSED_FILES"));
        let blocks = render(&case).blocks.to_string();
        let says = "Macie could read only a part of this object (ARCHIVE_CONTAINS_UNPROCESSED_FILES).";
        assert!(blocks.contains(says) && told(&decided(case)), "{blocks}");
    }

    #[test]
    fn a_key_that_is_too_long_shows_both_ends_and_says_so_and_a_link_is_whole_or_left_out() {
        let shown = |key: &str| {
            let mut case = case(Disposition::Review);
            case.finding.object.key = key.into();
            render(&case).blocks.to_string()
        };
        let whole = shown("exports/card.txt");
        assert!(
            whole.contains("prefix=exports%2Fcard.txt|S3 object>") && !whole.contains("in part"),
            "{whole}"
        );
        let key = format!("exports/{}/card.txt", "&".repeat(1_000));
        let cut = shown(&key);
        assert!(cut.contains("`exports/&amp;") && cut.contains("&amp;/card.txt`"), "{cut}");
        assert!(cut.contains("The key has 1017 characters and is shown in part."), "{cut}");
        assert!(cut.contains("s3/buckets/finance?region=us-east-1|S3 bucket>"), "{cut}");
        assert!(!cut.contains("s3/object/"), "no link that leads elsewhere: {cut}");
    }

    #[test]
    fn a_case_that_was_restored_often_with_long_reasons_is_within_slacks_limits() {
        let mut case = decided(case(Disposition::Review));
        case.status = Status::Closed;
        let detail = "&".repeat(2_000);
        case.closing = Some(closing(OutcomeResult::Quarantined, &detail));
        let failed = |requested_by: &str| Restore {
            request_id: "r".into(),
            execution_arn: "arn".into(),
            requested_by: requested_by.into(),
            reason: detail.clone(),
            replace: false,
            even_if_exposed: false,
            copy_generation: None,
            requested_at: "2026-03-11T10:00:00.000Z".into(),
            restored: Vec::new(),
            outcome: Some(cordon_domain::case::RestoreOutcome {
                result: RestoreResult::Failed,
                detail: detail.clone(),
                code: None,
                at: "2026-03-11T10:01:00.000Z".into(),
            }),
        };
        case.quarantine.restores = (0..7).map(|_| failed("slack:T0CORDON01/U0ALICE001")).collect();
        let message = render(&case);
        assert_eq!(crate::slack::blocks::limits::exceeded(&message), Vec::<String>::new());
    }
}
