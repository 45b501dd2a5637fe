//! Narrow wrappers over AWS and Slack: only the calls that Cordon makes, errors classified on the way in.

mod error;

pub mod access_analyzer;
pub mod events;
pub mod macie;
pub mod mover;
pub mod purger;
pub mod restores;
pub mod s3;
pub mod security_hub;
pub mod sfn;
pub mod slack;
pub mod store;
pub mod sts;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_http_client::{
    Builder, Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector};

use crate::config::WorkerConfig;

/// Everything that the worker talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The `cases` table.
    pub cases: store::Cases,
    /// The `exposures` table.
    pub exposures: store::Exposures,
    /// The state bucket.
    pub state: s3::State,
    /// Sessions of the mover's role, which only takes away.
    pub movers: mover::Movers,
    /// Sessions of the restorer's role, which only puts back.
    pub restorers: mover::Movers,
    /// Macie.
    pub macie: macie::Macie,
    /// The external-access analyzer.
    pub access_analyzer: access_analyzer::AccessAnalyzer,
    /// Security Hub.
    pub security_hub: security_hub::SecurityHub,
    /// Step Functions.
    pub step_functions: sfn::StepFunctions,
    /// The event bus.
    pub events: events::Events,
    /// Slack.
    pub slack: slack::Slack,
    /// Who is who in Slack.
    pub people: Arc<slack::People>,
    /// The settings.
    pub config: WorkerConfig,
}

impl Clients {
    /// Clients as configured.
    pub fn new(aws: &SdkConfig, config: WorkerConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let account = &config.common.account;
        let slack = slack::Slack::new(&config.common.slack);
        let movers = |role_arn: &str| {
            mover::Movers::new(
                aws,
                role_arn.to_owned(),
                config.quarantine_bucket.clone(),
                account.clone(),
                config.part_bytes,
            )
        };
        Self {
            cases: store::Cases::new(dynamodb.clone(), config.common.cases_table.clone()),
            exposures: store::Exposures::new(dynamodb, config.exposures_table.clone()),
            state: s3::State::new(aws_sdk_s3::Client::new(aws), config.state_bucket.clone(), account.clone()),
            movers: movers(&config.mover_role_arn),
            restorers: movers(&config.restorer_role_arn),
            macie: macie::Macie::new(aws_sdk_macie2::Client::new(aws)),
            access_analyzer: access_analyzer::AccessAnalyzer::new(
                aws_sdk_accessanalyzer::Client::new(aws),
                config.analyzer_arn.clone(),
            ),
            security_hub: security_hub::SecurityHub::new(aws_sdk_securityhub::Client::new(aws)),
            step_functions: sfn::StepFunctions::new(aws_sdk_sfn::Client::new(aws)),
            events: events::Events::new(aws_sdk_eventbridge::Client::new(aws)),
            people: Arc::new(slack::People::new(slack.clone())),
            slack,
            config,
        }
    }
}

/// What every AWS client starts from: credentials and endpoint from the environment, five attempts a call.
///
/// An attempt may take a minute: a connection that died without a word must not stop a loop for ever. Polls and copies
/// have limits of their own. Stalled-stream protection is off: it ends calls that are slow by nature.
///
/// # Errors
/// When there are no credentials.
pub async fn aws_config(region: &str) -> anyhow::Result<SdkConfig> {
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
