//! `cordon-sandbox up --detach`: the start of a sandbox that outlives the command and its terminal.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::directions::Directions;
use crate::process::parent::Parent;
use crate::process::stop::StopRequests;
use crate::sandbox::Options;

/// What a detached sandbox says on standard error, and why any sandbox stopped.
pub(super) const LOG: &str = "sandbox.log";

/// Starts the sandbox and waits until it is ready: then its first line says where it is. `None` if it did not start,
/// or if this command was asked to stop meanwhile; why is on standard error.
pub(super) async fn start(options: &Options) -> anyhow::Result<Option<Directions>> {
    let mut stop_requests = StopRequests::watch(Some(Parent::remember()))?;
    let data_dir = std::path::absolute(&options.data_dir).context("there is no current directory")?;
    std::fs::create_dir_all(&data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    // It becomes part of the run's directory once there is one.
    let log_path = data_dir.join(format!("starting-{}.log", std::process::id()));
    let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
    let mut sandbox =
        tokio::process::Command::new(std::env::current_exe().context("cannot find the program")?)
            .args(["up", "--detached", "--json"])
            .args([
                "--port",
                &options.port.to_string(),
                "--slack-port",
                &options.slack_port.to_string(),
                "--data-dir",
            ])
            .arg(&data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("cannot start the sandbox in the background")?;
    tracing::info!(
        "starting the sandbox in the background (the first time it fetches the emulator's Python packages)"
    );
    let output = sandbox.stdout.take().context("the sandbox has no output")?;
    let mut lines = BufReader::new(output).lines();

    let first = tokio::select! {
        first = lines.next_line() => first.context("cannot read what the sandbox says")?,
        reason = stop_requests.next() => {
            reason.report(None);
            sandbox.kill().await.context("cannot stop the sandbox")?;
            None
        }
    };
    let Some(first) = first else {
        let log = std::fs::read(&log_path).unwrap_or_default();
        let _ = std::io::stderr().write_all(&log);
        let _ = std::fs::remove_file(&log_path);
        return Ok(None);
    };
    let directions: Directions =
        serde_json::from_str(&first).context("the sandbox says something unexpected")?;
    let in_run = directions.run_dir.join(LOG);
    std::fs::rename(&log_path, &in_run)
        .with_context(|| format!("cannot move the log to {}", in_run.display()))?;
    Ok(Some(directions))
}

/// The command line that stops the sandbox of this run directory.
pub(super) fn stop_command(run_dir: &Path) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("cannot find the program")?;
    let words = [&program, Path::new("down"), Path::new("--run-dir"), run_dir]
        .map(|word| word.to_string_lossy().into_owned());
    shlex::try_join(words.iter().map(String::as_str)).context("a path holds what no shell takes")
}
