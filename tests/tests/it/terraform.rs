//! The Terraform module in the sandbox, where it is applied in both kinds of network, planned again without a difference and
//! taken down. Its own tests, against a mock of AWS, are run by `make check`.

use anyhow::{Result, ensure};
use cordon_tests::run_test;
use serde_json::json;

use super::{
    crashes::fixture::Fixture,
    sizes::{BUCKETS, Installation},
};

#[test]
fn what_is_applied_in_a_small_network_of_its_own_plans_clean() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        fixture.deployment.plan_is_clean().await
    })
}

#[test]
fn what_is_applied_in_an_existing_network_plans_clean_and_leaves_nothing_when_destroyed() -> Result<()> {
    run_test(async {
        let Installation { sandbox, deployment, .. } = Installation::take().await?;
        deployment.plan_is_clean().await?;
        deployment.destroy().await?;
        let root = sandbox.sdk_config().await;
        let machines = aws_sdk_sfn::Client::new(&root).list_state_machines().send().await?.state_machines;
        let buckets = aws_sdk_s3::Client::new(&root).list_buckets().send().await?;
        let buckets = buckets.buckets().iter().filter_map(|bucket| bucket.name());
        let buckets: Vec<_> = buckets.filter(|name| !name.starts_with(BUCKETS)).collect();
        let tables = aws_sdk_dynamodb::Client::new(&root).list_tables().send().await?;
        ensure!(machines.is_empty(), "{machines:?}");
        ensure!(buckets.is_empty(), "{buckets:?}");
        ensure!(tables.table_names().is_empty(), "{tables:?}");
        let clusters = deployment.ecs("ListClusters", &json!({})).await?;
        ensure!(clusters["clusterArns"].as_array().is_some_and(Vec::is_empty), "{clusters}");
        ensure!(sandbox.tasks().is_empty());
        sandbox.stop().await;
        Ok(())
    })
}
