//! What the state machines branch on.
//!
//! Each `StringEquals` of a Choice names a variant of an enum here, or of [`crate::case::Decision`] and
//! [`crate::exposure::BatchKind`]. Activities answer with the variant, and later activities read it back as the same one.
//! A test reads the ASL and wants the same set.

use serde::{Deserialize, Serialize};

variants! {
    /// Which way a response goes after triage.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum TriageRoute {
        /// The object is moved.
        Quarantine,
        /// People are asked.
        Review,
        /// Nothing is to be done.
        Ignore,
        /// Policy only tells what it would do.
        Shadow,
        /// Another case answers the finding.
        Joined,
    }
}

variants! {
    /// Which way a response goes after a wait for people.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum RoundRoute {
        /// People are shown the case, and waited for.
        Ask,
        /// Nobody is asked until the snooze is over.
        Snoozed,
        /// There is a decision on record.
        Decided,
        /// Nobody has decided, and the object stays.
        Expired,
        /// Nobody has decided, and the first round begins again.
        AskAgain,
        /// Nobody has decided, and policy moves the object.
        Quarantine,
    }
}

variants! {
    /// How a move ended that did not fail.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum MoveResult {
        /// Moved, verified, attested.
        Quarantined,
        /// The object of the finding is in quarantine, and another one is at its place.
        ObjectChanged,
        /// A sample finding: there is no object.
        Sample,
    }
}
