//! The sandbox as one value: start it, ask it where things are, stop it.

use std::convert::Infallible;
use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use aws_config::SdkConfig;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::doubles::{AccessAnalyzer, Macie, SecurityHub};
use crate::ecs::{Agent, RunningTask};
use crate::front_door::FrontDoor;
use crate::front_door::calls::Calls;
use crate::front_door::credentials::TaskCredentials;
use crate::front_door::faults::Faults;
use crate::front_door::intercepting_proxy::{InterceptedCall, InterceptingProxy, Intervention};
use crate::process::child::Child;
use crate::process::emulator::{ACCOUNT, Emulator, REGION, root_config};
use crate::process::python;
use crate::process::run_directory::RunDirectory;
use crate::slack::Slack;

/// Where to start a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port of the front door on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Port of the Slack workspace on 127.0.0.1; 0 takes a free one.
    pub slack_port: u16,
    /// Holds what is made once (the emulator's Python environment) and a directory for each run.
    pub data_dir: PathBuf,
}

impl Default for Options {
    fn default() -> Options {
        Options { port: 4566, slack_port: 8300, data_dir: workspace_root().join(".sandbox") }
    }
}

/// A running sandbox. Dropping it ends everything that it started.
pub struct Sandbox {
    endpoint: String,
    slack_url: String,
    front_door: Arc<FrontDoor>,
    slack: Arc<Slack>,
    emulator_process: Child,
    servers: Vec<AbortOnDropHandle<Infallible>>,
    agent: Option<Agent>,
    data_dir: PathBuf,
    run_directory: RunDirectory,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("endpoint", &self.endpoint)
            .field("slack_url", &self.slack_url)
            .finish()
    }
}

impl Sandbox {
    /// Starts everything and returns when it answers. The ports are taken first, so that a taken one is told before
    /// anything slow begins.
    pub async fn start(options: Options) -> anyhow::Result<Sandbox> {
        let (listener, endpoint) = listen(options.port, "--port (PORT= for make)").await?;
        let (slack_listener, slack_url) =
            listen(options.slack_port, "--slack-port (SLACK_PORT= for make)").await?;

        let data_dir = std::path::absolute(&options.data_dir)
            .with_context(|| format!("{} is no directory", options.data_dir.display()))?;
        let run_directory = RunDirectory::create(&data_dir)?;
        let secret = || hex::encode(rand::random::<[u8; 32]>());
        let (emulator, emulator_process) =
            Emulator::start(&data_dir, run_directory.path(), &endpoint, secret()).await?;
        let emulator = Arc::new(emulator);

        let macie = Macie::new(emulator.clone());
        let access_analyzer = AccessAnalyzer::new(emulator.clone());
        let security_hub = SecurityHub::new(emulator.clone());
        let credentials = TaskCredentials::new(emulator.endpoint(), secret());
        let doubles = (macie, access_analyzer, security_hub);
        let front_door = Arc::new(FrontDoor::new(emulator, doubles, credentials, slack_url.clone()));
        let slack = Slack::new(&slack_url);
        let servers = vec![
            AbortOnDropHandle::new(front_door.clone().serve(listener)),
            AbortOnDropHandle::new(slack.clone().serve(slack_listener)),
        ];
        let agent = Agent::start(&front_door, &endpoint, &slack_url, run_directory.path().to_owned());
        Ok(Sandbox {
            endpoint,
            slack_url,
            front_door,
            slack,
            emulator_process,
            servers,
            agent: Some(agent),
            data_dir,
            run_directory,
        })
    }

    /// The front door, such as `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The Slack workspace: its page, and its Web API under `/api/`.
    pub fn slack_url(&self) -> &str {
        &self.slack_url
    }

    /// The account that the sandbox plays.
    pub fn account(&self) -> &str {
        ACCOUNT
    }

    /// The Region that the sandbox plays.
    pub fn region(&self) -> &str {
        REGION
    }

    /// Where this run's logs lie.
    pub fn run_dir(&self) -> &Path {
        self.run_directory.path()
    }

