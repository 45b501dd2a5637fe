//! `one-task <stem> <input>`: does one task as the worker would, and ends. With the stem `requests` it handles one request,
//! whose queue is the input's `kind`.
//!
//! The settings come from the environment, as the worker's do. What came of it is printed as JSON: `{"output": …}`, or
//! `{"error": code, "cause": sentence}`.

use std::env;

use anyhow::{Context, Result};
use cordon::{
    app::{clients::Clients, requests},
    aws,
    config::WorkerConfig,
    error::RETRYABLE,
    telemetry,
};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (stem, input) = (arguments.next().context("a stem")?, arguments.next().context("an input")?);
    telemetry::init();
    let config = WorkerConfig::read(&env::vars().collect())?;
    let aws = aws::sdk_config(&config.common.region).await?;
    if stem == "requests" {
        let input: Value = serde_json::from_str(&input)?;
        let (kind, message) = cordon_tests::request(&input)?;
        let result = match requests::handle(&Clients::new(&aws, config), kind, &message).await {
            Ok(()) => json!({"output": {}}),
            Err(error) => {
                json!({"error": error.code().map_or(RETRYABLE, |code| code.name()), "cause": error.to_string()})
            }
        };
        println!("{result}");
        return Ok(());
    }
    let result = match cordon_tests::worker(&aws, config).run_once(&stem, input).await {
        Ok(output) => json!({"output": output}),
        Err(failure) => json!({"error": failure.code, "cause": failure.cause}),
    };
    println!("{result}");
    Ok(())
}
