//! `cordon quarantine …`.

mod list;
mod purge;
mod show;
pub(super) mod state;

use std::process::ExitCode;

use clap::Subcommand;

/// See what is in quarantine, and delete from it.
#[derive(Debug, Subcommand)]
pub(super) enum QuarantineCommand {
    /// List what is in quarantine, was put back, or was purged; newest first.
    List(list::ListArguments),
    /// Show a case in full.
    Show(show::ShowArguments),
    /// Delete quarantined objects for good. Their manifests stay as evidence.
    Purge(purge::PurgeArguments),
}

impl QuarantineCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(arguments) => arguments.run().await,
            Self::Show(arguments) => arguments.run().await,
            Self::Purge(arguments) => arguments.run().await,
        }
    }
}
