//! The `cordon` binary.

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    cordon::cli::Cli::parse().run().await
}
