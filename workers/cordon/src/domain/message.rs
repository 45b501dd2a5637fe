//! The Slack message of a case: a function of the record, nothing else.
//!
//! Everything that came from outside (keys, bucket names, identifiers) is escaped, so that no mention, link or
//! formatting can be smuggled in, and cut, so that Block Kit's limits hold
//! (<https://docs.slack.dev/reference/block-kit/blocks>).

use serde_json::{Value, json};

use super::{
    case::{Case, Decision, OutcomeResult, Restore, RestoreResult, Status},
    links,
    policy::Disposition,
};

/// The action id prefix of the button that quarantines; the case's approval id follows.
pub const QUARANTINE_ACTION: &str = "quarantine:";
/// The action id prefix of the button that leaves the object where it is.
pub const DISMISS_ACTION: &str = "dismiss:";
/// The action id prefix of the button that puts a quarantined object back.
pub const RESTORE_ACTION: &str = "restore:";
/// The `event_type` of the message metadata by which a posted message is found again.
pub const METADATA_TYPE: &str = "cordon_case";
/// How many restores of a case its message tells of.
const RESTORES_SHOWN: usize = 5;

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

/// Renders a case.
pub fn render(case: &Case) -> Message {
    let finding = &case.finding;
    let place = format!("{}/{}", finding.object.bucket, finding.object.key);
    let sample = if finding.sample { "[SAMPLE] " } else { "" };
    let title = match (case.status, case.disposition) {
        (Status::Open, Disposition::Review) if case.decision.is_none() => {
            "Sensitive data in S3: your decision, please"
        }
        (Status::Open, _) => "Sensitive data in S3: quarantine under way",
        (Status::Restoring, _) => "Sensitive data in S3: being put back",
        (Status::Closed, _) if put_back(case) => "Sensitive data in S3: put back from quarantine",
        (Status::Closed, _) => match case.outcome.as_ref().map(|outcome| outcome.result) {
            Some(OutcomeResult::Quarantined) => "Sensitive data in S3: quarantined",
            Some(OutcomeResult::Dismissed) => "Sensitive data in S3: dismissed",
            Some(OutcomeResult::Failed) | None => "Sensitive data in S3: response failed",
            Some(_) => "Sensitive data in S3: closed",
        },
    };
    let mut blocks = vec![json!({"type": "header", "text": plain(150, &format!("{sample}{title}"))})];
    if finding.sample {
        blocks.push(context(
            "This is a Macie *sample finding*: there is no such object, and nothing will be touched.",
        ));
    }
    blocks.push(json!({"type": "section", "text": mrkdwn(&format!("*Object*\n{}", code(&place, 2_900)))}));
    let mut fields = vec![
        field("Severity", &format!("{} *{:?}*", dot(case), finding.severity)),
        field("Finding type", &code(&finding.finding_type, 200)),
        field("Account, Region", &escape(&format!("{}, {}", finding.object.account, finding.region), 300)),
        field(
            "Version",
            &finding
                .object
                .version_id
                .as_deref()
                .map_or_else(|| "unversioned".to_owned(), |id| code(id, 300)),
        ),
        field("Found", &detections(case)),
        field("Rule", &escape(&case.plan.rule, 300)),
    ];
    if let Some(size) = finding.size {
        let written = finding.last_modified.as_deref().unwrap_or("unknown");
        fields.push(field("Size, last written", &format!("{} bytes, {}", size, escape(written, 100))));
    }
    blocks.push(json!({"type": "section", "fields": fields}));
    blocks.push(context(&format!(
        "<{}|Macie finding>  ·  <{}|Step Functions run>  ·  case `{}`{}",
        links::macie_finding(&finding.region, &finding.id),
        links::execution(&finding.region, &case.execution_arn),
        &case.case_id[..12.min(case.case_id.len())],
        if case.generation > 1 { format!(", generation {}", case.generation) } else { String::new() },
    )));
    blocks.push(json!({"type": "divider"}));
    blocks.extend(state(case));
    Message {
        text: escape(&format!("{sample}{:?} finding: {title} ({place})", finding.severity), 1_000),
        blocks: Value::Array(blocks),
        metadata: json!({"event_type": METADATA_TYPE,
            "event_payload": {"case_id": case.case_id, "generation": case.generation}}),
    }
}