    /// What outlives the run and is shared with others.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub(crate) fn front_door(&self) -> &Arc<FrontDoor> {
        &self.front_door
    }

    /// What another shell, an SDK or the aws CLI needs in its environment to be the account's administrator.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// What a process needs in its environment to be a task with this role. The credentials are fetched, and renewed,
    /// by its SDK, as in ECS.
    pub fn task_environment(&self, role: &str) -> Vec<(String, String)> {
        self.front_door.credentials.environment(&self.endpoint, role)
    }

    /// Puts an intercepting proxy in front of the front door, for one process. `intervene` says what happens to each of
    /// its calls.
    pub async fn intercept(
        &self,
        intervene: impl FnMut(&InterceptedCall) -> Intervention + Send + 'static,
    ) -> anyhow::Result<InterceptingProxy> {
        let listener = listen(0, "--port").await?;
        Ok(InterceptingProxy::serve(listener, (self.front_door.clone(), self.endpoint.clone()), intervene))
    }

    /// SDK settings of the account's root user, through the front door.
    pub async fn sdk_config(&self) -> SdkConfig {
        root_config(&self.endpoint)
    }

    /// The Macie double.
    pub fn macie(&self) -> &Arc<Macie> {
        &self.front_door.macie
    }

    /// The Access Analyzer double.
    pub fn access_analyzer(&self) -> &Arc<AccessAnalyzer> {
        &self.front_door.access_analyzer
    }

    /// The Security Hub double.
    pub fn security_hub(&self) -> &Arc<SecurityHub> {
        &self.front_door.security_hub
    }

    /// The Slack workspace.
    pub fn slack(&self) -> &Arc<Slack> {
        &self.slack
    }

    /// The Python interpreter of a virtual environment with exactly these hash-pinned packages. It is kept with the
    /// emulator's: only the first time needs a package index.
    pub async fn python(&self, requirements: &Path) -> anyhow::Result<PathBuf> {
        python::environment(&self.data_dir, requirements).await
    }

    /// Every call that went through the front door.
    pub fn calls(&self) -> &Arc<Calls> {
        &self.front_door.calls
    }

    /// Faults at the front door.
    pub fn faults(&self) -> &Arc<Faults> {
        &self.front_door.faults
    }

    /// The ECS tasks whose processes run at the moment.
    pub fn tasks(&self) -> Vec<RunningTask> {
        self.agent.as_ref().map(Agent::running).unwrap_or_default()
    }

    /// The emulator, for what AWS itself does.
    pub fn emulator(&self) -> &Arc<Emulator> {
        &self.front_door.emulator
    }

    /// Completes when the emulator has ended by itself, with the end of its log: without it the sandbox is of no use.
    pub async fn emulator_ended(&mut self) -> String {
        self.emulator_process.ended().await
    }

    /// Closes every connection and ends every process.
    pub async fn stop(mut self) {
        self.agent = None;
        self.servers.clear();
        // The emulator's state lives in memory only: there is nothing that it would have to save.
        if let Err(error) = self.emulator_process.kill().await {
            tracing::warn!(error = format!("{error:#}"), "the emulator could not be ended");
        }
    }
}

/// The workspace that this crate was built in: the Terraform, the state machines and the emulator's sources lie there.
/// The Python interpreter that the emulator runs with, which has AWS's service models.
///
/// # Errors
/// When its virtual environment cannot be made.
pub async fn emulator_python() -> anyhow::Result<PathBuf> {
    python(&python::emulator_sources().join("requirements.txt")).await
}

/// A Python that has what this list of requirements names.
///
/// # Errors
/// When it cannot be set up.
pub async fn python(requirements: &Path) -> anyhow::Result<PathBuf> {
    python::environment(&Options::default().data_dir, requirements).await
}

pub(crate) fn workspace_root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Takes a port of the loopback address; returns the listener and its URL.
async fn listen(port: u16, option: &str) -> anyhow::Result<(TcpListener, String)> {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => anyhow::bail!(
            "port {port} on 127.0.0.1 is taken by another program: stop that, or choose another port with {option}; \
             0 takes a free one"
        ),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot listen on port {port} of 127.0.0.1"));
        }
    };
    let port = listener.local_addr().context("cannot tell the port")?.port();
    Ok((listener, format!("http://127.0.0.1:{port}")))
}

/// Asks `condition` until it is true or the time is over; returns whether it became true.
pub(crate) async fn within<F, C>(limit: Duration, mut condition: C) -> bool
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let asked = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(limit, asked).await.is_ok()
}
