//! The directory of one run: logs, scratch files, the Terraform copy and its state.
//!
//! It stays when the sandbox ends, so that logs can be read afterwards; later starts clear away all but the newest.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Directories of ended runs that are kept.
const MAX_ENDED_RUNS: usize = 20;

/// A run's directory, held against clearing while this value lives.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    _hold: File,
}

impl RunDirectory {
    /// Makes a new one in `data_dir`.
    pub(crate) fn create(data_dir: &Path) -> anyhow::Result<RunDirectory> {
        let runs = data_dir.join("runs");
        std::fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        clear_ended(&runs);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6f");
        let path = runs.join(format!("{now}-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let hold = hold(&path).with_context(|| format!("cannot lock {}", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        Ok(RunDirectory { path, _hold: hold })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn hold(run: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(run.join("hold"))?;
    file.try_lock()?;
    Ok(file)
}

/// Clearing is a courtesy: what can't be cleared is left, and never stops a start.
fn clear_ended(runs: &Path) {
    let entries = std::fs::read_dir(runs).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // The names begin with the time of the start.
    paths.sort_unstable();
    paths.truncate(paths.len().saturating_sub(MAX_ENDED_RUNS));
    for path in paths {
        if hold(&path).is_ok() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}