/// What the message says of the state of the case, and the buttons while there is something to decide.
fn state(case: &Case) -> Vec<Value> {
    if let Some(outcome) = &case.outcome {
        let sign = match outcome.result {
            OutcomeResult::Quarantined => ":lock:",
            OutcomeResult::Failed => ":rotating_light:",
            _ => ":white_check_mark:",
        };
        let mut lines =
            vec![section(&format!("{sign} *{}* {}", label(outcome.result), escape(&outcome.detail, 2_000)))];
        lines.push(context(&format!("{}{}", decider(case), closed(case))));
        lines.extend(case.restores.iter().rev().take(RESTORES_SHOWN).rev().map(restored));
        if let Some(purge) = &case.purge {
            let done = purge.done_at.as_deref().map_or_else(
                || "is being deleted from quarantine".to_owned(),
                |at| format!("was deleted from quarantine at {}", escape(at, 100)),
            );
            lines.push(section(&format!(
                ":wastebasket: The copy {done}, as {} asked: {}",
                person(&purge.requested_by),
                escape(&purge.reason, 500)
            )));
        } else if case.status == Status::Closed && outcome.quarantine_key.is_some() {
            lines.push(restore_button(case));
        }
        lines.extend(pause(case));
        return lines;
    }
    if case.paused_at.is_some() {
        return pause(case).into_iter().collect();
    }
    match case.decision {
        Some(Decision::Quarantine) => {
            vec![section(&format!(":hourglass_flowing_sand: {} The object is being moved.", decider(case)))]
        }
        Some(Decision::Dismiss) => vec![section(&format!(":hourglass_flowing_sand: {}", decider(case)))],
        Some(Decision::Expired) => vec![section(":hourglass: Nobody decided in time.")],
        None if case.disposition == Disposition::Quarantine => {
            vec![section(":hourglass_flowing_sand: Policy quarantines this object at once.")]
        }
        None => ask(case),
    }
}

/// Whether the last word is that the object was put back.
fn put_back(case: &Case) -> bool {
    let last = case.restores.last().and_then(|restore| restore.outcome.as_ref());
    last.is_some_and(|outcome| outcome.result == RestoreResult::Restored)
}

fn restored(restore: &Restore) -> Value {
    let (sign, ended) = match &restore.outcome {
        None => (":hourglass_flowing_sand:", "Under way.".to_owned()),
        Some(outcome) => match outcome.result {
            RestoreResult::Restored => (
                ":leftwards_arrow_with_hook:",
                format!("*Put back* at {}. {}", escape(&outcome.at, 100), escape(&outcome.detail, 500)),
            ),
            RestoreResult::Failed => {
                (":warning:", format!("*Not put back.* {}", escape(&outcome.detail, 1_000)))
            }
        },
    };
    section(&format!(
        "{sign} Restore asked for by {} at {} ({}). {ended}",
        person(&restore.requested_by),
        escape(&restore.requested_at, 100),
        escape(&restore.reason, 500),
    ))
}

fn pause(case: &Case) -> Option<Value> {
    let since = case.paused_at.as_deref()?;
    Some(section(&format!(
        ":double_vertical_bar: *Paused* since {}. Nothing is touched until somebody runs `cordon resume`.",
        escape(since, 100)
    )))
}

/// An IAM ARN, or a Slack user as a mention.
fn person(requested_by: &str) -> String {
    match requested_by.strip_prefix("slack:").and_then(|slack| slack.split_once('/')) {
        Some((_, user)) => format!("<@{}>", identifier(user)),
        None => code(requested_by, 300),
    }
}

