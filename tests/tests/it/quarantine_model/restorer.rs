//! The restorer, as `restore_object` has it: a step is a call.

use super::{
    model::{Protocol, State},
    s3::{Condition, Content, Versioning},
};

/// The call that a restorer makes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Restorer {
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
    pub(super) fn step(self, protocol: &Protocol, state: &mut State) -> Self {
        use Restorer::*;
        match self {
            NotAsked if state.is_quarantined() => CheckPause,
            NotAsked => NotAsked,
            CheckPause if state.paused => CheckPause,
            CheckPause => ReadManifest,
            ReadManifest => AskVersioning,
            AskVersioning => HeadDestination { versioning: state.source.versioning },
            HeadDestination { versioning } => match state.source.current() {
                there if there.is_some() && there == state.copy => Record,
                Some(_) if !state.replace => Refused,
                seen if versioning == Versioning::Suspended && protocol.spares_the_null_version => {
                    ListDestination { seen }
                }
                seen => Copy { seen },
            },
            ListDestination { .. } if state.source.has_buried_null() => Refused,
            ListDestination { seen } => Copy { seen },
            Copy { seen } => {
                let condition = match seen {
                    _ if !protocol.pins_the_destination => Condition::None,
                    None => Condition::Absent,
                    Some(etag) => Condition::Is(etag),
                };
                state.cordon_restores(condition, seen);
                Verify
            }
            Verify => match state.source.current() {
                there if there == state.copy => Record,
                Some(_) => Refused,
                None => CheckPause,
            },
            Record => Restored,
            Restored | Refused => self,
        }
    }

    /// Between the look at whether versions are kept and the copy that goes by it.
    pub(super) fn goes_by_versioning(self) -> bool {
        use Restorer::*;
        matches!(self, HeadDestination { .. } | ListDestination { .. } | Copy { .. })
    }
}
