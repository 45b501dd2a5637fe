//! Moves what policy names of one key to quarantine: the reported version, or all of them.
//!
//! Input / output: run and case → `result`, where it is, what was verified.  Effects, in order: case re-read and its
//! authorization checked; mover session opened for this key; every version looked at before any is copied; the place of
//! the copies recorded in the case; copied on condition of its ETag; copy verified; manifest written; case re-read and
//! its authorization checked again; sources removed; removal attested by a listing.
//! Idempotency: case and object version; each step first asks whether it is already done, or S3 refuses to do it twice,
//! and the manifest marks the point after which only removal is left. Another worker may be running the same task: every
//! write is conditional. A later generation goes on with the copies of an earlier one.
//! Errors: the codes of [`TERMINAL`]; up to the removal the source is untouched.  Undo: `restore_object`, from the
//! manifest.

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::Case,
    finding::{ObjectVersion, real_version},
    manifest::{Entry, Location, Manifest, Verification, copy_key, new_copy, quarantine_key},
    pause::Pause,
    policy::{Verify, Versions},
    routes::MoveResult,
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    app::{clients::Clients, pauses},
    aws::object_session::{
        self, CopyOutcome, DeleteOutcome, Destination, Mover, ObjectHead, ObjectSession, Place, PutOutcome,
        VersionEntry, Versioning,
    },
    clock,
    error::{Code, Error, Result},
    store::{Cases, Conditional},
};

pub(super) const TERMINAL: &[Code] = &[
    Code::ObjectChanged,
    Code::ObjectMissing,
    Code::InvalidFinding,
    Code::ObjectLocked,
    Code::ObjectArchived,
    Code::AccessDenied,
    Code::UnsupportedEncryption,
    Code::NotAuthorized,
    Code::RequestRejected,
    Code::Paused,
];

/// The most versions of one key that one case moves.
const MOST_VERSIONS: usize = 10_000;
/// Versions in hand at once.
const AT_ONCE: usize = 4;
/// How often versions are taken along that somebody writes while the earlier ones are being moved.
const PASSES: u32 = 5;

/// See the module.
pub(super) struct QuarantineObject(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) result: MoveResult,
    pub(super) detail: String,
    quarantine_key: Option<String>,
}

impl Activity for QuarantineObject {
    const NAME: &'static str = "quarantine_object";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, context: TaskContext) -> Result<Output> {
        let (case, pause) = self.authorized(&input).await?;
        if case.finding.sample {
            return Ok(Output {
                result: MoveResult::Sample,
                detail: "A sample finding has no object; nothing was touched.".into(),
                quarantine_key: None,
            });
        }
        pauses::stop_at(&self.0.cases, pause, &case.case_id).await?;
        let place = Place::of(case.object());
        let mover = self.0.movers.open(&place, &case.case_id).await?;
        let mut the_move = Move { mover, case, place };
        let versioning = the_move.mover.removable_versioning(&the_move.place).await?;
        let (mut manifest, mut etag) = match the_move.secured_earlier(versioning).await? {
            Some(recorded) => recorded,
            None => match the_move.secure(&self.0.cases, versioning).await {
                Ok(secured) => secured,
                // Another worker may have finished the same task.
                Err(error) => the_move.recorded().await?.ok_or(error)?,
            },
        };
        for _ in 0..PASSES {
            if context.is_cancelled() {
                return Err(Error::Retryable("the run no longer waits for this task".into()));
            }
            // A copy can take hours; the run may have been stopped, and its case closed, in the meantime.
            let (is_open, pause) = self.0.cases.still_open(&the_move.case).await?;
            if !is_open {
                self.authorized(&input).await.map_err(|error| copied_only(&the_move.case, error))?;
                return Err(Error::Retryable("the case was taken over and given back meanwhile".into()));
            }
            pauses::stop_at(&self.0.cases, pause, &the_move.case.case_id).await?;
            if the_move.remove(&manifest).await? == DeleteOutcome::Changed {
                return Ok(the_move.changed(&manifest));
            }
            let left = the_move.attest(&manifest).await?;
            if the_move.case.plan.versions == Versions::Reported || left.is_empty() {
                return Ok(the_move.quarantined(&manifest, left.len()));
            }
            (manifest, etag) = the_move.take_along(manifest, &etag, &left).await?;
        }
        Err(Error::Retryable("somebody keeps writing versions of the key while they are being moved".into()))
    }
}

impl QuarantineObject {
    /// The case as it is on record, if its object may be moved, and the pause in force.
    async fn authorized(&self, input: &Input) -> Result<(Case, Option<Pause>)> {
        let (case, pause) = self.0.cases.with_pause(&input.case_id).await?;
        let case = case.ok_or_else(|| not_authorized("there is no such case"))?;
        case.authorization(&input.execution_arn).map_err(|why| not_authorized(&why))?;
        Ok((case, pause))
    }
}

/// What one case moves.
struct Move {
    mover: ObjectSession<Mover>,
    case: Case,
    place: Place,
}

impl Move {
    fn manifest_key(&self) -> String {
        quarantine_key(&self.case, "manifest.json")
    }

