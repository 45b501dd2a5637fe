//! Cordon itself in the sandbox: the real Terraform, the real binary.
//!
//! The Terraform is applied from a copy in the run directory, so that no state is left in the workspace. What it declares is
//! then [started by ECS](crate::ecs). Tests start further processes, outside of any service, with what a task definition
//! declares and changes to it.

mod secrets;
mod terraform;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::ecs::{self, RunningTask};
use crate::front_door::FrontDoor;
use crate::process::child::{Child, last_lines, sibling};
use crate::process::emulator::{ACCOUNT, REGION, free_port};
use crate::process::loopback;
use crate::sandbox::{Sandbox, within, workspace_root};
use crate::slack::Slack;
use secrets::Secrets;
use terraform::Terraform;

/// Where the gateway takes Slack's requests.
const INTERACTIONS_PATH: &str = "/slack/interactions";
const GATEWAY_DEADLINE: Duration = Duration::from_secs(20);
/// How long ECS may take to start what is declared.
const STEADY_DEADLINE: Duration = Duration::from_secs(60);
/// What the root in `sandbox/terraform` refers to, and itself.
const SOURCES: [&str; 3] = ["terraform", "statemachines", "sandbox/terraform"];

/// An applied deployment. It lives in the sandbox's memory, so it ends with the sandbox also without a destroy.
pub struct Deployment {
    terraform: Terraform,
    outputs: Map<String, Value>,
    cluster: String,
    front_door: Arc<FrontDoor>,
    endpoint: String,
    slack: Arc<Slack>,
    slack_url: String,
    run_dir: PathBuf,
    processes: AtomicU32,
}

impl Deployment {
    /// Applies the Terraform, puts the Slack secret's value and enters the request URL in Slack, as an operator would, and
    /// waits until ECS has started what is declared. `variables` is an object with
    /// the variables of `sandbox/terraform` that are not to have their defaults. Applied again to the same sandbox,
    /// it changes the deployment that is there.
    pub async fn apply(sandbox: &Sandbox, variables: Value) -> anyhow::Result<Deployment> {
        let Value::Object(mut variables) = variables else {
            bail!("the Terraform variables are not an object")
        };
        variables.insert("endpoint".into(), json!(sandbox.endpoint()));
        variables.insert("account".into(), json!(ACCOUNT));
        variables.insert("region".into(), json!(REGION));
        variables.insert("image".into(), json!(ecs::image()));

        let run_dir = sandbox.run_dir().to_owned();
        let copy = run_dir.join("deployment");
        for source in SOURCES {
            copy_sources(&workspace_root().join(source), &copy.join(source))?;
        }
        let terraform = Terraform::new(copy.join("sandbox/terraform"), &run_dir, sandbox.data_dir()).await?;
        terraform.init().await?;
        terraform.apply(&variables).await?;
        let outputs = terraform.outputs().await?;

        let secrets = Secrets::new(&sandbox.sdk_config().await);
        let slack = sandbox.slack().clone();
        let arn = outputs.get("slack_secret_arn").and_then(Value::as_str);
        let arn = arn.context("the Terraform has no output slack_secret_arn")?;
        let value = json!({"bot_token": slack.bot_token(), "signing_secret": slack.signing_secret()});
        secrets.put(arn, &value).await?;
        let cluster = outputs.get("cluster_name").and_then(Value::as_str);
        let cluster = cluster.context("the Terraform has no output cluster_name")?.to_owned();
        let deployment = Deployment {
            terraform,
            outputs,
            cluster,
            front_door: sandbox.front_door().clone(),
            endpoint: sandbox.endpoint().to_owned(),
            slack,
            slack_url: sandbox.slack_url().to_owned(),
            run_dir,
            processes: AtomicU32::new(1),
        };
        deployment.is_steady(sandbox).await?;
        Ok(deployment)
    }

    /// The values of the Terraform outputs by name.
    pub fn outputs(&self) -> &Map<String, Value> {
        &self.outputs
    }

