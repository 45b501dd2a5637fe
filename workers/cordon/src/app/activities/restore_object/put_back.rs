//! Puts one version back, on top of what was put back before.

use cordon_domain::{
    case::Case,
    finding::{ObjectVersion, real_version},
    manifest::{Entry, ObjectFacts, Verification},
    policy::Verify,
};

use super::{missing, rejected};
use crate::{
    aws::object_session::{CopyOutcome, Destination, ObjectHead, ObjectSession, Place, Restorer},
    error::{Code, Error, Result},
};

/// One restore at work.
pub(super) struct PutBack {
    pub(super) restorer: ObjectSession<Restorer>,
    pub(super) place: Place,
    pub(super) case: Case,
    pub(super) replace: bool,
}

impl PutBack {
    /// How many versions are back, as far as the record was read.
    pub(super) fn done(&self) -> usize {
        self.case.open_restore().map_or(0, |restore| restore.versions_restored)
    }

    /// Puts one object version back, on top of what this restore has put back before.
    pub(super) async fn entry(&self, entry: &Entry) -> Result<ObjectVersion> {
        let from = self.restorer.in_quarantine(&entry.quarantine.key);
        let version = entry.quarantine.version_id.as_deref();
        let copy = self.restorer.head_object(&from, version).await?.ok_or_else(|| {
            missing(format!("The copy {} is no longer in quarantine; nothing was put back.", from.key))
        })?;
        if let Err(why) = Verification::compare(&copy.facts, &as_recorded(entry, &copy)) {
            return Err(rejected(format!(
                "What is in quarantine at {} is not what its manifest says: {why}. Nothing was put back; compare its \
                 versions.",
                from.key
            )));
        }
        if let Some(obstacle) = copy.obstacle.clone().filter(|o| o.code() == Some(Code::ObjectArchived)) {
            return Err(copy_archived(&from, obstacle));
        }
        let there = self.restorer.head_object(&self.place, None).await?;
        let over = match &there {
            Some(there) if !self.is_ours(there) && self.is_there(&from, &copy, there).await? => {
                self.restorer.copy_tags_and_annotations(&from, version, &self.place, there).await?;
                return self.verified(&from, &copy, entry, there).await;
            }
            Some(there) if self.replace || self.is_ours(there) => Some(there.etag.as_str()),
            Some(_) => return Err(self.taken()),
            None => None,
        };
        let destination = Destination { place: &self.place, over, like: Some(&entry.object) };
        let copied = self.restorer.copy_object(&from, version, &copy, destination).await;
        let copied = copied.map_err(|error| copy_archived(&from, error))?;
        let in_parts = self.restorer.is_copied_in_parts(copy.facts.size);
        if in_parts {
            self.restorer.abort_uploads(&self.place).await?;
        }
        match self.restorer.head_object(&self.place, None).await? {
            Some(there) if self.is_it(&from, &copy, &there).await? => {
                if in_parts {
                    self.restorer.copy_tags_and_annotations(&from, version, &self.place, &there).await?;
                }
                self.verified(&from, &copy, entry, &there).await
            }
            Some(_) => Err(self.taken()),
            None if copied == CopyOutcome::Refused => {
                Err(Error::Retryable("S3 refused to put the object back, and nothing is there".into()))
            }
            None => Err(Error::Retryable("the object is not at its place after it was put back".into())),
        }
    }

    /// Whether what is at the place is what this restore has made last.
    fn is_ours(&self, there: &ObjectHead) -> bool {
        let last = self.case.open_restore().and_then(|restore| restore.last_restored.as_ref());
        last == Some(&self.version(there))
    }

    /// Whether what is at the place already is the object, and says nothing else about it.
    async fn is_there(&self, from: &Place, copy: &ObjectHead, there: &ObjectHead) -> Result<bool> {
        let both = ((from, copy.version_id.as_deref()), (&self.place, there.version_id.as_deref()));
        Ok(self.is_it(from, copy, there).await? && self.restorer.annotations_agree(both.0, both.1).await?)
    }

