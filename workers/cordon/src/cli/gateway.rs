//! `cordon gateway`.

use std::time::Duration;

use activity_worker::Worker;
use anyhow::Context;
use aws_config::timeout::TimeoutConfig;
use tokio::net::TcpListener;

use crate::{
    aws,
    config::GatewayConfig,
    gateway::{Gateway, serve},
    telemetry,
};

/// Past what a click is given, so that a slow store still takes the vote, and short enough to end with the gateway.
const CONNECT: Duration = Duration::from_secs(2);
const ATTEMPT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(12);

pub(super) async fn run() -> anyhow::Result<()> {
    let config = GatewayConfig::read(&super::environment())?;
    telemetry::init();
    let stop = Worker::stop_on_signals()?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with CORDON_GATEWAY_LISTEN, or end what uses it")
    })?;
    let limits = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(CALL)
        .build();
    let aws = aws::sdk_config(&config.common.region).await?.into_builder().timeout_config(limits).build();
    tracing::info!(address = %listener.local_addr()?, "gateway ready");
    serve(Gateway::new(&aws, config), listener, stop).await;
    tracing::info!("gateway stopped");
    Ok(())
}
