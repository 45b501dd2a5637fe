//! ECS: what of worker and gateway runs.

use aws_sdk_ecs::{Client, types::HealthStatus};

use super::error::classify;
use crate::error::{Error, Result};

/// A service of the cluster, as it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// How many tasks there should be.
    pub desired: usize,
    /// How many are there and well. A worker is well when it polls, a gateway when it answers.
    pub healthy: usize,
    /// What ECS said last.
    pub last_event: Option<String>,
}

/// `ListTasks` and `DescribeTasks` take a hundred tasks, and a service of ours has at most twenty
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>).
const MAX_TASKS: i32 = 100;

/// How a service runs; `None` where the cluster has no such service.
///
/// # Errors
/// As classified.
pub async fn service(client: &Client, cluster: &str, name: &str) -> Result<Option<Service>> {
    let described = client.describe_services().cluster(cluster).services(name).send().await;
    let described = described.map_err(|error| classify(&format!("ecs:DescribeServices of {name}"), error))?;
    let is_there = |service: &&aws_sdk_ecs::types::Service| service.status.as_deref() == Some("ACTIVE");
    let Some(service) = described.services().iter().find(is_there) else { return Ok(None) };
    let desired = usize::try_from(service.desired_count).map_err(|_| {
        Error::Retryable(format!(
            "ecs:DescribeServices says that {} tasks are desired",
            service.desired_count
        ))
    })?;
    let last_event = service.events().first().and_then(|event| event.message.clone());

    let listed = client.list_tasks().cluster(cluster).service_name(name).max_results(MAX_TASKS).send().await;
    let tasks = listed.map_err(|error| classify(&format!("ecs:ListTasks of {name}"), error))?.task_arns;
    let tasks = tasks.unwrap_or_default();
    if tasks.is_empty() {
        return Ok(Some(Service { desired, healthy: 0, last_event }));
    }
    let described = client.describe_tasks().cluster(cluster).set_tasks(Some(tasks)).send().await;
    let described = described.map_err(|error| classify(&format!("ecs:DescribeTasks of {name}"), error))?;
    let healthy =
        described.tasks().iter().filter(|task| task.health_status == Some(HealthStatus::Healthy)).count();
    Ok(Some(Service { desired, healthy, last_event }))
}
