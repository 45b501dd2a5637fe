//! Looks at what policy names, copies and verifies it, and writes the manifest: up to here the source is untouched.

use std::cmp::Reverse;

use cordon_domain::{
    finding::ObjectVersion,
    manifest::{Entry, Location, Manifest, Verification, copy_key, new_copy},
    policy::{Verify, Versions},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    MAX_CONCURRENCY, MAX_VERSIONS, Move, bytes_of, not_authorized, rejected,
    remove::{left_to_people, null_version_at_risk},
};
use crate::{
    app::clients::Clients,
    aws::object_session::{self, CopyOutcome, Destination, ObjectHead, PutOutcome, VersionEntry, Versioning},
    clock,
    error::{Error, Result},
    store::{Cases, Conditional},
};

impl Move {
    /// What an earlier attempt has secured, of this generation or of one before, if there is nothing more to copy.
    ///
    /// An earlier generation was ended after it had copied the object: the removal was refused, or the run was stopped.
    /// Where somebody has put the same bytes again since, with metadata of their own, they are copied anew.
    /// Where that generation's plan named other versions, everything is copied anew too, in the order of the versions.
    pub(super) async fn secured_earlier(&self, versioning: Versioning) -> Result<Option<(Manifest, String)>> {
        let Some(copy) = self.case.quarantine.newest_copy() else { return Ok(None) };
        let Some((manifest, etag)) = self.recorded().await? else { return Ok(None) };
        if copy.generation == self.case.generation {
            return Ok(Some((manifest, etag)));
        }
        let object = self.case.object();
        let asked = versioning.requested(object.version_id.as_deref());
        let there =
            self.mover.head_object(&self.place, asked).await?.filter(|there| there.etag == object.etag);
        let Some(there) = there else { return Ok(Some((manifest, etag))) };
        if let Some(obstacle) = there.obstacle {
            return Err(obstacle);
        }
        let is_copied = manifest.versions == self.case.plan.effect.versions
            && self.reported(&manifest).object.is_same_writing(&there.facts);
        Ok(is_copied.then_some((manifest, etag)))
    }

    /// What another worker at the same task has secured: an earlier generation's is of no use, or would have been taken.
    pub(super) async fn recorded_meanwhile(&self) -> Result<Option<(Manifest, String)>> {
        let copy = self.case.quarantine.newest_copy();
        match copy.filter(|copy| copy.generation == self.case.generation) {
            Some(_) => self.recorded().await,
            None => Ok(None),
        }
    }

    /// The manifest of an earlier attempt and its ETag, if the copies that it speaks of are there.
    pub(super) async fn recorded(&self) -> Result<Option<(Manifest, String)>> {
        let key = self.manifest_key();
        let Some((manifest, etag)) = self.mover.manifest(&key).await? else { return Ok(None) };
        if !manifest.entries.iter().any(|entry| entry.source == *self.case.object()) {
            return Err(rejected(format!(
                "The manifest {key} is about another object; the source was not touched."
            )));
        }
        for entry in &manifest.entries {
            let copy = self.mover.head_object(&self.mover.in_quarantine(&entry.quarantine.key), None).await?;
            if copy.is_none_or(|copy| !entry.verification.is_of(&copy.facts)) {
                return Err(rejected(format!(
                    "The manifest {key} speaks of a copy that is not there, or is another one by now ({}); the source \
                     was not touched.",
                    entry.quarantine.key
                )));
            }
        }
        Ok(Some((manifest, etag)))
    }

    /// Copies everything that policy names, verifies it, and writes the manifest. Where the copies go is recorded before
    /// the first is made.
    pub(super) async fn secure(
        &mut self,
        clients: &Clients,
        versioning: Versioning,
    ) -> Result<(Manifest, String)> {
        let object = self.case.object();
        let listed = match versioning {
            Versioning::Never => Vec::new(),
            Versioning::Enabled | Versioning::Suspended => {
                self.mover.list_object_versions(&self.place).await?
            }
        };
        let named = match (versioning, self.case.plan.effect.versions) {
            (Versioning::Never, _) | (_, Versions::Reported) => vec![object.clone()],
            (_, Versions::All) => self.taken_of(&listed, clients).await?,
        };
        if !named.contains(object) {
            return Err(object_session::gone(&self.place));
        }
        let seen = self.look_at_all(&named, versioning, &listed).await?;
        let versions_left = bytes_of(&listed).count().saturating_sub(named.len());
        self.begin(&clients.cases).await?;
        let entries = self.copy_all(&named, seen, versioning).await?;
        let case = &self.case;
        let manifest = Manifest {
            version: 1,
            case_id: case.case_id.clone(),
            generation: case.generation,
            execution_arn: case.execution_arn.clone(),
            versions: case.plan.effect.versions,
            entries,
            versions_left,
            finding_ids: case.finding_ids.clone(),
            rule: case.plan.rule.clone(),
            policy_version: case.plan.policy_version.clone(),
            votes: case.approval.votes.clone(),
            verified_at: clock::now(),
        };
        self.record(&manifest, None).await
    }

    /// Records where the copies of this generation go, unless the case was closed or taken over meanwhile.
    async fn begin(&mut self, cases: &Cases) -> Result<()> {
        self.case = match cases.begin_copying(self.case.clone(), new_copy(&self.case)).await? {
            Conditional::Written(case) | Conditional::Mine(case) => case,
            Conditional::Theirs(case) => {
                let why = case.and_then(|case| case.authorization(&self.case.execution_arn).err());
                return Err(not_authorized(why.as_deref().unwrap_or("its case is no longer on record")));
            }
        };
        Ok(())
    }

