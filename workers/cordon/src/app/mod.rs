//! What Cordon does: one file a use case. Command line, gateway and loops only translate.

pub mod activities;
pub mod approvals;
pub(crate) mod approvers;
pub mod clicks;
pub mod clients;
pub mod doctor;
pub(crate) mod exposure;
pub mod notifications;
pub(crate) mod operator_notices;
pub(crate) mod pauses;
pub mod policy_in_force;
pub(crate) mod private_notes;
pub(crate) mod purges;
pub mod put_off;
pub(crate) mod rate_limits;
pub(crate) mod reconciliation;
pub(crate) mod refusals;
pub mod requests;
pub(crate) mod restores;
pub(crate) mod unseen_versions;
