//! The gateway's settings.

use std::{collections::HashMap, net::SocketAddr};

use secrecy::SecretString;

use super::{Common, ConfigError, reader::Reader};

/// Where they come from.
const HELD: &str = "the Terraform outputs `gateway_environment` and `gateway_secrets` hold those of Cordon";

/// The gateway's settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Shared ones.
    pub common: Common,
    /// Slack's signing secrets: the current one, then the previous one while it is being replaced.
    pub signing_secrets: Vec<SecretString>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the policy is, which says who may have objects put back.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// The state machine that puts objects back.
    pub object_restore_arn: String,
}

impl GatewayConfig {
    /// Reads the gateway's settings.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        let mut signing_secrets = vec![
            from.required("CORDON_SLACK_SIGNING_SECRET", "the Slack app's signing secret (a secret)").into(),
        ];
        signing_secrets.extend(from.optional("CORDON_SLACK_SIGNING_SECRET_PREVIOUS").map(SecretString::from));
        let config = Self {
            common: from.common(),
            signing_secrets,
            listen: from.parsed(
                "CORDON_GATEWAY_LISTEN",
                "an address and port like 0.0.0.0:8080",
                |text| text.parse().ok(),
                SocketAddr::from(([127, 0, 0, 1], 0)),
            ),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            object_restore_arn: from.object_restore_arn(),
        };
        from.finish(config, HELD)
    }
}
