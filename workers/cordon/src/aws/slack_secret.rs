//! Slack's secret in Secrets Manager. It is read when it is needed first and kept for minutes, so a rotation needs no
//! deployment, and a task starts before an operator has put a value.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_secretsmanager::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};

use super::error::classify;
use crate::error::{Code, Error, Result};

/// How old a value may be before it is read again.
const CACHE_TTL: Duration = Duration::from_secs(5 * 60);
/// What does not fit (a token that Slack refuses, a signature) has the secret read again, but not more often than this; nor
/// is a read that failed repeated sooner.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
/// How long a caller with an old value waits for a new one.
const REFRESH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// The JSON that an operator puts.
#[derive(Debug, Deserialize)]
pub struct SlackCredentials {
    /// The bot token, `xoxb-…`.
    pub bot_token: SecretString,
    /// What Slack signs its requests with.
    pub signing_secret: SecretString,
    /// The signing secret before, while it is being replaced.
    #[serde(default)]
    pub previous_signing_secret: Option<SecretString>,
}

impl SlackCredentials {
    /// Every secret that a request may be signed with.
    pub fn signing_secrets(&self) -> Vec<SecretString> {
        let previous = self.previous_signing_secret.iter().filter(|secret| !is_empty(secret));
        std::iter::once(&self.signing_secret).chain(previous).cloned().collect()
    }
}

fn is_empty(secret: &SecretString) -> bool {
    secret.expose_secret().is_empty()
}

/// The secret, and what is known of it.
#[derive(Clone, Debug)]
pub struct SlackSecret(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    arn: String,
    known: Mutex<Known>,
    /// One read at a time.
    reading: AsyncMutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// The last good value, and when it was read. A terminal error takes it away: what has no usable value any more is not
    /// used on.
    good: Option<(Arc<SlackCredentials>, Instant)>,
    /// When the last read failed, and why.
    failed: Option<(Instant, Error)>,
}

impl SlackSecret {
    /// The secret with this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self(Arc::new(Inner { client, arn, known: Mutex::default(), reading: AsyncMutex::default() }))
    }

    /// The credentials. A value of the last minutes is given at once; an older one only where Secrets Manager gives no
    /// answer within a second.
    ///
    /// # Errors
    /// `RequestRejected` when the secret has no value or one of another shape; otherwise as classified.
    pub async fn get(&self) -> Result<Arc<SlackCredentials>> {
        let Some((old, read_at)) = self.known().good.clone() else { return self.read().await };
        if read_at.elapsed() < CACHE_TTL {
            return Ok(old);
        }
        match timeout(REFRESH_TIMEOUT, self.read()).await {
            Ok(Err(Error::Retryable(why))) => {
                tracing::warn!(error.message = why, "Slack's secret is not read; the value before is used");
                Ok(old)
            }
            Ok(read) => read,
            Err(_) => Ok(old),
        }
    }

    /// The credentials, read again because something did not fit `seen`; `None` when there are no others.
    pub async fn newer_than(&self, seen: &Arc<SlackCredentials>) -> Option<Arc<SlackCredentials>> {
        let known = self.known().clone();
        let (good, read_at) = known.good?;
        if !Arc::ptr_eq(&good, seen) {
            return Some(good);
        }
        if read_at.elapsed() < RELOAD_INTERVAL {
            return None;
        }
        match timeout(REFRESH_TIMEOUT, self.read()).await {
            Ok(Ok(credentials)) => Some(credentials),
            Ok(Err(error)) => {
                tracing::warn!(error.message = %error, "Slack's secret cannot be read again");
                None
            }
            Err(_) => None,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads it. The read goes on when its caller has stopped waiting, so that the next caller finds a value.
    async fn read(&self) -> Result<Arc<SlackCredentials>> {
        let this = self.clone();
        let read = tokio::spawn(async move { this.read_in_turn().await });
        read.await.unwrap_or_else(|_| Err(Error::Retryable("the read of Slack's secret failed".into())))
    }

    async fn read_in_turn(&self) -> Result<Arc<SlackCredentials>> {
        let _turn = self.0.reading.lock().await;
        // Of several that came at once, the others find what one has read.
        let known = self.known().clone();
        if let Some((good, _)) = known.good.filter(|(_, read_at)| read_at.elapsed() < RELOAD_INTERVAL) {
            return Ok(good);
        }
        if let Some((_, error)) = known.failed.filter(|(at, _)| at.elapsed() < RELOAD_INTERVAL) {
            return Err(error);
        }
        let read = timeout(READ_TIMEOUT, self.ask()).await;
        let read = read.unwrap_or_else(|_| Err(Error::Retryable("Secrets Manager does not answer".into())));
        let mut known = self.known();
        match &read {
            Ok(good) => *known = Known { good: Some((Arc::clone(good), Instant::now())), failed: None },
            Err(error) => {
                known.failed = Some((Instant::now(), error.clone()));
                if !matches!(error, Error::Retryable(_)) {
                    known.good = None;
                }
            }
        }
        drop(known);
        read
    }

    async fn ask(&self) -> Result<Arc<SlackCredentials>> {
        let answer = self.0.client.get_secret_value().secret_id(&self.0.arn).send().await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                return Err(self.unusable("has no value"));
            }
            Err(error) => return Err(classify("secretsmanager:GetSecretValue", error)),
        };
        // The error of serde may quote what it read.
        let credentials = answer.secret_string().and_then(|text| serde_json::from_str(text).ok());
        let credentials: SlackCredentials =
            credentials.ok_or_else(|| self.unusable("has a value of another shape"))?;
        if is_empty(&credentials.bot_token) || is_empty(&credentials.signing_secret) {
            return Err(self.unusable("holds an empty text"));
        }
        Ok(Arc::new(credentials))
    }

    fn unusable(&self, why: &str) -> Error {
        let arn = &self.0.arn;
        Error::terminal(
            Code::RequestRejected,
            format!(
                "Slack's secret {why}; put {{\"bot_token\": \"xoxb-…\", \"signing_secret\": \"…\"}} there with \
                 `aws secretsmanager put-secret-value --secret-id {arn} --secret-string file://slack.json`."
            ),
        )
    }
}
