//! Measures what waits, once a minute: how long the oldest approval is open, what Slack does not show yet, and how long ago this
//! worker polled and measured. Every worker measures the same records, so of these the greatest counts, and of what the
//! worker says of itself the least. What cannot be read keeps its last value, which gets older.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use activity_worker::PollHealth;
use cordon_domain::{case::Status, time::Time};
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{app::clients::Clients, clock, error::Result, telemetry::Measured};

const INTERVAL: Duration = Duration::from_secs(60);
/// What is beyond so many cases is not counted: then the number is of no more use anyway.
const MAX_COUNTED: usize = 10_000;

/// Measures until stopped.
pub async fn run(clients: Arc<Clients>, polls: PollHealth, measured: Measured, stop: CancellationToken) {
    let last = Mutex::new(Instant::now());
    every("metrics", INTERVAL, stop, || pass(&clients, &polls, &last, measured)).await;
}

/// `last` is when what waits was last read.
async fn pass(
    clients: &Clients,
    polls: &PollHealth,
    last: &Mutex<Instant>,
    measured: Measured,
) -> Result<()> {
    let waiting = waiting(clients).await;
    let age = {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_ok() {
            *last = Instant::now();
        }
        last.elapsed()
    };
    metrics::gauge!("PollAgeSeconds").set(polls.last_good_poll().as_secs_f64());
    metrics::gauge!("MeasuredAgeSeconds").set(age.as_secs_f64());
    measured.write();
    waiting
}

async fn waiting(clients: &Clients) -> Result<()> {
    let now = clock::now();
    for status in [Status::Open, Status::Restoring] {
        let (mut count, mut oldest, mut next) = (0, None, None);
        loop {
            let page = clients.cases.open_cases(status, next).await?;
            count += page.entries.len();
            oldest = oldest.or(page.entries.first().map(|case| case.since));
            next = page.next;
            if next.is_none() || count >= MAX_COUNTED {
                break;
            }
        }
        metrics::gauge!("Cases", "Status" => status.name()).set(count as f64);
        metrics::gauge!("OldestCaseSeconds", "Status" => status.name()).set(age(now, oldest));
    }
    let unshown = clients.cases.oldest_slack_due(now).await?;
    metrics::gauge!("OldestUnshownSeconds").set(age(now, unshown));
    Ok(())
}

fn age(now: Time, since: Option<Time>) -> f64 {
    since.map_or(0.0, |since| since.timestamp().duration_until(now.timestamp()).as_secs_f64().max(0.0))
}