    /// A text output.
    pub fn output(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.outputs.get(name).and_then(Value::as_str);
        value.with_context(|| format!("the Terraform has no text output {name}"))
    }

    /// Fails with what would change if a second plan wants to change anything.
    pub async fn plan_is_clean(&self) -> anyhow::Result<()> {
        self.terraform.plan_is_clean(false).await
    }

    /// Fails with what would change if a plan wants to change anything but outputs, which a destroy has Terraform forget
    /// also where it was refused.
    pub async fn infrastructure_is_as_declared(&self) -> anyhow::Result<()> {
        self.terraform.plan_is_clean(true).await
    }

    /// Takes down everything that was applied.
    pub async fn destroy(&self) -> anyhow::Result<()> {
        self.terraform.destroy().await
    }

    /// Waits until as many tasks as each service declares run and are healthy, and until the gateway, if there is to be
    /// one, answers by its public name.
    pub async fn is_steady(&self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let wanted = self.desired_counts().await?;
        let counts = |container: &str| {
            sandbox
                .tasks()
                .iter()
                .filter(|task| task.healthy && task.cluster == self.cluster && task.container == container)
                .count()
        };
        let steady = within(STEADY_DEADLINE, async || {
            wanted.iter().all(|(container, count)| counts(container) >= *count)
        });
        if !steady.await {
            let logs =
                sandbox.tasks().iter().map(|task| last_lines(&task.log, 15)).collect::<Vec<_>>().join("\n");
            bail!(
                "ECS has not started what Terraform declares ({wanted:?}); the ends of the tasks' logs:\n{logs}"
            );
        }
        if wanted.iter().all(|(container, count)| container != "gateway" || *count == 0) {
            return Ok(());
        }
        let url = self.output("interactions_url")?;
        self.slack.set_interactions_url(url);
        let health = url.replace(INTERACTIONS_PATH, "/healthz");
        let http = loopback::http();
        let said = std::sync::Mutex::new(String::new());
        let answers = async || {
            let Ok(answer) = http.get(&health).send().await else { return false };
            let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
            *said.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = text;
            status.is_success()
        };
        if !within(GATEWAY_DEADLINE, answers).await {
            bail!("the gateway is not healthy at {health}: {}", said.into_inner().unwrap_or_default());
        }
        Ok(())
    }

    /// The tasks of this deployment that run at the moment.
    pub fn tasks(&self, sandbox: &Sandbox, container: &str) -> Vec<RunningTask> {
        let ours = |task: &RunningTask| task.cluster == self.cluster && task.container == container;
        sandbox.tasks().into_iter().filter(ours).collect()
    }

    async fn desired_counts(&self) -> anyhow::Result<Vec<(String, usize)>> {
        let request = json!({"cluster": self.cluster, "services": ["gateway", "worker"]});
        let answer = self.ecs("DescribeServices", &request).await?;
        let services = answer["services"].as_array().context("ECS describes no services")?;
        let counts = services.iter().filter_map(|service| {
            let count = usize::try_from(service["desiredCount"].as_u64()?).ok()?;
            Some((service["serviceName"].as_str()?.to_owned(), count))
        });
        Ok(counts.collect())
    }

    /// A call of ECS as the administrator.
    ///
    /// # Errors
    /// When ECS refuses it.
    pub async fn ecs(&self, operation: &str, request: &Value) -> anyhow::Result<Value> {
        self.call("ecs", &format!("AmazonEC2ContainerServiceV20141113.{operation}"), request).await
    }

