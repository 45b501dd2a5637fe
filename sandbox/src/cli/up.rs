//! `cordon-sandbox up`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;

use super::detach::{self, LOG};
use crate::directions::Directions;
use crate::operator;
use crate::process::parent::Parent;
use crate::process::running::Running;
use crate::process::stop::StopRequests;
use crate::sandbox::{Options, Sandbox};

/// Start the sandbox and keep it until Ctrl-C
///
/// Prints what another shell needs in its environment, so that the aws CLI, Terraform, SDKs and Cordon's own commands
/// there talk to the sandbox. It ends on Ctrl-C, on SIGTERM, when its terminal is closed and when the process that
/// started it has ended, and says why; it leaves no process behind. With --detach it stays in the background until
/// `cordon-sandbox down`. Nothing is kept: the next start begins with an empty account.
#[derive(Debug, Args)]
pub(super) struct Up {
    /// Port of the front door, which speaks for all AWS services; 0 takes a free one
    #[arg(long, default_value_t = Options::default().port)]
    port: u16,

    /// Port of the Slack workspace and its page; 0 takes a free one
    #[arg(long, default_value_t = Options::default().slack_port)]
    slack_port: u16,

    /// Holds the emulator's Python environment and the logs [default: .sandbox in the workspace]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Start it in the background, and return when it is ready
    #[arg(long)]
    detach: bool,

    /// Print one line of JSON instead of text
    #[arg(long)]
    json: bool,

    /// The process in the background, as `--detach` starts it
    #[arg(long, hide = true, conflicts_with = "detach")]
    detached: bool,
}

impl Up {
    fn options(&self) -> Options {
        let data_dir = self.data_dir.clone().unwrap_or_else(|| Options::default().data_dir);
        Options { port: self.port, slack_port: self.slack_port, data_dir }
    }

    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let began = Instant::now();
        if self.detach {
            let Some(directions) = detach::start(&self.options()).await? else {
                return Ok(ExitCode::FAILURE);
            };
            let stop = detach::stop_command(&directions.run_dir)?;
            let log = directions.run_dir.join(LOG);
            self.print(
                &directions,
                began,
                &format!("It runs in the background; its log is {}.\nStop it: {stop}\n", log.display()),
            );
            return Ok(ExitCode::SUCCESS);
        }
        if self.detached {
            // Out of the session of the terminal, which may be closed from now on.
            rustix::process::setsid().context("cannot leave the session of the terminal")?;
        }
        let parent = (!self.detached).then(Parent::remember);
        let mut stop_requests = StopRequests::watch(parent)?;

        // Asked to stop while it starts: whatever is half started ends with this process.
        let mut sandbox = tokio::select! {
            sandbox = Sandbox::start(self.options()) => sandbox?,
            reason = stop_requests.next() => {
                reason.report(None);
                return Ok(ExitCode::SUCCESS);
            }
        };
        operator::create(&sandbox).await?;
        Running::announce(sandbox.endpoint(), sandbox.run_dir())?;
        self.print(&Directions::new(&sandbox, None)?, began, "Ctrl-C ends it.\n");

        tokio::select! {
            reason = stop_requests.next() => {
                let log = sandbox.run_dir().join(LOG);
                // The standard error of a detached sandbox is that log.
                reason.report((!self.detached).then_some(log.as_path()));
            }
            why = sandbox.emulator_ended() => bail!(why),
        }
        sandbox.stop().await;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, directions: &Directions, began: Instant, end: &str) {
        let text = if self.json {
            format!("{}\n", directions.to_json())
        } else {
            format!("The sandbox is ready ({:.1} s).\n\n{directions}{end}", began.elapsed().as_secs_f32())
        };
        // Whoever reads this may be gone; the sandbox then stops for that reason and not for a broken pipe.
        let mut out = std::io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
