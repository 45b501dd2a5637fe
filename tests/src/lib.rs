//! What the tests share: their environments, and short ways to use them.

mod bare;
pub mod browser;
pub mod clicks;
mod finding;
mod kms;
mod module;
mod network;
pub mod operator;
pub mod release;
mod roles;
mod runtime;
mod size;
mod test_env;
mod turns;
mod wait;
mod worker;

pub use bare::{alone_in_bare_sandbox, bare_sandbox, in_bare_sandbox, start_sandbox};
pub use finding::finding_document;
pub use kms::kms;
pub use module::{Module, PROVIDER_OVERRIDE};
pub use network::existing_network;
pub use operator::{CommandOutput, OPERATOR};
pub use roles::{session, signed_as};
pub use runtime::{report, run_test, timed, waiting};
pub use size::Size;
pub use test_env::{
    ALICE, BOB, CAROL, CHANNEL, FALLBACK, GROUP, OTHER_CHANNEL, POLICY_WRITER, Placed, ROUND_SECONDS,
    TestEnv, listen_to_operators,
};
pub use turns::{Shared, Turn};
pub use wait::{eventually, eventually_within};
pub use worker::{request, vouched, vouched_restore, worker};
