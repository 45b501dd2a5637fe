//! Everything at once: the buckets, who acts on them, and what must never come of it.

use stateright::{Model, Property};

use super::{
    mover::{Mover, Verdict},
    restorer::Restorer,
    s3::{Condition, Content, Id, Key, Refused, Version, Versioning},
};

/// What the object of the finding holds.
pub(super) const NAMED: Content = 0;
/// What an older version of the key holds.
const OLDER: Content = 1;
/// What the writer writes first; then it counts on.
const NEWER: Content = 2;

/// More versions than this are not tried: an owner who switches versioning on and off and a restorer that never gets
/// to record could otherwise make new ones for ever.
const MOST_VERSION_IDS: u8 = 6;

pub(super) const NOTHING_IS_LOST: &str = "what Cordon removes is complete in quarantine, under a manifest";
pub(super) const NOTHING_ELSE_IS_REMOVED: &str = "only what the finding names is removed";
pub(super) const THE_MANIFEST_COMES_FIRST: &str = "nothing is removed before there is a manifest";
pub(super) const NOTHING_OLDER_SURFACES: &str = "no older version becomes current through Cordon";
pub(super) const NOTHING_IS_OVERWRITTEN: &str = "a restore replaces only what it was told to";
pub(super) const THE_COPY_STAYS: &str = "the copy under a manifest is complete, and stays";
pub(super) const QUARANTINED_IS_TRUE: &str =
    "when a mover says quarantined, the named version is not readable at the source";
pub(super) const MISSING_IS_TRUE: &str = "what Cordon has removed is called neither missing nor changed";

/// What the promise hangs on. Each can be taken away, to see what it is there for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    /// The copy to quarantine is made on condition of the ETag of the finding.
    pub(super) pins_the_copy: bool,
    /// So is the removal of the current version.
    pub(super) pins_the_removal: bool,
    /// A delete marker is put before a current version is removed from above an older one.
    pub(super) puts_a_marker: bool,
    /// The manifest is written before the removal.
    pub(super) records_before_removal: bool,
    /// A restore is made on condition that at the destination is what was seen there.
    pub(super) pins_the_destination: bool,
    /// In a suspended bucket nothing is put on top of a null version that is not current: it would be lost.
    pub(super) spares_the_null_version: bool,
    /// Before an object is called missing or changed, the manifest is looked for again.
    pub(super) looks_again: bool,
    /// The manifest of an earlier attempt is asked for before anything is copied, as it is where the case has a place
    /// for its copies. No condition: the promise holds either way.
    pub(super) asks_for_the_manifest_first: bool,
}

/// The protocol with nothing taken away.
pub(super) const WHOLE: Protocol = Protocol {
    pins_the_copy: true,
    pins_the_removal: true,
    puts_a_marker: true,
    records_before_removal: true,
    pins_the_destination: true,
    spares_the_null_version: true,
    looks_again: true,
    asks_for_the_manifest_first: false,
};

/// One instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) source: Key,
    /// The version of the finding.
    pub(super) named: Id,
    /// What is in quarantine.
    pub(super) copy: Option<Content>,
    pub(super) manifest: bool,
    pub(super) paused: bool,
    /// Whether the restore may replace what is at the destination.
    pub(super) replace: bool,
    movers: Vec<Mover>,
    restorers: Vec<Restorer>,
    writes: u8,
    did: Deeds,
}

/// What Cordon has done that the promise speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Deeds {
    lost: bool,
    removed_named: bool,
    removed_another: bool,
    removed_without_manifest: bool,
    surfaced: bool,
    overwrote: bool,
    attested_falsely: bool,
    gave_up_falsely: bool,
}

impl State {
    /// DELETE without version id.
    pub(super) fn cordon_deletes(&mut self, condition: Condition) -> Result<(), Refused> {
        let before = self.source.clone();
        self.source.delete(condition)?;
        self.judge_removal(&before);
        Ok(())
    }

    /// DELETE of the version of the finding by its id.
    pub(super) fn cordon_deletes_named(&mut self) {
        let before = self.source.clone();
        self.source.delete_version(self.named);
        self.judge_removal(&before);
    }

