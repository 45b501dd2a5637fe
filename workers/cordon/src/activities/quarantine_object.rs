//! Moves one object version to quarantine.
//!
//! Input / output: run and case → `result`, where it is, what was verified.  Effects, in order: case re-read and its
//! authorisation checked; mover session opened for this key; source looked at; copied on condition of its ETag; copy
//! verified; manifest written; source removed; removal attested by a listing.
//! Idempotency: case and object version; each step first asks whether it is already done, and the manifest marks the
//! point after which only removal is left. Another worker may be running the same task: every write is conditional.
//! Errors: the codes of [`TERMINAL`]; up to the removal the source is untouched.  Undo: `restore_object`, from the
//! manifest.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};

use crate::{
    clients::{
        Clients,
        mover::{self, Mover, Removed, SourceObject, VersionEntry, Versioning},
    },
    domain::{
        case::Case,
        finding::ObjectVersion,
        manifest::{Manifest, Verification, quarantine_key},
        time,
    },
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[
    Code::ObjectChanged,
    Code::ObjectMissing,
    Code::InvalidFinding,
    Code::ObjectLocked,
    Code::ObjectArchived,
    Code::AccessDenied,
    Code::UnsupportedEncryption,
    Code::NotAuthorised,
    Code::RequestRejected,
];

/// See the module.
pub(super) struct QuarantineObject(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    /// `quarantined`, or `sample`.
    result: &'static str,
    detail: String,
    quarantine_key: Option<String>,
}

/// The most that one CopyObject copies
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
const COPY_LIMIT: i64 = 5 * 1024 * 1024 * 1024;

impl Activity for QuarantineObject {
    const NAME: &'static str = "quarantine_object";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, context: TaskContext) -> Result<Output> {
        let case =
            self.0.cases.get(&input.case_id).await?.ok_or_else(|| not_authorised("there is no such case"))?;
        case.authorisation(&input.execution_arn).map_err(|why| not_authorised(&why))?;
        if case.finding.sample {
            return Ok(Output {
                result: "sample",
                detail: "A sample finding has no object; nothing was touched.".into(),
                quarantine_key: None,
            });
        }
        let object = case.object();
        let mover = self.0.movers.open(object, &case.case_id).await?;
        let versioning = mover.versioning(object).await?;
        let manifest_key = quarantine_key(&case, "manifest.json");
        let manifest = match mover.manifest(&manifest_key).await? {
            Some(manifest) if manifest.source == *object && still_there(&mover, &manifest).await? => manifest,
            Some(manifest) if manifest.source != *object => {
                return Err(Error::terminal(
                    Code::RequestRejected,
                    format!(
                        "The manifest {manifest_key} is about another object; the source was not touched."
                    ),
                ));
            }
            _ => {
                let manifest = copy(&mover, &case, versioning).await?;
                mover.put_manifest(&manifest_key, &manifest).await?;
                manifest
            }
        };
        if context.is_cancelled() {
            return Err(Error::Retryable("the run no longer waits for this task".into()));
        }
        remove(&mover, object).await?;
        let older = attest(&mover, object).await?;
        Ok(Output {
            result: "quarantined",
            detail: format!(
                "Moved to the quarantine bucket. {}.{}",
                manifest.verification.guarantee,
                versions_left(older)
            ),
            quarantine_key: Some(manifest.quarantine.key),
        })
    }
}

/// Whether the copy that a manifest speaks of is where it says: an earlier attempt's word is not taken for it.
async fn still_there(mover: &Mover, manifest: &Manifest) -> Result<bool> {
    let copy = mover.head_copy(&manifest.quarantine.key).await?;
    Ok(copy.is_some_and(|(size, _, _)| size == manifest.verification.size))
}

fn not_authorised(why: &str) -> Error {
    Error::terminal(Code::NotAuthorised, format!("The object was not moved: {why}."))
}

fn versions_left(older: usize) -> String {
    match older {
        0 => String::new(),
        1 => " 1 other version of the key remains.".into(),
        n => format!(" {n} other versions of the key remain."),
    }
}

/// The version id by which S3 is asked for the object.
fn requested_version(object: &ObjectVersion, versioning: Versioning) -> Option<&str> {
    match (&object.version_id, versioning) {
        (Some(id), _) => Some(id),
        (None, Versioning::Never) => None,
        (None, Versioning::Enabled | Versioning::Suspended) => Some("null"),
    }
}

