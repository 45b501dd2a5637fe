//! Brings a case and its execution together again: ends waits whose decision is on record or whose pause is over, starts
//! restores that were asked for, and closes what died with its execution.

use std::collections::HashSet;

use cordon_domain::{
    case::{Case, Outcome, OutcomeResult, Restore, RestoreOutcome, RestoreResult},
    time,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    app::{activities::quarantine_object, clients::Clients, restores},
    aws::step_functions::{Ended, Run},
    clock,
    error::Result,
};

/// How long the gateway is given to wake a run itself.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Does for a case what its execution waits for, or closes it when the execution has died. `running` are the executions
/// that Step Functions lists as running.
///
/// # Errors
/// As classified; the next pass tries again.
pub(crate) async fn reconcile(
    clients: &Clients,
    case: &Case,
    running: &HashSet<String>,
    paused: bool,
) -> Result<()> {
    let settled = time::stored(Timestamp::now() - GRACE);
    if let (Some(decided_at), Some(token)) = (&case.decided_at, &case.task_token)
        && *decided_at < settled
    {
        clients.step_functions.wake(token).await?;
        clients.cases.forget_token(&case.case_id, token).await?;
    }
    if let (Some(token), false) = (&case.resume_token, paused) {
        clients.step_functions.wake(token).await?;
        clients.cases.mark_resumed(&case.case_id, token).await?;
    }
    match case.open_restore() {
        Some(restore) => reconcile_restore(clients, case, restore, running, &settled).await,
        None => reconcile_response(clients, case, running, &settled).await,
    }
}

/// Closes a case whose run has died. The list of running runs spares a call for each case; it may lag, so a run that is
/// not on it is asked for by name.
async fn reconcile_response(
    clients: &Clients,
    case: &Case,
    running: &HashSet<String>,
    settled: &str,
) -> Result<()> {
    if running.contains(&case.execution_arn) || case.opened_at.as_str() >= settled {
        return Ok(());
    }
    let Run::Ended(ended) = clients.step_functions.run(&case.execution_arn, &case.opened_at).await? else {
        return Ok(());
    };
    let moved = match &case.quarantine_copy {
        None => String::new(),
        // A worker may still be at the task: it hears of the end with its next heartbeat.
        Some(_) if may_be_at_work(clients, &ended) => return Ok(()),
        Some(_) => format!(" {}", quarantine_object::moved_so_far(clients, case).await?),
    };
    let outcome = Outcome {
        result: OutcomeResult::Failed,
        detail: format!(
            "The run ended as {} before the case was closed ({}).{moved} A new finding, or a new run, takes it up again.",
            ended.status,
            why(ended.cause)
        ),
        code: Some(ended.status),
    };
    if clients.cases.close(case, &outcome, None).await?.stands().is_some() {
        tracing::warn!(
            case.id = case.case_id,
            execution.arn = case.execution_arn,
            "case closed: its run has died"
        );
    }
    Ok(())
}

/// Starts a restore whose run was not started, and ends one whose run has died.
async fn reconcile_restore(
    clients: &Clients,
    case: &Case,
    restore: &Restore,
    running: &HashSet<String>,
    settled: &str,
) -> Result<()> {
    if running.contains(&restore.execution_arn) || restore.requested_at.as_str() >= settled {
        return Ok(());
    }
    let ours = clients.config.object_restore_arn.replace(":stateMachine:", ":execution:");
    if restore.execution_arn.rsplit_once(':').is_none_or(|(machine, _)| machine != ours) {
        let why = format!("The request names a run of another state machine than {ours}. Ask again.");
        return end_restore(clients, case, &why, "NotAuthorized").await;
    }
    // Which does nothing where a run of the name was started before.
    restores::start(&clients.step_functions, &clients.config.object_restore_arn, &case.case_id, restore)
        .await?;
    let Run::Ended(ended) = clients.step_functions.run(&restore.execution_arn, &restore.requested_at).await?
    else {
        return Ok(());
    };
    let detail = format!(
        "The run ended as {} before the restore was reported ({}). Look at the place, and ask again.",
        ended.status,
        why(ended.cause)
    );
    end_restore(clients, case, &detail, &ended.status).await
}

async fn end_restore(clients: &Clients, case: &Case, detail: &str, code: &str) -> Result<()> {
    let outcome = RestoreOutcome {
        result: RestoreResult::Failed,
        detail: detail.to_owned(),
        code: Some(code.to_owned()),
        at: clock::now(),
    };
    let ended = case.clone().with_open_restore(|restore| restore.outcome = Some(outcome));
    if clients.cases.close_restore(&ended).await?.is_some() {
        tracing::warn!(case.id = case.case_id, error.code = code, "restore ended: its run has died");
    }
    Ok(())
}

/// Whether a worker may still have a task of a run that has ended.
fn may_be_at_work(clients: &Clients, ended: &Ended) -> bool {
    let heartbeat = SignedDuration::try_from(clients.config.heartbeat).unwrap_or(SignedDuration::ZERO);
    ended.at.as_ref().is_some_and(|at| *at > time::stored(Timestamp::now() - heartbeat))
}

fn why(cause: Option<String>) -> String {
    cause.unwrap_or_else(|| "no cause is on record".into())
}
