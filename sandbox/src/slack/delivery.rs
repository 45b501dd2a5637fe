//! How what a person does reaches the app: Slack signs a request and sends it, and the app has three seconds to answer
//! (<https://docs.slack.dev/interactivity/handling-user-interaction>).

use std::time::{Duration, Instant};

use serde_json::Value;
use url::form_urlencoded;

use super::{Slack, signature};

/// How long Slack waits for the app.
const INTERACTION_TIMEOUT: Duration = Duration::from_secs(3);

/// How a click ended.
#[derive(Debug, Clone)]
pub struct ClickResult {
    /// HTTP status of the app's answer; 0 when there was none, be it that nothing could be sent or that the app
    /// took longer than three seconds.
    pub status: u16,
    /// Body of the app's answer.
    pub body: String,
    /// From the click to the answer.
    pub duration: Duration,
    /// What Slack shows the user when the app did not accept the click.
    pub error: Option<String>,
}

impl ClickResult {
    pub(super) fn not_sent(error: impl Into<String>) -> Self {
        Self { status: 0, body: String::new(), duration: Duration::ZERO, error: Some(error.into()) }
    }
}

impl Slack {
    /// Signs an interaction and sends it to the app's interactions URL.
    pub async fn send_interaction(&self, payload: &Value) -> ClickResult {
        let body = encode(payload);
        let timestamp = jiff::Timestamp::now().as_second();
        let signature = self.sign(timestamp, body.as_bytes());
        self.send(body, timestamp, &signature).await
    }

    /// The signature of these raw body bytes at this time, for requests that a test makes itself.
    pub fn sign(&self, timestamp: i64, body: &[u8]) -> String {
        signature::sign(&self.signing_secret, timestamp, body)
    }

    async fn send(&self, body: String, timestamp: i64, signature: &str) -> ClickResult {
        let Some(url) = self.lock().interactions_url.clone() else {
            return ClickResult::not_sent("This app is not configured to handle interactive responses.");
        };
        let started = Instant::now();
        let request = self
            .http
            .post(url)
            .timeout(INTERACTION_TIMEOUT)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Slack-Request-Timestamp", timestamp)
            .header("X-Slack-Signature", signature)
            .header("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .body(body)
            .send();
        let answer = async {
            let response = request.await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        let (status, body, error) = match answer.await {
            Ok((status @ 200..=299, body)) => (status, body, None),
            Ok((status, body)) => {
                (status, body, Some(format!("This app responded with Status Code {status}.")))
            }
            Err(error) if error.is_timeout() => (
                0,
                String::new(),
                Some("Operation timed out. Apps need to respond within 3 seconds.".to_owned()),
            ),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "an interaction did not reach the app");
                (0, String::new(), Some("This app is not responding.".to_owned()))
            }
        };
        ClickResult { status, body, duration: started.elapsed(), error }
    }
}

/// The body of an interaction: one form field, encoded as Slack encodes it.
fn encode(payload: &Value) -> String {
    let json = payload.to_string();
    let encoded: String = form_urlencoded::byte_serialize(json.as_bytes()).collect();
    // Unlike the browsers' encoding, which the crate follows, Slack's has no bare asterisks.
    format!("payload={}", encoded.replace('*', "%2A"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_body_is_one_encoded_field() {
        let body = encode(&json!({"a": "*x* &amp; y/é"}));
        assert_eq!(body, "payload=%7B%22a%22%3A%22%2Ax%2A+%26amp%3B+y%2F%C3%A9%22%7D");
    }
}
