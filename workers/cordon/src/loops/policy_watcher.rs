//! Tells operators when the newest policy cannot be used, before a finding meets it, and when somebody has written it by hand.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    app::{
        clients::Clients,
        operator_notices,
        policy_in_force::{POLICY_CHANGED, POLICY_UNUSABLE, Unusable, policy_in_force},
    },
    error::Result,
};

const POLL_INTERVAL: Duration = Duration::from_secs(20);

/// Watches the policy until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("policy_watcher", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let in_force = policy_in_force(&clients.state, &clients.config.policy_key).await?;
    if let Some(version) = &in_force.by_hand {
        let detail = json!({
            "code": POLICY_CHANGED,
            "version": version,
            "what": "The policy was not written by Terraform. If it is to stay, take it into Terraform's variable policy; \
                otherwise apply Terraform again. CloudTrail shows who wrote it.",
        });
        operator_notices::tell(
            clients,
            &format!("{POLICY_CHANGED}#{version}"),
            "Cordon Policy Changed",
            &detail,
        )
        .await?;
    }
    let Some(Unusable { version, why }) = in_force.unusable else { return Ok(()) };
    let about = format!("{POLICY_UNUSABLE}#{}", version.as_deref().unwrap_or("none"));
    let consequence = match &in_force.version {
        Some(good) => format!("The version {good} before it stays in force."),
        None => "No earlier version can be used: every finding is reviewed by the fallback approvers.".into(),
    };
    let detail = json!({
        "code": POLICY_UNUSABLE,
        "version": version,
        "inForce": in_force.version,
        "why": why,
        "consequence": consequence,
        "what": "Mend Terraform's variable policy and apply; `cordon policy check` explains what is wrong with a policy.",
    });
    operator_notices::tell(clients, &about, "Cordon Policy Unusable", &detail).await.map(|_| ())
}
