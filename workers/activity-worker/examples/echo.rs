//! A worker with one activity, which returns what it receives.
//!
//! ```sh
//! aws stepfunctions create-activity --name demo-echo
//! ACTIVITY_ARN_PREFIX=arn:aws:states:eu-west-1:111122223333:activity:demo- cargo run --example echo
//! ```

use std::{borrow::Cow, env, time::Duration};

use activity_worker::{Activity, TaskContext, TaskError, Worker, WorkerSettings};
use anyhow::Context;
use aws_config::BehaviorVersion;

struct Echo;

impl Activity for Echo {
    const NAME: &'static str = "echo";
    type Input = String;
    type Output = String;
    type Error = EmptyInput;

    async fn run(&self, input: String, _: TaskContext) -> Result<String, EmptyInput> {
        if input.is_empty() { Err(EmptyInput) } else { Ok(input) }
    }
}

struct EmptyInput;

impl TaskError for EmptyInput {
    fn code(&self) -> Cow<'static, str> {
        "EmptyInput".into()
    }

    fn cause(&self) -> String {
        "There is nothing to return; give the state an input.".into()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt::init();
    let client = aws_sdk_sfn::Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let settings = WorkerSettings {
        arn_prefix: env::var("ACTIVITY_ARN_PREFIX").context("ACTIVITY_ARN_PREFIX")?,
        name: format!("echo-{}", std::process::id()),
        heartbeat_timeout: Duration::from_secs(60),
        slots: 8,
        drain_timeout: Duration::from_secs(110),
    };
    Worker::new(client, settings).with(Echo).run(Worker::stop_on_signals()?).await;
    Ok(())
}
