//! Logs: JSON in production, readable on a terminal. And metrics: lines in CloudWatch's embedded metric format, which CloudWatch
//! reads out of the log (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html>).

use std::io::{self, IsTerminal, Write};

use anyhow::anyhow;
use metrics_cloudwatch_embedded::{Builder, Collector};
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

/// The namespace of Cordon's metrics; `terraform/dashboard.tf` and `alerts.tf` name it too.
const NAMESPACE: &str = "Cordon";

/// What is counted and measured between two looks, on its way to CloudWatch.
#[derive(Clone, Copy)]
pub struct Measured(&'static Collector);

/// Starts counting and measuring, through the `metrics` facade, for an installation.
///
/// # Errors
/// When that has begun before.
pub fn measure(installation: &str) -> anyhow::Result<Measured> {
    let builder = Builder::new()
        .cloudwatch_namespace(NAMESPACE)
        .with_dimension("Installation", installation.to_owned())
        .emit_zeros(true);
    builder.init().map(Measured).map_err(|error| anyhow!("metrics cannot be started ({error})"))
}

impl Measured {
    /// Writes what was measured since the last time to standard output, a line for each set of dimensions.
    pub fn write(self) {
        // At once: standard error goes to the same log, and must not come between.
        let mut lines = Vec::new();
        let written = self.0.flush(&mut lines).and_then(|()| io::stdout().lock().write_all(&lines));
        if let Err(error) = written {
            tracing::warn!(error.message = %error, "metrics are not written");
        }
    }
}
