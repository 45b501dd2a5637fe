//! Modals: opened by the app with the trigger of a click, filled in by a person, and sent to the app signed
//! (<https://docs.slack.dev/surfaces/modals>).

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{
    Slack, State, blocks,
    delivery::ClickResult,
    ids::{number, random_hex},
    workspace,
};

/// How long a trigger lives; it works once
/// (<https://docs.slack.dev/interactivity/handling-user-interaction>).
const TRIGGER_LIFE: Duration = Duration::from_secs(3);

/// Characters that Slack allows in parts of a view
/// (<https://docs.slack.dev/reference/views/modal-views>).
const MAX_TITLE_CHARACTERS: usize = 24;
const MAX_METADATA_CHARACTERS: usize = 3_000;

/// Triggers that were given out, and modals that are open.
#[derive(Debug, Default)]
pub(super) struct Modals {
    triggers: Vec<Trigger>,
    open: Vec<Modal>,
}

#[derive(Debug)]
struct Trigger {
    id: String,
    user: String,
    expires: Instant,
    used: bool,
}

/// An open modal.
#[derive(Clone, Debug)]
pub(super) struct Modal {
    pub(super) id: String,
    pub(super) user: String,
    pub(super) view: Value,
    /// What the app found wrong with what was sent, by block.
    pub(super) errors: Map<String, Value>,
}

impl Modals {
    /// A trigger for a click of this user.
    pub(super) fn trigger(&mut self, user: &str) -> String {
        let id = format!("{}.{}.{}", number(), number(), random_hex(16));
        let expires = Instant::now() + TRIGGER_LIFE;
        self.triggers.push(Trigger { id: id.clone(), user: user.to_owned(), expires, used: false });
        id
    }

    /// The modal that a user sees: the one opened last.
    pub(super) fn of(&self, user: &str) -> Option<&Modal> {
        self.open.iter().rev().find(|modal| modal.user == user)
    }

    fn redeem(&mut self, id: &str) -> Result<String, &'static str> {
        let trigger =
            self.triggers.iter_mut().find(|trigger| trigger.id == id).ok_or("invalid_trigger_id")?;
        if trigger.expires < Instant::now() {
            return Err("expired_trigger_id");
        }
        if std::mem::replace(&mut trigger.used, true) {
            return Err("exchanged_trigger_id");
        }
        Ok(trigger.user.clone())
    }

    pub(super) fn close(&mut self, id: &str) {
        self.open.retain(|modal| modal.id != id);
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }
}

/// `views.open`.
pub(super) fn open(state: &mut State, trigger_id: &str, view: &Value) -> Result<Value, blocks::Refusal> {
    let refusal = |error| blocks::Refusal { error, messages: vec![] };
    let mut problems = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("[ERROR] {what}"));
        }
    };
    let length = |value: &Value| value.as_str().map_or(0, blocks::length);
    must(view["type"] == "modal", "the sandbox's Slack has only views of type modal");
    for part in ["title", "submit", "close"] {
        let text = &view[part]["text"];
        must(
            view[part]["type"] == "plain_text" && (1..=MAX_TITLE_CHARACTERS).contains(&length(text)),
            &format!(
                "must be plain_text of 1 to {MAX_TITLE_CHARACTERS} characters [json-pointer:/view/{part}]"
            ),
        );
    }
    must(
        length(&view["private_metadata"]) <= MAX_METADATA_CHARACTERS,
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    );
    for id in ["callback_id", "external_id"] {
        let must_be = format!("must be less than 256 characters [json-pointer:/view/{id}]");
        must(length(&view[id]) <= 255, &must_be);
    }
    if !problems.is_empty() {
        return Err(blocks::Refusal { error: "invalid_arguments", messages: problems });
    }
    let mut view = view.clone();
    view["blocks"] = blocks::accept_view(&view["blocks"])?;
    let user = state.modals.redeem(trigger_id).map_err(refusal)?;
    let id = format!("V{}", random_hex(5).to_uppercase());
    view["id"] = json!(id);
    view["team_id"] = json!(workspace::TEAM);
    view["hash"] = json!(format!("{}.{}", number(), random_hex(4)));
    state.modals.open.push(Modal { id, user, view: view.clone(), errors: Map::new() });
    state.messages.touch();
    Ok(json!({"view": view}))
}

impl Slack {
    /// The modals that a user has open, as the app gave them, with their ids; the newest last.
    pub fn modals(&self, user: &str) -> Vec<Value> {
        let state = self.lock();
        state.modals.open.iter().filter(|modal| modal.user == user).map(|modal| modal.view.clone()).collect()
    }

    /// Sends a modal, with this text in its only input.
    pub async fn submit(&self, modal_id: &str, text: &str) -> ClickResult {
        match self.submission(modal_id, text) {
            Ok(payload) => {
                let result = self.send_interaction(&payload).await;
                self.submitted(modal_id, &result);
                result
            }
            Err(error) => ClickResult::not_sent(error),
        }
    }

    /// Closes a modal unsent.
    pub fn cancel(&self, modal_id: &str) {
        let mut state = self.lock();
        state.modals.close(modal_id);
        state.messages.touch();
    }

