//! Why Slack does not do something.

use std::time::Duration;

/// Why Slack did not do it. None of these ends a case: the notifier tries again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SlackError {
    /// Too fast; Slack says how long to wait.
    #[error("Slack asks to wait {} s", .0.as_secs())]
    RateLimited(Duration),
    /// No answer, or one that is not Slack's.
    #[error("Slack cannot be reached ({0})")]
    Unreachable(String),
    /// The secret holds no bot token.
    #[error("Slack cannot be asked: {0}")]
    NoToken(String),
    /// `ok: false`, with Slack's error code, such as `channel_not_found`.
    #[error("Slack refused {method} ({error})")]
    Refused {
        /// The method.
        method: &'static str,
        /// Slack's code.
        error: String,
    },
}

/// What a refusal that does not pass by itself is about: to send the same again is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What the message says, or its blocks.
    Content,
    /// The message that was to be changed: it is no longer there.
    MessageGone,
    /// The message that was to be changed or answered to, which cannot be.
    MessageFixed,
    /// The channel.
    Channel,
    /// The app: its token, its scopes, the workspace.
    App,
}

impl SlackError {
    /// What this is about, if it does not pass by itself
    /// (<https://docs.slack.dev/reference/methods/chat.postMessage>, …/chat.update). A code that is not known here may
    /// pass.
    pub fn refusal(&self) -> Option<Refusal> {
        let error = match self {
            Self::Refused { error, .. } => error,
            Self::NoToken(_) => return Some(Refusal::App),
            Self::RateLimited(_) | Self::Unreachable(_) => return None,
        };
        Some(match error.as_str() {
            "invalid_blocks"
            | "invalid_blocks_format"
            | "invalid_block_id"
            | "msg_blocks_too_long"
            | "msg_too_long"
            | "no_text"
            | "block_mismatch"
            | "invalid_arguments"
            | "invalid_attachments"
            | "invalid_metadata_format"
            | "invalid_metadata_schema"
            | "metadata_too_large"
            | "too_many_attachments" => Refusal::Content,
            "message_not_found" => Refusal::MessageGone,
            "cant_update_message"
            | "edit_window_closed"
            | "thread_not_found"
            | "cannot_reply_to_message"
            | "restricted_action_non_threadable_channel"
            | "restricted_action_thread_locked" => Refusal::MessageFixed,
            "channel_not_found"
            | "channel_type_not_supported"
            | "not_in_channel"
            | "is_archived"
            | "is_inactive"
            | "restricted_action"
            | "restricted_action_read_only_channel"
            | "restricted_action_thread_only_channel"
            | "no_permission"
            | "team_not_found" => Refusal::Channel,
            "not_authed"
            | "invalid_auth"
            | "account_inactive"
            | "token_revoked"
            | "token_expired"
            | "missing_scope"
            | "not_allowed_token_type"
            | "access_denied"
            | "accesslimited"
            | "ekm_access_denied"
            | "enterprise_is_restricted"
            | "org_login_required"
            | "team_access_not_granted"
            | "two_factor_setup_required"
            | "method_deprecated"
            | "deprecated_endpoint"
            | "metadata_must_be_sent_from_app" => Refusal::App,
            _ => return None,
        })
    }

    /// Whether another token may be taken.
    pub(super) fn is_about_token(&self) -> bool {
        const CODES: [&str; 4] = ["invalid_auth", "not_authed", "token_revoked", "token_expired"];
        matches!(self, Self::Refused { error, .. } if CODES.contains(&error.as_str()))
    }

    /// Slack's code, or what happened instead.
    pub fn code(&self) -> &str {
        match self {
            Self::RateLimited(_) => "ratelimited",
            Self::Unreachable(why) | Self::NoToken(why) => why,
            Self::Refused { error, .. } => error,
        }
    }
}
