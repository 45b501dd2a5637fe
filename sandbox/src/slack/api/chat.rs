//! The chat.* methods.

use serde_json::{Map, Value, json};

use super::{
    super::{State, blocks, workspace},
    Arguments, Failure, Outcome,
};

/// Longest text of a message.
const MAX_TEXT_CHARACTERS: usize = 40_000;

/// Longest text that a message is updated with, in bytes: measured in public, and less than what it is posted with.
const MAX_UPDATED_TEXT_BYTES: usize = 4_000;

/// Largest metadata, in bytes of JSON.
const MAX_METADATA_BYTES: usize = 16_000;

/// Text, blocks and metadata as given; what is not given is not in the result, except where it must be.
pub(in crate::slack) fn content(arguments: &Arguments) -> Result<Map<String, Value>, Vec<String>> {
    parse_content(arguments).map_err(
        |Failure(error, messages)| {
            if messages.is_empty() { vec![error.to_owned()] } else { messages }
        },
    )
}

fn parse_content(arguments: &Arguments) -> Result<Map<String, Value>, Failure> {
    let mut content = Map::new();
    if let Some(text) = arguments.0.get("text").and_then(Value::as_str) {
        if blocks::length(text) > MAX_TEXT_CHARACTERS {
            return Err("msg_too_long".into());
        }
        content.insert("text".to_owned(), json!(text));
    }
    if let Some(blocks) = arguments.structure("blocks", "invalid_blocks_format")? {
        content.insert("blocks".to_owned(), blocks::accept(&blocks)?);
    }
    if let Some(metadata) = arguments.structure("metadata", "invalid_metadata_format")? {
        content.insert("metadata".to_owned(), accept_metadata(metadata)?);
    }
    Ok(content)
}

/// Metadata that is empty takes the metadata of a message away.
fn accept_metadata(metadata: Value) -> Result<Value, Failure> {
    if metadata.as_object().is_some_and(Map::is_empty) {
        return Ok(Value::Null);
    }
    let named = metadata["event_type"].as_str().is_some_and(|name| !name.is_empty());
    if !named || !metadata["event_payload"].is_object() {
        return Err("invalid_metadata_format".into());
    }
    if metadata.to_string().len() > MAX_METADATA_BYTES {
        return Err("metadata_too_large".into());
    }
    Ok(metadata)
}

fn check_has_content(content: &Map<String, Value>) -> Result<(), Failure> {
    let text = content.get("text").and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let blocks = content.get("blocks").and_then(Value::as_array).is_some_and(|blocks| !blocks.is_empty());
    if text || blocks { Ok(()) } else { Err("no_text".into()) }
}

pub(super) fn post_message(state: &mut State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let mut content = parse_content(arguments)?;
    check_has_content(&content)?;
    content.entry("text").or_insert(json!(""));
    if let Some(parent) = arguments.text("thread_ts") {
        state.messages.find(channel, parent).ok_or("thread_not_found")?;
        content.insert("thread_ts".to_owned(), json!(parent));
    }
    let message = state.messages.post(channel, Value::Object(content));
    Ok(json!({"channel": channel, "ts": message["ts"], "message": message}))
}

pub(super) fn update(state: &mut State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let ts = arguments.text("ts").ok_or("message_not_found")?;
    let content = parse_content(arguments)?;
    if content.get("text").and_then(Value::as_str).is_some_and(|text| text.len() > MAX_UPDATED_TEXT_BYTES) {
        return Err("msg_too_long".into());
    }
    if !content.contains_key("text") && !content.contains_key("blocks") {
        return Err("no_text".into());
    }
    let message = state.messages.update(channel, ts, Value::Object(content)).ok_or("message_not_found")?;
    Ok(json!({"channel": channel, "ts": ts, "text": message["text"], "message": message}))
}

pub(super) fn post_ephemeral(state: &mut State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let user = arguments.text("user").and_then(workspace::user).ok_or("user_not_in_channel")?;
    let mut content = parse_content(arguments)?;
    check_has_content(&content)?;
    content.entry("text").or_insert(json!(""));
    content.remove("metadata");
    let ts = state.messages.post_ephemeral(channel, user.id, Value::Object(content));
    Ok(json!({"message_ts": ts}))
}
