//! `one-task <stem> <input>`: does one task as the worker would, and ends.
//!
//! The settings come from the environment, as the worker's do. What came of it is printed as JSON: `{"output": …}`, or
//! `{"error": code, "cause": sentence}`.

use std::env;

use anyhow::{Context, Result};
use cordon::{aws, config::WorkerConfig, telemetry};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (stem, input) = (arguments.next().context("a stem")?, arguments.next().context("an input")?);
    telemetry::init();
    let config = WorkerConfig::read(&env::vars().collect())?;
    let aws = aws::sdk_config(&config.common.region).await?;
    let result = match cordon_tests::worker(&aws, config).run_once(&stem, input).await {
        Ok(output) => json!({"output": output}),
        Err(failure) => json!({"error": failure.code, "cause": failure.cause}),
    };
    println!("{result}");
    Ok(())
}
