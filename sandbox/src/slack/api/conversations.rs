//! The conversations.* methods.

use serde_json::{Value, json};

use super::{
    super::{State, messages, workspace},
    Arguments, Failure, Outcome,
};

/// Most messages on a page of conversations.history.
const MAX_PAGE: u64 = 999;

/// As <https://docs.slack.dev/reference/methods/conversations.info> shows a channel. One that the app cannot see is not there.
pub(super) fn info(state: &State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let is_shared = state.installation.shared_channels.contains(channel);
    Ok(json!({"channel": {"id": channel, "name": workspace::channel_name(channel), "is_channel": true,
        "is_archived": false, "is_private": false, "is_member": !state.installation.left_channels.contains(channel),
        "is_shared": is_shared, "is_ext_shared": is_shared, "is_org_shared": false, "is_pending_ext_shared": false}}))
}

pub(super) fn history(state: &State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let window = Window::of(arguments, 100)?;
    let all = state.messages.of(channel);
    let newest_first = all.iter().rev().filter(|message| message["thread_ts"].is_null());
    let messages = newest_first.map(|message| with_thread(message, all)).collect();
    let mut page = window.page(messages, arguments)?;
    page["pin_count"] = json!(0);
    Ok(page)
}

pub(super) fn replies(state: &State, arguments: &Arguments) -> Outcome {
    let channel = arguments.channel()?;
    let parent = arguments.text("ts").ok_or("thread_not_found")?;
    state.messages.find(channel, parent).ok_or("thread_not_found")?;
    let window = Window::of(arguments, 1000)?;
    let all = state.messages.of(channel);
    let thread = all.iter().filter(|message| message["ts"] == parent || message["thread_ts"] == parent);
    window.page(thread.map(|message| with_thread(message, all)).collect(), arguments)
}

/// A message with what it says about the thread under it.
fn with_thread(message: &Value, all: &[Value]) -> Value {
    let replies: Vec<&Value> = all.iter().filter(|reply| reply["thread_ts"] == message["ts"]).collect();
    let mut message = message.clone();
    if let Some(last) = replies.last() {
        message["thread_ts"] = message["ts"].clone();
        message["reply_count"] = json!(replies.len());
        message["latest_reply"] = last["ts"].clone();
    }
    message
}

/// Which messages a conversations.* method asks for.
struct Window {
    oldest: i64,
    latest: i64,
    inclusive: bool,
    limit: u64,
}

impl Window {
    fn of(arguments: &Arguments, default_limit: u64) -> Result<Self, Failure> {
        let time = |name: &str, error: &'static str| match arguments.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => messages::microseconds(text).map(Some).ok_or(Failure::from(error)),
            Some(number) => messages::microseconds(&number.to_string()).map(Some).ok_or(Failure::from(error)),
        };
        let limit = match arguments.0.get("limit") {
            None | Some(Value::Null) => default_limit,
            Some(Value::String(text)) => text.parse().map_err(|_| Failure::from("invalid_limit"))?,
            Some(number) => number.as_u64().ok_or(Failure::from("invalid_limit"))?,
        };
        if limit == 0 {
            return Err("invalid_limit".into());
        }
        Ok(Self {
            oldest: time("oldest", "invalid_ts_oldest")?.unwrap_or(0),
            latest: time("latest", "invalid_ts_latest")?.unwrap_or(i64::MAX),
            inclusive: arguments.flag("inclusive"),
            limit: limit.min(MAX_PAGE.max(default_limit)),
        })
    }

    fn holds(&self, message: &Value) -> bool {
        let at = message["ts"].as_str().and_then(messages::microseconds).unwrap_or(0);
        let at_edge = at == self.oldest || at == self.latest;
        (self.oldest..=self.latest).contains(&at) && (self.inclusive || !at_edge)
    }

    /// One page; the cursor names the last message of the page before, so new messages do not move it.
    fn page(&self, messages: Vec<Value>, arguments: &Arguments) -> Outcome {
        let mut messages: Vec<Value> = messages.into_iter().filter(|message| self.holds(message)).collect();
        if let Some(cursor) = arguments.text("cursor") {
            let last = cursor.strip_prefix("after:").ok_or(Failure::from("invalid_cursor"))?;
            let at = messages.iter().position(|message| message["ts"] == last);
            messages.drain(..=at.ok_or(Failure::from("invalid_cursor"))?);
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = messages.len() > limit;
        messages.truncate(limit);
        let next = messages
            .last()
            .filter(|_| has_more)
            .map(|last| format!("after:{}", last["ts"].as_str().unwrap_or("")));
        if !arguments.flag("include_all_metadata") {
            for message in messages.iter_mut().filter_map(Value::as_object_mut) {
                message.remove("metadata");
            }
        }
        let mut page = json!({"messages": messages, "has_more": has_more});
        if let Some(next) = next {
            page["response_metadata"] = json!({"next_cursor": next});
        }
        Ok(page)
    }
}
