//! `cordon-sandbox demo`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::process::parent::Parent;
use crate::sandbox::Options;

/// Show Cordon's main job on this machine, from the finding to the quarantine
///
/// Starts the sandbox, applies the Terraform, runs worker and gateway, and lays three buckets out; events do the rest.
/// Waits for your click in the Slack page, unless told to click by itself.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Click by itself, check the end state, and exit with 0 or 1
    #[arg(long)]
    once: bool,

    /// Port of the front door; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Port of the Slack page [default: 8300, with --once a free one]
    #[arg(long)]
    slack_port: Option<u16>,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let parent = Parent::remember();
        let mut interrupted = signal(SignalKind::interrupt()).context("cannot watch for SIGINT")?;
        let mut terminated = signal(SignalKind::terminate()).context("cannot watch for SIGTERM")?;
        let defaults = Options::default();
        let slack_port = self.slack_port.unwrap_or(if self.once { 0 } else { defaults.slack_port });
        let options = Options { port: self.port, slack_port, ..defaults };
        tokio::select! {
            ended = crate::demo::run(options, self.once) => ended,
            _ = interrupted.recv() => Ok(self.interrupted()),
            _ = terminated.recv() => Ok(self.interrupted()),
            () = parent.gone() => Ok(self.interrupted()),
        }
    }

    /// With `--once` the end state counts, and it was not reached; otherwise this is how the demo ends.
    fn interrupted(&self) -> ExitCode {
        if self.once { ExitCode::from(130) } else { ExitCode::SUCCESS }
    }
}
