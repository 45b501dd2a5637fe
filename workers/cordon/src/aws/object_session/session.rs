//! A session of the mover's or the restorer's role, which is renewed as long as the move lasts.
//!
//! A session of a role that was itself assumed lasts an hour at most
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html>), and the copy of a large object may take longer.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_sdk_s3::{
    config::{IdentityCache, SharedIdentityCache, http::HttpResponse},
    error::SdkError,
};
use aws_sdk_sts::{
    operation::assume_role::{AssumeRoleError, AssumeRoleOutput},
    types::Tag,
};

use crate::{
    aws::error::classify,
    error::{Error, Result},
};

/// How long one session lasts.
const SECONDS: i32 = 3_600;
/// How long a renewal may take, with everything that is tried again.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Credentials of the session, from STS.
#[derive(Debug)]
pub(super) struct Session {
    sts: aws_sdk_sts::Client,
    role_arn: String,
    name: String,
    /// In the order in which they are tried.
    policies: [String; 2],
    /// What the role's own policy narrows the session by.
    tags: Vec<Tag>,
    /// The credentials with which it was opened, until they are asked for.
    opened_with: Mutex<Option<Credentials>>,
}

impl Session {
    /// Assumes the role with these session tags, narrowed by the first of `policies` that STS can pack.
    ///
    /// # Errors
    /// As classified.
    pub(super) async fn open(
        sts: aws_sdk_sts::Client,
        role_arn: String,
        name: String,
        policies: [String; 2],
        tags: Vec<Tag>,
    ) -> Result<Self> {
        let session = Self { sts, role_arn, name, policies, tags, opened_with: Mutex::default() };
        let credentials = session.assume().await?;
        session.opened_with.lock().unwrap_or_else(PoisonError::into_inner).replace(credentials);
        Ok(session)
    }

    /// Keeps the credentials of one session until shortly before they expire. The cache that all clients share would
    /// keep those of every move.
    pub(super) fn cache() -> SharedIdentityCache {
        IdentityCache::lazy().load_timeout(RENEWAL_TIMEOUT).max_partitions(1).build()
    }

    async fn assume(&self) -> Result<Credentials> {
        let what = format!("sts:AssumeRole of {}", self.role_arn);
        let [exact, shorter] = &self.policies;
        let answer = match self.assume_with(exact).await {
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_packed_policy_too_large_exception()) =>
            {
                self.assume_with(shorter).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| classify(&what, error))?;
        let keys = answer
            .credentials
            .ok_or_else(|| Error::Retryable(format!("{what} answered without credentials")))?;
        Ok(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            std::time::SystemTime::try_from(keys.expiration).ok(),
            "mover",
        ))
    }

    async fn assume_with(
        &self,
        policy: &str,
    ) -> std::result::Result<AssumeRoleOutput, SdkError<AssumeRoleError, HttpResponse>> {
        let call = self.sts.assume_role().role_arn(&self.role_arn).role_session_name(&self.name);
        let tags = (!self.tags.is_empty()).then(|| self.tags.clone());
        call.duration_seconds(SECONDS).policy(policy).set_tags(tags).send().await
    }
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let opened_with = self.opened_with.lock().unwrap_or_else(PoisonError::into_inner).take();
            match opened_with {
                Some(credentials) => Ok(credentials),
                None => self.assume().await.map_err(CredentialsError::provider_error),
            }
        })
    }
}
