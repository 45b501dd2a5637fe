//! What operators are told when Slack refuses something for good: what happened, and what to do.

use crate::slack::{
    api::{Refusal, SlackError},
    rendering::Rendering,
};

/// Something that operators have to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Tells it from others: operators are told of each once in a while.
    pub about: String,
    /// What happened, and what to do.
    pub what: String,
}

impl Trouble {
    fn new(about: &str, error: &SlackError, what: String) -> Self {
        Self { about: format!("slack#{about}#{}", error.code()), what }
    }
}

/// A message could not be posted or changed in its channel, and is in the fallback channel now.
pub(super) fn moved(channel: &str, fallback: &str, error: &SlackError) -> Trouble {
    let what = format!(
        "Slack does not take messages in channel {channel} ({}). Cases are shown in the fallback channel {fallback} \
         instead, where the same people can decide them. {}",
        error.code(),
        mend_channel(error)
    );
    Trouble::new(channel, error, what)
}

/// A message cannot be changed, and a new one is there for it.
pub(super) fn replaced(channel: &str, error: &SlackError) -> Trouble {
    let what = format!(
        "Slack does not let Cordon change its messages in channel {channel} ({}). A new message is posted instead each \
         time that a case changes. Let apps edit their messages at any time (Slack: Settings & administration, Workspace \
         settings, Permissions, Message editing & deletion).",
        error.code()
    );
    Trouble::new(channel, error, what)
}

/// The message was refused for what is in it, and a plain one is there for it.
pub(super) fn simplified(rendering: &Rendering, error: &SlackError) -> Trouble {
    let what = format!(
        "Slack does not take the message of case {} ({}). A plain message with the same buttons is shown instead. \
         `cordon approvals show` shows the whole case. Please report this as a bug of Cordon.",
        rendering.id,
        error.code()
    );
    Trouble::new("message", error, what)
}

/// The message is nowhere.
pub(super) fn nowhere(rendering: &Rendering, error: &SlackError) -> Option<Trouble> {
    let mend = match error.refusal()? {
        Refusal::App => {
            "Check that the Slack app is installed with the scopes that docs/SLACK.md lists, and that its bot token is in \
             the secret that Terraform made. A new value is used within minutes."
        }
        Refusal::Channel => mend_channel(error),
        Refusal::Content | Refusal::MessageGone | Refusal::MessageFixed => {
            "Please report this as a bug of Cordon."
        }
    };
    let what = format!(
        "Slack shows the message of case {} nowhere ({error}). {mend} Nothing is lost: it is tried again, at least once an \
         hour. Until then decide by `cordon approvals list` and `cordon approvals show {}`.",
        rendering.id, rendering.id
    );
    Some(Trouble::new("nowhere", error, what))
}

fn mend_channel(error: &SlackError) -> &'static str {
    match error.code() {
        "is_archived" | "is_inactive" => {
            "Unarchive the channel, or name another one (`channel` in the policy, `slack_channel` in Terraform)."
        }
        "channel_not_found" | "not_in_channel" | "team_not_found" | "channel_type_not_supported" => {
            "Invite the app to the channel (`/invite @cordon`), or correct the channel's id (`channel` in the policy, \
             `slack_channel` in Terraform)."
        }
        _ => {
            "Let the app post in the channel (Slack: channel settings, posting permissions), or name another one \
             (`channel` in the policy, `slack_channel` in Terraform)."
        }
    }
}
