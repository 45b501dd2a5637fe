//! What the emulator tells of a task, and what of it would not start on AWS.

use std::time::Duration;

use anyhow::bail;
use serde::Deserialize;

use super::address::listen;

/// The tasks that are not over, as of a change.
#[derive(Debug, Deserialize)]
pub(crate) struct ScheduledTasks {
    /// Counts up with every change.
    pub(crate) change: i64,
    pub(crate) tasks: Vec<ScheduledTask>,
}

/// One task that ECS schedules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduledTask {
    pub(crate) task_arn: String,
    pub(crate) cluster_arn: String,
    pub(crate) last_status: String,
    pub(crate) desired_status: String,
    pub(crate) task_definition: TaskDefinition,
    pub(crate) service_registries: Vec<Registry>,
}

/// Where a service's tasks are to be found.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Registry {
    pub(crate) container_port: Option<u16>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinition {
    pub(crate) task_definition_arn: String,
    pub(crate) revision: u64,
    pub(crate) execution_role_arn: Option<String>,
    pub(crate) task_role_arn: Option<String>,
    pub(crate) container_definitions: Vec<Container>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) environment: Vec<Variable>,
    #[serde(default)]
    pub(crate) secrets: Vec<SecretVariable>,
    #[serde(default)]
    pub(crate) port_mappings: Vec<PortMapping>,
    pub(crate) health_check: Option<HealthCheck>,
    pub(crate) log_configuration: Option<LogConfiguration>,
    pub(crate) stop_timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretVariable {
    pub(crate) name: String,
    pub(crate) value_from: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortMapping {
    pub(crate) container_port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheck {
    pub(crate) command: Vec<String>,
    #[serde(default = "interval")]
    pub(crate) interval: u64,
    #[serde(default = "timeout")]
    pub(crate) timeout: u64,
    #[serde(default = "retries")]
    pub(crate) retries: u32,
    #[serde(default)]
    pub(crate) start_period: u64,
}

// ECS's own defaults [botocore ecs HealthCheck].
fn interval() -> u64 {
    30
}

fn timeout() -> u64 {
    5
}

fn retries() -> u32 {
    3
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogConfiguration {
    pub(crate) log_driver: String,
    pub(crate) options: std::collections::HashMap<String, String>,
}

impl Container {
    /// How long the process has between SIGTERM and SIGKILL: 30 s unless declared, on Fargate at most 120 s.
    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout.unwrap_or(30).min(120))
    }
}

impl ScheduledTask {
    /// The task's one container, if everything that callers of the task rely on fits.
    ///
    /// # Errors
    /// What would not start, or not be reached, on AWS.
    pub(crate) fn container(&self) -> anyhow::Result<&Container> {
        let [container] = self.task_definition.container_definitions.as_slice() else {
            bail!("ResourceInitializationError: the sandbox runs tasks of one container");
        };
        let declared: Vec<u16> = container.port_mappings.iter().map(|port| port.container_port).collect();
        for registry in &self.service_registries {
            if let Some(port) = registry.container_port.filter(|port| !declared.contains(port)) {
                bail!(
                    "ResourceInitializationError: Cloud Map sends callers to port {port}, which the container \
                     {} does not declare ({declared:?})",
                    container.name
                );
            }
        }
        for variable in &container.environment {
            let open = listen(&variable.value).filter(|address| address.ip().is_unspecified());
            if let Some(address) = open.filter(|address| !declared.contains(&address.port())) {
                bail!(
                    "ResourceInitializationError: {} makes the process listen on port {}, which the container {} \
                     does not declare ({declared:?})",
                    variable.name,
                    address.port(),
                    container.name
                );
            }
        }
        if container
            .health_check
            .as_ref()
            .is_some_and(|check| check.command.first().is_none_or(|kind| kind != "CMD"))
        {
            bail!("ResourceInitializationError: the image has no shell for its health check; use CMD");
        }
        Ok(container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn task(listen: &str, declared: u16, registered: u16, check: &str) -> ScheduledTask {
        serde_json::from_value(json!({
            "taskArn": "arn:t", "clusterArn": "arn:c", "lastStatus": "PENDING", "desiredStatus": "RUNNING",
            "serviceRegistries": [{"registryArn": "arn:r", "containerPort": registered}],
            "taskDefinition": {"taskDefinitionArn": "arn:d", "revision": 1, "containerDefinitions": [{
                "name": "gateway", "image": "i", "environment": [{"name": "LISTEN", "value": listen}],
                "portMappings": [{"containerPort": declared}],
                "healthCheck": {"command": [check, "/cordon", "health", "gateway"]}}]},
        }))
        .expect("a task")
    }

    #[test]
    fn ports_that_do_not_fit_are_refused_with_both_of_them() {
        assert!(task("0.0.0.0:8080", 8080, 8080, "CMD").container().is_ok());
        assert!(task("127.0.0.1:9", 8080, 8080, "CMD").container().is_ok(), "nobody outside is to reach it");
        let refused = |task: ScheduledTask| task.container().expect_err("refused").to_string();
        let other_port = refused(task("0.0.0.0:8081", 8080, 8080, "CMD"));
        assert!(
            other_port.contains("LISTEN") && other_port.contains("8081") && other_port.contains("[8080]")
        );
        assert!(refused(task("0.0.0.0:8080", 8080, 9090, "CMD")).contains("port 9090"));
        assert!(refused(task("0.0.0.0:8080", 8080, 8080, "CMD-SHELL")).contains("no shell"));
    }
}
