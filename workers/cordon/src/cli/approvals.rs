//! `cordon approvals …`.

mod decide;
mod list;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use cordon_domain::request::ApprovalAction;

use super::{
    case_details,
    operator::{Operator, case_id},
    terminal,
};

/// See what waits for a decision, and decide it where Slack cannot be used.
#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// List the cases that wait for a decision, oldest first.
    List(list::ListArguments),
    /// Tell all that is known of a case.
    Show(ShowArguments),
    /// Vote for the quarantine of objects.
    Approve(decide::DecideArguments),
    /// Vote for leaving objects where they are.
    #[command(after_help = "Example:
  cordon approvals dismiss 812a6a9f0f43 --reason \"INC-4711: test data\"

The vote is the one of Slack's button: what has been decided stays decided, and a rule that asks for two people gets two.
The exit code is 0 when every vote is on record, 1 when one is not.")]
    Dismiss(decide::DecideArguments),
    /// Have people asked later: after what the rule says in `snooze_seconds`, a day unless it says so.
    #[command(after_help = "Example:
  cordon approvals snooze 812a6a9f0f43 --reason \"INC-4711: its owner is asked first\"

Whoever may decide still can meanwhile. The exit code is 0 when every case is snoozed, 1 when one is not.")]
    Snooze(decide::DecideArguments),
}

/// Arguments of `cordon approvals show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon approvals show 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454")]
pub(super) struct ShowArguments {
    /// The case.
    #[arg(value_name = "CASE_ID", value_parser = case_id)]
    case_id: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

impl ApprovalsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(arguments) => arguments.run().await,
            Self::Show(arguments) => arguments.run().await,
            Self::Approve(arguments) => arguments.run(ApprovalAction::Quarantine).await,
            Self::Dismiss(arguments) => arguments.run(ApprovalAction::Dismiss).await,
            Self::Snooze(arguments) => arguments.run(ApprovalAction::Snooze).await,
        }
    }
}

impl ShowArguments {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let case = match operator.case(&self.case_id).await? {
            Ok(case) => case,
            Err(refusal) => bail!(refusal.why),
        };
        if self.json {
            terminal::say_json(&case_details::record(&case))?;
        } else {
            for line in case_details::lines(&case) {
                terminal::say(&line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
