//! Secrets Manager as the operator uses it.

use anyhow::Context;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use serde_json::Value;

/// Puts secrets as the account's administrator.
pub(super) struct Secrets {
    client: Client,
}

impl Secrets {
    pub(super) fn new(config: &SdkConfig) -> Secrets {
        Secrets { client: Client::new(config) }
    }

    /// Stores a new value.
    pub(super) async fn put(&self, arn: &str, value: &Value) -> anyhow::Result<()> {
        let put = self.client.put_secret_value().secret_id(arn).secret_string(value.to_string()).send().await;
        put.with_context(|| format!("cannot put the value of {arn}"))?;
        Ok(())
    }
}
