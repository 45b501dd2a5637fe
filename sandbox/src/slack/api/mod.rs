//! The Web API: the methods that Cordon calls, with Slack's errors.

mod chat;
mod conversations;

pub(super) use chat::content;

use std::time::Instant;

use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::{MethodFaultKind, Outage, Slack, State, blocks, modals, workspace};
use chat::{post_ephemeral, post_message, update};
use conversations::{history, info, replies};

/// An answer of the Web API.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) body: Value,
}

impl Reply {
    fn ok(body: Value) -> Self {
        Self { status: 200, retry_after: None, body }
    }

    fn rate_limited(retry_after: u64) -> Self {
        let body = json!({"ok": false, "error": "ratelimited"});
        Self { status: 429, retry_after: Some(retry_after), body }
    }
}

/// The `error` of an answer that is not ok, with what else it says.
#[derive(Debug)]
struct Failure(&'static str, Vec<String>);

impl From<&'static str> for Failure {
    fn from(error: &'static str) -> Self {
        Self(error, vec![])
    }
}

impl From<blocks::Refusal> for Failure {
    fn from(refusal: blocks::Refusal) -> Self {
        Self(refusal.error, refusal.messages)
    }
}

type Outcome = Result<Value, Failure>;

/// The arguments of a call, from a query, a form or a JSON body.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) Map<String, Value>);

impl Arguments {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|value| !value.is_empty())
    }

    fn flag(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => matches!(text.as_str(), "true" | "1"),
            _ => false,
        }
    }

    /// A structured argument: JSON itself, or JSON in a string as forms carry it.
    fn structure(&self, name: &str, error: &'static str) -> Result<Option<Value>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| error.into()),
            Some(value) => Ok(Some(value.clone())),
        }
    }

    fn channel(&self) -> Result<&'static str, Failure> {
        self.text("channel").and_then(workspace::channel).ok_or_else(|| "channel_not_found".into())
    }
}

impl Slack {
    /// Records a call of a method, and gives the fault that is for it.
    pub(super) fn fault_for(&self, method: &str, arguments: &Arguments) -> Option<MethodFaultKind> {
        let mut state = self.lock();
        let channel = arguments.text("channel");
        state.calls.push((method.to_owned(), channel.map(str::to_owned)));
        state.faults.next_for(method, channel)
    }

    /// Answers a call of a method with the fault that is for it; `bearer` is the token of the Authorization header.
    pub(super) fn api(
        &self,
        method: &str,
        bearer: Option<&str>,
        arguments: &Arguments,
        fault: Option<MethodFaultKind>,
    ) -> Reply {
        let mut state = self.lock();
        match &state.outage {
            Outage::None => {}
            Outage::ServerError => {
                return Reply {
                    status: 503,
                    retry_after: None,
                    body: json!({"ok": false, "error": "service_unavailable"}),
                };
            }
            Outage::RateLimited { retry_after } => return Reply::rate_limited(*retry_after),
            Outage::OkFalse(error) => return Reply::ok(json!({"ok": false, "error": error})),
        }
        if let Err(error) = self.check_token(bearer.or_else(|| arguments.text("token"))) {
            return Reply::ok(json!({"ok": false, "error": error}));
        }
        if let Some(needed) =
            needed_scopes(method).iter().find(|scope| !state.installation.scopes.contains(**scope))
        {
            let provided = state.installation.provided_scopes();
            return Reply::ok(
                json!({"ok": false, "error": "missing_scope", "needed": needed, "provided": provided}),
            );
        }
        match fault {
            None | Some(MethodFaultKind::Hangs(_)) => {}
            Some(MethodFaultKind::Refused(error)) => return Reply::ok(json!({"ok": false, "error": error})),
            Some(MethodFaultKind::RateLimited { retry_after }) => return Reply::rate_limited(retry_after),
        }
        let channel = arguments.text("channel").unwrap_or_default();
        if let Err(wait) = state.rates.admit(method, channel, Instant::now()) {
            // Whole seconds, and never none.
            return Reply::rate_limited(wait.as_secs() + 1);
        }
        let outcome = match method {
            "auth.test" => Ok(json!({
                "url": format!("{}/", self.url),
                "team": workspace::TEAM_NAME,
                "user": workspace::BOT_NAME.to_lowercase(),
                "team_id": workspace::TEAM,
                "user_id": workspace::BOT_USER,
                "bot_id": workspace::BOT,
                "is_enterprise_install": false,
            })),
            "chat.postMessage" => post_message(&mut state, arguments),
            "chat.update" => update(&mut state, arguments),
            "chat.postEphemeral" => post_ephemeral(&mut state, arguments),
            "views.open" => open_view(&mut state, arguments),
            "users.info" => user_info(&state, arguments),
            "usergroups.users.list" => group_members(&state, arguments),
            "bots.info" => bot_info(arguments),
            "conversations.info" => info(&state, arguments),
            "conversations.history" => history(&state, arguments),
            "conversations.replies" => replies(&state, arguments),
            other => {
                tracing::warn!(method = other, "the sandbox's Slack does not have a method that was called");
                Err("unknown_method".into())
            }
        };
        Reply::ok(match outcome {
            Ok(mut body) => {
                body["ok"] = json!(true);
                body
            }
            Err(Failure(error, messages)) if messages.is_empty() => json!({"ok": false, "error": error}),
            Err(Failure(error, messages)) => {
                json!({"ok": false, "error": error, "errors": messages, "response_metadata": {"messages": messages}})
            }
        })
    }

