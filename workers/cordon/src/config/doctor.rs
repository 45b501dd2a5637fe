//! The settings of `cordon doctor`, which works before there is an installation too.

use std::collections::HashMap;

use cordon_domain::policy::scope::BucketScope;
use url::Url;

use super::{ConfigError, SlackConfig, operator::HELD, reader::Reader};

/// What `cordon doctor` looks at.
#[derive(Clone, Debug)]
pub struct DoctorConfig {
    /// The Region.
    pub region: String,
    /// The installation, where settings of one are given.
    pub installation: Option<Installation>,
}

/// An installation, by the names of its parts.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The account that it runs in.
    pub account: String,
    /// The external-access analyzer that it reads.
    pub analyzer_arn: String,
    /// The ECS cluster of worker and gateway.
    pub cluster: String,
    /// The EventBridge rules that start it.
    pub event_rules: Vec<String>,
    /// What Slack calls the gateway, where there is one.
    pub gateway_url: Option<Url>,
    /// Where the policy is.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// How to reach Slack.
    pub slack: SlackConfig,
    /// The channel where policy names no other.
    pub channel: String,
    /// The buckets that it answers for, and those that nothing is moved from.
    pub scope: BucketScope,
}

impl DoctorConfig {
    /// Reads the settings; without any of Cordon's own there is no installation yet.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        let region = from.region();
        // What is logged may be set for any command.
        let is_deployed = environment.keys().any(|key| key.starts_with("CORDON_") && key != "CORDON_LOG");
        let installation = is_deployed.then(|| Installation {
            account: from.account(),
            analyzer_arn: from.analyzer_arn(),
            cluster: from.required("CORDON_CLUSTER", "the name of the ECS cluster"),
            event_rules: from
                .required(
                    "CORDON_EVENT_RULES",
                    "the names of the EventBridge rules, with commas between them",
                )
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            gateway_url: from
                .optional("CORDON_GATEWAY_URL")
                .map(|_| from.url("CORDON_GATEWAY_URL", "https://gateway.invalid/")),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            slack: from.slack(),
            channel: from.fallback().channel,
            scope: from.scope(),
        });
        from.finish(Self { region, installation }, HELD)
    }
}
