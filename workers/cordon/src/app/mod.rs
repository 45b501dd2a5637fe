//! What Cordon does: one file a use case. Command line, gateway and loops only translate.

pub mod activities;
pub mod clients;
pub mod notifications;
pub(crate) mod operator_notices;
pub mod restores;
