//! Ends the waits of finished Macie jobs.

use std::{sync::Arc, time::Duration};

use cordon_domain::exposure::JobRecord;
use tokio_util::sync::CancellationToken;

use super::every;
use crate::{app::clients::Clients, aws::macie::JobProgress, error::Result};

const POLL_INTERVAL: Duration = Duration::from_secs(2);

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
        JobProgress::Running => return Ok(()),
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
