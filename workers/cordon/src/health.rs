//! Whether a process of Cordon is alive: what ECS asks with `cordon health`, and what the worker answers.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use activity_worker::PollHealth;
use anyhow::{Context, ensure};
use axum::{Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;

/// Where both parts answer.
pub const PATH: &str = "/livez";
/// Above the minute for which Step Functions holds a poll, and the pauses after several that failed: a worker without a good
/// poll for longer is of no use, and another one may have more luck.
const MAX_POLL_AGE: Duration = Duration::from_secs(300);
/// Below the 5 s that the task definition gives the check.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Answers whether the worker polls, until it ends.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve_worker(address: SocketAddr, polls: PollHealth) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with CORDON_HEALTH_LISTEN, or end what uses it")
    })?;
    let router = Router::new().route(PATH, get(async move || answer(polls.last_good_poll())));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(error.message = %error, "the health check is no longer answered");
        }
    });
    Ok(())
}

fn answer(age: Duration) -> (StatusCode, String) {
    let seconds = age.as_secs();
    if age <= MAX_POLL_AGE {
        (StatusCode::OK, format!("ok; the last good poll was {seconds} s ago\n"))
    } else {
        let why =
            "see the worker's log for \"poll failed\", and that its role may call states:GetActivityTask";
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("no activity has been polled with success for {seconds} s; {why}\n"),
        )
    }
}

/// Asks the process that listens there; gives back what it says.
///
/// # Errors
/// When it does not answer, or says that it is not well.
pub async fn ask(listen: SocketAddr) -> anyhow::Result<String> {
    let host = match listen.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    let url = format!("http://{}{PATH}", SocketAddr::new(host, listen.port()));
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
    let answer = http.get(&url).send().await.with_context(|| format!("nobody answers at {url}"))?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default().trim().to_owned();
    ensure!(status.is_success(), "{url} answers {status}: {said}");
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_a_good_poll_for_five_minutes_is_not_well() {
        assert_eq!(answer(Duration::from_secs(12)).0, StatusCode::OK);
        assert_eq!(answer(MAX_POLL_AGE).0, StatusCode::OK);
        let (status, said) = answer(Duration::from_secs(301));
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(said.contains("301 s") && said.contains("states:GetActivityTask"), "{said}");
    }
}
