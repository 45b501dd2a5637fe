//! Slack's Web API.

mod errors;
mod installation;
pub(super) mod lookups;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

pub use self::{
    errors::{Refusal, SlackError},
    installation::{Channel, Identity},
};
use crate::{
    aws::slack_secret::{SlackCredentials, SlackSecret},
    config::SlackConfig,
    error::Error,
    slack::{
        blocks::message::{METADATA_TYPE, Message, Reminder},
        capability::Capability,
    },
};

/// Slack's Web API with the bot token of a secret.
#[derive(Clone, Debug)]
pub struct Slack {
    http: reqwest::Client,
    secret: SlackSecret,
    api_url: Url,
    hooks_url: Url,
    /// Channels that are left in peace.
    held: Arc<Mutex<HashMap<String, Hold>>>,
}

/// That a channel is left in peace.
#[derive(Clone, Debug)]
struct Hold {
    until: Instant,
    /// What Slack's calls come to at the moment, for who is told nothing else.
    because: SlackError,
}

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the answer to a click may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
/// What an answer to a click is called, which is no method.
const RESPONSE_URL: &str = "response_url";
/// How long a channel is left in peace when Slack gave no answer.
const UNREACHABLE_PAUSE: Duration = Duration::from_secs(3);
/// How many messages a search for one that may have been posted looks back through.
const SEARCH_PAGES: usize = 10;

impl Slack {
    /// Slack as configured.
    ///
    /// # Panics
    /// When the TLS library cannot start.
    pub fn new(config: &SlackConfig, secret: SlackSecret) -> Self {
        // Slack's API redirects nobody, and what is sent to it is for it alone.
        let http = reqwest::Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        Self {
            http: http.build().expect("TLS starts"),
            secret,
            api_url: config.api_url.clone(),
            hooks_url: config.hooks_url.clone(),
            held: Arc::default(),
        }
    }

    /// The secret that it works with.
    pub(crate) fn secret(&self) -> &SlackSecret {
        &self.secret
    }