    fn judge_removal(&mut self, before: &Key) {
        for taken in before.taken_away_in(&self.source) {
            // To the conditions of S3 the same bytes written again are the same object.
            let named = taken.content == Some(NAMED);
            let destroyed = !self.source.versions.contains(taken);
            self.did.lost |= destroyed && !(named && self.is_kept());
            self.did.removed_named |= named;
            self.did.removed_another |= !named;
            self.did.removed_without_manifest |= !self.manifest;
        }
        let top = self.source.versions.last();
        self.did.surfaced |= self.source.current().is_some() && top != before.versions.last();
    }

    /// Copies from quarantine to the source; nothing when the condition does not hold.
    pub(super) fn cordon_restores(&mut self, condition: Condition, seen: Option<Content>) {
        let before = self.source.clone();
        let content = self.copy.expect("a restore comes after a move");
        if self.source.put(content, condition).is_ok() {
            self.did.overwrote |= before
                .taken_away_in(&self.source)
                .any(|taken| !(self.replace && taken.content == seen && before.is_latest(taken.id)));
        }
    }

    /// What the verdict of a mover is worth, at the moment it is found.
    fn judge_verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Quarantined => {
                self.did.attested_falsely |= self.source.get(Some(self.named)) == Some(NAMED);
            }
            Verdict::Missing | Verdict::Changed => self.did.gave_up_falsely |= self.did.removed_named,
            Verdict::ChangedAfterCopy | Verdict::Unremovable => {}
        }
    }

    /// Whether the object of the finding is complete in quarantine, under a manifest.
    fn is_kept(&self) -> bool {
        self.manifest && self.copy == Some(NAMED)
    }

    /// Whether a mover has said so.
    pub(super) fn is_quarantined(&self) -> bool {
        self.movers.contains(&Mover::Ended(Verdict::Quarantined))
    }

    fn is_restore_asked(&self) -> bool {
        self.restorers.iter().any(|restorer| *restorer != Restorer::NotAsked)
    }

    /// Whether anybody goes by a look at the versioning of the bucket.
    fn versioning_matters(&self) -> bool {
        self.movers.iter().any(|mover| mover.goes_by_versioning())
            || self.restorers.iter().any(|restorer| restorer.goes_by_versioning())
    }
}

/// What happens next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
    Mover(usize),
    MoverCrashes(usize),
    Restorer(usize),
    RestorerCrashes(usize),
    WriterPuts(Content),
    WriterDeletes,
    OwnerSets(Versioning),
    OperatorPauses(bool),
}

/// Who takes part, and how much of it is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuarantineModel {
    pub(super) protocol: Protocol,
    pub(super) movers: usize,
    pub(super) restorers: usize,
    /// PUTs and DELETEs of the writer.
    pub(super) writes: u8,
    pub(super) pauses: bool,
    /// Whether versioning may be suspended between a look at it and the removal or restore that goes by it.
    pub(super) suspends_at_any_time: bool,
}

/// The buckets that a finding may be about, each with the version that the finding names.
fn buckets() -> impl Iterator<Item = (Key, Id)> {
    use Versioning::*;
    let (first, second) = (Id::Real(1), Id::Real(2));
    let buckets = [
        (Never, None, Id::Null),
        (Enabled, None, Id::Null),
        (Enabled, Some(first), Id::Null),
        (Enabled, None, second),
        (Enabled, Some(first), second),
        (Enabled, Some(Id::Null), second),
        (Suspended, Some(first), Id::Null),
        (Suspended, Some(first), second),
        (Suspended, Some(Id::Null), second),
    ];
    buckets.into_iter().map(|(versioning, below, named)| {
        let older = below.map(|id| Version { id, content: Some(OLDER) });
        let versions = older.into_iter().chain([Version { id: named, content: Some(NAMED) }]).collect();
        (Key { versioning, versions, ids_given: 2 }, named)
    })
}

