//! How the app is installed: whose token this is, what it may do, and how it stands in a channel.

use serde_json::Value;

use super::{Slack, SlackError, answer};
use crate::error::Error;

/// Whose token the secret holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The workspace that the app is installed in.
    pub team: String,
    /// The bot.
    pub bot: String,
    /// What the token may do; `None` where Slack does not say.
    pub scopes: Option<Vec<String>>,
}

/// A channel, as far as it matters who is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name, without `#`.
    pub name: String,
    /// Whether the bot is in it.
    pub has_bot: bool,
    /// Whether people of other organizations are in it, or are invited.
    pub is_shared_with_outsiders: bool,
    /// Whether it was closed.
    pub is_archived: bool,
}

impl Slack {
    /// Whose token the secret holds (<https://docs.slack.dev/reference/methods/auth.test>). Slack names the token's scopes in
    /// a header of every answer (<https://docs.slack.dev/authentication/installing-with-oauth>).
    ///
    /// # Errors
    /// As Slack says.
    pub async fn identity(&self) -> Result<Identity, SlackError> {
        const METHOD: &str = "auth.test";
        let credentials = self.secret.get().await.map_err(|error| match error {
            Error::Retryable(why) => SlackError::Unreachable(why),
            error => SlackError::NoToken(error.to_string()),
        })?;
        let url = self.api_url.join(METHOD).expect("a method name is a path segment");
        let (said, headers) = answer(METHOD, self.http.post(url), &credentials).await?;
        let scopes = headers.get("x-oauth-scopes").and_then(|value| value.to_str().ok());
        Ok(Identity {
            team: text(&said["team_id"]),
            bot: text(&said["bot_id"]),
            scopes: scopes.map(|scopes| {
                scopes
                    .split(',')
                    .map(str::trim)
                    .filter(|scope| !scope.is_empty())
                    .map(str::to_owned)
                    .collect()
            }),
        })
    }

    /// The app that a bot belongs to (<https://docs.slack.dev/reference/methods/bots.info>, scope `users:read`).
    ///
    /// # Errors
    /// As Slack says.
    pub async fn app_of_bot(&self, bot: &str) -> Result<String, SlackError> {
        let said = self.call("bots.info", |http| http.form(&[("bot", bot)])).await?;
        Ok(text(&said["bot"]["app_id"]))
    }

    /// A channel (<https://docs.slack.dev/reference/methods/conversations.info>, scopes `channels:read` and `groups:read`).
    ///
    /// # Errors
    /// As Slack says.
    pub async fn channel(&self, channel: &str) -> Result<Channel, SlackError> {
        let said = self.call("conversations.info", |http| http.form(&[("channel", channel)])).await?;
        let channel = &said["channel"];
        let is = |name: &str| channel[name] == true;
        Ok(Channel {
            name: text(&channel["name"]),
            has_bot: is("is_member"),
            is_shared_with_outsiders: is("is_ext_shared") || is("is_pending_ext_shared"),
            is_archived: is("is_archived"),
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
