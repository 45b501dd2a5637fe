//! The mover, as `quarantine_object` has it: a step is a call.

use crate::{
    s3::{Condition, Id, Versioning},
    world::{NAMED, Protocol, World},
};

/// The call that a mover makes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mover {
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
pub(crate) enum Verdict {
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
    pub(crate) fn step(self, protocol: &Protocol, world: &mut World) -> Self {
        use Mover::*;
        match self {
            CheckPause if world.paused => CheckPause,
            CheckPause => AskVersioning,
            AskVersioning if protocol.asks_for_the_manifest_first => {
                ReadManifest { versioning: world.source.versioning }
            }
            AskVersioning => look(world.source.versioning),
            ReadManifest { .. } if world.manifest => CheckPauseAgain,
            ReadManifest { versioning } => look(versioning),
            ListSource { versioning: Versioning::Suspended }
                if world.named == Id::Null && world.source.has_buried_null() =>
            {
                unless_moved(protocol, Verdict::Unremovable)
            }
            ListSource { .. } => HeadSource { version: Some(world.named) },
            HeadSource { version } => match world.source.get(version) {
                Some(NAMED) => Copy { version },
                Some(_) => unless_moved(protocol, Verdict::Changed),
                None => unless_moved(protocol, Verdict::Missing),
            },
            Copy { version } => {
                let there = world.source.get(version);
                let holds = there == Some(NAMED) || !protocol.pins_the_copy;
                let refused = there.is_none() || !holds || world.copy.is_some();
                if !refused {
                    world.copy = there;
                }
                HeadCopy { version, refused }
            }
            // Sizes are equal here and no checksum is comparable: a copy is taken for one of the object.
            HeadCopy { .. } if world.copy.is_some() => {
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
                world.manifest = true;
                if protocol.records_before_removal { CheckPauseAgain } else { Attest }
            }
            ReadManifestAgain { .. } if world.manifest => CheckPauseAgain,
            ReadManifestAgain { otherwise } => Ended(otherwise),
            CheckPauseAgain if world.paused => CheckPause,
            CheckPauseAgain => AskVersioningAgain,
            AskVersioningAgain => match world.source.versioning {
                Versioning::Never => RemoveOnly,
                versioning => ListVersions { versioning },
            },
            RemoveOnly => match world.cordon_deletes(removal(protocol)) {
                Ok(()) => removed(protocol),
                Err(_) => HeadWhatRefused,
            },
            HeadWhatRefused => match world.source.current() {
                None => removed(protocol),
                Some(NAMED) => CheckPause,
                Some(_) => Ended(Verdict::ChangedAfterCopy),
            },
            ListVersions { versioning } => way_to_remove(protocol, world, versioning),
            RemoveCurrent { then_version } => match world.cordon_deletes(removal(protocol)) {
                // Something newer has come on top: no marker is needed.
                _ if then_version => RemoveVersion,
                Ok(()) => removed(protocol),
                Err(_) => Ended(Verdict::ChangedAfterCopy),
            },
            RemoveVersion => {
                world.cordon_deletes_named();
                removed(protocol)
            }
            Attest if world.source.get(Some(world.named)) == Some(NAMED) => CheckPause,
            Attest => Ended(Verdict::Quarantined),
            Ended(_) => self,
        }
    }

    /// Between the look at whether versions are kept and the removal that goes by it.
    pub(crate) fn goes_by_versioning(self) -> bool {
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

fn way_to_remove(protocol: &Protocol, world: &World, versioning: Versioning) -> Mover {
    let (source, named) = (&world.source, world.named);
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
