//! The restorer, as `restore_object` has it: a step is a call.

use crate::{
    s3::{Condition, Content, Versioning},
    world::{Protocol, World},
};

/// The call that a restorer makes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Restorer {
    /// A restore can be asked for when the case says that the object is in quarantine.
    NotAsked,
    CheckPause,
    /// Also HEAD of the copy, by the version id that the manifest names.
    ReadManifest,
    AskVersioning,
    HeadDestination {
        versioning: Versioning,
    },
    ListDestination {
        seen: Option<Content>,
    },
    Copy {
        seen: Option<Content>,
    },
    Verify,
    Record,
    Restored,
    Refused,
}

impl Restorer {
    /// Makes the call; gives back what comes next.
    pub(crate) fn step(self, protocol: &Protocol, world: &mut World) -> Self {
        use Restorer::*;
        match self {
            NotAsked if world.is_quarantined() => CheckPause,
            NotAsked => NotAsked,
            CheckPause if world.paused => CheckPause,
            CheckPause => ReadManifest,
            ReadManifest => AskVersioning,
            AskVersioning => HeadDestination { versioning: world.source.versioning },
            HeadDestination { versioning } => match world.source.current() {
                there if there.is_some() && there == world.copy => Record,
                Some(_) if !world.replace => Refused,
                seen if versioning == Versioning::Suspended && protocol.spares_the_null_version => {
                    ListDestination { seen }
                }
                seen => Copy { seen },
            },
            ListDestination { .. } if world.source.has_buried_null() => Refused,
            ListDestination { seen } => Copy { seen },
            Copy { seen } => {
                let condition = match seen {
                    _ if !protocol.pins_the_destination => Condition::None,
                    None => Condition::Absent,
                    Some(etag) => Condition::Is(etag),
                };
                world.cordon_restores(condition, seen);
                Verify
            }
            Verify => match world.source.current() {
                there if there == world.copy => Record,
                Some(_) => Refused,
                None => CheckPause,
            },
            Record => Restored,
            Restored | Refused => self,
        }
    }

    /// Between the look at whether versions are kept and the copy that goes by it.
    pub(crate) fn goes_by_versioning(self) -> bool {
        use Restorer::*;
        matches!(self, HeadDestination { .. } | ListDestination { .. } | Copy { .. })
    }
}