async fn copy(mover: &Mover, case: &Case, versioning: Versioning) -> Result<Manifest> {
    let object = case.object();
    let version = requested_version(object, versioning);
    let source = mover.head_source(object, version).await?.ok_or_else(|| mover::gone(object))?;
    if source.etag != object.etag {
        return Err(mover::changed(object));
    }
    if let Some(obstacle) = &source.obstacle {
        return Err(obstacle.clone());
    }
    if source.facts.size > COPY_LIMIT {
        return Err(Error::terminal(
            Code::RequestRejected,
            "The object is larger than 5 GiB, which this release cannot move. Move it by hand; it was not touched.",
        ));
    }
    let key = quarantine_key(case, "object");
    let (verification, location) = match verified(mover, &source, &key).await {
        Ok(Some(done)) => done,
        // Nothing there yet, or what an earlier attempt left is not the object.
        Ok(None) | Err(Error::Retryable(_)) => {
            mover.copy(object, version, &source, &key).await?;
            verified(mover, &source, &key).await?.ok_or_else(|| {
                Error::Retryable(
                    "the copy was not found in the quarantine bucket right after it was made".into(),
                )
            })?
        }
        Err(error) => return Err(error),
    };
    Ok(Manifest {
        version: 1,
        case_id: case.case_id.clone(),
        generation: case.generation,
        execution_arn: case.execution_arn.clone(),
        source: object.clone(),
        quarantine: location,
        object: source.facts,
        verification,
        finding_ids: case.finding_ids.clone(),
        rule: case.plan.rule.clone(),
        policy_version: case.plan.policy_version.clone(),
        votes: case.votes.clone(),
        verified_at: time::now(),
    })
}

/// What is at `key`, if it is a copy of the source; `None` when nothing is.
async fn verified(
    mover: &Mover,
    source: &SourceObject,
    key: &str,
) -> Result<Option<(Verification, crate::domain::manifest::Location)>> {
    let Some((size, location, checksums)) = mover.head_copy(key).await? else { return Ok(None) };
    let verification = Verification::compare(&source.facts, size, checksums).map_err(|why| {
        Error::Retryable(format!("the copy is not the object: {why}; the source was not touched"))
    })?;
    Ok(Some((verification, location)))
}

/// Removes the source. A `null` version can be replaced by a PUT at any time, so it is only removed on condition of
/// its ETag; a real version id names the same bytes for ever.
async fn remove(mover: &Mover, object: &ObjectVersion) -> Result<()> {
    // Asked again: a copy can take minutes, and versioning may have been suspended meanwhile.
    let versioning = mover.versioning(object).await?;
    let unversioned = object.version_id.is_none() && versioning == Versioning::Never;
    let entries = mover.versions(object).await?;
    let id = object.version_id.as_deref().unwrap_or("null");
    let Some(entry) = entries.iter().find(|entry| entry.version_id == id && !entry.is_delete_marker) else {
        return Ok(());
    };
    if object.version_id.is_none() && entry.etag != object.etag {
        return Err(mover::changed(object));
    }
    let replaceable = object.version_id.is_none() && entry.is_latest && versioning == Versioning::Suspended;
    if unversioned || replaceable {
        return match mover.remove_current(object, &object.etag).await? {
            Removed::Yes => Ok(()),
            Removed::Changed => Err(mover::changed(object)),
        };
    }
    if object.version_id.is_none() && versioning == Versioning::Suspended {
        return Err(Error::terminal(
            Code::RequestRejected,
            "The object is the null version below a newer one in a bucket with suspended versioning; any PUT may replace \
             it, and no condition guards its removal. It is complete in quarantine; remove the null version by hand.",
        ));
    }
    if entry.is_latest && others(&entries, id) > 0 {
        // Without a marker the next older version would become current. If something newer has come on top in the
        // meantime, that is current and no marker is needed.
        mover.remove_current(object, &object.etag).await?;
    }
    mover.remove_version(object, id).await
}

/// Proves by a listing that the version is gone; counts the other versions of the key.
async fn attest(mover: &Mover, object: &ObjectVersion) -> Result<usize> {
    let entries = mover.versions(object).await?;
    let id = object.version_id.as_deref().unwrap_or("null");
    let left = entries.iter().any(|entry| {
        entry.version_id == id
            && !entry.is_delete_marker
            && (object.version_id.is_some() || entry.etag == object.etag)
    });
    if left {
        return Err(Error::Retryable("the object is still listed at its source after its removal".into()));
    }
    Ok(others(&entries, id))
}

fn others(entries: &[VersionEntry], id: &str) -> usize {
    entries.iter().filter(|entry| entry.version_id != id && !entry.is_delete_marker).count()
}
