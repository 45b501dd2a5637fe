//! What Slack takes in one message (<https://docs.slack.dev/reference/block-kit/blocks>). A message that is longer is
//! refused as a whole, and nobody sees the question.

use serde_json::Value;

use super::message::Message;

const BLOCKS: usize = 50;
const TEXT: usize = 3_000;
const HEADER: usize = 150;
const FIELDS: usize = 10;
const FIELD: usize = 2_000;
const BUTTON: usize = 75;
const VALUE: usize = 2_000;
const ID: usize = 255;
/// The text that notifications show: `chat.update` takes 4,000, and counts bytes.
const NOTIFICATION: usize = 4_000;
/// All text of a message together, with [`BLOCK`] for each block. Slack documents no number; it answers
/// `msg_blocks_too_long` from about 13,200 on (<https://github.com/slackapi/bolt-js/issues/2509>).
const TOTAL: usize = 12_000;
const BLOCK: usize = 100;

/// How long a text is for Slack, which does not say how it counts: in UTF-16 units, the most that its characters can
/// be.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// How much room the parts of a message have. A message is rendered with all of it, and with ever less until it is
/// within Slack's limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room(usize);

impl Room {
    /// As much as there is.
    pub(super) const ALL: Self = Self(1);
    /// As little as there may be.
    pub(super) const LEAST: Self = Self(16);

    /// The message, rendered in the first room in which it is within the limits; in the last if it is in none.
    pub(super) fn fit(render: impl Fn(Self) -> Message) -> Message {
        let mut message = render(Self::ALL);
        for less in [Self(2), Self(4), Self(8), Self::LEAST] {
            if exceeded(&message).is_empty() {
                break;
            }
            message = render(less);
        }
        message
    }

    /// How many characters a text has that has `most` in all the room.
    pub(super) const fn of(self, most: usize) -> usize {
        most / self.0
    }

    /// How many items a list has that has `most` in all the room.
    pub(super) fn items(self, most: usize) -> usize {
        (most / self.0).max(1)
    }
}

/// Which of Slack's limits a message exceeds, a line each; none if Slack takes it.
pub(super) fn exceeded(message: &Message) -> Vec<String> {
    let mut found = Vec::new();
    let blocks = message.blocks.as_array().map(Vec::as_slice).unwrap_or_default();
    if message.text.is_empty() || message.text.len() > NOTIFICATION {
        found.push(format!("the text has {} bytes", message.text.len()));
    }
    if blocks.len() > BLOCKS {
        found.push(format!("there are {} blocks", blocks.len()));
    }
    let total: usize = blocks.iter().map(|block| BLOCK + text_in(block)).sum();
    if total > TOTAL {
        found.push(format!("all blocks together have {total} characters"));
    }
    for (number, block) in blocks.iter().enumerate() {
        check(block, &format!("block {number}"), &mut found);
    }
    found
}

fn check(block: &Value, at: &str, found: &mut Vec<String>) {
    let text_limit = if block["type"] == "header" { HEADER } else { TEXT };
    check_text(&block["text"], text_limit, &format!("{at}, text"), found);
    check_length(&block["block_id"], ID, &format!("{at}, block_id"), found);
    let fields = block["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    if fields.len() > FIELDS {
        found.push(format!("{at} has {} fields", fields.len()));
    }
    for (number, field) in fields.iter().enumerate() {
        check_text(field, FIELD, &format!("{at}, field {number}"), found);
    }
    for (number, element) in block["elements"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}, element {number}");
        if element["type"] != "button" {
            check_text(element, TEXT, &at, found);
            continue;
        }
        check_text(&element["text"], BUTTON, &at, found);
        check_length(&element["action_id"], ID, &format!("{at}, action_id"), found);
        check_length(&element["value"], VALUE, &format!("{at}, value"), found);
        for (part, most) in [("title", 100), ("text", 300), ("confirm", 30), ("deny", 30)] {
            check_text(&element["confirm"][part], most, &format!("{at}, confirm {part}"), found);
        }
    }
}

fn check_text(text: &Value, most: usize, at: &str, found: &mut Vec<String>) {
    if text.is_null() {
        return;
    }
    if text["text"].as_str().is_none_or(str::is_empty) {
        found.push(format!("{at} says nothing"));
    }
    check_length(&text["text"], most, at, found);
}

fn check_length(value: &Value, most: usize, at: &str, found: &mut Vec<String>) {
    let length = value.as_str().map_or(0, length);
    if length > most {
        found.push(format!("{at} has {length} characters, and {most} are the most"));
    }
}

fn text_in(value: &Value) -> usize {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| match (name.as_str(), member) {
                ("text", Value::String(text)) => length(text),
                _ => text_in(member),
            })
            .sum(),
        Value::Array(items) => items.iter().map(text_in).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
