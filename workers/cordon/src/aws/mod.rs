//! AWS, as far as Cordon calls it: errors are classified on the way in (`error.rs`), so callers see
//! [`crate::error::Error`] alone.

pub mod access_analyzer;
pub mod buckets;
pub mod ecs;
pub(crate) mod error;
pub mod events;
pub mod macie;
pub mod macs;
pub mod object_session;
pub mod purger;
pub mod queue;
pub mod security_hub;
pub mod slack_secret;
pub mod state_bucket;
pub mod step_functions;
pub mod sts;

use std::time::Duration;

use anyhow::Context;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::{
    config::{HttpClient, RuntimeComponents, SharedHttpClient, StalledStreamProtectionConfig},
    primitives::DateTime,
};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};
use cordon_domain::time::Time;
use jiff::Timestamp;

/// A time as an SDK has it; `None` for one beyond the year 9999.
fn time(of: &DateTime) -> Option<Time> {
    Timestamp::from_nanosecond(of.as_nanos()).ok().map(Time::from)
}

/// What every AWS client starts from: credentials and endpoint from the environment, five attempts a call.
///
/// An attempt may take a minute: a connection that died without a word must not stop a loop for ever. Polls and copies
/// have limits of their own. Stalled-stream protection is off: it ends calls that are slow by nature.
///
/// # Errors
/// When there are no credentials.
pub async fn sdk_config(region: &str) -> anyhow::Result<SdkConfig> {
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(connections())
        .retry_config(RetryConfig::standard().with_max_attempts(5).with_max_backoff(Duration::from_secs(5)))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(60))
                .build(),
        )
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await;
    let credentials = config.credentials_provider().context("the AWS SDK has no credentials provider")?;
    credentials.provide_credentials().await.context(
        "no AWS credentials; give the task its role (ECS), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )?;
    Ok(config)
}

/// The connections of all clients. Each client would otherwise open its own, and a mover, which lives for one object,
/// would greet S3 anew for each.
fn connections() -> SharedHttpClient {
    SharedHttpClient::new(Connections(Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })))
}

/// Without the SDK's look at every new client's configuration, which reads all certificate authorities again.
#[derive(Debug)]
struct Connections(SharedHttpClient);

impl HttpClient for Connections {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        self.0.http_connector(settings, components)
    }
}
