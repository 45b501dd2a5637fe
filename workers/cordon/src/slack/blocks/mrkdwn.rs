//! Slack's text, with whatever came from outside made harmless and cut to Block Kit's limits
//! (<https://docs.slack.dev/messaging/formatting-message-text>).

use cordon_domain::{
    case::vote::{Vote, Voter},
    time::Time,
};
use serde_json::{Value, json};

use super::limits::{Room, length};

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

/// `&`, `<` and `>` as Slack wants them escaped (nothing else can open a mention or a link), and what would hide or
/// reorder text replaced; cut so that what comes out has at most `limit` characters.
pub fn escape(text: &str, limit: usize) -> String {
    let shown: Vec<char> = text.chars().map(visible).collect();
    let whole = cost(&shown) <= limit;
    let kept = if whole { shown.len() } else { fitting(shown.iter(), limit.saturating_sub(1)) };
    let mut out = escaped(&shown[..kept]);
    out.extend((!whole).then_some('…'));
    out
}

/// Inline code that its content cannot leave.
pub fn code(text: &str, limit: usize) -> String {
    format!("`{}`", escape(&without_ticks(text), limit))
}

/// The same, but of what is too long the end is kept too, for it tells keys apart; and whether it is cut.
pub(super) fn code_with_ends(text: &str, limit: usize) -> (String, bool) {
    let shown: Vec<char> = without_ticks(text).chars().map(visible).collect();
    if cost(&shown) <= limit {
        return (format!("`{}`", escaped(&shown)), false);
    }
    let half = limit.saturating_sub(1) / 2;
    let first = fitting(shown.iter(), half);
    let last = shown.len() - fitting(shown.iter().rev(), half);
    (format!("`{}…{}`", escaped(&shown[..first]), escaped(&shown[last..])), true)
}

fn without_ticks(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '`' => 'ˋ',
            // Code ends with its line.
            '\n' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A character, or U+FFFD for one that would hide, break or reorder the text around it.
fn visible(c: char) -> char {
    match c {
        '\n' => c,
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn cost(text: &[char]) -> usize {
    text.iter().map(cost_of).sum()
}

fn cost_of(c: &char) -> usize {
    match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        c => c.len_utf16(),
    }
}

/// How many of these characters come to at most `limit` when they are escaped.
fn fitting<'a>(text: impl Iterator<Item = &'a char>, limit: usize) -> usize {
    let lengths = text.map(cost_of).scan(0, |sum, cost| {
        *sum += cost;
        Some(*sum)
    });
    lengths.take_while(|&sum| sum <= limit).count()
}

fn escaped(text: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(*c),
        }
    }
    out
}

/// A time in the reader's own time zone; as it is stored where Slack cannot show that
/// (<https://docs.slack.dev/messaging/formatting-message-text#date-formatting>).
pub(super) fn at(time: Time) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{time}>", time.timestamp().as_second())
}

/// A Slack user as a mention, also of the command line where policy knows them; another IAM principal as code.
pub(super) fn voter(voter: &Voter, room: Room) -> String {
    match voter {
        Voter::Slack { user, .. } => mention(user),
        Voter::Iam { slack_user: Some(user), .. } => mention(user),
        Voter::Iam { principal, .. } => principal_id(principal, room),
    }
}

/// How many people who voted are named.
const VOTERS_NAMED: usize = 6;

/// The people who voted, each as `name` says.
pub(super) fn voters(votes: &[&Vote], between: &str, room: Room, name: impl Fn(&Vote) -> String) -> String {
    let named = room.items(VOTERS_NAMED);
    let mut who: Vec<String> = votes.iter().take(named).map(|vote| name(vote)).collect();
    who.extend((votes.len() > named).then(|| format!("{} more", votes.len() - named)));
    who.join(between)
}

/// The id of an IAM principal as code. Its end, the name of a role's session, tells who it is.
pub(super) fn principal_id(id: &str, room: Room) -> String {
    code_with_ends(id, room.of(300).max(100)).0
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

/// Plain text, in which nothing is escaped, of at most `limit` characters.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let shown: String = text.chars().map(visible).collect();
    if length(&shown) <= limit {
        return shown;
    }
    let mut sum = 0;
    let kept = shown.chars().take_while(|c| {
        sum += c.len_utf16();
        sum < limit
    });
    kept.chain(['…']).collect()
}
