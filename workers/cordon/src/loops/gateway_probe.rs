//! Asks for the gateway's health by its public name, once an hour: so that a way that is closed is noticed before somebody
//! clicks, and API Gateway keeps the VPC link, which it takes down after sixty days without a request
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html>). What comes of
//! it is told by the alarms on API Gateway's own metrics.

use std::{sync::Arc, time::Duration};

use activity_worker::Backoff;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::app::clients::Clients;

const INTERVAL: Duration = Duration::from_secs(3_600);
/// A deployment starts worker and gateway at once: the gateway is to be there first.
const FIRST_DELAY: Duration = Duration::from_secs(120);
/// After a probe that failed; each further one waits twice as long, up to the interval.
const RETRY_DELAY: Duration = Duration::from_secs(60);
const TIMEOUT: Duration = Duration::from_secs(30);

/// Probes until stopped, where there is a gateway.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    let Some(gateway) = &clients.config.gateway_url else { return stop.cancelled().await };
    let url = gateway.join("healthz").expect("a path");
    let http = reqwest::Client::builder().timeout(TIMEOUT).build().expect("TLS starts");
    let interval = clients.config.probe_interval.unwrap_or(INTERVAL);
    let mut backoff = Backoff::new(RETRY_DELAY.min(interval), interval);
    let mut wait = FIRST_DELAY.min(interval);
    while tokio::time::timeout(wait, stop.cancelled()).await.is_err() {
        wait = match probe(&http, &url).await {
            Ok(()) => {
                tracing::info!(url.full = %url, "the gateway answers by its public name");
                backoff.reset();
                interval
            }
            Err(why) => {
                tracing::warn!(r#loop = "gateway_probe", error.message = why, url.full = %url, "pass failed");
                backoff.delay()
            }
        };
    }
}

async fn probe(http: &reqwest::Client, url: &Url) -> Result<(), String> {
    let answer = http.get(url.clone()).send().await.map_err(|error| error.without_url().to_string())?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    Err(format!("{status} {}", answer.text().await.unwrap_or_default().trim()))
}
