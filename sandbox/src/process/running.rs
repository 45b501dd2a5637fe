//! The sandboxes that `cordon-sandbox up` started and that still run, so that `down` finds them.
//!
//! Each has a file in its run directory that says where it is. The lock on the directory says whether it still runs,
//! also after it was killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::run_directory;

const FILE: &str = "sandbox.json";
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A running sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) endpoint: String,
    /// The directory that the file is in.
    #[serde(skip)]
    pub(crate) run_dir: PathBuf,
}

impl Running {
    /// Makes this process known as the sandbox of `run_dir`, which it holds.
    pub(crate) fn announce(endpoint: &str, run_dir: &Path) -> anyhow::Result<()> {
        let this =
            Running { pid: std::process::id(), endpoint: endpoint.to_owned(), run_dir: PathBuf::new() };
        let (file, partial) = (run_dir.join(FILE), run_dir.join(format!("{FILE}.partial")));
        // Renamed when it is complete: a reader never sees half a file.
        std::fs::write(&partial, serde_json::to_vec(&this).context("cannot write JSON")?)
            .and_then(|()| std::fs::rename(&partial, &file))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// The one of a run directory; `None` if it has ended or if no `up` started it.
    pub(crate) fn of(run_dir: &Path) -> Option<Running> {
        let text = std::fs::read(run_dir.join(FILE)).ok()?;
        let running: Running = serde_json::from_slice(&text).ok()?;
        run_directory::is_held(run_dir).then(|| Running { run_dir: run_dir.to_owned(), ..running })
    }

    /// All that were started with this data directory, oldest first.
    pub(crate) fn all(data_dir: &Path) -> Vec<Running> {
        run_directory::all(data_dir).iter().filter_map(|run_dir| Running::of(run_dir)).collect()
    }

    /// Asks it to stop, and returns when it has ended.
    pub(crate) async fn stop(&self) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed()).context("the run directory names no process")?;
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop process {}", self.pid))?;
        let run_dir = self.run_dir.clone();
        let (ended, has_ended) = oneshot::channel();
        // A plain thread: the runtime would wait at its end for one that is still blocked after the time-out.
        std::thread::spawn(move || ended.send(run_directory::wait_for_end(&run_dir)));
        match tokio::time::timeout(STOP_TIMEOUT, has_ended).await {
            Ok(ended) => ended.context("waiting was interrupted")?,
            Err(_) => bail!(
                "the sandbox (process {}) has not stopped after {} s; its logs are in {}",
                self.pid,
                STOP_TIMEOUT.as_secs(),
                self.run_dir.display()
            ),
        }
    }
}
