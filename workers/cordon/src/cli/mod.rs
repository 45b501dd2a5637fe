//! The command line: one file a subcommand.

// `println!` and its like panic when nobody reads any more; what `terminal` prints ends the command in order.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod approvals;
mod case_details;
mod doctor;
mod executions;
mod gateway;
mod health;
mod listing;
mod operator;
mod pause;
mod policy;
mod quarantine;
mod report;
mod requests;
mod restore;
mod since;
mod terminal;
mod worker;

use std::{collections::HashMap, process::ExitCode};

use clap::{Parser, Subcommand};

/// Finds sensitive data in Amazon S3 that lies where it should not, and gets it out of reach.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the activity worker: polls Step Functions and does the Macie, S3, Access Analyzer and Security Hub work.
    ///
    /// Settings come from the environment; Terraform's output `worker_environment` holds them.
    Worker,
    /// Run the gateway that receives Slack's signed requests.
    ///
    /// Settings come from the environment; Terraform's output `gateway_environment` holds them.
    Gateway,
    /// Ask a running worker or gateway whether it is well, as ECS does.
    Health(health::HealthArguments),
    /// See whether Cordon can work here, before and after deployment, a line for each thing that it needs.
    ///
    /// Settings as of `cordon restore`; before deployment, AWS_REGION and AWS credentials are enough.
    Doctor(doctor::DoctorArguments),
    /// See what runs in Step Functions, and end all of it before an installation is removed.
    ///
    /// Settings as of `cordon restore`.
    #[command(subcommand)]
    Executions(executions::ExecutionsCommand),
    /// Put quarantined objects back where they were.
    ///
    /// Settings come from the environment; Terraform's output `operator_environment` holds them. Besides, AWS_REGION
    /// and AWS credentials of your own are needed.
    Restore(restore::RestoreArguments),
    /// Stop every move, into quarantine and back, until `cordon resume`.
    ///
    /// Settings as of `cordon restore`.
    Pause(pause::PauseArguments),
    /// End a pause.
    ///
    /// Settings as of `cordon restore`.
    Resume(pause::ResumeArguments),
    /// See what waits for a decision, and decide it where Slack cannot be used.
    ///
    /// Settings as of `cordon restore`.
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// See what is in quarantine, and delete from it.
    ///
    /// Settings as of `cordon restore`.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Work with policy documents.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
}

impl Cli {
    /// Runs the subcommand. What is wrong is told in one clear sentence, or in several lines where several things are
    /// wrong at once.
    pub async fn run(self) -> ExitCode {
        match self.command().await {
            Ok(code) => code,
            Err(error) if terminal::is_unread(&error) => ExitCode::SUCCESS,
            Err(error) => {
                terminal::complain(&format!("cordon: {error:#}"));
                ExitCode::FAILURE
            }
        }
    }

    async fn command(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Worker => worker::run().await?,
            Command::Gateway => gateway::run().await?,
            Command::Health(arguments) => arguments.run().await?,
            Command::Doctor(arguments) => return arguments.run().await,
            Command::Executions(command) => return command.run().await,
            Command::Restore(arguments) => return arguments.run().await,
            Command::Pause(arguments) => arguments.run().await?,
            Command::Resume(arguments) => arguments.run().await?,
            Command::Approvals(command) => return command.run().await,
            Command::Quarantine(command) => return command.run().await,
            Command::Policy(command) => return command.run().await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The help of a command and of everything below it.
    fn help_of(command: &mut clap::Command, name: &str, all: &mut Vec<(String, String)>) {
        all.push((name.replace(' ', "_"), command.render_long_help().to_string()));
        for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
            let name = format!("{name} {}", below.get_name());
            help_of(below, &name, all);
        }
    }

    #[test]
    fn help_says_what_it_said() {
        let mut all = Vec::new();
        // The widths do not depend on the terminal.
        help_of(&mut <Cli as CommandFactory>::command().term_width(100), "cordon", &mut all);
        assert!(all.len() >= 18, "{}", all.len());
        for (name, help) in all {
            insta::assert_snapshot!(format!("help_{name}"), help);
        }
    }
}
