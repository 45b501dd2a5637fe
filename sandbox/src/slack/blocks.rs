//! Block Kit: the limits that Slack holds messages to, and the defaults that it fills in.
//!
//! The blocks and elements that Cordon uses are known: section, header, context, divider, actions, and in them
//! buttons; in modals text inputs. Others are refused, and the message says that it is this double which lacks them.

use std::collections::HashSet;

use serde_json::{Value, json};

/// Blocks in one message.
const MAX_BLOCKS: usize = 50;

/// Blocks in one modal.
const MAX_MODAL_BLOCKS: usize = 100;

/// Characters of text in all blocks of one message, and what each block adds to them. Slack does not document it, but
/// refuses about here (<https://github.com/slackapi/bolt-js/issues/2509>).
const MAX_MESSAGE_CHARACTERS: usize = 13_200;
const BLOCK_COST: usize = 100;

/// Why blocks are refused: the error code, and messages for `response_metadata`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) error: &'static str,
    pub(super) messages: Vec<String>,
}

/// Checks blocks and gives them as Slack keeps them, with block ids and text defaults filled in.
pub(super) fn accept(blocks: &Value) -> Result<Value, Refusal> {
    accept_on(Surface::Message, blocks)
}

/// The same for the blocks of a modal, which may have inputs.
pub(super) fn accept_view(blocks: &Value) -> Result<Value, Refusal> {
    accept_on(Surface::Modal, blocks)
}

/// Where blocks are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Surface {
    Message,
    Modal,
}

fn accept_on(surface: Surface, blocks: &Value) -> Result<Value, Refusal> {
    let Some(given) = blocks.as_array() else {
        return Err(Refusal { error: "invalid_blocks_format", messages: vec![] });
    };
    let mut problems = Problems::default();
    let most = if surface == Surface::Modal { MAX_MODAL_BLOCKS } else { MAX_BLOCKS };
    if given.len() > most {
        problems.add("/blocks", format!("no more than {most} items allowed"));
    }
    let mut ids = HashSet::new();
    for (index, block) in given.iter().enumerate() {
        let at = format!("/blocks/{index}");
        match (block["type"].as_str(), surface) {
            (Some("input"), Surface::Modal) => check_input(block, &at, &mut problems),
            _ => check_block(block, &at, &mut problems),
        }
        if let Some(id) = block["block_id"].as_str()
            && !ids.insert(id)
        {
            problems.add(&format!("{at}/block_id"), format!("block_id already exists: {id}"));
        }
    }
    if !problems.0.is_empty() {
        return Err(Refusal { error: "invalid_blocks", messages: problems.0 });
    }
    let cost = |block| BLOCK_COST + text_length(block);
    if surface == Surface::Message && given.iter().map(cost).sum::<usize>() > MAX_MESSAGE_CHARACTERS {
        return Err(Refusal { error: "msg_blocks_too_long", messages: vec![] });
    }
    Ok(given.iter().cloned().map(with_defaults).collect())
}

