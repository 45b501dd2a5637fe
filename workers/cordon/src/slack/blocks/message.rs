//! What is posted.

use serde_json::Value;

/// The `event_type` of the message metadata by which a posted message is found again.
pub const METADATA_TYPE: &str = "cordon_case";
/// The `event_type` of the metadata of reminders.
pub(super) const REMINDER_TYPE: &str = "cordon_reminder";

/// A message as `chat.postMessage` and `chat.update` take it, without its channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// What notifications and screen readers show.
    pub text: String,
    /// The blocks.
    pub blocks: Value,
    /// Names case and generation.
    pub metadata: Value,
}

/// What is said in the thread to people who are asked once more.
#[derive(Clone, Debug, PartialEq)]
pub struct Reminder {
    /// The text.
    pub text: String,
    /// Names case, generation, and which time it is.
    pub metadata: Value,
}
