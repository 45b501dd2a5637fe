//! Cordon's activities without Step Functions.

use std::sync::Arc;

use activity_worker::{Worker, WorkerSettings};
use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use cordon::{
    app::{activities, clients::Clients, requests::Kind},
    aws::{macs::Macs, queue::Message},
    config::WorkerConfig,
};
use cordon_domain::case::{Case, Restore};
use serde_json::Value;

/// A worker for tasks that are given by hand, see [`Worker::run_once`].
pub fn worker(aws: &SdkConfig, config: WorkerConfig) -> Worker {
    let settings = WorkerSettings {
        arn_prefix: config.activity_arn_prefix.clone(),
        name: "by-hand".into(),
        heartbeat_timeout: config.heartbeat,
        slots: 1,
        drain_timeout: config.drain_timeout,
    };
    let clients = Arc::new(Clients::new(aws, config));
    activities::worker(aws_sdk_sfn::Client::new(aws), settings, &clients)
}

/// The case as the worker writes it when it opens it, with its code over the plan; `aws` acts for the worker's role.
///
/// # Errors
/// When KMS refuses it.
pub async fn vouched(aws: &SdkConfig, mac_key_arn: &str, case: Case) -> Result<Case> {
    let macs = Macs::new(aws_sdk_kms::Client::new(aws), mac_key_arn.to_owned());
    let mac = macs.generate(&case.plan_message()).await?;
    Ok(Case { plan_mac: Some(mac), ..case })
}

/// The request as the worker writes it, with its code over it; `aws` acts for the worker's role.
///
/// # Errors
/// When KMS refuses it.
pub async fn vouched_restore(
    aws: &SdkConfig,
    mac_key_arn: &str,
    case: &Case,
    restore: Restore,
) -> Result<Restore> {
    let macs = Macs::new(aws_sdk_kms::Client::new(aws), mac_key_arn.to_owned());
    let mac = macs.generate(&case.restore_message(&restore)).await?;
    Ok(Restore { mac: Some(mac), ..restore })
}

/// A request as SQS would deliver it: `kind` (the queue's), `body`, `sender` and `sent_at` in JSON.
///
/// # Errors
/// When a member is missing.
pub fn request(json: &Value) -> Result<(Kind, Message)> {
    let text = |name: &str| json[name].as_str().with_context(|| format!("no {name}")).map(str::to_owned);
    let kind = match text("kind")?.as_str() {
        "approvals" => Kind::Approvals,
        "restores" => Kind::Restores,
        "purges" => Kind::Purges,
        other => bail!("there is no queue of {other}"),
    };
    let receipt = "none".to_owned();
    let sent_at = text("sent_at")?.parse().context("a time")?;
    Ok((kind, Message { body: text("body")?, sender: text("sender")?, sent_at, receipt }))
}