/// Slack does not say how it counts characters; in UTF-16 there are the most.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, at: &str, what: impl AsRef<str>) {
        self.0.push(format!("[ERROR] {} [json-pointer:{at}]", what.as_ref()));
    }

    fn check_length(&mut self, value: &Value, at: &str, longest: usize) {
        let length = value.as_str().map_or(0, length);
        if length > longest {
            self.add(at, format!("must be less than {} characters", longest + 1));
        }
    }

    fn check_count(&mut self, items: &Value, at: &str, most: usize) {
        match items.as_array() {
            None => self.add(at, "must be an array"),
            Some(items) if items.is_empty() => self.add(at, "must have at least one item"),
            Some(items) if items.len() > most => self.add(at, format!("no more than {most} items allowed")),
            Some(_) => {}
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TextKind {
    Plain,
    Any,
}

fn check_text(text: &Value, at: &str, kind: TextKind, longest: usize, problems: &mut Problems) {
    match (text["type"].as_str(), kind) {
        (Some("plain_text"), _) | (Some("mrkdwn"), TextKind::Any) => {}
        (Some("mrkdwn"), TextKind::Plain) => problems.add(&format!("{at}/type"), "must be plain_text"),
        _ => return problems.add(at, "missing or invalid text object"),
    }
    match text["text"].as_str() {
        None => problems.add(at, "missing required field: text"),
        Some("") => problems.add(&format!("{at}/text"), "must be more than 0 characters"),
        Some(_) => problems.check_length(&text["text"], &format!("{at}/text"), longest),
    }
}

fn check_block(block: &Value, at: &str, problems: &mut Problems) {
    problems.check_length(&block["block_id"], &format!("{at}/block_id"), 255);
    match block["type"].as_str() {
        Some("section") => check_section(block, at, problems),
        Some("header") => check_text(&block["text"], &format!("{at}/text"), TextKind::Plain, 150, problems),
        Some("divider") => {}
        Some("context") => {
            let at = format!("{at}/elements");
            problems.check_count(&block["elements"], &at, 10);
            for (index, element) in block["elements"].as_array().into_iter().flatten().enumerate() {
                check_text(element, &format!("{at}/{index}"), TextKind::Any, 3000, problems);
            }
        }
        Some("actions") => {
            let at = format!("{at}/elements");
            problems.check_count(&block["elements"], &at, 25);
            let mut ids = HashSet::new();
            for (index, element) in block["elements"].as_array().into_iter().flatten().enumerate() {
                let at = format!("{at}/{index}");
                check_button(element, &at, problems);
                if let Some(id) = element["action_id"].as_str()
                    && !ids.insert(id)
                {
                    problems.add(&format!("{at}/action_id"), format!("action_id already exists: {id}"));
                }
            }
        }
        Some(other) => {
            problems.add(&format!("{at}/type"), format!("the sandbox's Slack has no {other} blocks"))
        }
        None => problems.add(at, "missing required field: type"),
    }
}

/// The only input of the sandbox: text (<https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element>).
fn check_input(block: &Value, at: &str, problems: &mut Problems) {
    problems.check_length(&block["block_id"], &format!("{at}/block_id"), 255);
    check_text(&block["label"], &format!("{at}/label"), TextKind::Plain, 2000, problems);
    if !block["hint"].is_null() {
        check_text(&block["hint"], &format!("{at}/hint"), TextKind::Plain, 2000, problems);
    }
    if block["element"]["type"] != "plain_text_input" {
        problems.add(&format!("{at}/element/type"), "the sandbox's Slack has only plain_text_input");
    }
    let (element, at) = (&block["element"], format!("{at}/element"));
    problems.check_length(&element["action_id"], &format!("{at}/action_id"), 255);
    if !element["placeholder"].is_null() {
        check_text(&element["placeholder"], &format!("{at}/placeholder"), TextKind::Plain, 150, problems);
    }
    for (name, range) in [("min_length", 0..=3_000), ("max_length", 1..=3_000)] {
        if element[name].as_u64().is_some_and(|length| !range.contains(&length)) {
            problems
                .add(&format!("{at}/{name}"), format!("must be from {} to {}", range.start(), range.end()));
        }
    }
}

fn check_section(block: &Value, at: &str, problems: &mut Problems) {
    if block["text"].is_null() && block["fields"].is_null() {
        problems.add(at, "missing required field: text or fields");
    }
    if !block["text"].is_null() {
        check_text(&block["text"], &format!("{at}/text"), TextKind::Any, 3000, problems);
    }
    if !block["fields"].is_null() {
        let at = format!("{at}/fields");
        problems.check_count(&block["fields"], &at, 10);
        for (index, field) in block["fields"].as_array().into_iter().flatten().enumerate() {
            check_text(field, &format!("{at}/{index}"), TextKind::Any, 2000, problems);
        }
    }
    if !block["accessory"].is_null() {
        check_button(&block["accessory"], &format!("{at}/accessory"), problems);
    }
}

fn check_button(element: &Value, at: &str, problems: &mut Problems) {
    match element["type"].as_str() {
        Some("button") => {}
        Some(other) => {
            return problems
                .add(&format!("{at}/type"), format!("the sandbox's Slack has no {other} elements"));
        }
        None => return problems.add(at, "missing required field: type"),
    }
    check_text(&element["text"], &format!("{at}/text"), TextKind::Plain, 75, problems);
    for (name, longest) in [("action_id", 255), ("value", 2000), ("url", 3000)] {
        problems.check_length(&element[name], &format!("{at}/{name}"), longest);
    }
    if !matches!(element["style"].as_str(), None | Some("primary" | "danger")) {
        problems.add(&format!("{at}/style"), "must be primary or danger");
    }
    let confirm = &element["confirm"];
    if !confirm.is_null() {
        let at = format!("{at}/confirm");
        check_text(&confirm["title"], &format!("{at}/title"), TextKind::Plain, 100, problems);
        check_text(&confirm["text"], &format!("{at}/text"), TextKind::Any, 300, problems);
        for name in ["confirm", "deny"] {
            check_text(&confirm[name], &format!("{at}/{name}"), TextKind::Plain, 30, problems);
        }
    }
}

fn text_length(value: &Value) -> usize {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| match (name.as_str(), member) {
                ("text", Value::String(text)) => length(text),
                _ => text_length(member),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_length).sum(),
        _ => 0,
    }
}

fn with_defaults(mut block: Value) -> Value {
    if block["block_id"].as_str().is_none_or(str::is_empty) {
        block["block_id"] = json!(random_id());
    }
    fill_in(&mut block);
    block
}

fn fill_in(value: &mut Value) {
    match value {
        Value::Object(members) => {
            match members.get("type").and_then(Value::as_str) {
                Some("plain_text") => drop(members.entry("emoji").or_insert(json!(true))),
                Some("mrkdwn") => drop(members.entry("verbatim").or_insert(json!(false))),
                Some("button") => drop(members.entry("action_id").or_insert_with(|| json!(random_id()))),
                _ => {}
            }
            members.values_mut().for_each(fill_in);
        }
        Value::Array(items) => items.iter_mut().for_each(fill_in),
        _ => {}
    }
}

fn random_id() -> String {
    hex::encode(rand::random::<[u8; 3]>())
}

/// All buttons of a message with the ids of the blocks that they stand in.
pub(super) fn buttons(blocks: &Value) -> Vec<(&str, &Value)> {
    let mut found = vec![];
    for block in blocks.as_array().into_iter().flatten() {
        let id = block["block_id"].as_str().unwrap_or_default();
        let elements = block["elements"].as_array().into_iter().flatten().chain(block.get("accessory"));
        found.extend(elements.filter(|element| element["type"] == "button").map(|button| (id, button)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Value {
        json!({"type": "plain_text", "text": text})
    }

    fn button(changes: Value) -> Value {
        let mut button =
            json!({"type": "button", "text": plain("Quarantine"), "action_id": "a", "value": "v"});
        button.as_object_mut().expect("an object").extend(changes.as_object().cloned().expect("an object"));
        json!([{"type": "actions", "elements": [button]}])
    }

    fn problem(blocks: Value) -> String {
        accept(&blocks).expect_err("refused").messages.join("; ")
    }

    #[test]
    fn what_is_at_the_limit_passes_and_one_more_does_not() {
        let section = |length: usize| json!([{"type": "section", "text": plain(&"x".repeat(length))}]);
        assert!(accept(&section(3000)).is_ok());
        assert!(problem(section(3001)).contains("/blocks/0/text/text"));
        let header = |length: usize| json!([{"type": "header", "text": plain(&"x".repeat(length))}]);
        assert!(accept(&header(150)).is_ok());
        assert!(problem(header(151)).contains("must be less than 151 characters"));
        assert!(accept(&button(json!({"value": "v".repeat(2000), "action_id": "a".repeat(255)}))).is_ok());
        assert!(problem(button(json!({"value": "v".repeat(2001)}))).contains("/elements/0/value"));
        assert!(problem(button(json!({"action_id": "a".repeat(256)}))).contains("/elements/0/action_id"));
        assert!(problem(button(json!({"text": plain(&"x".repeat(76))}))).contains("/elements/0/text"));
        let fields = |count: usize| json!([{"type": "section", "fields": vec![plain("x"); count]}]);
        assert!(accept(&fields(10)).is_ok());
        assert!(problem(fields(11)).contains("no more than 10 items"));
        let dividers = |count: usize| Value::Array(vec![json!({"type": "divider"}); count]);
        assert!(accept(&dividers(50)).is_ok());
        assert!(problem(dividers(51)).contains("no more than 50 items"));
    }

    #[test]
    fn a_message_as_a_whole_may_be_too_long() {
        let section = |length: usize| json!({"type": "section", "text": plain(&"x".repeat(length))});
        assert!(accept(&json!(vec![section(3000); 4])).is_ok());
        assert_eq!(accept(&json!(vec![section(3000); 5])).expect_err("refused").error, "msg_blocks_too_long");
        assert!(accept(&json!(vec![section(164); 50])).is_ok());
        let many = accept(&json!(vec![section(165); 50]));
        assert_eq!(many.expect_err("each block costs too").error, "msg_blocks_too_long");
        assert!(accept_view(&json!(vec![section(165); 50])).is_ok(), "that limit is of messages");
    }

    #[test]
    fn characters_are_counted_as_utf_16_does() {
        let header = |text: &str| json!([{"type": "header", "text": plain(text)}]);
        assert!(accept(&header(&"字".repeat(150))).is_ok());
        assert!(accept(&header(&"😀".repeat(75))).is_ok());
        assert!(problem(header(&"😀".repeat(76))).contains("must be less than 151 characters"));
    }

    #[test]
    fn the_shape_is_checked() {
        assert_eq!(accept(&json!({"type": "divider"})).expect_err("no array").error, "invalid_blocks_format");
        for blocks in [
            json!([{"type": "section"}]),
            json!([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]),
            json!([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]),
            json!([{"type": "carousel"}]),
            json!([{"type": "divider", "block_id": "same"}, {"type": "divider", "block_id": "same"}]),
            button(json!({"style": "warning"})),
            button(json!({"type": "overflow"})),
            button(json!({"confirm": {"title": plain("t")}})),
        ] {
            assert_eq!(accept(&blocks).expect_err("refused").error, "invalid_blocks", "{blocks}");
        }
    }

    #[test]
    fn ids_and_text_defaults_are_filled_in() {
        let kept = accept(&json!([
            {"type": "section", "text": {"type": "mrkdwn", "text": "x"}},
            {"type": "actions", "block_id": "decision", "elements": [{"type": "button", "text": plain("Go")}]},
        ]))
        .expect("accepted");
        assert_eq!(kept[0]["text"]["verbatim"], false);
        assert!(kept[0]["block_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert_eq!(kept[1]["block_id"], "decision");
        assert_eq!(buttons(&kept)[0].0, "decision");
        assert_eq!(kept[1]["elements"][0]["text"]["emoji"], true);
    }
}
