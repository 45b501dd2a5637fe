//! The modals that ask a person why: what they look like, and what comes back
//! (<https://docs.slack.dev/surfaces/modals>).

use cordon_domain::case::vote::MAX_REASON_CHARS;
use serde_json::{Value, json};

use crate::slack::capability::Capability;

/// The block and the action of the only input.
const REASON: &str = "reason";
/// A longer URL is not kept: Slack takes 3,000 characters of `private_metadata`.
const MAX_URL_BYTES: usize = 1_000;

/// A modal that was sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    /// Where the click that opened it can be answered. A modal comes with no such URL of its own.
    pub response_url: Option<Capability>,
    /// The action id of the button that opened it.
    pub action_id: String,
    /// The value of that button.
    pub value: String,
    /// What the person wrote; may be nothing but blanks, which are cut off.
    pub reason: String,
}

/// The button that opens a modal.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// Its action id.
    pub action_id: &'a str,
    /// Its value.
    pub value: &'a str,
    /// Where the click can be answered.
    pub response_url: Option<&'a Capability>,
}

/// A modal that asks why, for a button.
pub fn why(title: &str, explanation: &str, send: &str, opened_by: &Opened<'_>) -> Value {
    let Opened { action_id, value, response_url } = opened_by;
    let response_url = response_url.map(Capability::expose).filter(|url| url.len() <= MAX_URL_BYTES);
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    json!({
        "type": "modal",
        "callback_id": REASON,
        "title": plain(title),
        "submit": plain(send),
        "close": plain("Cancel"),
        "private_metadata": json!({"action_id": action_id, "value": value, "response_url": response_url})
            .to_string(),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": explanation, "verbatim": true}},
            {"type": "input", "block_id": REASON, "label": plain("Why?"),
                "hint": plain("Kept with the case, and shown in the channel."),
                "element": {"type": "plain_text_input", "action_id": REASON, "multiline": true, "min_length": 3,
                    "max_length": MAX_REASON_CHARS}},
        ],
    })
}

/// The answer that keeps a modal open, because it was sent with nothing but blanks
/// (<https://docs.slack.dev/surfaces/modals#displaying_errors>).
pub fn says_nothing() -> Value {
    json!({"response_action": "errors", "errors": {REASON: "Say why, for those who read the record later."}})
}

/// Reads the view of a submission; `None` when it is not one of [`why`].
pub fn read(view: &Value) -> Option<Sent> {
    let opened: Value = serde_json::from_str(view["private_metadata"].as_str()?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let reason = view["state"]["values"][REASON][REASON]["value"].as_str()?.trim();
    if reason.chars().count() > MAX_REASON_CHARS {
        return None;
    }
    Some(Sent {
        response_url: text(&opened["response_url"]).map(Capability::new),
        action_id: text(&opened["action_id"])?,
        value: text(&opened["value"])?,
        reason: reason.to_owned(),
    })
}
