//! The mover, as `quarantine_object` has it: a step is a call.

use super::{
    model::{NAMED, Protocol, State},
    s3::{Condition, Id, Versioning},
};

/// The call that a mover makes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mover {
    CheckPause,
    AskVersioning,
    /// Also HEAD of the copies that it names; nobody removes those.
    ReadManifest {
        versioning: Versioning,
    },
    ListSource {
        versioning: Versioning,
    },
    HeadSource {
        version: Option<Id>,
    },
    Copy {
        version: Option<Id>,
    },
    HeadCopy {
        version: Option<Id>,
        refused: bool,
    },
    WriteManifest,
    ReadManifestAgain {
        otherwise: Verdict,
    },
    CheckPauseAgain,
    AskVersioningAgain,
    /// In a bucket that never had versions.
    RemoveOnly,
    HeadWhatRefused,
    ListVersions {
        versioning: Versioning,
    },
    RemoveCurrent {
        then_version: bool,
    },
    RemoveVersion,
    Attest,
    Ended(Verdict),
}

/// What a mover tells its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Verdict {
    Quarantined,
    /// The object is gone, and not by Cordon.
    Missing,
    /// Another object is there, and Cordon has moved nothing.
    Changed,
    /// Another object is there, and a complete copy of the named one is in quarantine.
    ChangedAfterCopy,
    /// No condition of S3 guards the removal, so it is left to a person.
    Unremovable,
}

impl Mover {
    /// Makes the call; gives back what comes next.
    pub(super) fn step(self, protocol: &Protocol, state: &mut State) -> Self {
        use Mover::*;
        match self {
            CheckPause if state.paused => CheckPause,
            CheckPause => AskVersioning,
            AskVersioning if protocol.asks_for_the_manifest_first => {
                ReadManifest { versioning: state.source.versioning }
            }
            AskVersioning => look(state.source.versioning),
            ReadManifest { .. } if state.manifest => CheckPauseAgain,
            ReadManifest { versioning } => look(versioning),
            ListSource { versioning: Versioning::Suspended }
                if state.named == Id::Null && state.source.has_buried_null() =>
            {
                unless_moved(protocol, Verdict::Unremovable)
            }
            ListSource { .. } => HeadSource { version: Some(state.named) },
            HeadSource { version } => match state.source.get(version) {
                Some(NAMED) => Copy { version },
                Some(_) => unless_moved(protocol, Verdict::Changed),
                None => unless_moved(protocol, Verdict::Missing),
            },
            Copy { version } => {
                let there = state.source.get(version);
                let holds = there == Some(NAMED) || !protocol.pins_the_copy;
                let refused = there.is_none() || !holds || state.copy.is_some();
                if !refused {
                    state.copy = there;
                }
                HeadCopy { version, refused }
            }
            // Sizes are equal here and no checksum is comparable: a copy is taken for one of the object.
            HeadCopy { .. } if state.copy.is_some() => {
                if protocol.records_before_removal {
                    WriteManifest
                } else {
                    CheckPauseAgain
                }
            }
            // The second look tells whether it changed or is gone.
            HeadCopy { version, refused: true } => HeadSource { version },
            HeadCopy { refused: false, .. } => CheckPause,
            // Refused when another mover has written it first: then that one counts.
            WriteManifest => {
                state.manifest = true;
                if protocol.records_before_removal { CheckPauseAgain } else { Attest }
            }
            ReadManifestAgain { .. } if state.manifest => CheckPauseAgain,
            ReadManifestAgain { otherwise } => Ended(otherwise),
            CheckPauseAgain if state.paused => CheckPause,
            CheckPauseAgain => AskVersioningAgain,
            AskVersioningAgain => match state.source.versioning {
                Versioning::Never => RemoveOnly,
                versioning => ListVersions { versioning },
            },
            RemoveOnly => match state.cordon_deletes(removal(protocol)) {
                Ok(()) => removed(protocol),
                Err(_) => HeadWhatRefused,
            },
            HeadWhatRefused => match state.source.current() {
                None => removed(protocol),
                Some(NAMED) => CheckPause,
                Some(_) => Ended(Verdict::ChangedAfterCopy),
            },
            ListVersions { versioning } => way_to_remove(protocol, state, versioning),
            RemoveCurrent { then_version } => match state.cordon_deletes(removal(protocol)) {
                // Something newer has come on top: no marker is needed.
                _ if then_version => RemoveVersion,
                Ok(()) => removed(protocol),
                Err(_) => Ended(Verdict::ChangedAfterCopy),
            },
            RemoveVersion => {
                state.cordon_deletes_named();
                removed(protocol)
            }
            Attest if state.source.get(Some(state.named)) == Some(NAMED) => CheckPause,
            Attest => Ended(Verdict::Quarantined),
            Ended(_) => self,
        }
    }

    /// Between the look at whether versions are kept and the removal that goes by it.
    pub(super) fn goes_by_versioning(self) -> bool {
        use Mover::*;
        matches!(self, RemoveOnly | ListVersions { .. } | RemoveCurrent { .. } | RemoveVersion)
    }
}

fn removal(protocol: &Protocol) -> Condition {
    if protocol.pins_the_removal { Condition::Is(NAMED) } else { Condition::None }
}

fn removed(protocol: &Protocol) -> Mover {
    if protocol.records_before_removal { Mover::Attest } else { Mover::WriteManifest }
}

/// The first look at the source.
fn look(versioning: Versioning) -> Mover {
    match versioning {
        Versioning::Never => Mover::HeadSource { version: None },
        Versioning::Enabled | Versioning::Suspended => Mover::ListSource { versioning },
    }
}

/// An earlier attempt or another mover may have moved it.
fn unless_moved(protocol: &Protocol, verdict: Verdict) -> Mover {
    if protocol.looks_again { Mover::ReadManifestAgain { otherwise: verdict } } else { Mover::Ended(verdict) }
}

fn way_to_remove(protocol: &Protocol, state: &State, versioning: Versioning) -> Mover {
    let (source, named) = (&state.source, state.named);
    let suspended = versioning == Versioning::Suspended;
    match source.get(Some(named)) {
        Some(NAMED) => {}
        Some(_) => return Mover::Ended(Verdict::ChangedAfterCopy),
        None => return removed(protocol),
    }
    if named == Id::Null && suspended {
        return if source.is_latest(named) {
            Mover::RemoveCurrent { then_version: false }
        } else {
            Mover::Ended(Verdict::Unremovable)
        };
    }
    if !source.is_latest(named) || source.others(named) == 0 || !protocol.puts_a_marker {
        return Mover::RemoveVersion;
    }
    if suspended && source.has_buried_null() && protocol.spares_the_null_version {
        return Mover::Ended(Verdict::Unremovable);
    }
    Mover::RemoveCurrent { then_version: true }
}
