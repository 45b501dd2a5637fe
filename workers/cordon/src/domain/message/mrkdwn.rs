//! Slack's text, with whatever came from outside made harmless and cut to Block Kit's limits
//! (<https://docs.slack.dev/messaging/formatting-message-text>).

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::vote::Voter;

pub(super) fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
}

pub(super) fn context(text: &str) -> Value {
    json!({"type": "context", "elements": [mrkdwn(text)]})
}

pub(super) fn field(name: &str, value: &str) -> Value {
    mrkdwn(&format!("*{name}*\n{value}"))
}

pub(super) fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

pub(super) fn plain(limit: usize, text: &str) -> Value {
    json!({"type": "plain_text", "text": cut(text, limit), "emoji": true})
}

/// `&`, `<` and `>` as Slack wants them escaped (nothing else can open a mention or a link), cut so that what comes
/// out has at most `limit` characters.
pub fn escape(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let escaped = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            _ => "",
        };
        length += if escaped.is_empty() { 1 } else { escaped.len() };
        if length >= limit {
            out.push('…');
            break;
        }
        if escaped.is_empty() { out.push(c) } else { out.push_str(escaped) }
    }
    out
}

/// Inline code that its content cannot leave.
pub fn code(text: &str, limit: usize) -> String {
    let shown: String = text
        .chars()
        .map(|c| match c {
            '`' => 'ˋ',
            c if c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c) =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect();
    format!("`{}`", escape(&shown, limit))
}

/// A time in the reader's own time zone; as it is stored where Slack cannot show that
/// (<https://docs.slack.dev/messaging/formatting-message-text#date-formatting>).
pub(super) fn at(time: &str) -> String {
    let stored = escape(time, 100);
    match time.parse::<Timestamp>() {
        Ok(parsed) => format!("<!date^{}^{{date_short_pretty}} {{time}}|{stored}>", parsed.as_second()),
        Err(_) => stored,
    }
}

/// A Slack user as a mention, an IAM ARN as code.
pub(super) fn voter(voter: &Voter) -> String {
    match voter {
        Voter::Slack { user, .. } => mention(user),
        Voter::Iam { arn, .. } => code(arn, 300),
    }
}

pub(super) fn mention(user: &str) -> String {
    format!("<@{}>", identifier(user))
}

pub(super) fn mention_group(group: &str) -> String {
    format!("<!subteam^{}>", identifier(group))
}

/// A Slack id, with everything dropped that is none.
fn identifier(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}

pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}
