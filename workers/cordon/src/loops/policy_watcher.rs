//! Tells operators when the newest policy cannot be used, before a finding meets it.

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{every, tell_operators};
use crate::{
    clients::{
        Clients,
        s3::{POLICY_UNUSABLE, Unusable},
    },
    error::Result,
};

/// Between two looks at the policy.
const PAUSE: Duration = Duration::from_secs(20);
/// Until operators are told of the same version again.
const NOTICE_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// Watches the policy until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("policy_watcher", PAUSE, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let in_force = clients.state.policy(&clients.config.policy_key).await?;
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
    });
    tell_operators(clients, &about, NOTICE_EVERY, "Cordon Policy Unusable", &detail).await
}
