//! Text from outside, as it is shown to people in a sentence.

/// How many characters are shown.
const SHOWN: usize = 64;

/// The text in quotes, short, and on one line: what would break or reorder the sentence is U+FFFD.
pub fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let plain = |c: char| match c {
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    format!("\"{}\"{more}", shown.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_short_and_stays_on_its_line() {
        assert_eq!(quoted("aws.macie2"), r#""aws.macie2""#);
        assert_eq!(quoted("a\nb\u{9b}31m\u{202e}"), "\"a\u{fffd}b\u{fffd}31m\u{fffd}\"");
        assert_eq!(quoted(&"字".repeat(65)), format!("\"{}\"…", "字".repeat(64)));
    }
}