fn restore_button(case: &Case) -> Value {
    let confirm = json!({"title": plain(100, "Put this object back?"),
        "text": plain(300, &format!("Copies the object back to {}, where whoever can read the bucket can read it. The copy in quarantine stays.",
            cut(&case.object().bucket, 70))),
        "confirm": plain(30, "Restore"), "deny": plain(30, "Cancel")});
    json!({"type": "actions", "block_id": "restore", "elements": [
        {"type": "button", "action_id": format!("{RESTORE_ACTION}{}", case.approval_id), "text": plain(75, "Restore"),
            "value": format!("{}:{}", case.case_id, case.plan_hash), "confirm": confirm}]})
}

fn ask(case: &Case) -> Vec<Value> {
    let who: Vec<_> =
        case.plan.approvers.iter().take(20).map(|user| format!("<@{}>", identifier(user))).collect();
    let until =
        case.round_ends_at.as_deref().map(|time| format!(" until {}", escape(time, 100))).unwrap_or_default();
    let button = |action: &str, text: &str, style: Option<&str>, confirm: Option<Value>| {
        let mut button = json!({"type": "button", "action_id": format!("{action}{}", case.approval_id),
            "text": plain(75, text), "value": format!("{}:{}", case.case_id, case.plan_hash)});
        if let Some(style) = style {
            button["style"] = json!(style);
        }
        if let Some(confirm) = confirm {
            button["confirm"] = confirm;
        }
        button
    };
    let version = case
        .object()
        .version_id
        .as_deref()
        .map_or_else(|| "the object".to_owned(), |_| "this version of the object".to_owned());
    let confirm = json!({"title": plain(100, "Quarantine this object?"), "style": "danger",
        "text": plain(300, &format!("Copies {version} to the quarantine bucket, verifies the copy, and removes it from {}.",
            cut(&case.object().bucket, 70))),
        "confirm": plain(30, "Quarantine"), "deny": plain(30, "Cancel")});
    vec![
        section(&format!("*Who decides:* {}{until}. Nothing happens without a decision.", who.join(", "))),
        json!({"type": "actions", "block_id": "decision", "elements": [
            button(QUARANTINE_ACTION, "Quarantine", Some("danger"), Some(confirm)),
            button(DISMISS_ACTION, "Dismiss", None, None),
        ]}),
    ]
}

/// Who decided what and when, as one sentence for people.
pub fn decider(case: &Case) -> String {
    let at = case.decided_at.as_deref().unwrap_or("an unknown time");
    match (case.decision, case.votes.last()) {
        (Some(Decision::Expired), _) => format!("Nobody decided; expired at {at}."),
        (Some(decision), Some(vote)) => {
            let what = if decision == Decision::Quarantine { "Quarantine" } else { "Dismissal" };
            format!("{what} decided by <@{}> at {at}.", identifier(&vote.user))
        }
        _ if case.disposition == Disposition::Quarantine => {
            format!("Decided by policy, rule {}.", code(&case.plan.rule, 300))
        }
        _ => "Nobody decided.".into(),
    }
}

fn closed(case: &Case) -> String {
    case.closed_at.as_deref().map(|time| format!("  ·  closed at {time}")).unwrap_or_default()
}

fn label(result: OutcomeResult) -> &'static str {
    match result {
        OutcomeResult::Quarantined => "Quarantined.",
        OutcomeResult::Dismissed => "Dismissed.",
        OutcomeResult::Expired => "Expired.",
        OutcomeResult::ObjectChanged => "Object changed.",
        OutcomeResult::ObjectMissing => "Object gone.",
        OutcomeResult::Sample => "Sample, nothing touched.",
        OutcomeResult::Failed => "Failed.",
    }
}

fn dot(case: &Case) -> &'static str {
    match case.finding.severity {
        super::finding::Severity::High => ":red_circle:",
        super::finding::Severity::Medium => ":large_orange_circle:",
        super::finding::Severity::Low => ":large_yellow_circle:",
    }
}

