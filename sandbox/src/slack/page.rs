//! The channel as a page: rendered here, complete without scripts, brought up to date by a small one.
//!
//! A button is a form; a button that asks first unfolds its question. What is shown came from object keys and the
//! like, so that everything passes through [`mrkdwn`](super::mrkdwn), which escapes.

use serde_json::Value;

use super::{State, messages, modals::Modal, mrkdwn, workspace, workspace::User};

/// The style sheet.
pub(super) const STYLE: &str = include_str!("page.css");
/// The script.
pub(super) const SCRIPT: &str = include_str!("page.js");

/// The whole page, as one user sees it.
pub(super) fn page(state: &State, channel: &str, user: &User) -> String {
    let choices: String = workspace::USERS
        .iter()
        .map(|one| {
            let selected = if one == user { " selected" } else { "" };
            format!("<option value=\"{}\"{selected}>{}</option>", one.id, mrkdwn::escape(&described(one)))
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>#{name} · {team}</title>\n\
         <link rel=\"stylesheet\" href=\"/page.css\">\n\
         <noscript><meta http-equiv=\"refresh\" content=\"4\"></noscript>\n\
         <script src=\"/page.js\" defer></script>\n</head>\n<body>\n\
         <aside><h1>{team}</h1><nav><p>Channels</p><a aria-current=\"page\" href=\"/channel/{channel}?as={user}\">\
         # {name}</a></nav></aside>\n\
         <main>\n<header><h2># {name}</h2>\
         <form method=\"get\" action=\"/channel/{channel}\" class=\"who\"><label>You are \
         <select name=\"as\">{choices}</select></label><noscript><button>Switch</button></noscript></form></header>\n\
         <section id=\"messages\" data-channel=\"{channel}\" data-as=\"{user}\" data-version=\"{version}\" \
         aria-live=\"polite\">{messages}</section>\n\
         <footer>A workspace of the sandbox. Buttons send what Slack sends, signed, to the app.</footer>\n\
         </main>\n</body>\n</html>\n",
        name = workspace::channel_name(channel),
        team = workspace::TEAM_NAME,
        user = user.id,
        version = state.messages.version(),
        messages = fragment(state, channel, user),
    )
}

fn described(user: &User) -> String {
    if user.team == workspace::TEAM {
        user.name.to_owned()
    } else {
        format!("{} (of another workspace)", user.name)
    }
}

/// The messages that a user sees, oldest first.
pub(super) fn fragment(state: &State, channel: &str, user: &User) -> String {
    let posted = state.messages.of(channel);
    let own = |message: &&Value| message["channel"] == channel && message["user"] == user.id;
    let ephemeral: Vec<&Value> = state.messages.ephemerals().iter().filter(own).collect();
    let mut shown: Vec<(&Value, bool)> = posted
        .iter()
        .filter(|message| message["thread_ts"].is_null())
        .map(|message| (message, false))
        .chain(ephemeral.into_iter().map(|message| (message, true)))
        .collect();
    shown.sort_by_key(|(message, _)| message["ts"].as_str().and_then(messages::microseconds));
    let mut html = String::new();
    if shown.is_empty() {
        html.push_str(
            "<p class=\"empty\">Nothing has been posted yet. Messages appear here by themselves.</p>",
        );
    }
    for (message, only_you) in shown {
        let replies: String = posted
            .iter()
            .filter(|reply| !only_you && reply["thread_ts"] == message["ts"])
            .map(|reply| article(reply, channel, user, false, ""))
            .collect();
        html.push_str(&article(message, channel, user, only_you, &replies));
    }
    if let Some(modal) = state.modals.of(user.id) {
        html.push_str(&dialog(modal, channel, user));
    }
    if let Some((_, error)) = state.click_errors.iter().find(|(of, _)| of == user.id) {
        html.push_str(&format!("<p class=\"failed\" role=\"alert\">⚠️ {}</p>", mrkdwn::escape(error)));
    }
    html
}

/// A modal as a form.
fn dialog(modal: &Modal, channel: &str, user: &User) -> String {
    let view = &modal.view;
    let blocks: String = view["blocks"].as_array().into_iter().flatten().map(|block| {
        if block["type"] != "input" {
            return rendered(block, channel, "", user, true);
        }
        let element = &block["element"];
        let bound = |name: &str, default| element[name].as_u64().unwrap_or(default);
        let wrong = modal.errors.get(block["block_id"].as_str().unwrap_or_default()).and_then(Value::as_str);
        let wrong = wrong.map(|wrong| format!("<p class=\"wrong\">{}</p>", mrkdwn::escape(wrong))).unwrap_or_default();
        format!(
            "<label>{}<textarea name=\"text\" rows=\"3\" required minlength=\"{}\" maxlength=\"{}\"></textarea></label>\
             {wrong}<p class=\"hint\">{}</p>",
            text(&block["label"]),
            bound("min_length", 1),
            bound("max_length", 3_000),
            text(&block["hint"]),
        )
    }).collect();
    format!(
        "<form method=\"post\" action=\"/channel/{channel}/modal\" class=\"modal\" role=\"dialog\" aria-modal=\"true\">\
         <input type=\"hidden\" name=\"as\" value=\"{user}\"><input type=\"hidden\" name=\"modal\" value=\"{id}\"><h4>{}</h4>{blocks}<div class=\"actions\">\
         <button class=\"button primary\" name=\"do\" value=\"send\">{}</button>\
         <button class=\"button\" name=\"do\" value=\"cancel\" formnovalidate>{}</button></div></form>",
        text(&view["title"]),
        text(&view["submit"]),
        text(&view["close"]),
        user = user.id,
        id = modal.id,
    )
}

fn article(message: &Value, channel: &str, user: &User, only_you: bool, replies: &str) -> String {
    let ts = message["ts"].as_str().unwrap_or_default();
    let blocks = message["blocks"].as_array().filter(|blocks| !blocks.is_empty());
    let body: String = match blocks {
        Some(blocks) => blocks.iter().map(|block| rendered(block, channel, ts, user, only_you)).collect(),
        None => format!("<p>{}</p>", mrkdwn::html(message["text"].as_str().unwrap_or_default())),
    };
    let edited = if message["edited"].is_null() { "" } else { " <small class=\"edited\">(edited)</small>" };
    let note = if only_you { "<p class=\"note\">👁 Only visible to you</p>" } else { "" };
    let thread =
        if replies.is_empty() { String::new() } else { format!("<div class=\"thread\">{replies}</div>") };
    format!(
        "<article id=\"m{id}\"{class}><div class=\"avatar\" aria-hidden=\"true\">C</div><div class=\"body\">{note}\
         <p class=\"by\"><b>{bot}</b> <span class=\"app\">APP</span> <time datetime=\"{iso}\">{clock}</time>{edited}</p>\
         {body}{thread}</div></article>",
        id = mrkdwn::escape(ts),
        class = if only_you { " class=\"ephemeral\"" } else { "" },
        bot = workspace::BOT_NAME,
        iso = time_of(ts, "%Y-%m-%dT%H:%M:%SZ"),
        clock = time_of(ts, "%H:%M:%S UTC"),
    )
}

fn time_of(ts: &str, format: &str) -> String {
    let time = messages::microseconds(ts).and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    time.map(|time| time.strftime(format).to_string()).unwrap_or_default()
}

fn rendered(block: &Value, channel: &str, ts: &str, user: &User, only_you: bool) -> String {
    let button = |element: &Value| self::button(element, channel, ts, user, only_you);
    let elements = || block["elements"].as_array().into_iter().flatten();
    match block["type"].as_str() {
        Some("header") => format!("<h3>{}</h3>", text(&block["text"])),
        Some("divider") => "<hr>".to_owned(),
        Some("context") => {
            let parts: String = elements().map(|element| format!("<span>{}</span>", text(element))).collect();
            format!("<div class=\"context\">{parts}</div>")
        }
        Some("actions") => {
            format!("<div class=\"actions\">{}</div>", elements().map(button).collect::<String>())
        }
        _ => {
            let mut html = String::from("<div class=\"section\"><div>");
            if !block["text"].is_null() {
                html.push_str(&format!("<div>{}</div>", text(&block["text"])));
            }
            if let Some(fields) = block["fields"].as_array() {
                let fields: String =
                    fields.iter().map(|field| format!("<div>{}</div>", text(field))).collect();
                html.push_str(&format!("<div class=\"fields\">{fields}</div>"));
            }
            html.push_str("</div>");
            if !block["accessory"].is_null() {
                html.push_str(&button(&block["accessory"]));
            }
            html.push_str("</div>");
            html
        }
    }
}

fn text(object: &Value) -> String {
    let text = object["text"].as_str().unwrap_or_default();
    if object["type"] == "mrkdwn" { mrkdwn::html(text) } else { mrkdwn::plain(text) }
}

fn button(element: &Value, channel: &str, ts: &str, user: &User, only_you: bool) -> String {
    let label = text(&element["text"]);
    let style = match element["style"].as_str() {
        Some("primary") => " primary",
        Some("danger") => " danger",
        _ => "",
    };
    let url = element["url"].as_str().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    if let Some(url) = url {
        let url = mrkdwn::escape(url);
        return format!(
            "<a class=\"button{style}\" href=\"{url}\" target=\"_blank\" rel=\"noopener noreferrer\">{label}</a>"
        );
    }
    let form = |label: &str, class: &str| {
        format!(
            "<form method=\"post\" action=\"/channel/{channel}/click\"><input type=\"hidden\" name=\"as\" \
             value=\"{user}\"><input type=\"hidden\" name=\"ts\" value=\"{ts}\"><input type=\"hidden\" \
             name=\"action_id\" value=\"{action}\"><button class=\"button{class}\"{disabled}>{label}</button></form>",
            user = user.id,
            ts = mrkdwn::escape(ts),
            action = mrkdwn::escape(element["action_id"].as_str().unwrap_or_default()),
            // Ephemeral messages are not kept where a click could find them.
            disabled = if only_you { " disabled" } else { "" },
        )
    };
    let confirm = &element["confirm"];
    if confirm.is_null() {
        return form(&label, style);
    }
    format!(
        "<details class=\"confirm\"><summary class=\"button{style}\">{label}</summary><div role=\"dialog\">\
         <h4>{}</h4><p>{}</p><div class=\"actions\">{}<span class=\"button deny\">{}</span></div></div></details>",
        text(&confirm["title"]),
        text(&confirm["text"]),
        form(&text(&confirm["confirm"]), style),
        text(&confirm["deny"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CHANNEL: &str = workspace::CHANNEL.id;

    fn alice() -> &'static User {
        &workspace::USERS[0]
    }

    #[test]
    fn blocks_and_their_buttons_are_shown() {
        let mut state = State::default();
        state.messages.post(
            CHANNEL,
            json!({"text": "t", "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": "Credentials in S3"}},
                {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Severity*\nHigh"}]},
                {"type": "divider"},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "case `c1`"}]},
                {"type": "actions", "elements": [
                    {"type": "button", "action_id": "q", "style": "danger", "text": {"type": "plain_text", "text": "Quarantine"},
                     "confirm": {"title": {"type": "plain_text", "text": "Sure?"}, "text": {"type": "mrkdwn", "text": "*really*"},
                                 "confirm": {"type": "plain_text", "text": "Yes"}, "deny": {"type": "plain_text", "text": "No"}}},
                    {"type": "button", "action_id": "d", "text": {"type": "plain_text", "text": "Dismiss"}},
                    {"type": "button", "url": "https://example.com/?a=1&b=2", "text": {"type": "plain_text", "text": "Open"}},
                ]},
            ]}),
        );
        let html = page(&state, CHANNEL, alice());
        for expected in [
            "<h3>Credentials in S3</h3>",
            "<b>Severity</b><br>High",
            "<hr>",
            "<code>c1</code>",
            "<summary class=\"button danger\">Quarantine</summary>",
            "<b>really</b>",
            "name=\"action_id\" value=\"d\"",
            "href=\"https://example.com/?a=1&amp;b=2\"",
            "<option value=\"U0ALICE001\" selected>",
        ] {
            assert!(html.contains(expected), "no {expected} in {html}");
        }
    }

    #[test]
    fn hostile_names_stay_text() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
        let mut state = State::default();
        let part = json!({"type": "plain_text", "text": hostile});
        let mrkdwn = json!({"type": "mrkdwn", "text": hostile});
        state.messages.post(
            CHANNEL,
            json!({"text": hostile, "blocks": [
                {"type": "header", "text": part},
                {"type": "section", "text": mrkdwn, "fields": [mrkdwn, part]},
                {"type": "context", "elements": [mrkdwn]},
                {"type": "actions", "elements": [
                    {"type": "button", "action_id": hostile, "value": hostile, "text": part},
                    {"type": "button", "action_id": "u", "url": "javascript:alert(1)", "text": part},
                ]},
            ]}),
        );
        state.messages.post(CHANNEL, json!({"text": hostile}));
        state.click_errors.push((alice().id.to_owned(), hostile.to_owned()));
        let html = fragment(&state, CHANNEL, alice());
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains("javascript:"),
            "{html}"
        );
    }

    #[test]
    fn ephemeral_messages_are_for_one_user_and_replies_stand_under_their_parent() {
        let mut state = State::default();
        let parent = state.messages.post(CHANNEL, json!({"text": "parent"}));
        state.messages.post(CHANNEL, json!({"text": "reply", "thread_ts": parent["ts"]}));
        state.messages.post_ephemeral(CHANNEL, "U0BOB00002", json!({"text": "for bob"}));
        let (bob, alice) =
            (fragment(&state, CHANNEL, &workspace::USERS[1]), fragment(&state, CHANNEL, alice()));
        assert!(bob.contains("for bob") && bob.contains("Only visible to you"));
        assert!(!alice.contains("for bob"));
        assert!(alice.contains("<div class=\"thread\"><article"));
    }
}
