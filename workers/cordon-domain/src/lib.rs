//! What Cordon decides, and the records that it decides from: plain types and pure functions.
//!
//! Nothing here reads a clock, draws at random, or talks to anybody; clippy holds it (`clippy.toml`).

#[macro_use]
mod variants;

pub mod case;
pub mod digest;
mod event;
pub mod exposure;
pub mod failure;
pub mod finding;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
mod invalid;
pub mod links;
pub mod manifest;
pub mod pause;
pub mod policy;
pub mod quoted;
pub mod request;
pub mod routes;
pub mod slack_message;
pub mod time;

pub use invalid::Invalid;
