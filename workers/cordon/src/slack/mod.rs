//! Slack: its API, what it sends, and what it shows.

pub mod api;
pub mod blocks;
pub mod capability;
pub mod interactions;
pub mod people;
pub mod rendering;
pub mod signature;