    fn check_token(&self, token: Option<&str>) -> Result<(), &'static str> {
        let token = token.ok_or("not_authed")?;
        let right: bool = token.as_bytes().ct_eq(self.bot_token.as_bytes()).into();
        if right { Ok(()) } else { Err("invalid_auth") }
    }
}

/// The scopes that a method cannot do without, as far as Slack names one of them
/// (<https://docs.slack.dev/reference/scopes>).
fn needed_scopes(method: &str) -> &'static [&'static str] {
    match method {
        "bots.info" | "users.info" => &["users:read"],
        "chat.postMessage" | "chat.update" | "chat.postEphemeral" => &["chat:write"],
        "conversations.history" | "conversations.replies" => &["channels:history"],
        "conversations.info" => &["channels:read"],
        "usergroups.users.list" => &["usergroups:read"],
        _ => &[],
    }
}

fn bot_info(arguments: &Arguments) -> Outcome {
    arguments.text("bot").filter(|bot| *bot == workspace::BOT).ok_or("bot_not_found")?;
    Ok(json!({"bot": {"id": workspace::BOT, "app_id": workspace::APP, "user_id": workspace::BOT_USER,
        "name": workspace::BOT_NAME, "deleted": false}}))
}

fn open_view(state: &mut State, arguments: &Arguments) -> Outcome {
    let trigger_id = arguments.text("trigger_id").ok_or("invalid_arguments")?;
    let view = arguments.structure("view", "invalid_arguments")?.ok_or("invalid_arguments")?;
    Ok(modals::open(state, trigger_id, &view)?)
}

fn user_info(state: &State, arguments: &Arguments) -> Outcome {
    let user = arguments.text("user").and_then(workspace::user).ok_or("user_not_found")?;
    Ok(json!({"user": {"id": user.id, "team_id": user.team, "name": user.name,
        "deleted": state.directory.has_left(user.id), "is_bot": false}}))
}

