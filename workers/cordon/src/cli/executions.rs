//! `cordon executions list` and `stop`.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    operator::{Operator, reason},
    terminal::{self, Progress},
};
use crate::{aws::step_functions::StepFunctions, error::Result};

/// How long the end of what was stopped is waited for, and how often it is looked for.
const DEADLINE: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// See what runs in Step Functions, and end all of it before an installation is removed.
#[derive(Debug, Subcommand)]
pub(super) enum ExecutionsCommand {
    /// List the executions that run.
    List(ListArguments),
    /// Stop all executions that run. No object is left half moved.
    Stop(StopArguments),
}

/// Arguments of `cordon executions list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon executions list

It needs states:ListExecutions on the state machines, which those who deploy have.")]
pub(super) struct ListArguments {
    /// Print a JSON array of ARNs.
    #[arg(long)]
    json: bool,
}

/// Arguments of `cordon executions stop`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon executions stop --reason \"this installation is removed\" --yes

AWS deletes a state machine only when its executions have ended. First set enabled to false and apply, so that none begins. A move
that is under way ends as when a worker is killed: the object is untouched or complete in quarantine. Where a worker runs, it
closes the cases, and Slack shows it. It needs states:ListExecutions and states:StopExecution, which those who deploy
have. The exit code is 0 when none runs any more.")]
pub(super) struct StopArguments {
    /// Why; it is the cause of each execution's end, and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Stop them; without it they are only counted.
    #[arg(long)]
    yes: bool,
    /// Print JSON: `stopped`, `running`.
    #[arg(long)]
    json: bool,
}

impl ExecutionsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let executions = Executions {
            step_functions: StepFunctions::new(aws_sdk_sfn::Client::new(&operator.aws)),
            machines: &operator.config.state_machine_arns,
        };
        match self {
            Self::List(arguments) => arguments.list(&executions).await,
            Self::Stop(arguments) => arguments.stop(&executions, &operator.caller).await,
        }
    }
}

struct Executions<'a> {
    step_functions: StepFunctions,
    machines: &'a [String],
}

impl Executions<'_> {
    async fn running(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for machine in self.machines {
            all.extend(self.step_functions.running(machine).await?);
        }
        all.sort();
        Ok(all)
    }
}

impl ListArguments {
    async fn list(self, executions: &Executions<'_>) -> anyhow::Result<ExitCode> {
        let running = executions.running().await?;
        if self.json {
            terminal::say_json(&running)?;
        } else if running.is_empty() {
            terminal::note("No execution runs.");
        } else {
            running.iter().try_for_each(|arn| terminal::say(arn))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl StopArguments {
    async fn stop(self, executions: &Executions<'_>, caller: &str) -> anyhow::Result<ExitCode> {
        let running = executions.running().await?;
        if !self.yes && !running.is_empty() {
            bail!("{} executions run; add --yes to stop them all", running.len());
        }
        let why = format!("{} (by {caller})", self.reason);
        let mut progress = Progress::new(running.len());
        for arn in &running {
            executions.step_functions.stop(arn, &why).await?;
            progress.advance(1);
        }
        drop(progress);
        let begun = tokio::time::Instant::now();
        let left = loop {
            let left = executions.running().await?.len();
            if left == 0 || begun.elapsed() > DEADLINE {
                break left;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        };
        if self.json {
            terminal::say_json(&json!({"stopped": running.len(), "running": left}))?;
        } else if left == 0 {
            terminal::say(&format!("{} executions were stopped; none runs.", running.len()))?;
        } else {
            terminal::say(&format!(
                "{} executions were stopped; {left} run, as new ones begin. Set enabled to false and apply, then repeat this.",
                running.len()
            ))?;
        }
        Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
