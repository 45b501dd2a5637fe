//! Slack's Web API.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header::RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::{
    config::SlackConfig,
    domain::message::{METADATA_TYPE, Message},
};

/// Slack's Web API with one bot token.
#[derive(Clone, Debug)]
pub struct Slack {
    http: reqwest::Client,
    token: SecretString,
    api_url: Url,
}

/// Why Slack did not do it. None of these ends a case: the renderer tries again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SlackError {
    /// Too fast; Slack says how long to wait.
    #[error("Slack asks to wait {} s", .0.as_secs())]
    RateLimited(Duration),
    /// No answer, or one that is not Slack's.
    #[error("Slack cannot be reached ({0})")]
    Unreachable(String),
    /// `ok: false`, with Slack's error code, such as `channel_not_found`.
    #[error("Slack refused {method} ({error})")]
    Refused {
        /// The method.
        method: &'static str,
        /// Slack's code.
        error: String,
    },
}

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many messages a search for one that may have been posted looks back through.
const SEARCH_PAGES: usize = 10;

impl Slack {
    /// Slack as configured.
    ///
    /// # Panics
    /// When the TLS library cannot start.
    pub fn new(config: &SlackConfig) -> Self {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("TLS starts");
        Self { http, token: config.bot_token.clone(), api_url: config.api_url.clone() }
    }

    /// Posts a message; gives back its `ts`.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn post(&self, channel: &str, message: &Message) -> Result<String, SlackError> {
        let answer = self.call("chat.postMessage", |http| http.json(&body(channel, None, message))).await?;
        answer["ts"].as_str().map(str::to_owned).ok_or(SlackError::Unreachable("an answer without ts".into()))
    }

    /// Replaces a message.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn update(&self, channel: &str, ts: &str, message: &Message) -> Result<(), SlackError> {
        self.call("chat.update", |http| http.json(&body(channel, Some(ts), message))).await.map(|_| ())
    }

    /// Tells one person something that nobody else sees.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn tell_privately(&self, channel: &str, user: &str, text: &str) -> Result<(), SlackError> {
        let note = json!({"channel": channel, "user": user, "text": text});
        self.call("chat.postEphemeral", |http| http.json(&note)).await.map(|_| ())
    }

    /// Finds the message of a case's generation that was posted at `since` (seconds) or later, by its metadata.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn find(
        &self,
        channel: &str,
        case_id: &str,
        generation: u32,
        since: i64,
    ) -> Result<Option<String>, SlackError> {
        let mut cursor = String::new();
        for _ in 0..SEARCH_PAGES {
            let oldest = since.to_string();
            let mut request = vec![
                ("channel", channel),
                ("include_all_metadata", "true"),
                ("limit", "200"),
                ("oldest", &oldest),
            ];
            if !cursor.is_empty() {
                request.push(("cursor", &cursor));
            }
            // Methods that read take forms, not JSON (<https://docs.slack.dev/apis/web-api>).
            let answer = self.call("conversations.history", |http| http.form(&request)).await?;
            let found = answer["messages"].as_array().into_iter().flatten().find(|message| {
                let metadata = &message["metadata"];
                metadata["event_type"] == METADATA_TYPE
                    && metadata["event_payload"]["case_id"] == case_id
                    && metadata["event_payload"]["generation"] == generation
            });
            if let Some(message) = found {
                return Ok(message["ts"].as_str().map(str::to_owned));
            }
            cursor = answer["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() {
                break;
            }
        }
        Ok(None)
    }

    async fn call(
        &self,
        method: &'static str,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, SlackError> {
        // The error's own text names the URL, which is no secret; the token travels in a header.
        let unreachable = |error: reqwest::Error| SlackError::Unreachable(error.to_string());
        let url = self.api_url.join(method).expect("a method name is a path segment");
        let request = with_body(self.http.post(url).bearer_auth(self.token.expose_secret()));
        let answer = request.send().await.map_err(unreachable)?;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let seconds =
                answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            return Err(SlackError::RateLimited(Duration::from_secs(seconds.unwrap_or(30))));
        }
        if !answer.status().is_success() {
            return Err(SlackError::Unreachable(format!("{method} answered {}", answer.status())));
        }
        let answer: Value = answer.json().await.map_err(unreachable)?;
        if answer["ok"] == true {
            return Ok(answer);
        }
        let error = answer["error"].as_str().unwrap_or("no error code").to_owned();
        Err(SlackError::Refused { method, error })
    }
}

fn body(channel: &str, ts: Option<&str>, message: &Message) -> Value {
    let mut body = json!({"channel": channel, "text": message.text, "blocks": message.blocks,
        "metadata": message.metadata, "unfurl_links": false, "unfurl_media": false});
    if let Some(ts) = ts {
        body["ts"] = json!(ts);
    }
    body
}
