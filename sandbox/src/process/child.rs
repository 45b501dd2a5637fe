//! Processes that the sandbox starts.
//!
//! Each runs under a supervisor (`supervisor.rs`) in a process group of its own. The supervisor's standard input
//! is a pipe from this process: when this process ends in whatever way, SIGKILL included, the pipe closes and the
//! supervisor kills the whole group.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::ChildStdin;

/// How long [`Child::terminate`] waits before it kills: the most that ECS gives a task to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(120);

/// A running process, dead at the latest when this value is dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    log: PathBuf,
    pid: u32,
    supervisor: tokio::process::Child,
    supervisor_stdin: Option<ChildStdin>,
}

impl Child {
    /// Starts `argv` with exactly the environment `env`; what it prints is appended to `log_file`. `name` is how
    /// messages call it.
    pub async fn start<A: AsRef<OsStr>>(
        name: &str,
        argv: &[A],
        env: &[(String, String)],
        log_file: &Path,
    ) -> anyhow::Result<Child> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log_file)
            .with_context(|| format!("cannot write the log of the {name}, {}", log_file.display()))?;
        let mut supervisor = tokio::process::Command::new(sibling("cordon-sandbox")?)
            .args(["supervise", "--output"])
            .arg(log_file)
            .arg("--")
            .args(argv)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // A Ctrl-C in the terminal is for the sandbox, which then ends its children in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        let supervisor_stdin = supervisor.stdin.take();
        let answer = supervisor.stdout.take().context("the supervisor has no output")?;
        let first = BufReader::new(answer).lines().next_line().await;
        let pid = first.ok().flatten().and_then(|pid| pid.trim().parse().ok());
        let Some(pid) = pid else {
            bail!("cannot start the {name}: {}", last_lines(log_file, 1));
        };
        Ok(Child { name: name.to_owned(), log: log_file.to_owned(), pid, supervisor, supervisor_stdin })
    }

    /// The process id of the command itself, which also is the id of its process group.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its output, for messages.
    pub fn end_of_log(&self) -> String {
        last_lines(&self.log, 15)
    }

    /// Waits for it to end by itself. The status is the command's own: its exit code, or 128 + the signal.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        // The pipe is held here and not by tokio's child, whose `wait` would close it: the supervisor would kill the
        // group.
        self.supervisor.wait().await.with_context(|| format!("cannot wait for the {}", self.name))
    }

    /// Completes when it has ended by itself, and says so with the end of its log.
    pub(crate) async fn ended(&mut self) -> String {
        let status = self.wait().await;
        let status = status.map_or_else(|error| format!("{error:#}"), |status| status.to_string());
        format!(
            "the {} ended ({status}); the end of its log ({}):\n{}",
            self.name,
            self.log.display(),
            self.end_of_log()
        )
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> anyhow::Result<bool> {
        let status =
            self.supervisor.try_wait().with_context(|| format!("cannot look after the {}", self.name))?;
        Ok(status.is_some())
    }

    /// Asks it to stop (SIGTERM) and waits; whatever is left after two minutes is killed.
    pub async fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.terminate_within(STOP_TIMEOUT).await
    }

    /// The same with another time to stop.
    pub async fn terminate_within(&mut self, stop_timeout: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(pid) = self.supervisor.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop the {}", self.name))?;
        }
        match tokio::time::timeout(stop_timeout, self.wait()).await {
            Ok(status) => status,
            Err(_) => self.kill().await,
        }
    }

    /// Kills the whole process group (SIGKILL) and waits until it is gone.
    pub async fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        drop(self.supervisor_stdin.take());
        self.wait().await
    }
}

/// A binary of this workspace: it is beside the running one, or one level up from a test's.
pub(crate) fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe().context("cannot find the running program")?;
    let mut directory = running.parent().context("the running program is in no directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let path = directory.join(name);
    if !path.is_file() {
        bail!("{} is missing: build it with `cargo build --workspace --all-targets`", path.display());
    }
    Ok(path)
}

/// The last `count` lines of a log, or a note that there are none.
pub(crate) fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "(nothing was logged)".to_owned();
    }
    lines[lines.len().saturating_sub(count)..].join("\n")
}
