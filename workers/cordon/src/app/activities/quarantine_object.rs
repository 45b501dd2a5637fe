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

mod remove;
mod secure;

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{Authorized, Case, vote::Voter},
    finding::{ObjectVersion, real_version},
    manifest::{Entry, Manifest, quarantine_key},
    pause::Pause,
    policy::Versions,
    routes::MoveResult,
};
use serde::{Deserialize, Serialize};

use crate::{
    app::{clients::Clients, pauses, unseen_versions},
    aws::object_session::{DeleteOutcome, Mover, ObjectSession, Place, VersionEntry},
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
    Code::NotAuthorized,
    Code::RequestRejected,
    Code::Paused,
];

/// The most versions of one key that one case moves.
const MAX_VERSIONS: usize = 10_000;
/// Versions in hand at once.
const MAX_CONCURRENCY: usize = 4;
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
        // It may be so only since the case was opened.
        if let Some(glob) = self.0.config.scope.protecting(&case.object().bucket) {
            return Err(not_authorized(&format!("the bucket is protected (by {glob})")));
        }
        pauses::stop_at(&self.0.cases, pause, &case.case_id).await?;
        let place = Place::of(case.object());
        let mover = self.0.movers.open(&place, &case.case_id).await?;
        let by_people = matches!(case.authorization(&input.execution_arn), Ok(Authorized::Votes(_)));
        let mut the_move = Move { mover, case, place, by_people };
        let versioning = the_move.mover.removable_versioning(&the_move.place).await?;
        let (mut manifest, mut etag) = match the_move.secured_earlier(versioning).await? {
            Some(recorded) => recorded,
            None => match the_move.secure(&self.0, versioning).await {
                Ok(secured) => secured,
                Err(error) => the_move.recorded_meanwhile().await?.ok_or(error)?,
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
            let removed = the_move.to_remove(&manifest, &self.0).await?;
            if the_move.remove(&removed).await? == DeleteOutcome::Changed {
                return Ok(the_move.changed(&removed));
            }
            let left = the_move.attest(&removed).await?;
            let mut more = the_move.taken_of(&left, &self.0).await?;
            if more.is_empty() {
                return Ok(the_move.quarantined(&removed, left.len()));
            }
            more.retain(|version| manifest.entries.iter().all(|entry| entry.source != *version));
            if !more.is_empty() {
                (manifest, etag) = the_move.take_along(manifest, &etag, &more, &left).await?;
            }
        }
        Err(Error::Retryable("somebody keeps writing versions of the key while they are being moved".into()))
    }
}

impl QuarantineObject {
    /// The case as it is on record, if its object may be moved, and the pause in force.
    async fn authorized(&self, input: &Input) -> Result<(Case, Option<Pause>)> {
        let (case, pause) = self.0.cases.with_pause(&input.case_id).await?;
        let case = case.ok_or_else(|| not_authorized("there is no such case"))?;
        let authorized = case.authorization(&input.execution_arn).map_err(|why| not_authorized(&why))?;
        let mut vouched = vec![("plan", case.plan_message(), case.plan_mac.as_ref())];
        match authorized {
            Authorized::Policy => {}
            Authorized::Expiry => {
                let mac = case.approval.decided.as_ref().and_then(|decided| decided.mac.as_ref());
                vouched.push(("expiry", case.expiry_message(), mac));
            }
            Authorized::Votes(votes) => {
                let by_command = votes.iter().filter(|vote| matches!(vote.by, Voter::Iam { .. }));
                vouched
                    .extend(by_command.map(|vote| {
                        ("vote by the command line", case.vote_message(vote), vote.mac.as_ref())
                    }));
            }
        }
        for (what, message, mac) in vouched {
            if !self.0.macs.vouches(&message, mac).await? {
                return Err(not_authorized(&format!(
                    "its {what} is not the one that Cordon's worker has written; look into CloudTrail for who has \
                     changed the table of cases"
                )));
            }
        }
        Ok((case, pause))
    }
}

/// What one case moves.
struct Move {
    mover: ObjectSession<Mover>,
    case: Case,
    place: Place,
    /// Whether people have decided so, and not policy alone.
    by_people: bool,
}

impl Move {
    fn manifest_key(&self) -> String {
        quarantine_key(&self.case, "manifest.json")
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

    /// Those of the listed versions that this case moves. Beyond as many as policy looks at when it decides, they were
    /// written since, and policy alone takes none of them.
    async fn taken_of(&self, listed: &[VersionEntry], clients: &Clients) -> Result<Vec<ObjectVersion>> {
        let too_many = !self.by_people && bytes_of(listed).count() > unseen_versions::MAX_VERSIONS;
        let mut taken = Vec::new();
        for version in bytes_of(listed).map(|entry| self.version(entry)) {
            let goes =
                if too_many { version == *self.case.object() } else { self.takes(&version, clients).await? };
            if goes {
                taken.push(version);
            }
        }
        Ok(taken)
    }

    /// Whether this case moves a version of its key. What nobody has looked at, or a person has left, policy alone leaves
    /// where it is.
    async fn takes(&self, version: &ObjectVersion, clients: &Clients) -> Result<bool> {
        let is_reported = version == self.case.object();
        match self.case.plan.effect.versions {
            Versions::Reported => Ok(is_reported),
            Versions::All if is_reported || self.by_people => Ok(true),
            Versions::All => Ok(!unseen_versions::is_unseen(clients, version).await?),
        }
    }

    /// What of a manifest is to be removed now: a person may have decided about one of the versions since it was copied. The
    /// manifest itself never shrinks, for what is removed already has nothing else to be put back from.
    async fn to_remove(&self, manifest: &Manifest, clients: &Clients) -> Result<Manifest> {
        let mut entries = Vec::new();
        for entry in &manifest.entries {
            if self.takes(&entry.source, clients).await? {
                entries.push(entry.clone());
            }
        }
        Ok(Manifest { entries, ..manifest.clone() })
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
            n if versions_left > 0 => format!("Moved {n} versions of the key to the quarantine bucket."),
            n => format!("Moved all {n} versions of the key to the quarantine bucket."),
        };
        let why = match self.case.plan.effect.versions {
            Versions::Reported => "",
            Versions::All => " (without a finding of their own, or left by a person)",
        };
        let left = match versions_left {
            0 => String::new(),
            1 => format!(" 1 other version of the key remains{why}."),
            n => format!(" {n} other versions of the key remain{why}."),
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
        let the_move = Move { mover, case: case.clone(), place, by_people: false };
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
