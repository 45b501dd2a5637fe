//! `cordon-sandbox up`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::process::parent::Parent;
use crate::sandbox::{Options, Sandbox};

/// Start the sandbox and keep it until Ctrl-C
///
/// Prints what another shell needs in its environment, so that the aws CLI, Terraform and SDKs there talk to the
/// sandbox. It ends on Ctrl-C, on SIGTERM, and when the process that started it is gone; it leaves no process behind.
/// Nothing is kept: the next start begins with an empty account.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// Port of the front door, which speaks for all AWS services; 0 takes a free one
    #[arg(long, default_value_t = Options::default().port)]
    port: u16,

    /// Port of the Slack workspace and its page; 0 takes a free one
    #[arg(long, default_value_t = Options::default().slack_port)]
    slack_port: u16,

    /// Holds the emulator's Python environment and the logs [default: .sandbox in the workspace]
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

impl Up {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let parent = Parent::remember();
        let mut interrupted = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let mut terminated = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        let began = Instant::now();
        let data_dir = self.data_dir.unwrap_or_else(|| Options::default().data_dir);
        let options = Options { port: self.port, slack_port: self.slack_port, data_dir };

        // Asked to end while it starts: whatever is half started ends with this process.
        let mut sandbox = tokio::select! {
            sandbox = Sandbox::start(options) => sandbox?,
            _ = interrupted.recv() => return Ok(ExitCode::SUCCESS),
            _ = terminated.recv() => return Ok(ExitCode::SUCCESS),
            () = parent.gone() => return Ok(ExitCode::SUCCESS),
        };
        let ready = format!(
            "The sandbox is ready ({:.1} s).\n\n{}Ctrl-C ends it.\n",
            began.elapsed().as_secs_f32(),
            sandbox.directions()
        );
        // Whoever reads this may be gone; the sandbox then ends for that reason and not for a broken pipe.
        let _ = std::io::stdout().write_all(ready.as_bytes());

        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = parent.gone() => {}
            why = sandbox.emulator_ended() => bail!(why),
        }
        sandbox.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}
