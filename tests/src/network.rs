//! The network that every account has.

use anyhow::{Context, Result};
use cordon_sandbox::Sandbox;
use serde_json::{Value, json};

/// The default VPC and its subnets, as the module's input `network`.
///
/// # Errors
/// Those of the emulator.
pub async fn existing_network(sandbox: &Sandbox) -> Result<Value> {
    let described = sandbox.emulator().query("ec2", "DescribeSubnets", "2016-11-15", &[]).await?;
    let texts = |element: &str| -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let parts = described.split(&open).skip(1);
        parts.filter_map(|part| Some(part.split_once(&close)?.0.to_owned())).collect()
    };
    let vpc = texts("vpcId").into_iter().next().context("the account has a VPC")?;
    Ok(json!({"kind": "existing", "vpc_id": vpc, "subnet_ids": texts("subnetId")}))
}
