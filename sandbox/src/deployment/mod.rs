//! Cordon itself in the sandbox: the real Terraform, the real binary.
//!
//! The Terraform is applied from a copy in the run directory, so that no state is left in the workspace. The processes
//! get what ECS would give them and nothing else: the settings and secrets that the Terraform outputs name, and the
//! credentials of their task role.

mod secrets;
mod terraform;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::front_door::FrontDoor;
use crate::process::child::{Child, sibling};
use crate::process::emulator::{ACCOUNT, REGION, free_port};
use crate::process::loopback;
use crate::sandbox::{Sandbox, within, workspace_root};
use crate::slack::Slack;
use secrets::Secrets;
use terraform::Terraform;

/// Where the gateway takes Slack's requests.
const INTERACTIONS_PATH: &str = "/slack/interactions";
const GATEWAY_DEADLINE: Duration = Duration::from_secs(20);
/// What the root in `sandbox/terraform` refers to, and itself.
const SOURCES: [&str; 3] = ["terraform", "statemachines", "sandbox/terraform"];

/// An applied deployment. It lives in the sandbox's memory, so it ends with the sandbox also without a destroy.
pub struct Deployment {
    terraform: Terraform,
    outputs: Map<String, Value>,
    secrets: Secrets,
    front_door: Arc<FrontDoor>,
    endpoint: String,
    slack: Arc<Slack>,
    slack_url: String,
    run_dir: PathBuf,
    processes: AtomicU32,
}

impl Deployment {
    /// Applies the Terraform and puts the Slack secret's value, as an operator would. `variables` is an object with
    /// the variables of `sandbox/terraform` that are not to have their defaults. Applied again to the same sandbox,
    /// it changes the deployment that is there.
    pub async fn apply(sandbox: &Sandbox, variables: Value) -> anyhow::Result<Deployment> {
        let Value::Object(mut variables) = variables else {
            bail!("the Terraform variables are not an object")
        };
        variables.insert("endpoint".into(), json!(sandbox.endpoint()));
        variables.insert("account".into(), json!(ACCOUNT));
        variables.insert("region".into(), json!(REGION));

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
        Ok(Deployment {
            terraform,
            outputs,
            secrets,
            front_door: sandbox.front_door().clone(),
            endpoint: sandbox.endpoint().to_owned(),
            slack,
            slack_url: sandbox.slack_url().to_owned(),
            run_dir,
            processes: AtomicU32::new(1),
        })
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
        self.terraform.plan_is_clean().await
    }

    /// Takes down everything that was applied.
    pub async fn destroy(&self) -> anyhow::Result<()> {
        self.terraform.destroy().await
    }

    /// Starts `cordon worker`; `extra_env` is added to, and overrides, what the Terraform says.
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
        environment.extend(extra_env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.start(cordon, "worker", &environment).await
    }

    /// Starts `cordon gateway` on a free port, waits until it answers and points the Slack workspace to it. Returns
    /// the process and its URL.
    pub async fn start_gateway(&self, extra_env: &[(&str, &str)]) -> anyhow::Result<(Child, String)> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let url = format!("http://{address}");
        let mut environment = self.environment("gateway").await?;
        environment.push(("CORDON_GATEWAY_LISTEN".into(), address));
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

    /// What ECS would put into the environment of a part: its settings, its secrets, its task role.
    async fn environment(&self, part: &str) -> anyhow::Result<Vec<(String, String)>> {
        let mut environment = texts(&self.outputs, &format!("{part}_environment"))?;
        for (name, value_from) in texts(&self.outputs, &format!("{part}_secrets"))? {
            environment.push((name, self.secrets.resolve(&value_from).await?));
        }
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

/// An output that is a map of texts.
fn texts(outputs: &Map<String, Value>, name: &str) -> anyhow::Result<Vec<(String, String)>> {
    let map = outputs.get(name).and_then(Value::as_object);
    let map = map.with_context(|| format!("the Terraform has no output {name}"))?;
    map.iter()
        .map(|(key, value)| {
            let value = value.as_str().with_context(|| format!("{name}.{key} is not a text"))?;
            Ok((key.clone(), value.to_owned()))
        })
        .collect()
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
