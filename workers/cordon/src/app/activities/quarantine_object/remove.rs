//! Removes what the manifest names, and proves by a listing that it is gone.

use cordon_domain::{finding::ObjectVersion, manifest::Manifest};

use super::{Move, bytes_of, is, rejected};
use crate::{
    aws::object_session::{DeleteOutcome, VersionEntry, Versioning},
    error::{Error, Result},
};

impl Move {
    /// Removes what the manifest names. A `null` version can be replaced by a PUT at any time, so it is only removed
    /// on condition of its ETag; a real version id names the same bytes for ever.
    pub(super) async fn remove(&self, manifest: &Manifest) -> Result<DeleteOutcome> {
        let (mover, place) = (&self.mover, &self.place);
        // Asked again: a copy can take minutes, and versioning may have been suspended meanwhile.
        let versioning = mover.removable_versioning(place).await?;
        if versioning == Versioning::Never {
            return self.remove_only(&self.case.object().etag).await;
        }
        let listed = mover.list_object_versions(place).await?;
        if self.is_replaced(&listed) {
            return Ok(DeleteOutcome::Changed);
        }
        let named: Vec<_> = manifest.entries.iter().map(|entry| entry.source.clone()).collect();
        if versioning == Versioning::Suspended
            && let Some(why) = null_version_at_risk(&named, &listed)
        {
            return Err(left_to_people(why, "It is complete in quarantine and still at its source"));
        }
        let to_delete = |entry: &&VersionEntry| {
            !entry.is_delete_marker && manifest.entries.iter().any(|moved| is(&moved.source, entry))
        };
        if let Some(current) = listed.iter().filter(to_delete).find(|entry| entry.is_latest) {
            let replaceable = current.version_id == "null" && versioning == Versioning::Suspended;
            if replaceable || bytes_of(&listed).count() > 1 {
                // Without a marker the next older version would become current. If something newer has come on top in
                // the meantime, that is current and no marker is needed.
                let removed = mover.delete_current(place, &current.etag).await?;
                // A removal whose answer was lost is repeated, and refused then: so the listing tells.
                if removed == DeleteOutcome::Changed
                    && replaceable
                    && self.is_replaced(&mover.list_object_versions(place).await?)
                {
                    return Ok(DeleteOutcome::Changed);
                }
            }
        }
        for entry in listed.iter().filter(to_delete) {
            if entry.version_id != "null" || versioning == Versioning::Enabled {
                mover.delete_version(place, &entry.version_id).await?;
            }
        }
        Ok(DeleteOutcome::Deleted)
    }

    /// Removes the object of a bucket without versions.
    async fn remove_only(&self, etag: &str) -> Result<DeleteOutcome> {
        match self.mover.delete_current(&self.place, etag).await? {
            DeleteOutcome::Deleted => Ok(DeleteOutcome::Deleted),
            DeleteOutcome::Changed => match self.mover.head_object(&self.place, None).await? {
                None => Ok(DeleteOutcome::Deleted),
                Some(seen) if seen.etag == etag => {
                    Err(Error::Retryable("S3 refused the removal of the object as it is".into()))
                }
                Some(_) => Ok(DeleteOutcome::Changed),
            },
        }
    }

    /// Whether the reported `null` version was replaced by something that nobody reported.
    fn is_replaced(&self, listed: &[VersionEntry]) -> bool {
        let object = self.case.object();
        object.version_id.is_none()
            && bytes_of(listed).any(|entry| entry.version_id == "null" && entry.etag != object.etag)
    }

    /// Proves by a listing that what was moved is gone; gives back the other versions of the key.
    pub(super) async fn attest(&self, manifest: &Manifest) -> Result<Vec<VersionEntry>> {
        let listed = self.mover.list_object_versions(&self.place).await?;
        let gone = |entry: &&VersionEntry| !manifest.entries.iter().any(|moved| is(&moved.source, entry));
        let (others, left): (Vec<_>, Vec<_>) = bytes_of(&listed).partition(gone);
        if !left.is_empty() {
            return Err(Error::Retryable(
                "the object is still listed at its source after its removal".into(),
            ));
        }
        Ok(others.into_iter().cloned().collect())
    }
}

/// Where versioning is suspended, whatever is written has the id `null`, a delete marker too, and replaces the `null`
/// version there is. Why these versions cannot be removed without that risk, if so.
pub(super) fn null_version_at_risk(named: &[ObjectVersion], listed: &[VersionEntry]) -> Option<&'static str> {
    let goes = |entry: &VersionEntry| named.iter().any(|version| is(version, entry));
    let null = bytes_of(listed).find(|entry| entry.version_id == "null" && !entry.is_latest)?;
    if goes(null) {
        return Some("it is the null version below a newer one, which any PUT may replace");
    }
    let current_goes = bytes_of(listed).any(|entry| entry.is_latest && goes(entry));
    current_goes.then_some("the delete marker on top of the key would replace its null version")
}

pub(super) fn left_to_people(why: &str, so_far: &str) -> Error {
    rejected(format!(
        "The object cannot be removed safely: versioning of the bucket is suspended, and {why}. {so_far}. Enable \
         versioning and start the response again, or remove the object by hand."
    ))
}
