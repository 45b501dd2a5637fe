//! The one place where tests wait: a condition, asked again until it holds or its time is over.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// Long enough for everything on a busy machine; what has not happened by then does not happen.
const DEADLINE: Duration = Duration::from_secs(60);
/// The least time between two questions.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How much longer than the last question took the pause after it is: the emulator works for all tests, and those that
/// only wait are not to keep it busy.
const PAUSE_PER_QUESTION: u32 = 3;

/// Asks until there is an answer.
///
/// # Errors
/// When it does not come, or asking fails.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    eventually_within(DEADLINE, what, ask).await
}

/// The same with another deadline.
///
/// # Errors
/// When it does not come, or asking fails.
pub async fn eventually_within<T>(
    deadline: Duration,
    what: &str,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        let asked = Instant::now();
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if Instant::now() > end {
            bail!("{what} did not come within {deadline:?}");
        }
        sleep(POLL_INTERVAL.max(asked.elapsed() * PAUSE_PER_QUESTION)).await;
    }
}
