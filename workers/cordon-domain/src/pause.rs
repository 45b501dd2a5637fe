//! The pause that stops every move.

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// A pause in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub paused_at: Time,
    /// By whom, as IAM names them.
    pub paused_by: String,
    /// Why.
    pub reason: String,
}
