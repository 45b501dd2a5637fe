//! Puts quarantined objects back where they were, from the manifest, for a restore that somebody asked for.
//!
//! Input / output: run and its input (case and request) → `result`, what was put back.  Effects, in order: request
//! re-read; bucket's sharing looked up; restorer session opened for this key; each copy put back on condition that
//! nothing else is there; verified; recorded.
//! Idempotency: request id; what is at the place already, and is the object, is not written again. Another worker may be
//! at the same task: who finds the record further than it was goes on from there.
//! Errors: the codes of [`TERMINAL`]; the copies in quarantine are never touched.  Undo: `quarantine_object`, in a new
//! response.

mod put_back;

use std::sync::Arc;

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{Case, Restore, RestoreResult},
    manifest::{Entry, Manifest, manifest_beside},
    pause::Pause,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::put_back::PutBack;
use crate::{
    app::{clients::Clients, pauses},
    aws::object_session::{Place, VersionEntry, Versioning},
    clock,
    error::{Code, Error, Result},
    store::keys,
};

pub(super) const TERMINAL: &[Code] = &[
    Code::ObjectMissing,
    Code::ObjectExists,
    Code::BucketExposed,
    Code::ObjectArchived,
    Code::AccessDenied,
    Code::UnsupportedEncryption,
    Code::NotAuthorized,
    Code::RequestRejected,
    Code::Paused,
];

/// See the module.
pub(super) struct RestoreObject(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    request: Value,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Output {
    pub(super) result: RestoreResult,
    pub(super) detail: String,
}

impl Activity for RestoreObject {
    const NAME: &'static str = "restore_object";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, context: TaskContext) -> Result<Output> {
        let Requested { case, restore, pause } = self.requested(&input).await?;
        let vouched = case.restore_message(&restore);
        if !self.0.macs.vouches(&vouched, restore.mac.as_ref()).await? {
            return Err(not_authorized(NOT_VOUCHED));
        }
        // Step Functions forgets an execution's name after 90 days; a request on record must not be carried out again.
        if restore.requested_at < clock::now() - MAX_AGE {
            return Err(not_authorized("it was asked for too long ago; ask again"));
        }
        pauses::stop_at(&self.0.cases, pause, &case.case_id).await?;
        self.exposure_allows(&case, &restore).await?;
        let place = Place::of(case.object());
        let restorer = self.0.restorers.open(&place, &case.case_id).await?;
        let copy = case.quarantine.copy_for(&restore);
        let copy = copy.ok_or_else(|| not_authorized("there is no such copy in quarantine"))?;
        let key = manifest_beside(&copy.key);
        let Some((manifest, _)) = restorer.manifest(&key).await? else {
            return Err(missing(format!("There is no manifest {key} in quarantine; nothing was put back.")));
        };
        if let Some(why) = is_foreign(&manifest, &case) {
            return Err(rejected(format!(
                "The manifest {key} is not the one that was written ({why}), so nothing was put back; compare its \
                 versions."
            )));
        }
        let versioning = restorer.versioning(&place).await.map_err(|error| no_bucket(&place, error))?;
        if versioning == Versioning::Suspended
            && hides_null_version(&restorer.list_object_versions(&place).await?)
        {
            return Err(Error::terminal(
                Code::ObjectExists,
                format!(
                    "Versioning of {} is suspended, and what is written there now would replace a null version below \
                     the top of the key, so nothing was put back. Enable versioning, and ask again.",
                    place.bucket
                ),
            ));
        }
        // Without versions one object has room: the one that was newest.
        let keeps_all = versioning == Versioning::Enabled;
        let entries: Vec<_> =
            manifest.entries.iter().take(if keeps_all { usize::MAX } else { 1 }).rev().collect();
        let mut put_back = PutBack { restorer, place, case, replace: restore.replace };
        while let Some(entry) = entries.get(put_back.done()) {
            if context.is_cancelled() {
                return Err(Error::Retryable("the run no longer waits for this task".into()));
            }
            // The run may have been stopped, and its request ended, while the last version was put back.
            let Requested { case, restore, pause } = self.requested(&input).await?;
            if case.restore_message(&restore) != vouched {
                return Err(not_authorized(NOT_VOUCHED));
            }
            pauses::stop_at(&self.0.cases, pause, &case.case_id).await?;
            put_back.case = case;
            if entries.get(put_back.done()) != Some(entry) {
                continue;
            }
            put_back.case = self.one_more(&input, &put_back, entry).await?;
        }
        Ok(Output { result: RestoreResult::Restored, detail: detail(&manifest, entries.len()) })
    }
}

/// Longer than a restore can wait: a day in the queue, and thirty while Cordon is paused.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24 * 45);
const NOT_VOUCHED: &str = "the request on record is not one that Cordon's worker has written; look into CloudTrail for who has \
                           changed the table of cases";

/// What somebody has asked for, as it is on record.
struct Requested {
    case: Case,
    restore: Restore,
    pause: Option<Pause>,
}