    /// Whether what is at the place is the object: the same bytes, metadata, headers and number of tags. What was put
    /// back in parts may have its tags still to come.
    async fn is_it(&self, from: &Place, copy: &ObjectHead, there: &ObjectHead) -> Result<bool> {
        let (ours, theirs) = (&copy.facts, &there.facts);
        let tags_to_come = self.restorer.is_copied_in_parts(ours.size) && theirs.tag_count == 0;
        let described =
            ours.describe_alike(theirs).is_ok() && (ours.tag_count == theirs.tag_count || tags_to_come);
        match Verification::compare(ours, theirs) {
            Ok(verification) if described && verification.matched.is_some() => Ok(true),
            Ok(_) if described => {
                let (ours, theirs) = self.read_both(from, copy, there).await?;
                Ok(ours == theirs)
            }
            Ok(_) | Err(_) => Ok(false),
        }
    }

    async fn verified(
        &self,
        from: &Place,
        copy: &ObjectHead,
        entry: &Entry,
        there: &ObjectHead,
    ) -> Result<ObjectVersion> {
        if self.case.plan.effect.verify == Verify::Full {
            let (ours, theirs) = self.read_both(from, copy, there).await?;
            if ours != theirs || entry.verification.read.as_ref().is_some_and(|read| *read != ours) {
                return Err(rejected(
                    "What was put back was read, and its SHA-256 is not the one of the object. The copy in \
                     quarantine is untouched."
                        .into(),
                ));
            }
        }
        Ok(self.version(there))
    }

    async fn read_both(
        &self,
        from: &Place,
        copy: &ObjectHead,
        there: &ObjectHead,
    ) -> Result<(String, String)> {
        let ours = self.restorer.sha256_of(from, copy.version_id.as_deref(), &copy.etag).await?;
        let theirs = self.restorer.sha256_of(&self.place, there.version_id.as_deref(), &there.etag).await?;
        Ok((ours, theirs))
    }

    fn version(&self, there: &ObjectHead) -> ObjectVersion {
        ObjectVersion {
            version_id: real_version(there.version_id.as_deref()),
            etag: there.etag.clone(),
            ..self.case.object().clone()
        }
    }

    fn taken(&self) -> Error {
        Error::terminal(
            Code::ObjectExists,
            format!(
                "Another object is at the place in {} by now, so nothing was put back. Look at it, and ask again with \
                 --replace if it may be replaced.",
                self.place.bucket
            ),
        )
    }
}

/// What the manifest says of a copy, to be compared with the copy itself.
fn as_recorded(entry: &Entry, copy: &ObjectHead) -> ObjectFacts {
    ObjectFacts {
        size: entry.verification.size,
        checksums: entry.verification.checksums.clone(),
        ..copy.facts.clone()
    }
}

/// The copy is in an archive class: somebody has moved it there, or a lifecycle rule.
fn copy_archived(from: &Place, error: Error) -> Error {
    match error.code() {
        Some(Code::ObjectArchived) => Error::terminal(
            Code::ObjectArchived,
            format!(
                "The copy {} in quarantine is in an archive storage class, so nothing was put back. Restore the copy \
                 first (s3:RestoreObject), then ask again.",
                from.key
            ),
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_in_an_archive_class_is_told_as_that_and_not_as_the_object() {
        let from = Place { owner: "111122223333".into(), bucket: "q".into(), key: "1/b/c/1/object".into() };
        let archived = || Error::terminal(Code::ObjectArchived, "The object is archived; restore it first.");
        let told = copy_archived(&from, archived()).to_string();
        assert!(
            told.contains("The copy 1/b/c/1/object in quarantine is in an archive storage class"),
            "{told}"
        );
        assert!(told.contains("s3:RestoreObject") && !told.contains("The object is archived"), "{told}");
        let other = Error::Retryable("later".into());
        assert_eq!(copy_archived(&from, other.clone()), other);
    }
}
