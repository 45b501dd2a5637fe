//! Deleting quarantined copies for good.

use cordon_domain::{
    case::{Case, Purge},
    manifest::is_copy_of,
    time::Time,
};

use crate::{
    aws::purger::Purgers,
    clock,
    error::{Code, Error, Result},
    store::Cases,
};

/// What became of a purge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PurgeOutcome {
    /// So many versions were deleted; the manifest stays.
    Deleted(usize),
    /// The copies were deleted before, at this time.
    DeletedBefore(Time),
    /// The case is being used for something else.
    InUse,
}

/// Deletes every copy of a case. The role comes first, so that nothing is recorded by
/// somebody who may not have it; the record comes before the first deletion, so that nobody restores what is being
/// deleted. A purge that broke off is finished by the next.
///
/// # Errors
/// As classified.
pub(crate) async fn purge(
    cases: &Cases,
    purgers: &Purgers<'_>,
    case: &Case,
    reason: &str,
) -> Result<PurgeOutcome> {
    if let Some(at) = case.quarantine.purge.as_ref().and_then(|purge| purge.done_at) {
        return Ok(PurgeOutcome::DeletedBefore(at));
    }
    let mut sessions = Vec::new();
    // The record of copies is not the worker's alone to write; what is deleted has to be the case's own.
    if let Some(foreign) = case.quarantine.copies.iter().find(|copy| !is_copy_of(case, copy)) {
        return Err(Error::terminal(
            Code::RequestRejected,
            format!(
                "The record names a copy that is not this case's ({}), so nothing was deleted; look into CloudTrail for \
                 who has changed the table of cases.",
                foreign.key
            ),
        ));
    }
    for copy in &case.quarantine.copies {
        sessions.push(purgers.open(&copy.key).await?);
    }
    let purge = Purge {
        requested_by: purgers.caller.to_owned(),
        reason: reason.to_owned(),
        requested_at: clock::now(),
        done_at: None,
    };
    let Some(recorded) = cases.request_purge(case, &purge).await? else { return Ok(PurgeOutcome::InUse) };
    let mut versions = 0;
    for purger in &sessions {
        versions += purger.purge().await?;
    }
    cases.close_purge(&recorded).await?;
    Ok(PurgeOutcome::Deleted(versions))
}