impl RestoreObject {
    /// Puts one more version back and says so on record. Gives back the record, which another worker at the same task
    /// may have taken further meanwhile.
    async fn one_more(&self, input: &Input, put_back: &PutBack, entry: &Entry) -> Result<Case> {
        let refused = match put_back.entry(entry).await {
            Ok(restored) => {
                let before = &put_back.case;
                self.0.cases.mark_restored(&restored.case_id(), &before.case_id).await?;
                let after = before.clone().with_open_restore(|restore| {
                    restore.versions_restored += 1;
                    restore.last_restored = Some(restored);
                });
                match self.0.cases.save_restore(before, &after).await? {
                    Some(case) => return Ok(case),
                    None => Error::Retryable("the record of the restore was changed meanwhile".into()),
                }
            }
            // What is there may be what the other worker has put on top.
            Err(error) if error.code() == Some(Code::ObjectExists) => error,
            Err(error) => return Err(error),
        };
        let Requested { case, restore, .. } = self.requested(input).await?;
        if restore.versions_restored > put_back.done() { Ok(case) } else { Err(refused) }
    }

    /// The case and the request on record that this run is for, and the pause in force.
    async fn requested(&self, input: &Input) -> Result<Requested> {
        let member = |name: &str| input.request.get(name).and_then(Value::as_str);
        let (Some(case_id), Some(request_id)) = (member("case_id"), member("request_id")) else {
            return Err(not_authorized(
                "the execution's input lacks case_id or request_id; ask with `cordon restore` or in Slack",
            ));
        };
        // The state machine waits there while Cordon is paused.
        if member("approval") != Some(keys::approval(case_id).as_str()) {
            return Err(not_authorized("the execution's input names another item than the case's"));
        }
        let (case, pause) = self.0.cases.with_pause(case_id).await?;
        let case = case.ok_or_else(|| not_authorized("there is no such case"))?;
        let restore = case
            .open_restore()
            .filter(|restore| {
                restore.request_id == request_id && restore.execution_arn == input.execution_arn
            })
            .cloned()
            .ok_or_else(|| not_authorized("no open request on record is for this run"))?;
        Ok(Requested { case, restore, pause })
    }

    /// Nothing goes back into a bucket that is still shared, unless that was asked for.
    async fn exposure_allows(&self, case: &Case, restore: &Restore) -> Result<()> {
        if restore.even_if_exposed {
            return Ok(());
        }
        let bucket = &case.object().bucket;
        let findings = self.0.access_analyzer.findings(Some(&self.0.config.bucket_arn(bucket))).await?;
        let who: Vec<_> =
            findings.iter().filter(|finding| finding.is_exposing()).map(|finding| finding.who()).collect();
        if who.is_empty() {
            return Ok(());
        }
        Err(Error::terminal(
            Code::BucketExposed,
            format!(
                "The bucket {bucket} is still shared ({}), so nothing was put back. End the sharing, or ask again \
                 with --even-if-exposed.",
                who.join("; ")
            ),
        ))
    }
}

/// Why a manifest cannot be the one of this case, if so: whoever could change it must not choose what goes where.
fn is_foreign(manifest: &Manifest, case: &Case) -> Option<&'static str> {
    let object = case.object();
    let copies = format!("{}/{}/{}/", object.account, object.bucket, case.case_id);
    if manifest.case_id != case.case_id {
        return Some("it is of another case");
    }
    if !manifest.entries.iter().any(|entry| entry.source == *object) {
        return Some("it does not name the object of the case");
    }
    let elsewhere = |entry: &Entry| {
        Place::of(&entry.source) != Place::of(object) || !entry.quarantine.key.starts_with(&copies)
    };
    manifest.entries.iter().any(elsewhere).then_some("it names another place")
}

/// Whether a `null` version with bytes lies below something: a write to a bucket with suspended versioning replaces it
/// whatever the condition, which looks at the top only.
fn hides_null_version(listed: &[VersionEntry]) -> bool {
    listed.iter().any(|entry| entry.version_id == "null" && !entry.is_delete_marker && !entry.is_latest)
}

fn detail(manifest: &Manifest, put_back: usize) -> String {
    let all = manifest.entries.len();
    match (put_back, all) {
        (1, 1) => "Put back where it was; the copy stays in quarantine.".into(),
        (n, all) if n == all => {
            format!("All {n} versions were put back, the newest on top; the copies stay in quarantine.")
        }
        (_, all) => format!(
            "The newest of {all} versions was put back: the bucket keeps no versions by now. All of them stay in \
             quarantine."
        ),
    }
}

fn not_authorized(why: &str) -> Error {
    Error::terminal(Code::NotAuthorized, format!("Nothing was put back: {why}."))
}

/// A bucket that is gone has nowhere to put the object.
fn no_bucket(place: &Place, error: Error) -> Error {
    match error.code() {
        Some(Code::ObjectMissing) => missing(format!(
            "The bucket {} no longer exists, so nothing was put back. Create it again, or copy the object out of \
             quarantine by hand.",
            place.bucket
        )),
        _ => error,
    }
}

fn missing(cause: String) -> Error {
    Error::terminal(Code::ObjectMissing, cause)
}

fn rejected(cause: String) -> Error {
    Error::terminal(Code::RequestRejected, cause)
}
