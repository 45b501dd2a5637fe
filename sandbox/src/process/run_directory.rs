//! The directory of one run: logs, scratch files, the Terraform copy and its state.
//!
//! It stays when the sandbox ends, so that logs can be read afterwards; later starts remove all but the newest.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Directories of ended runs that are kept.
const MAX_ENDED_RUNS: usize = 20;

/// A run's directory, locked while this value lives.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Makes a new one in `data_dir`.
    pub(crate) fn create(data_dir: &Path) -> anyhow::Result<RunDirectory> {
        let runs = data_dir.join("runs");
        std::fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        remove_ended(data_dir);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6f");
        let path = runs.join(format!("{now}-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let lock = try_lock(&path).with_context(|| format!("cannot lock {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        Ok(RunDirectory { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The run directories in `data_dir`, oldest first.
pub(super) fn all(data_dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data_dir.join("runs")).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // The names begin with the time of the start.
    paths.sort_unstable();
    paths
}

/// Whether the process that made the directory still runs. Only for a directory that is complete: a look at one that is
/// just being made could take the lock from its owner.
pub(super) fn is_held(run_dir: &Path) -> bool {
    try_lock(run_dir).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

/// Blocks until the process that made the directory has ended.
pub(super) fn wait_for_end(run_dir: &Path) -> anyhow::Result<()> {
    let waited = open_lock(run_dir).and_then(|lock| lock.lock());
    waited.with_context(|| format!("cannot wait for the end of the run in {}", run_dir.display()))
}

fn open_lock(run_dir: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(run_dir.join("lock"))
}

fn try_lock(run_dir: &Path) -> io::Result<File> {
    let lock = open_lock(run_dir)?;
    lock.try_lock()?;
    Ok(lock)
}

/// What can't be removed is left, and never stops a start.
fn remove_ended(data_dir: &Path) {
    let mut paths = all(data_dir);
    paths.truncate(paths.len().saturating_sub(MAX_ENDED_RUNS));
    for path in paths {
        if try_lock(&path).is_ok() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}
