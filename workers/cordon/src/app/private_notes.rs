//! What one person is told in private in Slack.

use crate::slack::{api::Slack, interactions::Clicker};

/// Tells the person who clicked something in private: where they clicked, for which Slack has no rate; else by a note in
/// the channel. That they are not told is no reason to fail.
pub(crate) async fn tell(slack: &Slack, clicker: &Clicker, channel: Option<&str>, text: &str) {
    if let Some(response_url) = &clicker.response_url {
        match slack.respond(response_url, text).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(slack.user = clicker.user, error.message = %error, "a click could not be answered; the person gets a note");
            }
        }
    }
    let Some(channel) = clicker.channel.as_deref().or(channel) else {
        tracing::warn!(slack.user = clicker.user, "a person could not be told: their channel is not known");
        return;
    };
    if let Err(error) = slack.tell_privately(channel, &clicker.user, text).await {
        tracing::warn!(slack.user = clicker.user, error.message = %error, "a person could not be told");
    }
}
