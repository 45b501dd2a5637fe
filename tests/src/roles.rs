//! Sessions of roles.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};

/// The keys of a session of a role; `name` is the session's name.
///
/// # Errors
/// When STS refuses it.
pub async fn session(root: &SdkConfig, account: &str, role: &str, name: &str) -> Result<Credentials> {
    let arn = format!("arn:aws:iam::{account}:role/{role}");
    let sts = aws_sdk_sts::Client::new(root);
    let session = sts.assume_role().role_arn(arn).role_session_name(name).send().await?;
    let keys = session.credentials.context("a session has keys")?;
    Ok(Credentials::new(keys.access_key_id, keys.secret_access_key, Some(keys.session_token), None, "test"))
}

/// SDK settings of a role.
///
/// # Errors
/// As [`session`].
pub async fn signed_as(root: &SdkConfig, account: &str, role: &str) -> Result<SdkConfig> {
    let keys = session(root, account, role, "test").await?;
    Ok(root.to_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
}
