//! `cordon-sandbox demo`.

use std::process::ExitCode;

use clap::Args;

use crate::demo::Mode;
use crate::process::parent::Parent;
use crate::process::stop::StopRequests;
use crate::sandbox::Options;

/// Show Cordon end to end on this machine, from the finding to the quarantine
///
/// Starts the sandbox, applies the Terraform, runs worker and gateway, and creates three buckets; events do the rest.
/// Prints what another shell needs to look around, as administrator and as an operator of Cordon. Pauses until you click
/// in the Slack page, unless told to click by itself.
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

    /// Print where everything is as one line of JSON, and the rest on standard error
    #[arg(long)]
    json: bool,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut stop_requests = StopRequests::watch(Some(Parent::remember()))?;
        let defaults = Options::default();
        let slack_port = self.slack_port.unwrap_or(if self.once { 0 } else { defaults.slack_port });
        let options = Options { port: self.port, slack_port, ..defaults };
        tokio::select! {
            ended = crate::demo::run(options, Mode { once: self.once, json: self.json }) => ended,
            reason = stop_requests.next() => {
                reason.report(None);
                // With `--once` the end state counts, and it was not reached; otherwise this is how the demo ends.
                Ok(if self.once { ExitCode::from(130) } else { ExitCode::SUCCESS })
            }
        }
    }
}
