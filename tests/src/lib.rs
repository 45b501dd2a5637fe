//! What the end-to-end tests share: one sandbox with Cordon deployed in it, and short ways to use it.

pub mod browser;
pub mod clicks;
mod finding;
mod kms;
mod module;
pub mod operator;
mod stage;
mod worker;

pub use finding::finding_document;
pub use kms::kms;
pub use module::Module;
pub use operator::{OPERATOR, Said};
pub use stage::{
    ALICE, BOB, CAROL, CHANNEL, FALLBACK, GROUP, OTHER_CHANNEL, Placed, ROUND_SECONDS, Stage, eventually,
    eventually_within, on_stage, report,
};
pub use worker::worker;