    /// A call of a service that speaks JSON, as the administrator; `target` is the API's header `x-amz-target`.
    ///
    /// # Errors
    /// When the service refuses it.
    pub async fn call(&self, service: &str, target: &str, request: &Value) -> anyhow::Result<Value> {
        self.front_door.emulator.call(service, target, request).await
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// What the newest revision of a part's task definition puts into its environment.
    ///
    /// # Errors
    /// When there is no such definition.
    pub async fn settings(&self, part: &str) -> anyhow::Result<Vec<(String, String)>> {
        let definition = self.container(part).await?;
        let variables = definition["environment"].as_array().context("the container has no environment")?;
        Ok(variables
            .iter()
            .filter_map(|one| Some((one["name"].as_str()?.to_owned(), one["value"].as_str()?.to_owned())))
            .collect())
    }

    async fn container(&self, part: &str) -> anyhow::Result<Value> {
        let family = format!("{}-{part}", self.cluster);
        let mut answer = self.ecs("DescribeTaskDefinition", &json!({"taskDefinition": family})).await?;
        Ok(answer["taskDefinition"]["containerDefinitions"][0].take())
    }

    /// Starts `cordon worker` outside of the service; `extra_env` is added to, and overrides, what the task definition
    /// declares.
    pub async fn start_worker(&self, extra_env: &[(&str, &str)]) -> anyhow::Result<Child> {
        self.start_worker_from(&sibling("cordon")?, extra_env).await
    }

    /// The same from another build of the binary.
    pub async fn start_worker_from(
        &self,
        cordon: &Path,
        extra_env: &[(&str, &str)],
    ) -> anyhow::Result<Child> {
        let mut environment = self.environment("worker").await?;
        // Several of them run side by side.
        environment.retain(|(name, _)| name != "CORDON_HEALTH_LISTEN");
        environment.extend(extra_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.start(cordon, "worker", &environment).await
    }

    /// Starts `cordon gateway` outside of the service on a free port, waits until it answers and points the Slack
    /// workspace to it. Returns the process and its URL.
    pub async fn start_gateway(&self, extra_env: &[(&str, &str)]) -> anyhow::Result<(Child, String)> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let url = format!("http://{address}");
        let mut environment = self.environment("gateway").await?;
        environment.push(("CORDON_GATEWAY_LISTEN".into(), address));
        // Nobody routes requests to it but the test.
        environment.push(("CORDON_DEREGISTRATION_DELAY_SECONDS".into(), "3".into()));
        environment.extend(extra_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut gateway = self.start(&sibling("cordon")?, "gateway", &environment).await?;

        let http = loopback::http();
        let health = format!("{url}/healthz");
        let answers =
            async || http.get(&health).send().await.is_ok_and(|answer| answer.status().is_success());
        tokio::select! {
            ready = within(GATEWAY_DEADLINE, answers) => if !ready {
                bail!("the gateway does not answer at {health}; the end of its log:\n{}", gateway.end_of_log());
            },
            status = gateway.wait() => {
                bail!("the gateway ended at once ({}); the end of its log:\n{}", status?, gateway.end_of_log());
            }
        }
        self.slack.set_interactions_url(&format!("{url}{INTERACTIONS_PATH}"));
        Ok((gateway, url))
    }

    /// What a task of a part gets.
    async fn environment(&self, part: &str) -> anyhow::Result<Vec<(String, String)>> {
        let mut environment = self.settings(part).await?;
        let role = self.output(&format!("{part}_role_name"))?;
        environment.extend(self.front_door.credentials.environment(&self.endpoint, role));
        environment.push(("CORDON_SLACK_API_URL".into(), format!("{}/api", self.slack_url)));
        environment.push(("CORDON_SLACK_HOOKS_URL".into(), self.slack_url.clone()));
        Ok(environment)
    }

    async fn start(
        &self,
        cordon: &Path,
        part: &str,
        environment: &[(String, String)],
    ) -> anyhow::Result<Child> {
        let number = self.processes.fetch_add(1, Ordering::Relaxed);
        let log = self.run_dir.join(format!("{part}-{number}.log"));
        Child::start(part, &[cordon.as_os_str(), part.as_ref()], environment, &log).await
    }
}

/// Copies a directory without what Terraform leaves in one.
fn copy_sources(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let entries = std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(".terraform") || text.contains(".tfstate") {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if source.is_dir() {
            copy_sources(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
        }
    }
    Ok(())
}
