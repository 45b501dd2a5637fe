//! Plain types and pure decisions: no I/O, no SDK.

pub mod access_finding;
pub mod asff;
pub mod capability;
pub mod case;
pub mod digest;
pub mod encoding;
mod event;
pub mod exposure;
pub mod failure;
pub mod finding;
pub mod foresight;
pub mod known_cases;
pub mod links;
pub mod manifest;
pub mod message;
pub mod modal;
pub mod parts;
pub mod pause;
pub mod plan;
pub mod policy;
pub mod policy_answer;
pub mod quoted;
pub mod rendering;
pub mod reported_object;
pub mod time;
pub mod vote;
