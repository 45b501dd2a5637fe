//! Brings a case and its execution together again: ends waits whose decision is on record or whose pause is over, starts
//! restores that were asked for, and closes what died with its execution.

use cordon_domain::{
    case::{Case, Outcome, OutcomeResult, Restore, RestoreOutcome, RestoreResult, Status},
    time::Time,
};
use jiff::SignedDuration;

use crate::{
    app::{activities::quarantine_object, clients::Clients, restores},
    aws::step_functions::{Ended, Run},
    clock,
    error::Result,
};

/// How long whoever records something is given to go on with it.
const GRACE: SignedDuration = SignedDuration::from_secs(5);

/// Before when something has to have happened that is taken up here: whoever did it goes on with it at first.
pub(crate) fn settled() -> Time {
    clock::now() - GRACE
}

/// Wakes the execution of a case that is decided, or whose pause is over.
///
/// # Errors
/// As classified; the next pass tries again.
pub(crate) async fn wake(clients: &Clients, case: &Case, paused: bool) -> Result<()> {
    if case.approval.decided.as_ref().is_some_and(|decided| decided.at < settled()) {
        if let Some(token) = &case.waits.task_token {
            clients.step_functions.wake(token).await?;
        }
        clients.cases.mark_woken(case).await?;
    }
    if let (Some(token), false) = (&case.waits.resume_token, paused) {
        clients.step_functions.wake(token).await?;
        clients.cases.mark_resumed(&case.case_id, token).await?;
    }
    Ok(())
}

/// Does for a case whose execution is not listed as running what that would have done, if it has died. The list may lag, so
/// the execution is asked for by name.
///
/// # Errors
/// As classified; the next pass tries again.
pub(crate) async fn reconcile(clients: &Clients, case: &Case) -> Result<()> {
    match case.open_restore() {
        Some(restore) => reconcile_restore(clients, case, restore).await,
        None => reconcile_response(clients, case).await,
    }
}

/// Closes a case whose execution has died.
async fn reconcile_response(clients: &Clients, case: &Case) -> Result<()> {
    if case.status != Status::Open {
        return Ok(());
    }
    let Run::Ended(ended) = clients.step_functions.run(&case.execution_arn, case.opened_at).await? else {
        return Ok(());
    };
    let moved = match case.quarantine.newest_copy() {
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
    if clients.cases.close(case, &outcome).await?.stands().is_some() {
        tracing::warn!(
            case.id = case.case_id,
            execution.arn = case.execution_arn,
            "case closed: its run has died"
        );
    }
    Ok(())
}

/// Starts a restore whose execution was not started, and ends one whose execution has died.
async fn reconcile_restore(clients: &Clients, case: &Case, restore: &Restore) -> Result<()> {
    let ours = clients.config.object_restore_arn.replace(":stateMachine:", ":execution:");
    if restore.execution_arn.rsplit_once(':').is_none_or(|(machine, _)| machine != ours) {
        let why = format!("The request names a run of another state machine than {ours}. Ask again.");
        return end_restore(clients, case, &why, "NotAuthorized").await;
    }
    // Which does nothing where a run of the name was started before. It is there, then, however long ago it was asked for.
    restores::start(&clients.step_functions, &clients.config.object_restore_arn, &case.case_id, restore)
        .await?;
    let Run::Ended(ended) = clients.step_functions.run(&restore.execution_arn, clock::now()).await? else {
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
    ended.at.is_some_and(|at| at > clock::now() - heartbeat)
}

fn why(cause: Option<String>) -> String {
    cause.unwrap_or_else(|| "no cause is on record".into())
}
