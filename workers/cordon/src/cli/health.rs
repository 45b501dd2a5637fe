//! `cordon health`.

use std::net::SocketAddr;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::terminal;
use crate::health;

/// Arguments of `cordon health`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon health worker
  cordon health gateway --port 8080

The exit code is 0 when the process is well. CORDON_HEALTH_LISTEN (worker) and CORDON_GATEWAY_LISTEN (gateway) say where it
listens.")]
pub(super) struct HealthArguments {
    /// Which process to ask.
    #[arg(value_enum)]
    part: Part,
    /// The port to ask at. ECS names the one that callers use, so that a process that listens elsewhere is found out.
    #[arg(long)]
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Whether it polls for tasks.
    Worker,
    /// Whether it answers requests.
    Gateway,
}

impl HealthArguments {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let setting = match self.part {
            Part::Worker => "CORDON_HEALTH_LISTEN",
            Part::Gateway => "CORDON_GATEWAY_LISTEN",
        };
        let text = super::environment().remove(setting);
        let text =
            text.with_context(|| format!("{setting} is not set; it says where the process listens"))?;
        let mut address: SocketAddr = text
            .parse()
            .with_context(|| format!("{setting} is not an address and port like 127.0.0.1:8081"))?;
        if let Some(port) = self.port {
            address.set_port(port);
        }
        Ok(terminal::say(&health::ask(address).await?)?)
    }
}
