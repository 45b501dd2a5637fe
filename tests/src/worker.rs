//! Cordon's activities without Step Functions.

use std::sync::Arc;

use activity_worker::{Worker, WorkerSettings};
use anyhow::Result;
use aws_config::SdkConfig;
use cordon::{
    app::{activities, clients::Clients},
    aws::macs::Macs,
    config::WorkerConfig,
};
use cordon_domain::case::Case;

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