fn group_members(state: &State, arguments: &Arguments) -> Outcome {
    let group = arguments.text("usergroup").ok_or("no_such_subteam")?;
    Ok(json!({"users": state.directory.members(group).ok_or("no_such_subteam")?}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn slack() -> Arc<Slack> {
        let slack = Slack::new("http://127.0.0.1:8300");
        slack.set_rate_limits(None);
        slack
    }

    fn call(slack: &Slack, method: &str, arguments: Value) -> Value {
        let arguments = Arguments(arguments.as_object().cloned().expect("an object"));
        slack.api(method, Some(&slack.bot_token), &arguments, None).body
    }

    fn error(slack: &Slack, method: &str, arguments: Value) -> String {
        let body = call(slack, method, arguments);
        assert_eq!(body["ok"], false, "{body}");
        body["error"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn only_the_right_token_is_let_in() {
        let slack = slack();
        let answer = |token| slack.api("auth.test", token, &Arguments::default(), None).body;
        assert_eq!(answer(None)["error"], "not_authed");
        assert_eq!(answer(Some("xoxb-wrong"))["error"], "invalid_auth");
        assert_eq!(answer(Some(slack.bot_token()))["team_id"], "T0CORDON01");
    }

    #[test]
    fn errors_are_named_as_slack_names_them() {
        let slack = slack();
        assert_eq!(
            error(&slack, "chat.postMessage", json!({"channel": "C0NOWHERE", "text": "x"})),
            "channel_not_found"
        );
        assert_eq!(error(&slack, "chat.postMessage", json!({"channel": "C0SECURITY"})), "no_text");
        let long = json!({"channel": "C0SECURITY", "text": "x".repeat(40_001)});
        assert_eq!(error(&slack, "chat.postMessage", long), "msg_too_long");
        let blocks = json!({"channel": "C0SECURITY", "text": "x", "blocks": [{"type": "section"}]});
        assert_eq!(error(&slack, "chat.postMessage", blocks), "invalid_blocks");
        let metadata = json!({"channel": "C0SECURITY", "text": "x", "metadata": {"event_type": "case"}});
        assert_eq!(error(&slack, "chat.postMessage", metadata), "invalid_metadata_format");
        let long = json!({"channel": "C0SECURITY", "ts": "1.000000", "text": "字".repeat(1_334)});
        assert_eq!(error(&slack, "chat.update", long), "msg_too_long");
        let gone = json!({"channel": "C0SECURITY", "ts": "1.000000", "text": "x"});
        assert_eq!(error(&slack, "chat.update", gone), "message_not_found");
        let stranger = json!({"channel": "C0SECURITY", "user": "U0NOBODY00", "text": "x"});
        assert_eq!(error(&slack, "chat.postEphemeral", stranger), "user_not_in_channel");
        assert_eq!(error(&slack, "chat.meMessage", json!({})), "unknown_method");
    }

    #[test]
    fn history_is_paged_newest_first_and_shows_metadata_only_when_asked() {
        let slack = slack();
        for n in 0..5 {
            let metadata = json!({"event_type": "case", "event_payload": {"n": n}});
            call(
                &slack,
                "chat.postMessage",
                json!({"channel": "C0SECURITY", "text": n.to_string(), "metadata": metadata}),
            );
        }
        let mut seen = vec![];
        let mut cursor = String::new();
        loop {
            let arguments =
                json!({"channel": "C0SECURITY", "limit": 2, "cursor": cursor, "include_all_metadata": true});
            let page = call(&slack, "conversations.history", arguments);
            for message in page["messages"].as_array().expect("messages") {
                seen.push(message["metadata"]["event_payload"]["n"].as_u64().expect("metadata"));
            }
            match page["response_metadata"]["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen, [4, 3, 2, 1, 0]);
        let page = call(&slack, "conversations.history", json!({"channel": "C0SECURITY"}));
        assert!(page["messages"][0]["metadata"].is_null());
        let oldest = page["messages"][3]["ts"].clone();
        let count = |inclusive: bool| {
            let arguments = json!({"channel": "C0SECURITY", "oldest": oldest, "inclusive": inclusive});
            call(&slack, "conversations.history", arguments)["messages"].as_array().map(Vec::len)
        };
        assert_eq!((count(false), count(true)), (Some(3), Some(4)));
    }

    #[test]
    fn replies_stay_in_their_thread() {
        let slack = slack();
        let parent =
            call(&slack, "chat.postMessage", json!({"channel": "C0SECURITY", "text": "parent"}))["ts"]
                .clone();
        call(
            &slack,
            "chat.postMessage",
            json!({"channel": "C0SECURITY", "text": "reply", "thread_ts": parent}),
        );
        let history = call(&slack, "conversations.history", json!({"channel": "C0SECURITY"}));
        assert_eq!(history["messages"].as_array().map(Vec::len), Some(1));
        assert_eq!(history["messages"][0]["reply_count"], 1);
        let replies = call(&slack, "conversations.replies", json!({"channel": "C0SECURITY", "ts": parent}));
        assert_eq!(replies["messages"][1]["text"], "reply");
    }

    #[test]
    fn an_update_keeps_blocks_that_it_does_not_name_and_removes_empty_ones() {
        let slack = slack();
        let blocks = json!([{"type": "divider"}]);
        let posted =
            call(&slack, "chat.postMessage", json!({"channel": "C0SECURITY", "text": "x", "blocks": blocks}));
        let update = |changes: Value| {
            let mut arguments = json!({"channel": "C0SECURITY", "ts": posted["ts"]});
            arguments
                .as_object_mut()
                .expect("an object")
                .extend(changes.as_object().cloned().expect("an object"));
            call(&slack, "chat.update", arguments)["message"].clone()
        };
        assert_eq!(update(json!({"text": "y"}))["blocks"].as_array().map(Vec::len), Some(1));
        assert_eq!(update(json!({"text": "y", "blocks": []}))["blocks"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn an_outage_is_what_it_was_set_to() {
        let slack = slack();
        let answer = || slack.api("auth.test", Some(slack.bot_token()), &Arguments::default(), None);
        slack.set_outage(Outage::ServerError);
        assert_eq!(answer().status, 503);
        slack.set_outage(Outage::RateLimited { retry_after: 7 });
        assert_eq!((answer().status, answer().retry_after), (429, Some(7)));
        slack.set_outage(Outage::OkFalse("fatal_error".into()));
        assert_eq!((answer().status, answer().body["error"].clone()), (200, json!("fatal_error")));
        slack.set_outage(Outage::None);
        assert_eq!(answer().body["ok"], true);
    }
}
