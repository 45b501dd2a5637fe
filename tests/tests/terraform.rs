//! The Terraform module: its own tests against a mock of AWS, and its life in the sandbox, where it is applied, planned
//! again without a difference and taken down.

use anyhow::{Result, ensure};
use cordon_sandbox::{Options, Sandbox, deployment::Deployment};
use cordon_tests::Module;
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

#[test]
fn every_terraform_test_passes() -> Result<()> {
    let module = Module::copied()?;
    let tests = module.tests()?;
    ensure!(!tests.is_empty(), "there is no terraform test");
    let said = module.terraform(&["test", "-no-color"])?;
    for test in tests {
        let passed = format!("{}... pass", test.display());
        ensure!(
            said.lines().any(|line| line == passed),
            "terraform test left out {}:\n{said}",
            test.display()
        );
    }
    Ok(())
}
