//! A model of quarantine and restore, of which every order of calls is tried: what [`QuarantineModel::properties`] lists must
//! hold in each, and must break when a condition of the [`Protocol`] is taken away.
//!
//! One key in one source bucket, one place in quarantine; each call is one step, and whoever acts may be ended
//! between two steps and begin anew. A writer PUTs and DELETEs, the owner switches versioning, the operator pauses.
//! Policy names the reported version; a copy in parts is one step, as only its last call makes it an object.
//!
//! | step | call |
//! |---|---|
//! | `CheckPause`, `AskVersioning`, `ReadManifest` | `with_pause`; `GetBucketVersioning`; `GetObject` of the manifest and `HeadObject` of what it names, where the case has a place for its copies |
//! | `ListSource`, `HeadSource` | `ListObjectVersions`, `HeadObject` in `secure` |
//! | `Copy`, `HeadCopy` | `CopyObject` with `copy-source-if-match` and `If-None-Match: *`; `HeadObject` of the copy |
//! | `WriteManifest`, `ReadManifestAgain` | `PutObject` with `If-None-Match: *`; `GetObject`, before an object is given up |
//! | `RemoveOnly`, `HeadWhatRefused` | `DeleteObject` with `If-Match`, `HeadObject` in `remove_only` |
//! | `ListVersions`, `RemoveCurrent`, `RemoveVersion` | `ListObjectVersions`, `DeleteObject` with `If-Match`, `DeleteObject` by version id in `remove` |
//! | `Attest` | `ListObjectVersions` in `attest` |
//! | `HeadDestination`, `ListDestination` | `HeadObject`, in a suspended bucket `ListObjectVersions`, at the place of a restore |
//! | `Restorer::Copy`, `Verify`, `Record` | `CopyObject` with `If-None-Match: *` or `If-Match`; `HeadObject`; `save_restore` |

mod model;
mod mover;
mod restorer;
mod s3;

use cordon_tests::report;
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use self::model::{
    MISSING_IS_TRUE, NOTHING_ELSE_IS_REMOVED, NOTHING_IS_LOST, NOTHING_IS_OVERWRITTEN,
    NOTHING_OLDER_SURFACES, Protocol, QuarantineModel, THE_COPY_STAYS, THE_MANIFEST_COMES_FIRST, WHOLE,
};

const THREADS: usize = 2;

const TWO_MOVERS: QuarantineModel = QuarantineModel {
    protocol: WHOLE,
    movers: 2,
    restorers: 0,
    writes: 2,
    pauses: false,
    suspends_at_any_time: false,
};
const TWO_MOVERS_AND_A_RESTORER: QuarantineModel = QuarantineModel { restorers: 1, writes: 1, ..TWO_MOVERS };
const TWO_RESTORERS: QuarantineModel = QuarantineModel { movers: 1, restorers: 2, writes: 1, ..TWO_MOVERS };
const A_PAUSE: QuarantineModel =
    QuarantineModel { movers: 1, restorers: 1, writes: 1, pauses: true, ..TWO_MOVERS };
const ONE_OF_EACH: QuarantineModel = QuarantineModel { movers: 1, restorers: 1, ..TWO_MOVERS };

/// Each condition that can be taken away, a model in which that shows, and what breaks.
const BROKEN: [(&str, Protocol, QuarantineModel, &[&str]); 7] = [
    (
        "the copy's copy-source-if-match",
        Protocol { pins_the_copy: false, ..WHOLE },
        TWO_MOVERS,
        &[NOTHING_IS_LOST, THE_COPY_STAYS],
    ),
    (
        "the removal's If-Match",
        Protocol { pins_the_removal: false, ..WHOLE },
        TWO_MOVERS,
        &[NOTHING_IS_LOST, NOTHING_ELSE_IS_REMOVED],
    ),
    ("the delete marker", Protocol { puts_a_marker: false, ..WHOLE }, TWO_MOVERS, &[NOTHING_OLDER_SURFACES]),
    (
        "the manifest before the removal",
        Protocol { records_before_removal: false, ..WHOLE },
        TWO_MOVERS,
        &[NOTHING_IS_LOST, THE_MANIFEST_COMES_FIRST, MISSING_IS_TRUE],
    ),
    (
        "the restore's If-None-Match and If-Match",
        Protocol { pins_the_destination: false, ..WHOLE },
        ONE_OF_EACH,
        &[NOTHING_IS_OVERWRITTEN],
    ),
    (
        "the care for a null version below",
        Protocol { spares_the_null_version: false, ..WHOLE },
        ONE_OF_EACH,
        &[NOTHING_IS_LOST, NOTHING_ELSE_IS_REMOVED, NOTHING_IS_OVERWRITTEN],
    ),
    (
        "the second look for a manifest",
        Protocol { looks_again: false, ..WHOLE },
        TWO_MOVERS,
        &[MISSING_IS_TRUE],
    ),
];

#[test]
fn the_promise_holds_in_every_order_of_calls_and_needs_each_condition() {
    let mut states = 0;
    for asks_for_the_manifest_first in [false, true] {
        let protocol = Protocol { asks_for_the_manifest_first, ..WHOLE };
        for model in [TWO_MOVERS, TWO_MOVERS_AND_A_RESTORER, TWO_RESTORERS, A_PAUSE] {
            let checker = QuarantineModel { protocol, ..model }.checker().threads(THREADS).spawn_bfs().join();
            checker.assert_properties();
            states += checker.unique_state_count();
        }
    }
    let properties =
        TWO_MOVERS.properties().iter().filter(|property| property.expectation == Expectation::Always).count();
    let mut found = 0;
    for (condition, protocol, model, broken) in BROKEN {
        let missed = unbroken(QuarantineModel { protocol, ..model }, broken);
        assert!(missed.is_empty(), "without {condition} these should break, and do not: {missed:?}");
        found += 1;
    }
    report(&format!(
        "PROOF quarantine_model states={states} properties={properties} \
         counterexamples_found_in_broken_variants={found}/{}",
        BROKEN.len()
    ));
}

/// S3 deletes by version id, and puts an object or a marker in the place of a null version, without any condition. So
/// versioning that is suspended between a look at it and the call that goes by it can cost a null version; everything
/// else in this model is tried on the assumption that nobody does that.
#[test]
fn suspending_versioning_in_the_middle_of_a_removal_or_restore_is_what_no_condition_guards() {
    let model = QuarantineModel { suspends_at_any_time: true, ..ONE_OF_EACH };
    assert!(unbroken(model, &[NOTHING_IS_LOST, NOTHING_IS_OVERWRITTEN]).is_empty());
}

/// Those of the properties for which no counterexample is found.
fn unbroken(model: QuarantineModel, properties: &[&'static str]) -> Vec<&'static str> {
    let wanted = HasDiscoveries::AllOf(properties.iter().copied().collect());
    let checker = model.checker().threads(THREADS).finish_when(wanted).spawn_bfs().join();
    let found = checker.discoveries();
    properties.iter().copied().filter(|property| !found.contains_key(property)).collect()
}
