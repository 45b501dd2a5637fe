//! Output for people and for programs. Keys, reasons and names come from strangers: what could move a cursor, hide
//! text or reverse it never reaches the terminal as it is.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Prints a line, with everything that a terminal would not simply show written as an escape like `\u{1b}`.
///
/// # Errors
/// When nobody reads it.
pub(super) fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", harmless(line))
}

/// The same to standard error.
pub(super) fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{}", harmless(line));
}

/// Prints our own words to standard error as they are, which may be several lines. What comes from outside has to be
/// quoted in them.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether an error says only that nobody reads any more what is printed: somebody piped it into `head`, and has seen
/// enough.
pub(super) fn is_unread(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A text of which every character can be shown; different texts stay different.
fn harmless(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// Prints a value as JSON in one line.
///
/// # Errors
/// When nobody reads it.
pub(super) fn say_json(value: &impl Serialize) -> io::Result<()> {
    writeln!(io::stdout(), "{}", json(value))
}

/// JSON in one line, likewise harmless: JSON itself leaves C1 controls and bidirectional overrides as they are.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).expect("plain members");
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.escape_debug().len() == 1) {
            out.push(c);
        } else {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

/// A JSON array that is written while its members come, a line each.
#[derive(Debug, Default)]
pub(super) struct JsonArray {
    begun: bool,
}

impl JsonArray {
    /// Writes a member.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn push(&mut self, member: &impl Serialize) -> io::Result<()> {
        let before = if self.begun { ",\n" } else { "[\n" };
        self.begun = true;
        write!(io::stdout(), "{before}{}", json(member))
    }

    /// Ends the array.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn end(self) -> io::Result<()> {
        writeln!(io::stdout(), "{}", if self.begun { "\n]" } else { "[]" })
    }
}

/// `3 of 10`, on a terminal only, kept below the lines that are printed.
#[derive(Debug)]
pub(super) struct Progress {
    of: usize,
    done: usize,
    shown: bool,
}

impl Progress {
    /// Shows that nothing is done yet.
    pub(super) fn new(of: usize) -> Self {
        let progress = Self { of, done: 0, shown: of > 1 && io::stderr().is_terminal() };
        progress.draw();
        progress
    }

    /// Counts one more, after `print` has had the line to itself.
    ///
    /// # Errors
    /// Those of `print`.
    pub(super) fn step(&mut self, print: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.done += 1;
        self.beside(print)
    }

    /// Counts so many more.
    pub(super) fn advance(&mut self, by: usize) {
        self.clear();
        self.done += by;
        self.draw();
    }

    /// Lets `print` have the line to itself.
    ///
    /// # Errors
    /// Those of `print`.
    pub(super) fn beside(&self, print: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.clear();
        print()?;
        self.draw();
        Ok(())
    }

    fn draw(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "{} of {}", self.done, self.of);
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_cannot_steer_the_terminal() {
        let key = "a\u{1b}[2Jb\u{9b}31m\r\n\u{202e}c\u{7f}\u{200d}";
        assert_eq!(harmless(key), "a\\u{1b}[2Jb\\u{9b}31m\\r\\n\\u{202e}c\\u{7f}\\u{200d}");
        assert_eq!(harmless("it's a \"key\" é 鍵 🔑"), "it's a \"key\" é 鍵 🔑");
        assert_ne!(harmless("a\\n"), harmless("a\n"));
        assert_eq!(json(&key), r#""a\u001b[2Jb\u009b31m\r\n\u202ec\u007f\u200d""#);
    }

    proptest! {
        #[test]
        fn any_text_is_shown_in_one_harmless_line_and_read_back_from_json(text in "\\PC*|.*|(?s).*") {
            let steers = |shown: &str| shown.chars().any(char::is_control);
            prop_assert!(!steers(&harmless(&text)));
            prop_assert!(!steers(&json(&text)));
            prop_assert_eq!(serde_json::from_str::<String>(&json(&text)).unwrap(), text);
        }

        #[test]
        fn two_texts_are_never_shown_alike(one in "[\\\\'\"u{}1b\u{1b}\n]{0,8}", other in "[\\\\'\"u{}1b\u{1b}\n]{0,8}") {
            prop_assert_eq!(harmless(&one) == harmless(&other), one == other);
        }
    }
}
