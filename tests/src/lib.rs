//! What the end-to-end tests share: one sandbox with Cordon deployed in it, and short ways to use it.

pub mod browser;
pub mod clicks;
mod finding;
mod module;
mod stage;
mod worker;

pub use finding::finding_document;
pub use module::Module;
pub use stage::{
    ALICE, BOB, CAROL, CHANNEL, FALLBACK, GROUP, OPERATOR, Placed, ROUND_SECONDS, Said, Stage, eventually,
    eventually_within, on_stage, report,
};
pub use worker::worker;
