//! Slack's mrkdwn as HTML: bold, italic, struck, code, quotes, links, mentions and a few emoji.
//!
//! Everything that is not markup of ours is escaped on the way out, whatever it is: object keys and file contents
//! come from people who may mean harm.

use super::workspace;

/// Text as HTML, safe inside elements and quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// A message's plain text as HTML: emoji and line ends, no markup.
pub(super) fn plain(text: &str) -> String {
    with_emoji(&escape(text)).replace('\n', "<br>")
}

/// mrkdwn as HTML.
pub(super) fn html(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("```") {
        let Some(length) = rest[start + 3..].find("```") else { break };
        html.push_str(&lines(&rest[..start]));
        let code = rest[start + 3..start + 3 + length].trim_matches('\n');
        html.push_str(&format!("<pre>{}</pre>", escape(&unescape(code))));
        rest = &rest[start + 6 + length..];
    }
    html.push_str(&lines(rest));
    html
}

fn lines(text: &str) -> String {
    let mut html = String::new();
    for (index, line) in text.split('\n').enumerate() {
        match line.strip_prefix("&gt;").or_else(|| line.strip_prefix('>')) {
            Some(quoted) => {
                html.push_str(&format!("<blockquote>{}</blockquote>", inline(quoted.trim_start())));
            }
            None => {
                if index > 0 && !html.ends_with("</blockquote>") {
                    html.push_str("<br>");
                }
                html.push_str(&inline(line));
            }
        }
    }
    html
}

/// One line: code first, for nothing inside it is markup; then references; then emphasis.
fn inline(text: &str) -> String {
    if let Some((before, code, after)) = delimited(text, '`') {
        return format!("{}<code>{}</code>{}", inline(before), escape(&unescape(code)), inline(after));
    }
    if let Some(start) = text.find('<')
        && let Some(length) = text[start..].find('>')
    {
        let reference = &text[start + 1..start + length];
        return format!(
            "{}{}{}",
            emphasis(&text[..start]),
            referred(reference),
            inline(&text[start + length + 1..])
        );
    }
    emphasis(text)
}

fn emphasis(text: &str) -> String {
    for (mark, tag) in [('*', "b"), ('_', "i"), ('~', "s")] {
        if let Some((before, inner, after)) = emphasized(text, mark) {
            return format!("{}<{tag}>{}</{tag}>{}", emphasis(before), emphasis(inner), emphasis(after));
        }
    }
    with_emoji(&escape(&unescape(text)))
}

/// The text between two marks, which must not be empty.
fn delimited(text: &str, mark: char) -> Option<(&str, &str, &str)> {
    let start = text.find(mark)?;
    let length = text[start + 1..].find(mark).filter(|length| *length > 0)?;
    Some((&text[..start], &text[start + 1..start + 1 + length], &text[start + 2 + length..]))
}

/// The same for emphasis, which opens and closes only at the edges of words.
fn emphasized(text: &str, mark: char) -> Option<(&str, &str, &str)> {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    for (start, _) in text.match_indices(mark) {
        let after_mark = &text[start + 1..];
        let opens = !is_word(text[..start].chars().next_back())
            && after_mark.chars().next().is_some_and(|c| !c.is_whitespace() && c != mark);
        if !opens {
            continue;
        }
        let closing = after_mark.match_indices(mark).find(|(end, _)| {
            *end > 0
                && after_mark[..*end].chars().next_back().is_some_and(|c| !c.is_whitespace())
                && !is_word(after_mark[end + 1..].chars().next())
        });
        if let Some((end, _)) = closing {
            return Some((&text[..start], &after_mark[..end], &after_mark[end + 1..]));
        }
    }
    None
}

/// What stands between angle brackets: a mention, a channel, a special word or a link.
fn referred(reference: &str) -> String {
    let (target, label) =
        reference.split_once('|').map_or((reference, None), |(target, label)| (target, Some(label)));
    let mention = |name: &str| format!("<span class=\"mention\">{}</span>", escape(&unescape(name)));
    if let Some(id) = target.strip_prefix('@') {
        return mention(&format!("@{}", workspace::user(id).map_or(label.unwrap_or(id), |user| user.name)));
    }
    if let Some(id) = target.strip_prefix('#') {
        let name = match workspace::channel_name(id) {
            unknown if unknown == id => label.unwrap_or(id),
            name => name,
        };
        return mention(&format!("#{name}"));
    }
    if let Some(special) = target.strip_prefix('!') {
        return match label {
            Some(label) => escape(&unescape(label)),
            None => mention(&format!("@{special}")),
        };
    }
    let url = unescape(target);
    if ["https://", "http://", "mailto:"].iter().any(|scheme| url.starts_with(scheme)) {
        let shown = label.map_or_else(|| escape(&url), |label| with_emoji(&escape(&unescape(label))));
        return format!(
            "<a href=\"{}\" target=\"_blank\" rel=\"noopener noreferrer\">{shown}</a>",
            escape(&url)
        );
    }
    escape(&format!("<{}>", unescape(reference)))
}

