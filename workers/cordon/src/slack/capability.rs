//! What Slack lends with a click, such as the URL by which the click can be answered.

use std::fmt;

/// Whoever has it can use it, so it is neither logged nor shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Capability(String);

impl Capability {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives it to who uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Capability(…)")
    }
}
