//! `cordon worker`.

use std::{pin::pin, sync::Arc};

use activity_worker::{Worker, WorkerSettings};
use anyhow::Context;
use tokio::task::JoinSet;

use crate::{
    app::{activities, clients::Clients},
    aws,
    config::WorkerConfig,
    health,
    loops::{
        failure_watcher, gateway_probe, metrics, notifier, policy_watcher, reconciler, requests,
        scan_watcher, sweeper,
    },
    telemetry,
};

/// Tasks of one activity at once.
const SLOTS: usize = 8;

pub(super) async fn run() -> anyhow::Result<()> {
    let config = WorkerConfig::read(&super::environment())?;
    telemetry::init();
    let measured = telemetry::measure(&config.installation)?;
    let stop = Worker::stop_on_signals()?;
    let aws = aws::sdk_config(&config.common.region).await?;
    let settings = WorkerSettings {
        arn_prefix: config.activity_arn_prefix.clone(),
        name: format!("cordon-{}", std::process::id()),
        heartbeat_timeout: config.heartbeat,
        slots: SLOTS,
        drain_timeout: config.drain_timeout,
    };
    let clients = Arc::new(Clients::new(&aws, config));
    let worker = activities::worker(aws_sdk_sfn::Client::new(&aws), settings, &clients);
    let polls = worker.poll_health();
    if let Some(address) = clients.config.health_listen {
        health::serve_worker(address, polls.clone()).await?;
    }
    let mut loops = JoinSet::new();
    loops.spawn(metrics::run(Arc::clone(&clients), polls, measured, stop.clone()));
    loops.spawn(notifier::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(scan_watcher::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(policy_watcher::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(sweeper::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(gateway_probe::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(failure_watcher::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(requests::run(Arc::clone(&clients), stop.clone()));
    loops.spawn(reconciler::run(clients, stop.clone()));
    let mut work = pin!(worker.run(stop.clone()));
    loop {
        tokio::select! {
            () = &mut work => {
                // What was counted since the last minute, by tasks that ended after the signal too.
                measured.write();
                return Ok(());
            }
            Some(ended) = loops.join_next() => {
                ended.context("a loop beside the activities panicked; the worker ends so that a new one takes over")?;
                anyhow::ensure!(stop.is_cancelled(), "a loop beside the activities ended by itself");
            }
        }
    }
}
