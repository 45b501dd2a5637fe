//! Task-role credentials, served on loopback in the way ECS serves them to a container.
//!
//! A process is given a URL and a token in its environment; its SDK asks there, and asks again shortly before the
//! session ends. Every answer is a new session of one hour, so a session never ends under a process that asks.

use aws_sdk_sts::error::ProvideErrorMetadata;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::process::emulator::{ACCOUNT, REGION, root_config};

/// Path of the endpoint; the role's name follows.
pub(crate) const PATH: &str = "/_sandbox/credentials/";

/// Makes sessions for task roles.
#[derive(Debug)]
pub(crate) struct TaskCredentials {
    sts: aws_sdk_sts::Client,
    secret: String,
    /// ECS names a session by its task.
    task: String,
}

/// Why no credentials were given.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The token is not the one for this role.
    WrongToken,
    /// The role can't be assumed; the sentence says why.
    NoSession(String),
}

impl TaskCredentials {
    /// `emulator` is where sessions are made; `secret` is where the tokens are derived from.
    pub(crate) fn new(emulator: &str, secret: String) -> TaskCredentials {
        let task = hex::encode(rand::random::<[u8; 16]>());
        TaskCredentials { sts: aws_sdk_sts::Client::new(&root_config(emulator)), secret, task }
    }

    /// What a process needs in its environment to be the role, given the front door's endpoint.
    pub(crate) fn environment(&self, endpoint: &str, role: &str) -> Vec<(String, String)> {
        [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{endpoint}{PATH}{role}")),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", self.token(role)),
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The endpoint's answer.
    pub(crate) async fn issue(&self, role: &str, token: Option<&str>) -> Result<Value, Refusal> {
        let expected = self.token(role);
        if !bool::from(token.unwrap_or_default().as_bytes().ct_eq(expected.as_bytes())) {
            return Err(Refusal::WrongToken);
        }
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        // The root user may assume even a role that trusts only ecs-tasks, which stands here for what ECS itself does.
        let session =
            self.sts.assume_role().role_arn(&arn).role_session_name(&self.task).duration_seconds(3600);
        let answer = session.send().await.map_err(|error| {
            let reason = error.message().unwrap_or("the emulator did not answer").to_owned();
            Refusal::NoSession(format!("cannot assume {arn}: {reason}"))
        })?;
        let Some(session) = answer.credentials() else {
            return Err(Refusal::NoSession(format!("cannot assume {arn}: the answer holds no credentials")));
        };
        Ok(json!({
            "RoleArn": arn,
            "AccessKeyId": session.access_key_id(),
            "SecretAccessKey": session.secret_access_key(),
            "Token": session.session_token(),
            "Expiration": session.expiration().to_string(),
        }))
    }

    /// One token a role, as ECS gives one a task: the gateway's does not open the worker's role.
    fn token(&self, role: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any length of key will do");
        mac.update(role.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}