/// Slack's three entities, and no others.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn with_emoji(html: &str) -> String {
    const EMOJI: [(&str, &str); 24] = [
        (":alarm_clock:", "⏰"),
        (":arrows_counterclockwise:", "🔄"),
        (":bucket:", "🪣"),
        (":clock1:", "🕐"),
        (":credit_card:", "💳"),
        (":eyes:", "👀"),
        (":hourglass:", "⌛"),
        (":hourglass_flowing_sand:", "⏳"),
        (":information_source:", "ℹ️"),
        (":key:", "🔑"),
        (":large_green_circle:", "🟢"),
        (":large_orange_circle:", "🟠"),
        (":large_yellow_circle:", "🟡"),
        (":lock:", "🔒"),
        (":mag:", "🔍"),
        (":no_entry:", "⛔"),
        (":package:", "📦"),
        (":red_circle:", "🔴"),
        (":rotating_light:", "🚨"),
        (":shield:", "🛡️"),
        (":test_tube:", "🧪"),
        (":warning:", "⚠️"),
        (":white_check_mark:", "✅"),
        (":x:", "❌"),
    ];
    if !html.contains(':') {
        return html.to_owned();
    }
    EMOJI.iter().fold(html.to_owned(), |html, (name, sign)| html.replace(name, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_elements() {
        for (mrkdwn, expected) in [
            ("*High* severity", "<b>High</b> severity"),
            ("_a_ and ~b~", "<i>a</i> and <s>b</s>"),
            ("*bold and _both_*", "<b>bold and <i>both</i></b>"),
            ("2*3*4 and a_b_c", "2*3*4 and a_b_c"),
            ("`*not bold*`", "<code>*not bold*</code>"),
            ("```x <b> &amp; y```", "<pre>x &lt;b&gt; &amp; y</pre>"),
            ("one\ntwo", "one<br>two"),
            ("&gt; said\nthen", "<blockquote>said</blockquote>then"),
            (
                "<@U0ALICE001> in <#C0SECURITY>",
                "<span class=\"mention\">@alice</span> in <span class=\"mention\">#cordon-approvals</span>",
            ),
            (":lock: shut", "🔒 shut"),
        ] {
            assert_eq!(html(mrkdwn), expected, "{mrkdwn}");
        }
        let link = html("<https://example.com/a?b=1&amp;c=2|the run>");
        assert!(link.starts_with("<a href=\"https://example.com/a?b=1&amp;c=2\""), "{link}");
        assert!(link.ends_with(">the run</a>"));
    }

    #[test]
    fn nothing_escapes_the_escaping() {
        for hostile in [
            "<script>alert(1)</script>",
            "&lt;img src=x onerror=alert(1)&gt;",
            "`<img src=x onerror=alert(1)>`",
            "*<img src=x onerror=alert(1)>*",
            "<javascript:alert(1)|click>",
            "<https://example.com/\"onmouseover=\"alert(1)|x>",
            "<https://example.com|<img src=x onerror=alert(1)>>",
            "<@<img src=x onerror=alert(1)>>",
            "```<script>alert(1)</script>```",
            "> <script>alert(1)</script>",
        ] {
            for html in [html(hostile), plain(hostile)] {
                let lower = html.to_lowercase();
                assert!(!lower.contains("<script") && !lower.contains("<img"), "{hostile} became {html}");
                assert!(!lower.contains("href=\"javascript"), "{hostile} became {html}");
                assert!(!lower.contains("\"onmouseover"), "{hostile} became {html}");
            }
        }
    }

    #[test]
    fn slacks_own_escapes_show_the_character() {
        assert_eq!(html("Full name &amp; cards.xlsx"), "Full name &amp; cards.xlsx");
        assert_eq!(html("a &amp;lt; b"), "a &amp;lt; b", "only once");
    }
}
