//! The command line of `cordon-sandbox`.

mod demo;
mod detach;
mod down;
mod supervise;
mod up;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// All of Cordon on one machine, without an AWS account.
///
/// Everything listens on 127.0.0.1 only. Needed: Python 3.11 or newer; Terraform 1.9 or newer for what deploys
/// Cordon. The first start fetches the emulator's Python packages, later ones work offline.
#[derive(Debug, Parser)]
#[command(name = "cordon-sandbox", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Up(up::Up),
    Down(down::Down),
    Supervise(supervise::Supervise),
}

/// Reads the arguments and runs what they ask for. A failure is one message on standard error and exit code 1.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    // What went wrong with a single request is for whoever looks for it; progress is for everyone.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,cordon_sandbox=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .compact()
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cordon-sandbox: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Demo(demo) => demo.run().await,
            Command::Up(up) => up.run().await,
            Command::Down(down) => down.run().await,
            Command::Supervise(supervise) => supervise.run().await,
        }
    });
    result.unwrap_or_else(|error| {
        eprintln!("cordon-sandbox: {error:#}");
        ExitCode::FAILURE
    })
}