fn detections(case: &Case) -> String {
    let all = &case.finding.detections;
    if all.is_empty() {
        return "see the finding".into();
    }
    let mut lines: Vec<_> =
        all.iter().take(8).map(|d| format!("{} × {}", d.count, code(&d.name, 100))).collect();
    if all.len() > lines.len() {
        lines.push(format!("and {} more kinds", all.len() - lines.len()));
    }
    lines.join("\n")
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn(text)]})
}

fn field(name: &str, value: &str) -> Value {
    mrkdwn(&format!("*{name}*\n{value}"))
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn plain(limit: usize, text: &str) -> Value {
    json!({"type": "plain_text", "text": cut(text, limit), "emoji": true})
}

/// `&`, `<` and `>` as Slack wants them escaped (nothing else can open a mention or a link), cut so that what comes
/// out has at most `limit` characters.
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let escaped = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += if escaped.is_empty() { 1 } else { escaped.len() };
        if length >= limit {
            out.push('…');
            break;
        }
        if escaped.is_empty() { out.push(c) } else { out.push_str(escaped) }
    }
    out
}

/// Inline code that its content cannot leave.
fn code(text: &str, limit: usize) -> String {
    let shown: String = text
        .chars()
        .map(|c| match c {
            '`' => 'ˋ',
            c if c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c) =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect();
    format!("`{}`", escape(&shown, limit))
}

/// A Slack id, with everything dropped that is none.
fn identifier(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::case::{Outcome, Vote, tests::case};

    fn decided(mut case: Case) -> Case {
        case.decision = Some(Decision::Quarantine);
        case.decided_at = Some("2026-03-11T09:50:00.000Z".into());
        case.votes = vec![Vote {
            decision: Decision::Quarantine,
            user: "U0ALICE001".into(),
            team: "T0CORDON01".into(),
            at: "2026-03-11T09:50:00.000Z".into(),
            plan_hash: case.plan_hash.clone(),
        }];
        case
    }

    fn buttons(message: &Message) -> usize {
        message.blocks.as_array().unwrap().iter().filter(|block| block["type"] == "actions").count()
    }

    #[test]
    fn an_open_case_asks_with_two_buttons() {
        let mut case = case(Disposition::Review);
        case.round_ends_at = Some("2026-03-11T13:47:00.000Z".into());
        insta::assert_json_snapshot!(render(&case).blocks);
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
        case.outcome = Some(Outcome {
            result: OutcomeResult::Quarantined,
            detail: "Moved to quarantine.".into(),
            code: None,
            quarantine_key: None,
        });
        let blocks = render(&case).blocks.to_string();
        assert!(blocks.contains("Quarantined.") && blocks.contains("<@U0ALICE001>"), "{blocks}");
    }

    #[test]
    fn nothing_from_outside_can_mention_link_or_format() {
        let mut case = case(Disposition::Review);
        case.finding.object.key = "<!channel> <http://evil|x> `*_~ &amp;\n\u{202e}".into();
        case.plan.rule = "<!here>".into();
        let blocks = render(&case).blocks.to_string();
        for forbidden in ["<!channel>", "<http://evil", "<!here>", "\\n\u{202e}"] {
            assert!(!blocks.contains(forbidden), "{forbidden} in {blocks}");
        }
    }

    #[test]
    fn block_kit_limits_hold_for_the_longest_input() {
        let mut case = case(Disposition::Review);
        case.finding.object.key = "&".repeat(1_024);
        case.plan.rule = "<".repeat(5_000);
        case.plan.approvers = (0..500).map(|n| format!("U{n:030}")).collect();
        let message = render(&case);
        let blocks = message.blocks.as_array().unwrap();
        assert!(blocks.len() <= 50);
        for block in blocks {
            if let Some(text) = block["text"]["text"].as_str() {
                assert!(text.chars().count() <= 3_000, "{}", text.len());
            }
            for field in block["fields"].as_array().into_iter().flatten() {
                assert!(field["text"].as_str().unwrap().chars().count() <= 2_000);
            }
        }
    }
}
