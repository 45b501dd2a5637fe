//! The two ends of a purge, which the worker records. The deletion between them is the person's own: no role of Cordon's
//! processes deletes from quarantine.

use cordon_domain::{
    case::{Case, Purge, QuarantineCopy},
    manifest::{is_copy_of, manifest_beside},
    request::{Answer, AnswerResult},
    time::Time,
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use super::{
    clients::Clients,
    refusals::{Refusal, unavailable},
};
use crate::{
    aws::object_session::{ObjectSession, Place, Restorer},
    clock,
    error::Result,
};

/// How long after it was sent a request to begin is taken; longer than the command waits for its answer.
const MAX_WAIT: SignedDuration = SignedDuration::from_secs(120);
/// Copies looked for at once.
const MAX_CONCURRENCY: usize = 8;

/// Who has copies deleted, and why.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The id of an IAM principal.
    pub(crate) by: String,
    /// When they asked.
    pub(crate) at: Time,
    /// Why.
    pub(crate) reason: String,
}

/// Records that the copies of a case are about to be deleted: from then on nothing of it is restored. A purge that broke
/// off is taken up by the next.
///
/// # Errors
/// As classified.
pub(crate) async fn begin(clients: &Clients, case: &Case, request: Request) -> Result<Answer> {
    if let Some(at) = case.quarantine.purge.as_ref().and_then(|purge| purge.done_at) {
        return Ok(purged(format!("Its copies were deleted before, at {at}.")));
    }
    // Whoever asked so long ago no longer waits to delete, and what is recorded as being deleted can't be put back.
    if request.at < clock::now() - MAX_WAIT {
        let why =
            "It was asked for too long ago: the command no longer waits. Nothing was deleted; run it again.";
        return Ok(Answer::refused("TooLate", why));
    }
    if let Some(refusal) = unavailable(case) {
        return Ok(refusal.into());
    }
    if let Some(refusal) = foreign_copies(case) {
        return Ok(refusal.into());
    }
    let Request { by, at, reason } = request;
    let purge = Purge { requested_by: by, reason, requested_at: at, done_at: None };
    Ok(match clients.cases.request_purge(case, &purge).await? {
        Some(_) => Answer::done(AnswerResult::Accepted, "On record; its copies may be deleted."),
        None => Refusal::overtaken().into(),
    })
}

/// Records that the copies of a case are gone, once they are.
///
/// # Errors
/// As classified.
pub(crate) async fn end(clients: &Clients, case: &Case) -> Result<Answer> {
    // A finding may have opened the case anew since the purge began: then the generation before remembers it.
    let earlier = || case.history.iter().rev().map(|past| &past.quarantine).find(|past| past.purge.is_some());
    let current = Some(&case.quarantine).filter(|quarantine| quarantine.purge.is_some());
    let Some(purging) = current.or_else(earlier) else {
        return Ok(Answer::refused("NotRequested", "No purge of it is on record; ask for one first."));
    };
    if purging.purge.as_ref().is_some_and(|purge| purge.done_at.is_none()) {
        let left = left(clients, case, &purging.copies).await?;
        if left > 0 {
            let why = format!("{left} of its copies are still in quarantine; run the command again.");
            return Ok(Answer::refused("CopiesLeft", why));
        }
        if current.is_some() {
            clients.cases.close_purge(case).await?;
        }
    }
    Ok(purged("Deleted for good; the manifest stays."))
}

/// Why nothing may be deleted, where the record names what is another case's.
pub(crate) fn foreign_copies(case: &Case) -> Option<Refusal> {
    let foreign = case.quarantine.copies.iter().find(|copy| !is_copy_of(case, copy))?;
    let why = format!(
        "The record names a copy that is not this case's ({}), so nothing was deleted; look into CloudTrail for who has \
         changed the table of cases.",
        foreign.key
    );
    Some(Refusal::new("ForeignCopy", why))
}

fn purged(detail: impl Into<String>) -> Answer {
    Answer::done(AnswerResult::Purged, detail)
}

/// How many copies are still there, of those that the manifests name; and of those without a manifest.
async fn left(clients: &Clients, case: &Case, copies: &[QuarantineCopy]) -> Result<usize> {
    let restorer = clients.restorers.open(&Place::of(case.object()), &case.case_id).await?;
    let mut left = 0;
    for copy in copies {
        let named: Vec<_> = match restorer.manifest(&manifest_beside(&copy.key)).await? {
            None => vec![(copy.key.clone(), None)],
            Some((manifest, _)) => manifest
                .entries
                .into_iter()
                .map(|entry| (entry.quarantine.key, entry.quarantine.version_id))
                .collect(),
        };
        left += stream::iter(named)
            .map(|(key, version_id)| is_there(&restorer, key, version_id))
            .buffer_unordered(MAX_CONCURRENCY)
            .try_fold(0, async |sum, there| Ok(sum + usize::from(there)))
            .await?;
    }
    Ok(left)
}

async fn is_there(
    restorer: &ObjectSession<Restorer>,
    key: String,
    version_id: Option<String>,
) -> Result<bool> {
    let place = restorer.in_quarantine(&key);
    Ok(restorer.head_object(&place, version_id.as_deref()).await?.is_some())
}