    /// Writes the manifest, or takes the one that another worker has written first.
    async fn record(&self, manifest: &Manifest, over: Option<&str>) -> Result<(Manifest, String)> {
        let key = self.manifest_key();
        let written = self.mover.put_manifest(&key, manifest, over).await?;
        match written {
            PutOutcome::Created(etag) => Ok((manifest.clone(), etag)),
            PutOutcome::AlreadyExists => self.recorded().await?.ok_or_else(|| {
                Error::Retryable("the manifest was written by another worker and is not there".into())
            }),
        }
    }

    /// Looks at every version before any is copied, so that what cannot be moved is known before anything happens.
    async fn look_at_all(
        &self,
        named: &[ObjectVersion],
        versioning: Versioning,
        listed: &[VersionEntry],
    ) -> Result<Vec<ObjectHead>> {
        if named.len() > MAX_VERSIONS {
            return Err(rejected(format!(
                "The key has {} versions; at most {MAX_VERSIONS} are moved by one case. Nothing was touched; expire \
                 old versions with a lifecycle rule first.",
                named.len()
            )));
        }
        if versioning == Versioning::Suspended
            && let Some(why) = null_version_at_risk(named, listed)
        {
            return Err(left_to_people(why, "Nothing was touched"));
        }
        let looks: Vec<_> = named.iter().map(|version| self.look(version, versioning)).collect();
        stream::iter(looks).buffered(MAX_CONCURRENCY).try_collect().await
    }

    async fn copy_all(
        &self,
        named: &[ObjectVersion],
        seen: Vec<ObjectHead>,
        versioning: Versioning,
    ) -> Result<Vec<Entry>> {
        let copies: Vec<_> =
            named.iter().zip(seen).map(|(version, seen)| self.copy(version, seen, versioning)).collect();
        stream::iter(copies).buffered(MAX_CONCURRENCY).try_collect().await
    }

    async fn look(&self, version: &ObjectVersion, versioning: Versioning) -> Result<ObjectHead> {
        let asked = versioning.requested(version.version_id.as_deref());
        let seen = self
            .mover
            .head_object(&self.place, asked)
            .await?
            .ok_or_else(|| object_session::gone(&self.place))?;
        if seen.etag != version.etag {
            return Err(object_session::changed(&self.place));
        }
        match seen.obstacle {
            Some(obstacle) => Err(obstacle),
            None => Ok(seen),
        }
    }

    async fn copy(&self, version: &ObjectVersion, seen: ObjectHead, versioning: Versioning) -> Result<Entry> {
        let asked = versioning.requested(version.version_id.as_deref());
        let to = self.mover.in_quarantine(&copy_key(&self.case, version));
        let destination = Destination { place: &to, over: None, like: None };
        let copied = self.mover.copy_object(&self.place, asked, &seen, destination).await?;
        if self.mover.is_copied_in_parts(seen.facts.size) {
            self.mover.abort_uploads(&to).await?;
        }
        // An earlier attempt or another worker may have made the copy; then it was made on the same condition.
        let Some(copy) = self.mover.head_object(&to, None).await? else {
            if copied == CopyOutcome::Refused {
                self.look(version, versioning).await?;
            }
            return Err(Error::Retryable("the copy is not in the quarantine bucket".into()));
        };
        let differs = |why| {
            rejected(format!(
                "What is in quarantine at {} is not a copy of the object: {why}. The source was not touched.",
                to.key
            ))
        };
        let mut verification = Verification::compare(&seen.facts, &copy.facts).map_err(differs)?;
        if self.case.plan.effect.verify == Verify::Full {
            let source = self.mover.sha256_of(&self.place, asked, &seen.etag).await?;
            let copy = self.mover.sha256_of(&to, copy.version_id.as_deref(), &copy.etag).await?;
            verification = verification.with_both_read(&source, &copy).map_err(differs)?;
        }
        if self.mover.is_copied_in_parts(seen.facts.size) {
            seen.facts.describe_alike(&copy.facts).map_err(differs)?;
            let annotations = self.mover.copy_tags_and_annotations(&self.place, asked, &to, &copy).await?;
            verification.annotations = Some(annotations);
        }
        let quarantine = Location { bucket: to.bucket, key: to.key, version_id: copy.version_id };
        Ok(Entry { source: version.clone(), quarantine, object: seen.facts, verification })
    }

    /// Versions that were written since, where policy names all: copied too, and added to the manifest.
    pub(super) async fn take_along(
        &self,
        mut manifest: Manifest,
        etag: &str,
        more: &[ObjectVersion],
        left: &[VersionEntry],
    ) -> Result<(Manifest, String)> {
        let versioning = self.mover.versioning(&self.place).await?;
        let seen = self.look_at_all(more, versioning, left).await?;
        let mut entries = self.copy_all(more, seen, versioning).await?;
        entries.append(&mut manifest.entries);
        // The newest first, as a restore wants them: what comes later may be older, if its finding came later.
        entries.sort_by_key(|entry| Reverse(entry.object.last_modified));
        manifest.entries = entries;
        // Of an earlier generation, whose rule named the reported version only.
        manifest.versions = self.case.plan.effect.versions;
        manifest.versions_left = left.len().saturating_sub(more.len());
        self.record(&manifest, Some(etag)).await
    }
}
