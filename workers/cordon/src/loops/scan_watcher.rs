//! Ends the waits of finished Macie jobs.

use std::{sync::Arc, time::Duration};

use cordon_domain::exposure::JobRecord;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{app::clients::Clients, aws::macie::JobProgress, clock, error::Result};

const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The shortest wait between two looks at one job, unless jobs are waited for so briefly that it were long.
const SHORTEST: Duration = Duration::from_secs(30);
/// The longest.
const LONGEST: Duration = Duration::from_secs(600);

/// Watches jobs until stopped.
pub async fn run(clients: Arc<Clients>, stop: CancellationToken) {
    every("scan_watcher", POLL_INTERVAL, stop, || pass(&clients)).await;
}

async fn pass(clients: &Clients) -> Result<()> {
    let mut page = None;
    loop {
        let (jobs, next) = clients.exposures.due_jobs(page).await?;
        for job in jobs {
            if let Err(error) = watch(clients, &job).await {
                tracing::warn!(macie.job_id = job.job_id, error.message = %error, "job passed over");
            }
        }
        page = next;
        if page.is_none() {
            return Ok(());
        }
    }
}

/// Looks at one job. The record is finished before the token is answered and unwatched after, so that a watcher that
/// dies in between is followed by one that answers again.
async fn watch(clients: &Clients, job: &JobRecord) -> Result<()> {
    let problem = match clients.macie.job(&job.job_id).await? {
        JobProgress::Running => {
            let now = clock::now();
            let age = job.started_at.timestamp().duration_until(now.timestamp()).unsigned_abs();
            let wait = until_next_look(age, clients.config.scan_timeout);
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            return clients.exposures.watch_job_again(&job.bucket_arn, now + wait).await;
        }
        JobProgress::Complete => None,
        JobProgress::Incomplete(problem) => Some(problem),
    };
    let Some(finished) = clients.exposures.finish_job(&job.bucket_arn, problem.as_deref()).await? else {
        return Ok(());
    };
    if let Some(token) = &finished.task_token {
        clients.step_functions.wake(token).await?;
    }
    clients.exposures.unwatch_job(&job.bucket_arn).await?;
    tracing::info!(macie.job_id = job.job_id, complete = finished.problem.is_none(), "job ended");
    Ok(())
}

/// How long a job of this age that still runs is left alone: every look is a call of Macie's for each job, and the older a
/// job is, the less it matters that its end is seen at once.
fn until_next_look(age: Duration, scan_timeout: Duration) -> Duration {
    let wait = (age / 20).clamp(SHORTEST.min(scan_timeout / 1_000), LONGEST);
    // Nearer and nearer to the end of the wait for it: a job that ends before is not to be taken for one that does not.
    wait.min((scan_timeout.saturating_sub(age) / 2).max(POLL_INTERVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_a_job_runs_the_less_often_it_is_looked_at() {
        let day = Duration::from_secs(86_400);
        let wait = |age: u64| until_next_look(Duration::from_secs(age), day).as_secs();
        assert_eq!([0, 60, 1_200, 3_600, 43_200].map(wait), [30, 30, 60, 180, 600]);
        assert_eq!([86_000, 86_300, 86_400].map(wait), [200, 50, 2]);
        assert_eq!(until_next_look(Duration::ZERO, Duration::from_secs(120)), Duration::from_millis(120));
    }
}
