//! Cordon's activities without Step Functions.

use std::sync::Arc;

use activity_worker::{Worker, WorkerSettings};
use aws_config::SdkConfig;
use cordon::{
    app::{activities, clients::Clients},
    config::WorkerConfig,
};

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
