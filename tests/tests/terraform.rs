//! The Terraform module in the sandbox: applied, planned again without a difference, taken down.

use anyhow::{Result, ensure};
use cordon_sandbox::{Options, Sandbox, deployment::Deployment};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_plans_clean_and_leaves_nothing_when_destroyed() -> Result<()> {
    let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
    let deployment = Deployment::apply(&sandbox, json!({})).await?;
    deployment.plan_is_clean().await?;
    deployment.destroy().await?;
    let root = sandbox.sdk_config().await;
    let machines = aws_sdk_sfn::Client::new(&root).list_state_machines().send().await?.state_machines;
    let buckets = aws_sdk_s3::Client::new(&root).list_buckets().send().await?;
    let tables = aws_sdk_dynamodb::Client::new(&root).list_tables().send().await?;
    ensure!(machines.is_empty(), "{machines:?}");
    ensure!(buckets.buckets().is_empty(), "{buckets:?}");
    ensure!(tables.table_names().is_empty(), "{tables:?}");
    sandbox.stop().await;
    Ok(())
}
