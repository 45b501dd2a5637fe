//! Security Hub: its API, and findings in its format.

pub mod asff;
pub mod client;
