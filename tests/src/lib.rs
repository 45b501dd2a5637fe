//! What the end-to-end tests share: one sandbox with Cordon deployed in it, and short ways to use it.

mod stage;
mod worker;

pub use stage::{ALICE, CHANNEL, OPERATOR, Placed, ROUND_SECONDS, Said, Stage, eventually, on_stage, report};
pub use worker::worker;
