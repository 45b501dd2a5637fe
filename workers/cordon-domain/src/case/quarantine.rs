//! What a case has in quarantine, and what people had done with it.

use serde::{Deserialize, Serialize};

use crate::{finding::ObjectVersion, time::Time};

/// What a case has in quarantine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Where its copies are, or are about to be, oldest first: each is on record before it is made, and kept whatever the
    /// case comes to. Their manifests say which of them are complete.
    #[serde(default)]
    pub copies: Vec<QuarantineCopy>,
    /// What was asked back, newest last.
    #[serde(default)]
    pub restores: Vec<Restore>,
    /// Who had the copies deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge: Option<Purge>,
}

impl Quarantine {
    /// The newest copy: the one that a move goes on with.
    pub fn newest_copy(&self) -> Option<&QuarantineCopy> {
        self.copies.last()
    }

    /// The copy that a restore asks for.
    pub fn copy_for(&self, restore: &Restore) -> Option<&QuarantineCopy> {
        match restore.copy_generation {
            None => self.newest_copy(),
            Some(generation) => self.copies.iter().find(|copy| copy.generation == generation),
        }
    }

    /// Whether the object was put back since it was quarantined last; a further restore that failed changes nothing.
    pub fn is_put_back(&self) -> bool {
        self.restores.iter().any(Restore::is_successful)
    }

    /// The restore that is under way.
    pub fn open_restore(&self) -> Option<&Restore> {
        self.restores.last().filter(|restore| restore.outcome.is_none())
    }
}

/// Where the copies that one generation has made are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineCopy {
    /// The generation that began to copy; its number is part of the key. A later one goes on with these copies.
    pub generation: u32,
    /// The key of the copy of the object that the finding names; further versions and the manifest lie beside it.
    pub key: String,
}

/// A request to put quarantined objects back, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restore {
    /// Random; also the name of the run.
    pub request_id: String,
    /// The run.
    pub execution_arn: String,
    /// The id of an IAM principal, or a Slack user as `slack:<team>/<user>`.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// Whether another object that is at the place by now may be replaced.
    pub replace: bool,
    /// Whether the bucket may still be shared.
    pub even_if_exposed: bool,
    /// Which of the case's copies; the newest where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_generation: Option<u32>,
    /// When.
    pub requested_at: Time,
    /// The worker's code over [`Case::restore_message`](super::Case::restore_message), without which nothing is put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// How many object versions it has made so far. There may be thousands, and the record of a case has 400 KB.
    #[serde(default)]
    pub versions_restored: usize,
    /// The one that it has made last, which is on top of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_restored: Option<ObjectVersion>,
    /// What came of it; absent while it is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RestoreOutcome>,
}

impl Restore {
    /// Whether it has put the object back.
    pub fn is_successful(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.result == RestoreResult::Restored)
    }
}

/// What came of a restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreOutcome {
    /// In one word.
    pub result: RestoreResult,
    /// One sentence for people.
    pub detail: String,
    /// The error's code, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When.
    pub at: Time,
}

/// The ends that a restore can come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestoreResult {
    /// Put back and verified.
    Restored,
    /// Not put back; the copy is still in quarantine.
    Failed,
}

impl RestoreResult {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Failed => "failed",
        }
    }
}

/// Who had the quarantined copies deleted, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Purge {
    /// The id of an IAM principal.
    pub requested_by: String,
    /// Why.
    pub reason: String,
    /// When it was asked for; from then on nothing is restored.
    pub requested_at: Time,
    /// When the copies were gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Time>,
}
