//! What happens when somebody clicks a button: what is sent to the app, and what the app may answer later through the
//! response URL.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{
    Slack, api,
    api::Arguments,
    blocks,
    delivery::ClickResult,
    ids::{number, random_hex},
    messages, workspace,
};

/// How often, and for how long, a response URL can be used.
const RESPONSES: u32 = 5;
const RESPONSE_LIFE: Duration = Duration::from_secs(30 * 60);

/// A place that the app can answer to.
#[derive(Debug)]
pub(super) struct ResponseUrl {
    secret: String,
    channel: String,
    ts: String,
    user: String,
    uses_left: u32,
    expires: Instant,
}

impl Slack {
    /// Clicks a button of a message as a user, as Slack would: signs the interaction and sends it to the app.
    pub async fn click(&self, user: &str, channel: &str, ts: &str, action_id: &str) -> ClickResult {
        match self.interaction(user, channel, ts, action_id) {
            Ok(payload) => self.send_interaction(&payload).await,
            Err(error) => ClickResult::not_sent(error),
        }
    }

    /// The payload of a click, to be sent with [`send_interaction`](Self::send_interaction) now or later, as it is
    /// or changed.
    ///
    /// # Errors
    /// A sentence, if there is no such user, message or button.
    pub fn interaction(&self, user: &str, channel: &str, ts: &str, action_id: &str) -> Result<Value, String> {
        let user = workspace::user(user).ok_or_else(|| format!("there is no user {user}"))?;
        let mut state = self.lock();
        let message = state.messages.find(channel, ts).ok_or("this message is not there any more")?.clone();
        let (block_id, button) = blocks::buttons(&message["blocks"])
            .into_iter()
            .find(|(_, button)| button["action_id"] == action_id)
            .ok_or("this button is not there any more")?;
        let mut action =
            json!({"block_id": block_id, "action_ts": messages::ts(jiff::Timestamp::now().as_microsecond())});
        for name in ["action_id", "text", "value", "style", "type"] {
            if !button[name].is_null() {
                action[name] = button[name].clone();
            }
        }
        let response_url = ResponseUrl {
            secret: random_hex(12),
            channel: channel.to_owned(),
            ts: ts.to_owned(),
            user: user.id.to_owned(),
            uses_left: RESPONSES,
            expires: Instant::now() + RESPONSE_LIFE,
        };
        let trigger_id = state.modals.trigger(user.id);
        let url = format!("{}/actions/{}/{}/{}", self.url, workspace::TEAM, number(), response_url.secret);
        state.response_urls.push(response_url);
        Ok(json!({
            "type": "block_actions",
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
            "api_app_id": workspace::APP,
            "token": "verification_token_deprecated",
            "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": false},
            "trigger_id": trigger_id,
            "team": {"id": workspace::TEAM, "domain": workspace::TEAM_DOMAIN},
            "enterprise": null,
            "is_enterprise_install": false,
            "channel": {"id": channel, "name": workspace::channel_name(channel)},
            "message": without_metadata(message.clone()),
            "state": {"values": {}},
            "response_url": url,
            "actions": [action],
        }))
    }

    /// Takes what the app posts to a response URL; the error that Slack gives otherwise.
    pub(super) fn respond(&self, secret: &str, body: Map<String, Value>) -> Result<(), &'static str> {
        let mut state = self.lock();
        let now = Instant::now();
        let url = state.response_urls.iter_mut().find(|url| url.secret == secret).ok_or("no_service")?;
        if url.expires < now || url.uses_left == 0 {
            return Err("expired_url");
        }
        url.uses_left -= 1;
        let (channel, ts, user) = (url.channel.clone(), url.ts.clone(), url.user.clone());
        let arguments = Arguments(body);
        let is = |name: &str| match arguments.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            other => other.and_then(Value::as_str) == Some("true"),
        };
        if is("delete_original") {
            return if state.messages.delete(&channel, &ts) { Ok(()) } else { Err("message_not_found") };
        }
        let content = api::content(&arguments).map_err(|_| "invalid_blocks")?;
        if content.is_empty() {
            return Err("no_text");
        }
        let content = Value::Object(content);
        if is("replace_original") {
            state.messages.update(&channel, &ts, content).map(|_| ()).ok_or("message_not_found")
        } else if arguments.0.get("response_type").and_then(Value::as_str) == Some("in_channel") {
            state.messages.post(&channel, content);
            Ok(())
        } else {
            state.messages.post_ephemeral(&channel, &user, content);
            Ok(())
        }
    }

    /// Remembers for the page what came of a user's latest click.
    pub(super) fn note_click(&self, user: &str, error: Option<String>) {
        let mut state = self.lock();
        state.click_errors.retain(|(of, _)| of != user);
        if let Some(error) = error {
            state.click_errors.push((user.to_owned(), error));
        }
        state.messages.touch();
    }
}