    /// Posts a message; gives back its `ts`.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn post(&self, channel: &str, message: &Message) -> Result<String, SlackError> {
        let answer = self
            .to_channel(channel, "chat.postMessage", |http| http.json(&body(channel, None, message)))
            .await?;
        answer["ts"].as_str().map(str::to_owned).ok_or(SlackError::Unreachable("an answer without ts".into()))
    }

    /// Replaces a message.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn update(&self, channel: &str, ts: &str, message: &Message) -> Result<(), SlackError> {
        self.to_channel(channel, "chat.update", |http| http.json(&body(channel, Some(ts), message)))
            .await
            .map(|_| ())
    }

    /// Tells one person something that nobody else sees. Such a note has a rate of its own, so that it is sent even while
    /// the channel is left in peace.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn tell_privately(&self, channel: &str, user: &str, text: &str) -> Result<(), SlackError> {
        let note = json!({"channel": channel, "user": user, "text": text});
        self.call("chat.postEphemeral", |http| http.json(&note)).await.map(|_| ())
    }

    /// Answers the click that this URL came with, in private. Slack takes five answers in 30 minutes, at no rate
    /// (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>).
    ///
    /// # Errors
    /// As Slack says; `Refused` when the URL is not one of Slack's.
    pub async fn respond(&self, response_url: &Capability, text: &str) -> Result<(), SlackError> {
        let refused = |error: &str| SlackError::Refused { method: RESPONSE_URL, error: error.to_owned() };
        let url = Url::parse(response_url.expose()).map_err(|_| refused("not a URL"))?;
        if url.origin() != self.hooks_url.origin() {
            return Err(refused("not a URL of Slack's"));
        }
        let note = json!({"text": text, "response_type": "ephemeral", "replace_original": false});
        let sent = self.http.post(url).timeout(RESPONSE_TIMEOUT).json(&note).send().await;
        // Whoever has the URL can use it: it must not be in an error's text.
        let answer = sent.map_err(|error| SlackError::Unreachable(error.without_url().to_string()))?;
        match answer.status() {
            StatusCode::TOO_MANY_REQUESTS => Err(SlackError::RateLimited(retry_after(&answer))),
            status if status.is_success() => Ok(()),
            status => Err(refused(status.as_str())),
        }
    }

    /// Posts an answer in the thread under a message.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn reply(&self, channel: &str, parent_ts: &str, reply: &Reminder) -> Result<(), SlackError> {
        let reply = json!({"channel": channel, "thread_ts": parent_ts, "text": reply.text, "metadata": reply.metadata,
            "unfurl_links": false, "unfurl_media": false});
        self.to_channel(channel, "chat.postMessage", |http| http.json(&reply)).await.map(|_| ())
    }

    /// Whether the thread under a message has this reminder already.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn has_reply(
        &self,
        channel: &str,
        parent_ts: &str,
        reply: &Reminder,
    ) -> Result<bool, SlackError> {
        let request =
            [("channel", channel), ("ts", parent_ts), ("include_all_metadata", "true"), ("limit", "1000")];
        let answer = self.to_channel(channel, "conversations.replies", |http| http.form(&request)).await?;
        let said = |message: &Value| {
            message["metadata"]["event_type"] == reply.metadata["event_type"]
                && message["metadata"]["event_payload"] == reply.metadata["event_payload"]
        };
        Ok(answer["messages"].as_array().into_iter().flatten().any(said))
    }

    /// Opens a modal for the person who has just clicked; Slack takes the trigger of a click for three seconds
    /// (<https://docs.slack.dev/reference/methods/views.open>).
    ///
    /// # Errors
    /// As Slack says.
    pub async fn open_modal(&self, trigger_id: &str, view: &Value) -> Result<(), SlackError> {
        let request = json!({"trigger_id": trigger_id, "view": view});
        self.call("views.open", |http| http.json(&request)).await.map(|_| ())
    }

    /// Whether a user can still log in.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn is_active(&self, user: &str) -> Result<bool, SlackError> {
        match self.call("users.info", |http| http.form(&[("user", user)])).await {
            Ok(answer) => Ok(answer["user"]["deleted"] != true),
            Err(SlackError::Refused { error, .. }) if error == "user_not_found" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The users of a user group who can still log in; none of a group that is gone or switched off.
    ///
    /// # Errors
    /// As Slack says.
    pub async fn group_members(&self, group: &str) -> Result<Vec<String>, SlackError> {
        match self.call("usergroups.users.list", |http| http.form(&[("usergroup", group)])).await {
            Ok(answer) => {
                let users = answer["users"].as_array().into_iter().flatten();
                Ok(users.filter_map(|user| user.as_str().map(str::to_owned)).collect())
            }
            Err(SlackError::Refused { error, .. })
                if matches!(error.as_str(), "no_such_subteam" | "subteam_not_found") =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
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
            let answer =
                self.to_channel(channel, "conversations.history", |http| http.form(&request)).await?;
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

    /// A call about a channel. When Slack asks to wait, nothing is sent to the channel until then; when it gives no
    /// answer, one call in a while finds out whether it is back.
    async fn to_channel(
        &self,
        channel: &str,
        method: &'static str,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, SlackError> {
        if let Some(error) = self.held(channel) {
            return Err(error);
        }
        let answer = self.call(method, with_body).await;
        let wait = match &answer {
            Err(SlackError::RateLimited(wait)) => *wait,
            Err(SlackError::Unreachable(_)) => UNREACHABLE_PAUSE,
            Ok(_) | Err(SlackError::Refused { .. } | SlackError::NoToken(_)) => return answer,
        };
        if let Err(because) = &answer {
            let hold = Hold { until: Instant::now() + wait, because: because.clone() };
            self.holds().insert(channel.to_owned(), hold);
        }
        answer
    }

    /// Whether any channel is left in peace at the moment.
    pub(crate) fn holds_any(&self) -> bool {
        let now = Instant::now();
        self.holds().values().any(|hold| hold.until > now)
    }

    /// Why a channel is still left in peace, if it is: for how long Slack asks to wait, or that it gives no answer.
    pub(crate) fn held(&self, channel: &str) -> Option<SlackError> {
        let mut holds = self.holds();
        let hold = holds.get(channel)?;
        let Some(wait) = hold.until.checked_duration_since(Instant::now()) else {
            holds.remove(channel);
            return None;
        };
        Some(match &hold.because {
            SlackError::RateLimited(_) => SlackError::RateLimited(wait),
            because => because.clone(),
        })
    }

    fn holds(&self) -> MutexGuard<'_, HashMap<String, Hold>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(
        &self,
        method: &'static str,
        with_body: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, SlackError> {
        let credentials = self.secret.get().await.map_err(|error| match error {
            Error::Retryable(why) => SlackError::Unreachable(why),
            error => SlackError::NoToken(error.to_string()),
        })?;
        let url = self.api_url.join(method).expect("a method name is a path segment");
        let request = with_body(self.http.post(url));
        let again = request.try_clone();
        let answer = send(method, request, &credentials).await;
        let (Err(error), Some(again)) = (&answer, again) else { return answer };
        if !error.is_about_token() {
            return answer;
        }
        // The token may have been replaced since it was read.
        match self.secret.newer_than(&credentials).await {
            Some(newer) => send(method, again, &newer).await,
            None => answer,
        }
    }
}

async fn send(
    method: &'static str,
    request: RequestBuilder,
    credentials: &SlackCredentials,
) -> Result<Value, SlackError> {
    answer(method, request, credentials).await.map(|(answer, _)| answer)
}

/// Slack's answer, and the headers that came with it.
async fn answer(
    method: &'static str,
    request: RequestBuilder,
    credentials: &SlackCredentials,
) -> Result<(Value, HeaderMap), SlackError> {
    // The error's own text names the URL, which is no secret; the token travels in a header.
    let unreachable = |error: reqwest::Error| SlackError::Unreachable(error.to_string());
    let request = request.bearer_auth(credentials.bot_token.expose_secret());
    let answer = request.send().await.map_err(unreachable)?;
    if answer.status() == StatusCode::TOO_MANY_REQUESTS {
        return Err(SlackError::RateLimited(retry_after(&answer)));
    }
    if !answer.status().is_success() {
        return Err(SlackError::Unreachable(format!("{method} answered {}", answer.status())));
    }
    let headers = answer.headers().clone();
    let answer: Value = answer.json().await.map_err(unreachable)?;
    if answer["ok"] == true {
        return Ok((answer, headers));
    }
    let error = answer["error"].as_str().unwrap_or("no error code").to_owned();
    Err(SlackError::Refused { method, error })
}

/// How long Slack asks to wait.
fn retry_after(answer: &Response) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

fn body(channel: &str, ts: Option<&str>, message: &Message) -> Value {
    let mut body = json!({"channel": channel, "text": message.text, "blocks": message.blocks,
        "metadata": message.metadata, "unfurl_links": false, "unfurl_media": false});
    if let Some(ts) = ts {
        body["ts"] = json!(ts);
    }
    body
}
