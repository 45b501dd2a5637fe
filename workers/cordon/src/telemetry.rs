//! Logs: JSON in production, readable on a terminal.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

/// Starts logging to standard error. `CORDON_LOG` filters as `RUST_LOG` does; without it, Cordon logs at `info` and
/// everything else at `warn`.
pub fn init() {
    let filter = EnvFilter::try_from_env("CORDON_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,cordon=info,activity_worker=info"));
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logs.compact().init();
    } else {
        logs.json().flatten_event(true).init();
    }
}
