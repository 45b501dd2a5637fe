//! Whether the gateway gets at what it needs to answer a click.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::{sync::Mutex, time::Instant};

use super::parts::Gateway;
use crate::error::{Code, Error, Result};

/// How long a result is told again: however many ask, the stores are asked this seldom.
const CACHE_TTL: Duration = Duration::from_secs(5);
/// A store that takes longer is of no use for a click.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

/// What was found last, and when.
#[derive(Debug, Default)]
pub(super) struct Health {
    last: Mutex<Option<(Instant, Vec<&'static str>)>>,
}

impl Health {
    /// The answer to a health check: 200, or 503 with a line for each store that cannot be read.
    pub(super) async fn check(&self, gateway: &Gateway) -> (StatusCode, String) {
        let mut last = self.last.lock().await;
        let failing = match &*last {
            Some((at, failing)) if at.elapsed() < CACHE_TTL => failing.clone(),
            _ => {
                let failing = failing(gateway).await;
                last.insert((Instant::now(), failing)).1.clone()
            }
        };
        if failing.is_empty() {
            (StatusCode::OK, "ok\n".into())
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, failing.iter().map(|what| format!("{what}\n")).collect())
        }
    }
}

/// What cannot be read, each by a read of what a click or a restore reads too.
async fn failing(gateway: &Gateway) -> Vec<&'static str> {
    let clicks = &gateway.clicks;
    let policy = async {
        let found = clicks.state().get(&gateway.config.policy_key).await?;
        found.ok_or_else(|| Error::terminal(Code::RequestRejected, "There is no policy in the state bucket."))
    };
    let (cases, policy, secret) = tokio::join!(
        in_time(clicks.cases().pause_in_force()),
        in_time(policy),
        in_time(gateway.secret.get())
    );
    let found = [
        (cases.err(), "the table of cases cannot be read"),
        (policy.err(), "the policy cannot be read"),
        (secret.err(), "Slack's secret cannot be read"),
    ];
    found
        .into_iter()
        .filter_map(|(error, what)| {
            let error = error?;
            tracing::error!(error.message = %error, "not healthy: {what}");
            Some(what)
        })
        .collect()
}

async fn in_time<T>(read: impl Future<Output = Result<T>>) -> Result<()> {
    match tokio::time::timeout(STORE_TIMEOUT, read).await {
        Ok(read) => read.map(drop),
        Err(_) => Err(Error::Retryable(format!("no answer within {} s", STORE_TIMEOUT.as_secs()))),
    }
}
