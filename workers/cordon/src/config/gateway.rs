//! The gateway's settings.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use super::{Common, ConfigError, reader::Reader};

/// Where they come from.
const HELD: &str = "Terraform writes them into the gateway's task definition";

/// How long Cloud Map's answers may be kept, and some more.
const DEREGISTRATION_DELAY: Duration = Duration::from_secs(60);

/// The gateway's settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Shared ones.
    pub common: Common,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How long requests are still taken after SIGTERM: API Gateway learns only some time after ECS that a task ends.
    pub deregistration_delay: Duration,
    /// Where the policy is, which says who may have objects put back.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// The queue of restores.
    pub restores_queue_url: String,
}

impl GatewayConfig {
    /// Reads the gateway's settings.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        const DELAY: &str = "CORDON_DEREGISTRATION_DELAY_SECONDS";
        let deregistration_delay = from.optional(DELAY).map_or(DEREGISTRATION_DELAY, |_| from.seconds(DELAY));
        let config = Self {
            common: from.common(),
            listen: from.listen("CORDON_GATEWAY_LISTEN"),
            deregistration_delay,
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            restores_queue_url: from.restores_queue_url(),
        };
        from.finish(config, HELD)
    }
}
