//! `cordon-sandbox tether`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

/// Run a command that cannot outlive whoever started it
///
/// The command gets a process group of its own. SIGTERM and SIGINT are passed on to it; when standard input closes,
/// which it does however the starter ends, the whole group is killed.
#[derive(Debug, Args)]
pub(super) struct Tether {
    /// Append the command's output to this file, and print its process id instead
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Tether {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let code = crate::tether::run(&self.command, self.output.as_deref()).await?;
        Ok(ExitCode::from(code))
    }
}
