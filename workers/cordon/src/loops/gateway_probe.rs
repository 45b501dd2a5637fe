//! Asks for the gateway's health by its public name, once an hour: so that a way that is closed is noticed before somebody
//! clicks, and API Gateway keeps the VPC link, which it takes down after sixty days without a request
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html>). What comes of
//! it is told by the alarms on API Gateway's own metrics.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use url::Url;

use super::every;
use crate::{
    app::clients::Clients,
    error::{Error, Result},
};

const INTERVAL: Duration = Duration::from_secs(3_600);
/// A deployment starts worker and gateway at once: the gateway is to be there first.
const FIRST_DELAY: Duration = Duration::from_secs(120);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Probes until stopped, where there is a gateway.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    let Some(gateway) = &clients.config.gateway_url else { return stop.cancelled().await };
    let wait = clients.config.probe_interval.unwrap_or(FIRST_DELAY).min(FIRST_DELAY);
    if tokio::time::timeout(wait, stop.cancelled()).await.is_ok() {
        return;
    }
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("TLS starts");
    let interval = clients.config.probe_interval.unwrap_or(INTERVAL);
    every("gateway_probe", interval, stop, || pass(&http, gateway)).await;
}

async fn pass(http: &reqwest::Client, gateway: &Url) -> Result<()> {
    let url = gateway.join("healthz").expect("a path");
    let failed = |why: String| Error::Retryable(format!("the gateway does not answer at {url}: {why}"));
    let answer =
        http.get(url.clone()).send().await.map_err(|error| failed(error.without_url().to_string()))?;
    let status = answer.status();
    if status.is_success() {
        tracing::info!(url.full = %url, "the gateway answers by its public name");
        return Ok(());
    }
    let said = answer.text().await.unwrap_or_default();
    Err(failed(format!("{status} {}", said.trim())))
}
