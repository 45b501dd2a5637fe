//! The messages of the channel, as Slack keeps them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::workspace;

/// Everything that was posted.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// By channel, oldest first.
    posted: BTreeMap<String, Vec<Value>>,
    ephemeral: Vec<Value>,
    last_ts: i64,
    version: u64,
}

impl Messages {
    /// All messages of a channel, oldest first.
    pub(super) fn of(&self, channel: &str) -> &[Value] {
        self.posted.get(channel).map_or(&[], Vec::as_slice)
    }

    /// All messages that only one user can see.
    pub(super) fn ephemerals(&self) -> &[Value] {
        &self.ephemeral
    }

    /// Changes whenever a page would look different.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Says that a page would look different.
    pub(super) fn touch(&mut self) {
        self.version += 1;
    }

    /// One message of a channel.
    pub(super) fn find(&self, channel: &str, ts: &str) -> Option<&Value> {
        self.of(channel).iter().find(|message| message["ts"] == ts)
    }

    /// Posts as the bot; members that are null are left out. Gives the message as kept.
    pub(super) fn post(&mut self, channel: &str, content: Value) -> Value {
        let ts = self.next_ts();
        let mut message = bot_message(&ts);
        extend(&mut message, content);
        if message["thread_ts"].is_string() {
            message["parent_user_id"] = json!(workspace::BOT_USER);
        }
        self.posted.entry(channel.to_owned()).or_default().push(message.clone());
        self.touch();
        message
    }

    /// Shows a message to one user only, and gives its ts.
    pub(super) fn post_ephemeral(&mut self, channel: &str, user: &str, content: Value) -> String {
        let ts = self.next_ts();
        let mut message = bot_message(&ts);
        extend(&mut message, content);
        // For whom it is, beside the bot's own user in `user`.
        message["channel"] = json!(channel);
        message["user"] = json!(user);
        self.ephemeral.push(message);
        self.touch();
        ts
    }

    /// Changes the members that `content` has, removes those that are null in it, and marks the message as edited.
    pub(super) fn update(&mut self, channel: &str, ts: &str, content: Value) -> Option<Value> {
        let now = self.next_ts();
        let message = self.posted.get_mut(channel)?.iter_mut().find(|message| message["ts"] == ts)?;
        extend(message, content);
        message["edited"] = json!({"user": workspace::BOT_USER, "ts": now});
        let changed = message.clone();
        self.touch();
        Some(changed)
    }

    /// Removes a message; whether there was one.
    pub(super) fn delete(&mut self, channel: &str, ts: &str) -> bool {
        let Some(posted) = self.posted.get_mut(channel) else { return false };
        let before = posted.len();
        posted.retain(|message| message["ts"] != ts);
        let deleted = posted.len() < before;
        self.touch();
        deleted
    }

    /// Microseconds since the epoch in Slack's notation, no two alike.
    fn next_ts(&mut self) -> String {
        self.last_ts = jiff::Timestamp::now().as_microsecond().max(self.last_ts + 1);
        ts(self.last_ts)
    }
}

/// A time in microseconds as Slack writes it.
pub(super) fn ts(microseconds: i64) -> String {
    format!("{}.{:06}", microseconds / 1_000_000, microseconds % 1_000_000)
}

/// A `ts` as a number, to compare with others.
pub(super) fn microseconds(ts: &str) -> Option<i64> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(seconds.parse::<i64>().ok()? * 1_000_000 + micros)
}

fn bot_message(ts: &str) -> Value {
    json!({
        "type": "message",
        "subtype": "bot_message",
        "bot_id": workspace::BOT,
        "user": workspace::BOT_USER,
        "app_id": workspace::APP,
        "team": workspace::TEAM,
        "ts": ts,
    })
}

fn extend(message: &mut Value, content: Value) {
    let (Some(members), Value::Object(content)) = (message.as_object_mut(), content) else { return };
    for (name, value) in content {
        match value {
            Value::Null => drop(members.remove(&name)),
            value => drop(members.insert(name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_has_a_ts_of_its_own_in_order() {
        let mut messages = Messages::default();
        let all: Vec<i64> = (0..100)
            .map(|_| messages.post("C", json!({"text": "x"})))
            .filter_map(|message| microseconds(message["ts"].as_str()?))
            .collect();
        assert_eq!(all.len(), 100);
        assert!(all.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn an_update_marks_the_message_and_keeps_what_it_does_not_name() {
        let mut messages = Messages::default();
        let posted = messages.post("C", json!({"text": "x", "metadata": {"event_type": "e"}}));
        let updated =
            messages.update("C", posted["ts"].as_str().expect("a ts"), json!({"text": "y"})).expect("there");
        assert_eq!((&updated["text"], &updated["metadata"]["event_type"]), (&json!("y"), &json!("e")));
        assert_eq!(updated["edited"]["user"], workspace::BOT_USER);
        assert!(messages.update("C", "1.0", json!({})).is_none());
    }

    #[test]
    fn a_ts_is_read_back() {
        assert_eq!(microseconds("1773222415.000100"), Some(1_773_222_415_000_100));
        assert_eq!(microseconds("1773222415"), Some(1_773_222_415_000_000));
        assert_eq!(ts(1_773_222_415_000_100), "1773222415.000100");
        assert_eq!(microseconds("soon"), None);
    }
}