    /// The payload of a modal that is sent, to be sent with [`send_interaction`](Self::send_interaction) as it is or
    /// changed.
    ///
    /// # Errors
    /// A sentence, if no such modal is open or Slack itself would not send the text.
    pub fn submission(&self, modal_id: &str, text: &str) -> Result<Value, String> {
        let mut state = self.lock();
        let modal = state.modals.open.iter().find(|modal| modal.id == modal_id).cloned();
        let modal = modal.ok_or("this modal is not open any more")?;
        let who = workspace::user(&modal.user).ok_or("there is no such user")?;
        let input =
            modal.view["blocks"].as_array().into_iter().flatten().find(|block| block["type"] == "input");
        let input = input.ok_or("the modal has no input")?;
        let element = &input["element"];
        let length = text.chars().count() as u64;
        let bound = |name: &str, default| element[name].as_u64().unwrap_or(default);
        if length < bound("min_length", 1) || length > bound("max_length", 3_000) {
            return Err("The text is too short or too long.".into());
        }
        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut view = modal.view.clone();
        view["state"] = json!({"values": {name(&input["block_id"]): {name(&element["action_id"]):
            {"type": "plain_text_input", "value": text}}}});
        let trigger_id = state.modals.trigger(who.id);
        Ok(json!({
                "type": "view_submission",
                "team": {"id": workspace::TEAM, "domain": workspace::TEAM_DOMAIN},
                "user": {"id": who.id, "username": who.name, "name": who.name, "team_id": who.team},
                "api_app_id": workspace::APP,
                "token": "verification_token_deprecated",
                "trigger_id": trigger_id,
                "view": view,
                "response_urls": [],
                "is_enterprise_install": false,
                "enterprise": null,
        }))
    }

    /// An empty 200 closes a modal, and `response_action: errors` shows what is wrong.
    fn submitted(&self, id: &str, result: &ClickResult) {
        let mut state = self.lock();
        let answer: Value = serde_json::from_str(&result.body).unwrap_or_default();
        match answer["errors"].as_object().filter(|_| answer["response_action"] == "errors") {
            Some(errors) => {
                for modal in state.modals.open.iter_mut().filter(|modal| modal.id == id) {
                    modal.errors = errors.clone();
                }
            }
            None if result.error.is_none() => state.modals.close(id),
            None => {}
        }
        state.messages.touch();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> Value {
        let plain = |text: &str| json!({"type": "plain_text", "text": text});
        json!({"type": "modal", "callback_id": "reason", "title": plain("Dismiss?"), "submit": plain("Dismiss"),
            "close": plain("Cancel"), "private_metadata": "{}", "blocks": [{"type": "input", "block_id": "reason",
            "label": plain("Why?"), "element": {"type": "plain_text_input", "action_id": "reason", "min_length": 3}}]})
    }

    #[test]
    fn a_trigger_opens_one_modal() {
        let mut state = State::default();
        let trigger = state.modals.trigger("U0ALICE001");
        assert_eq!(open(&mut state, "1.2.unknown", &view()).unwrap_err().error, "invalid_trigger_id");
        assert!(open(&mut state, &trigger, &view()).is_ok());
        assert_eq!(open(&mut state, &trigger, &view()).unwrap_err().error, "exchanged_trigger_id");
        assert!(state.modals.of("U0ALICE001").is_some() && state.modals.of("U0BOB00002").is_none());
        let late = state.modals.trigger("U0ALICE001");
        state.modals.triggers.last_mut().unwrap().expires = Instant::now();
        assert_eq!(open(&mut state, &late, &view()).unwrap_err().error, "expired_trigger_id");
    }

    #[test]
    fn a_view_keeps_slacks_limits() {
        let mut state = State::default();
        for (pointer, wrong) in [
            ("/title/text", json!("x".repeat(25))),
            ("/submit/text", json!("")),
            ("/private_metadata", json!("x".repeat(3_001))),
            ("/type", json!("home")),
            ("/blocks/0/element/type", json!("checkboxes")),
            ("/blocks/0/element/min_length", json!(3_001)),
            ("/blocks/0/block_id", json!("x".repeat(256))),
            ("/callback_id", json!("x".repeat(256))),
        ] {
            let trigger = state.modals.trigger("U0ALICE001");
            let mut view = view();
            *view.pointer_mut(pointer).unwrap() = wrong;
            assert!(open(&mut state, &trigger, &view).is_err(), "{pointer}");
        }
    }

    #[test]
    fn what_is_sent_has_the_members_of_a_real_submission() {
        let slack = Slack::new("http://127.0.0.1:8300");
        let trigger = slack.lock().modals.trigger("U0ALICE001");
        open(&mut slack.lock(), &trigger, &view()).unwrap();
        let id = slack.modals("U0ALICE001")[0]["id"].as_str().unwrap().to_owned();
        assert!(slack.submission(&id, "ab").is_err(), "shorter than the input allows");
        let payload = slack.submission(&id, "a test").unwrap();
        assert_eq!(payload["view"]["state"]["values"]["reason"]["reason"]["value"], "a test");
        assert_eq!(
            (&payload["type"], &payload["user"]["id"]),
            (&json!("view_submission"), &json!("U0ALICE001"))
        );
        slack.cancel(&id);
        assert!(slack.submission(&id, "a test").is_err());
    }
}