    /// What an earlier attempt has secured, of this generation or of one before, if there is nothing more to copy.
    ///
    /// An earlier generation was ended after it had copied the object: the removal was refused, or the run was stopped.
    /// Where somebody has put the same bytes again since, with metadata of their own, they are copied anew.
    async fn secured_earlier(&self, versioning: Versioning) -> Result<Option<(Manifest, String)>> {
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
        let is_copied = self.reported(&manifest).object.is_same_writing(&there.facts);
        Ok(is_copied.then_some((manifest, etag)))
    }

    /// The manifest of an earlier attempt and its ETag, if the copies that it speaks of are there.
    async fn recorded(&self) -> Result<Option<(Manifest, String)>> {
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
    async fn secure(&mut self, cases: &Cases, versioning: Versioning) -> Result<(Manifest, String)> {
        let object = self.case.object();
        let listed = match versioning {
            Versioning::Never => Vec::new(),
            Versioning::Enabled | Versioning::Suspended => {
                self.mover.list_object_versions(&self.place).await?
            }
        };
        let others = bytes_of(&listed).filter(|entry| !is(object, entry)).count();
        let (named, versions_left) = match (versioning, self.case.plan.versions) {
            (Versioning::Never, _) | (_, Versions::Reported) => (vec![object.clone()], others),
            (_, Versions::All) => (bytes_of(&listed).map(|entry| self.version(entry)).collect(), 0),
        };
        if !named.contains(object) {
            return Err(object_session::gone(&self.place));
        }
        let seen = self.look_at_all(&named, versioning, &listed).await?;
        self.begin(cases).await?;
        let entries = self.copy_all(&named, seen, versioning).await?;
        let case = &self.case;
        let manifest = Manifest {
            version: 1,
            case_id: case.case_id.clone(),
            generation: case.generation,
            execution_arn: case.execution_arn.clone(),
            versions: case.plan.versions,
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
        if named.len() > MOST_VERSIONS {
            return Err(rejected(format!(
                "The key has {} versions; at most {MOST_VERSIONS} are moved by one case. Nothing was touched; expire \
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
        stream::iter(looks).buffered(AT_ONCE).try_collect().await
    }

    async fn copy_all(
        &self,
        named: &[ObjectVersion],
        seen: Vec<ObjectHead>,
        versioning: Versioning,
    ) -> Result<Vec<Entry>> {
        let copies: Vec<_> =
            named.iter().zip(seen).map(|(version, seen)| self.copy(version, seen, versioning)).collect();
        stream::iter(copies).buffered(AT_ONCE).try_collect().await
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
        if self.case.plan.verify == Verify::Full {
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

    /// Removes what the manifest names. A `null` version can be replaced by a PUT at any time, so it is only removed
    /// on condition of its ETag; a real version id names the same bytes for ever.
    async fn remove(&self, manifest: &Manifest) -> Result<DeleteOutcome> {
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
        let doomed = |entry: &&VersionEntry| {
            !entry.is_delete_marker && manifest.entries.iter().any(|moved| is(&moved.source, entry))
        };
        if let Some(current) = listed.iter().filter(doomed).find(|entry| entry.is_latest) {
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
        for entry in listed.iter().filter(doomed) {
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

    /// The object was replaced at its source after it was copied; or Cordon has removed it, was ended, and somebody
    /// has written since. Either way it is in quarantine, and what is there now is somebody else's.
    fn changed(&self, manifest: &Manifest) -> Output {
        Output {
            result: MoveResult::ObjectChanged,
            detail: format!(
                "The object of the finding is complete in quarantine. Another one is at its place in {} by now, which \
                 was not moved.",
                self.place.bucket
            ),
            quarantine_key: Some(self.reported(manifest).quarantine.key.clone()),
        }
    }

    fn reported<'a>(&self, manifest: &'a Manifest) -> &'a Entry {
        let reported = manifest.entries.iter().find(|entry| entry.source == *self.case.object());
        reported.unwrap_or(&manifest.entries[0])
    }

    /// Proves by a listing that what was moved is gone; gives back the other versions of the key.
    async fn attest(&self, manifest: &Manifest) -> Result<Vec<VersionEntry>> {
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

    /// Whether the reported `null` version was replaced by something that nobody reported.
    fn is_replaced(&self, listed: &[VersionEntry]) -> bool {
        let object = self.case.object();
        object.version_id.is_none()
            && bytes_of(listed).any(|entry| entry.version_id == "null" && entry.etag != object.etag)
    }

    /// Versions that were written since, where policy names all: copied too, and added to the manifest.
    async fn take_along(
        &self,
        mut manifest: Manifest,
        etag: &str,
        left: &[VersionEntry],
    ) -> Result<(Manifest, String)> {
        let versioning = self.mover.versioning(&self.place).await?;
        let named: Vec<_> = left.iter().map(|entry| self.version(entry)).collect();
        let seen = self.look_at_all(&named, versioning, left).await?;
        let mut entries = self.copy_all(&named, seen, versioning).await?;
        entries.append(&mut manifest.entries);
        manifest.entries = entries;
        // Of an earlier generation, whose rule named the reported version only.
        manifest.versions = self.case.plan.versions;
        self.record(&manifest, Some(etag)).await
    }

    /// The object version that a listing speaks of.
    fn version(&self, entry: &VersionEntry) -> ObjectVersion {
        ObjectVersion {
            version_id: real_version(Some(&entry.version_id)),
            etag: entry.etag.clone(),
            ..self.case.object().clone()
        }
    }

    fn quarantined(&self, manifest: &Manifest, versions_left: usize) -> Output {
        let reported = self.reported(manifest);
        let moved = match manifest.entries.len() {
            1 => "Moved to the quarantine bucket.".to_owned(),
            n => format!("Moved all {n} versions of the key to the quarantine bucket."),
        };
        let left = match versions_left {
            0 => String::new(),
            1 => " 1 other version of the key remains.".into(),
            n => format!(" {n} other versions of the key remain."),
        };
        let replicas = match reported.object.replication.as_deref() {
            None => "",
            Some("REPLICA") => " The object is a replica: the bucket that it comes from keeps the data.",
            Some(_) => " The bucket is replicated: its replicas keep the data.",
        };
        Output {
            result: MoveResult::Quarantined,
            detail: format!("{moved} {}.{left}{replicas}", reported.verification.guarantee),
            quarantine_key: Some(reported.quarantine.key.clone()),
        }
    }
}

/// What a run that died has done of its move, as a sentence: what is in quarantine, and whether it left its source.
///
/// # Errors
/// As classified, where asking again may help.
pub(crate) async fn moved_so_far(clients: &Clients, case: &Case) -> Result<String> {
    match Move::examined(clients, case).await {
        Ok(said) => Ok(said.to_owned()),
        Err(error @ Error::Retryable(_)) => Err(error),
        Err(error) => Ok(format!(
            "What of it is in quarantine could not be seen ({error}); ask `cordon quarantine show`."
        )),
    }
}

impl Move {
    async fn examined(clients: &Clients, case: &Case) -> Result<&'static str> {
        let place = Place::of(case.object());
        let mover = clients.movers.open(&place, &case.case_id).await?;
        let the_move = Move { mover, case: case.clone(), place };
        if the_move.recorded().await?.is_none() {
            return Ok("Copies were begun and none is verified; the object was not removed.");
        }
        let object = case.object();
        let versioning = the_move.mover.versioning(&the_move.place).await;
        let there = match versioning {
            Ok(versioning) => {
                let asked = versioning.requested(object.version_id.as_deref());
                the_move.mover.head_object(&the_move.place, asked).await?
            }
            Err(error) if error.code() == Some(Code::ObjectMissing) => None,
            Err(error) => return Err(error),
        };
        Ok(match there {
            Some(there) if there.etag == object.etag => {
                "A complete copy is in quarantine, and the object is still at its source."
            }
            _ => "The object is complete in quarantine, and no longer at its source.",
        })
    }
}

/// The entries that have bytes.
fn bytes_of(listed: &[VersionEntry]) -> impl Iterator<Item = &VersionEntry> {
    listed.iter().filter(|entry| !entry.is_delete_marker)
}

/// Whether an entry of a listing is this very object version.
fn is(version: &ObjectVersion, entry: &VersionEntry) -> bool {
    match &version.version_id {
        Some(id) => entry.version_id == *id,
        None => entry.version_id == "null" && entry.etag == version.etag,
    }
}

/// Where versioning is suspended, whatever is written has the id `null`, a delete marker too, and replaces the `null`
/// version there is. Why these versions cannot be removed without that risk, if so.
fn null_version_at_risk(named: &[ObjectVersion], listed: &[VersionEntry]) -> Option<&'static str> {
    let goes = |entry: &VersionEntry| named.iter().any(|version| is(version, entry));
    let null = bytes_of(listed).find(|entry| entry.version_id == "null" && !entry.is_latest)?;
    if goes(null) {
        return Some("it is the null version below a newer one, which any PUT may replace");
    }
    let current_goes = bytes_of(listed).any(|entry| entry.is_latest && goes(entry));
    current_goes.then_some("the delete marker on top of the key would replace its null version")
}

fn left_to_people(why: &str, so_far: &str) -> Error {
    rejected(format!(
        "The object cannot be removed safely: versioning of the bucket is suspended, and {why}. {so_far}. Enable \
         versioning and start the response again, or remove the object by hand."
    ))
}

fn not_authorized(why: &str) -> Error {
    Error::terminal(Code::NotAuthorized, format!("The object was not moved: {why}."))
}

/// What is refused after the copies are complete.
fn copied_only(case: &Case, error: Error) -> Error {
    match error {
        Error::Terminal { code, cause } => {
            let key = case.quarantine.newest_copy().map_or("", |copy| copy.key.as_str());
            Error::terminal(code, format!("{cause} A complete copy is in quarantine at {key}."))
        }
        retryable => retryable,
    }
}

fn rejected(cause: String) -> Error {
    Error::terminal(Code::RequestRejected, cause)
}
