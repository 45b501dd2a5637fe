//! Tells operators when the newest policy cannot be used, before a finding meets it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{
    clients::{
        Clients,
        s3::{POLICY_UNUSABLE, Unusable},
    },
    domain::time,
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
    // Many workers see it, again and again: operators hear of each bad version once a day.
    let about = version.as_deref().unwrap_or("none");
    let now = Timestamp::now();
    let (told, before) = (time::stored(now), time::stored(now - NOTICE_EVERY));
    if !clients.cases.claim_notice(&format!("{POLICY_UNUSABLE}#{about}"), &told, &before).await? {
        return Ok(());
    }
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
    clients.events.publish("Cordon Policy Unusable", &detail).await
}
