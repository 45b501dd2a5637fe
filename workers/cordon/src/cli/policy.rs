//! `cordon policy …`.

mod check;
mod explain;
mod replay;
mod source;

use std::process::ExitCode;

use clap::Subcommand;

/// Work with policy documents.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check a policy document, as the workers would read it, and name everything that is wrong with it.
    ///
    /// No settings and no AWS credentials are needed.
    Check(check::CheckArguments),
    /// Tell what a policy would do with one finding: which rule decides, and why each rule before it does not.
    ///
    /// With --policy, no settings and no AWS credentials are needed; otherwise as of `cordon restore`.
    Explain(explain::ExplainArguments),
    /// Run the Macie findings of the past through a policy, and print what would change against the one in force.
    ///
    /// Nothing is touched, and nobody is told. Settings as of `cordon restore`.
    Replay(replay::ReplayArguments),
}

impl PolicyCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(arguments) => arguments.run(),
            Self::Explain(arguments) => arguments.run().await,
            Self::Replay(arguments) => arguments.run().await,
        }
    }
}