fn without_metadata(mut message: Value) -> Value {
    if let Some(members) = message.as_object_mut() {
        members.remove("metadata");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = workspace::CHANNEL.id;

    fn posted() -> (std::sync::Arc<Slack>, String) {
        let slack = Slack::new("http://127.0.0.1:8300");
        let blocks = json!([{"type": "actions", "block_id": "decision", "elements": [{
            "type": "button", "action_id": "quarantine", "style": "danger", "value": "v1",
            "text": {"type": "plain_text", "text": "Quarantine"},
        }]}]);
        let kept = blocks::accept(&blocks).expect("accepted");
        let message = slack.lock().messages.post(CHANNEL, json!({"text": "t", "blocks": kept}));
        (slack, message["ts"].as_str().expect("a ts").to_owned())
    }

    #[test]
    fn a_payload_has_the_members_of_a_real_one() {
        let (slack, ts) = posted();
        let payload = slack.interaction("U0MALLORY3", CHANNEL, &ts, "quarantine").expect("a button");
        let members: Vec<&str> = payload.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = "actions api_app_id channel container enterprise is_enterprise_install message response_url \
                        state team token trigger_id type user";
        assert_eq!(members.join(" "), expected);
        assert_eq!(payload["user"]["team_id"], "T0STRANGER");
        let action = &payload["actions"][0];
        assert_eq!((&action["block_id"], &action["value"]), (&json!("decision"), &json!("v1")));
        assert_eq!((&action["style"], &action["type"]), (&json!("danger"), &json!("button")));
        assert!(slack.interaction("U0ALICE001", CHANNEL, &ts, "dismiss").is_err());
    }

    #[test]
    fn a_response_url_works_five_times() {
        let (slack, ts) = posted();
        let payload = slack.interaction("U0ALICE001", CHANNEL, &ts, "quarantine").expect("a button");
        let url = payload["response_url"].as_str().expect("a URL").to_owned();
        let secret = url.rsplit('/').next().expect("a last segment");
        let respond = |body: Value| slack.respond(secret, body.as_object().cloned().expect("an object"));
        assert_eq!(respond(json!({"text": "only for you"})), Ok(()));
        assert_eq!(slack.ephemerals()[0]["user"], "U0ALICE001");
        assert_eq!(respond(json!({"text": "changed", "replace_original": true})), Ok(()));
        assert_eq!(slack.messages(CHANNEL)[0]["text"], "changed");
        assert_eq!(respond(json!({"text": "to all", "response_type": "in_channel"})), Ok(()));
        assert_eq!(slack.messages(CHANNEL).len(), 2);
        assert_eq!(respond(json!({})), Err("no_text"));
        assert_eq!(respond(json!({"delete_original": "true"})), Ok(()));
        assert_eq!(respond(json!({"text": "once more"})), Err("expired_url"));
        assert_eq!(slack.respond("guessed", Map::new()), Err("no_service"));
    }
}
