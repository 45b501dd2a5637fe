//! `one-task <stem> <input>`: does one task as the worker would, and ends.
//!
//! The settings come from the environment, as the worker's do. What came of it is printed as JSON: `{"output": …}`, or
//! `{"error": code, "cause": sentence}`.

use std::{env, sync::Arc};

use activity_worker::WorkerSettings;
use anyhow::{Context, Result};
use cordon::{
    activities,
    clients::{self, Clients},
    config::WorkerConfig,
    telemetry,
};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let (stem, input) = (arguments.next().context("a stem")?, arguments.next().context("an input")?);
    telemetry::init();
    let config = WorkerConfig::read(&env::vars().collect())?;
    let aws = clients::aws_config(&config.common.region).await?;
    let settings = WorkerSettings {
        arn_prefix: config.activity_arn_prefix.clone(),
        name: "one-task".into(),
        heartbeat_timeout: config.heartbeat,
        slots: 1,
        grace: config.shutdown_grace,
    };
    let clients = Arc::new(Clients::new(&aws, config));
    let worker = activities::worker(aws_sdk_sfn::Client::new(&aws), settings, &clients);
    let result = match worker.run_once(&stem, input).await {
        Ok(output) => json!({"output": output}),
        Err(failure) => json!({"error": failure.code, "cause": failure.cause}),
    };
    println!("{result}");
    Ok(())
}