impl Model for QuarantineModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let replace: &[bool] = if self.restorers > 0 { &[false, true] } else { &[false] };
        let state = |source: &Key, named, replace| State {
            source: source.clone(),
            named,
            copy: None,
            manifest: false,
            paused: false,
            replace,
            movers: vec![Mover::CheckPause; self.movers],
            restorers: vec![Restorer::NotAsked; self.restorers],
            writes: 0,
            did: Deeds::default(),
        };
        buckets()
            .flat_map(|(source, named)| replace.iter().map(move |&replace| state(&source, named, replace)))
            .collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (who, mover) in state.movers.iter().enumerate() {
            if !matches!(mover, Mover::Ended(_)) {
                actions.push(Action::Mover(who));
            }
            // Also one that has ended: what it told may not have arrived. It had, if a restore was asked for: then
            // nobody starts a mover again.
            if !state.is_restore_asked() {
                actions.push(Action::MoverCrashes(who));
            }
        }
        for (who, restorer) in state.restorers.iter().enumerate() {
            actions.push(Action::Restorer(who));
            if *restorer != Restorer::NotAsked {
                actions.push(Action::RestorerCrashes(who));
            }
        }
        if state.writes < self.writes {
            actions.extend([
                Action::WriterPuts(NEWER + state.writes),
                Action::WriterPuts(NAMED),
                Action::WriterDeletes,
            ]);
        }
        if state.source.versioning != Versioning::Enabled {
            actions.push(Action::OwnerSets(Versioning::Enabled));
        } else if self.suspends_at_any_time || !state.versioning_matters() {
            actions.push(Action::OwnerSets(Versioning::Suspended));
        }
        if self.pauses {
            actions.push(Action::OperatorPauses(!state.paused));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Mover(who) => {
                let next = state.movers[who].step(&self.protocol, &mut state);
                if let Mover::Ended(verdict) = next {
                    state.judge_verdict(verdict);
                }
                state.movers[who] = next;
            }
            Action::MoverCrashes(who) => state.movers[who] = Mover::CheckPause,
            Action::Restorer(who) => {
                state.restorers[who] = state.restorers[who].step(&self.protocol, &mut state);
            }
            Action::RestorerCrashes(who) => state.restorers[who] = Restorer::CheckPause,
            Action::WriterPuts(content) => {
                state.writes += 1;
                let _ = state.source.put(content, Condition::None);
            }
            Action::WriterDeletes => {
                state.writes += 1;
                let _ = state.source.delete(Condition::None);
            }
            Action::OwnerSets(versioning) => state.source.versioning = versioning,
            Action::OperatorPauses(paused) => state.paused = paused,
        }
        // Movers are alike, and so are restorers: their order is of no account.
        state.movers.sort();
        state.restorers.sort();
        (state != *last).then_some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.source.ids_given <= MOST_VERSION_IDS
    }

    fn properties(&self) -> Vec<Property<Self>> {
        type P = Property<QuarantineModel>;
        let mut properties = vec![
            P::always(NOTHING_IS_LOST, |_, state| !state.did.lost),
            P::always(NOTHING_ELSE_IS_REMOVED, |_, state| !state.did.removed_another),
            P::always(THE_MANIFEST_COMES_FIRST, |_, state| !state.did.removed_without_manifest),
            P::always(NOTHING_OLDER_SURFACES, |_, state| !state.did.surfaced),
            P::always(NOTHING_IS_OVERWRITTEN, |_, state| !state.did.overwrote),
            P::always(THE_COPY_STAYS, |_, state| !state.manifest || state.is_kept()),
            P::always(QUARANTINED_IS_TRUE, |_, state| !state.did.attested_falsely),
            P::always(MISSING_IS_TRUE, |_, state| !state.did.gave_up_falsely),
            P::sometimes("an object is quarantined", |_, state| state.is_quarantined()),
            P::sometimes("an object that has changed is left alone", |_, state| {
                state.movers.contains(&Mover::Ended(Verdict::Changed))
            }),
        ];
        if self.restorers > 0 {
            properties.extend([
                P::sometimes("an object is restored", |_, state| {
                    state.restorers.contains(&Restorer::Restored)
                }),
                P::sometimes("a restore is refused", |_, state| state.restorers.contains(&Restorer::Refused)),
            ]);
        }
        properties
    }
}
