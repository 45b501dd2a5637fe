//! Proofs about everything that the whole suite has asked of AWS, from the records of its sandboxes. `make test` runs them last;
//! `SANDBOX_RECORDS` names where the records are.

mod aws_models;
mod iam;
mod integrations;
mod metrics;

use std::{fs, path::PathBuf, sync::OnceLock};

use anyhow::{Context, Result, anyhow, ensure};
use cordon_tests::Module;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Where the records are.
fn records() -> Result<PathBuf> {
    cordon_sandbox::records_directory()
        .context("SANDBOX_RECORDS names no directory: `make test` records what its tests ask, and then runs these proofs")
}

/// The resources and data sources of the module, rendered against the mock of AWS.
fn rendered() -> Result<&'static [Value]> {
    static RENDERED: OnceLock<Result<Vec<Value>>> = OnceLock::new();
    let render = || Module::copied()?.resources("installation", "installs");
    RENDERED.get_or_init(render).as_deref().map_err(|error| anyhow!("{error:#}"))
}

/// The lines of every file whose name begins so.
fn lines<T: DeserializeOwned>(beginning: &str) -> Result<Vec<T>> {
    let directory = records()?;
    let mut lines = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("no {}", directory.display()))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(beginning) {
            for line in fs::read_to_string(entry.path())?.lines() {
                lines.push(
                    serde_json::from_str(line).with_context(|| format!("in {}", entry.path().display()))?,
                );
            }
        }
    }
    ensure!(!lines.is_empty(), "{} holds no {beginning}*: the suite has not run", directory.display());
    Ok(lines)
}
