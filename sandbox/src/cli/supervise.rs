//! `cordon-sandbox supervise`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::process::supervisor;

/// Run a command that cannot outlive whoever started it
///
/// The command gets a process group of its own. SIGTERM and SIGINT are passed on to it; when standard input closes,
/// which it does however the starter ends, the whole group is killed.
#[derive(Debug, Args)]
pub(super) struct Supervise {
    /// Append the command's output to this file, and print its process id instead
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl Supervise {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let code = supervisor::run(&self.command, self.output.as_deref()).await?;
        Ok(ExitCode::from(code))
    }
}
