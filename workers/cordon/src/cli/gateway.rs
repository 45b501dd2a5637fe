//! `cordon gateway`.

use activity_worker::Worker;
use anyhow::Context;
use tokio::net::TcpListener;

use crate::{
    clients,
    config::GatewayConfig,
    gateway::{Gateway, serve},
    telemetry,
};

pub(super) async fn run() -> anyhow::Result<()> {
    let config = GatewayConfig::read(&super::environment())?;
    telemetry::init();
    let stop = Worker::stop_on_signals()?;
    let address = config.listen;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with CORDON_GATEWAY_LISTEN, or end what uses it")
    })?;
    let aws = clients::aws_config(&config.common.region).await?;
    tracing::info!(address = %listener.local_addr()?, "gateway ready");
    serve(Gateway::new(&aws, config), listener, stop.cancelled_owned()).await?;
    tracing::info!("gateway stopped");
    Ok(())
}
