//! Slack's secret in Secrets Manager. It is read when it is needed first and kept for minutes, so a rotation needs no
//! deployment, and a task starts before an operator has put a value.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_sdk_secretsmanager::Client;
use secrecy::SecretString;
use serde::Deserialize;
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};

use super::error::classify;
use crate::error::{Code, Error, Result};

/// How old a value may be before it is read again. The old one is used meanwhile, and for as long as Secrets Manager does
/// not answer.
const CACHE_TTL: Duration = Duration::from_secs(5 * 60);
/// What does not fit (a token that Slack refuses, a signature) has the secret read again, but not more often than this.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

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
    use secrecy::ExposeSecret;
    secret.expose_secret().is_empty()
}

/// The secret, and what is known of it.
#[derive(Clone, Debug)]
pub struct SlackSecret(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    arn: String,
    known: RwLock<Option<Known>>,
    /// That there is no value of use, so that not every message asks for it.
    unusable: RwLock<Option<(Instant, Error)>>,
    reading: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    credentials: Arc<SlackCredentials>,
    read_at: Instant,
}

impl SlackSecret {
    /// The secret with this ARN.
    pub fn new(client: Client, arn: String) -> Self {
        Self(Arc::new(Inner {
            client,
            arn,
            known: RwLock::default(),
            unusable: RwLock::default(),
            reading: Mutex::default(),
        }))
    }

    /// The credentials as they were read last; the first caller waits until they are read.
    ///
    /// # Errors
    /// `RequestRejected` when the secret has no value or one of another shape; otherwise as classified.
    pub async fn get(&self) -> Result<Arc<SlackCredentials>> {
        let Some(known) = self.known() else { return self.read(self.0.reading.lock().await).await };
        if known.read_at.elapsed() >= CACHE_TTL {
            let this = self.clone();
            tokio::spawn(async move {
                let Ok(turn) = this.0.reading.try_lock() else { return };
                if let Err(error) = this.read(turn).await {
                    tracing::warn!(error.message = %error, "Slack's secret cannot be read; the value read before is used");
                }
            });
        }
        Ok(known.credentials)
    }

    /// The credentials, read again because something did not fit `seen`; `None` when there are no others.
    pub async fn newer_than(&self, seen: &Arc<SlackCredentials>) -> Option<Arc<SlackCredentials>> {
        let turn = self.0.reading.lock().await;
        let known = self.known()?;
        if !Arc::ptr_eq(&known.credentials, seen) {
            return Some(known.credentials);
        }
        if known.read_at.elapsed() < RELOAD_INTERVAL {
            return None;
        }
        match self.read(turn).await {
            Ok(credentials) => Some(credentials),
            Err(error) => {
                tracing::warn!(error.message = %error, "Slack's secret cannot be read again");
                None
            }
        }
    }

    fn known(&self) -> Option<Known> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self, _turn: MutexGuard<'_, ()>) -> Result<Arc<SlackCredentials>> {
        // Of several that came first, the others find what one has read.
        if let Some(known) = self.known().filter(|known| known.read_at.elapsed() < RELOAD_INTERVAL) {
            return Ok(known.credentials);
        }
        if let Some((at, error)) = &*self.0.unusable.read().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < RELOAD_INTERVAL
        {
            return Err(error.clone());
        }
        let read = self.ask().await;
        match &read {
            Ok(credentials) => {
                let known = Known { credentials: Arc::clone(credentials), read_at: Instant::now() };
                *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
            }
            Err(Error::Retryable(_)) => {}
            Err(error) => {
                let unusable = Some((Instant::now(), error.clone()));
                *self.0.unusable.write().unwrap_or_else(PoisonError::into_inner) = unusable;
            }
        }
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
