//! Virtual environments, each made from a hash-pinned list of packages: the emulator's, and those of tests.
//!
//! It is built under a temporary name and renamed when it is complete, so that a build that broke off never counts,
//! and its name holds the hash of the list, so that a changed list means a new one. Once made it needs no network.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::process::child::{Child, last_lines};

/// MiniStack's own minimum is 3.10; the patches are written for this.
const MINIMUM_VERSION: (u32, u32) = (3, 11);
const CANDIDATES: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// The directory with the package list and the patches.
pub(crate) fn emulator_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator")
}

/// The Python interpreter of the virtual environment in `data_dir` with the packages of a list, which is made first if
/// it is not there.
pub(crate) async fn environment(data_dir: &Path, list: &Path) -> anyhow::Result<PathBuf> {
    let pinned = std::fs::read(list).with_context(|| format!("cannot read {}", list.display()))?;
    let name = format!("venv-{}", &hex::encode(Sha256::digest(&pinned))[..12]);
    let ready = data_dir.join(&name);
    if runs(&ready) {
        return Ok(python_of(&ready));
    }

    let lock_path = data_dir.join("venv.lock");
    let lock = OpenOptions::new().create(true).append(true).open(&lock_path);
    let lock = lock.with_context(|| format!("cannot write {}", lock_path.display()))?;
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .context("waiting for another start was interrupted")?
        .with_context(|| format!("cannot lock {}", lock_path.display()))?;
    // Another start may have made it meanwhile. One that is there and does not run has lost its interpreter.
    if !runs(&ready) {
        let partial = data_dir.join(format!("{name}.partial"));
        remove(&partial)?;
        build(&partial, list, &data_dir.join(format!("{name}.log"))).await?;
        remove(&ready)?;
        std::fs::rename(&partial, &ready).with_context(|| format!("cannot rename to {}", ready.display()))?;
    }
    Ok(python_of(&ready))
}

fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin").join("python")
}

fn runs(environment: &Path) -> bool {
    let look = Command::new(python_of(environment)).args(["-c", "import ssl"]).output();
    look.is_ok_and(|output| output.status.success())
}

fn remove(directory: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

async fn build(target: &Path, list: &Path, log: &Path) -> anyhow::Result<()> {
    let system = system_python()?;
    tracing::info!("making a Python environment (once, about 20 s, needs the package index)");
    let _ = std::fs::remove_file(log);

    let target_text = target.to_string_lossy().into_owned();
    run(&[&system, "-m", "venv", &target_text], log).await.with_context(|| {
        format!(
            "`{system} -m venv` failed; on Debian and Ubuntu install python3-venv. The end of {}:\n{}",
            log.display(),
            last_lines(log, 6)
        )
    })?;

    let python = python_of(target).to_string_lossy().into_owned();
    let list = list.to_string_lossy();
    let pip = [
        &python,
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-r",
        &list,
    ];
    if run(&pip, log).await.is_err() {
        bail!("{}. The end of {}:\n{}", pip_advice(log), log.display(), last_lines(log, 6));
    }
    Ok(())
}

async fn run(argv: &[&str], log: &Path) -> anyhow::Result<()> {
    let inherited: Vec<(String, String)> = std::env::vars().collect();
    let mut child = Child::start("Python set-up", argv, &inherited, log).await?;
    let status = child.wait().await?;
    if !status.success() {
        bail!("{} ended with {status}", argv[0]);
    }
    Ok(())
}

/// What a failed installation most likely means to the person who waits for it.
fn pip_advice(log: &Path) -> &'static str {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    if text.contains("DO NOT MATCH THE HASHES") {
        return "a Python package is not the one that was pinned: the package index or a proxy altered it";
    }
    let unreachable =
        ["NewConnectionError", "ConnectTimeoutError", "No matching distribution", "ProxyError", "SSLError"];
    if unreachable.iter().any(|sign| text.contains(sign)) {
        return "the Python packages cannot be fetched: the first start needs a Python package index \
                (check the network, or set PIP_INDEX_URL to a mirror); later starts work offline";
    }
    "the Python packages cannot be installed"
}

fn system_python() -> anyhow::Result<String> {
    let mut seen = None;
    for candidate in CANDIDATES {
        match version(candidate) {
            Some(version) if version >= MINIMUM_VERSION => return Ok(candidate.to_owned()),
            Some(version) => seen = seen.or(Some((candidate, version))),
            None => {}
        }
    }
    let (major, minor) = MINIMUM_VERSION;
    match seen {
        Some((name, (old_major, old_minor))) => bail!(
            "{name} is Python {old_major}.{old_minor}, the sandbox needs {major}.{minor} or newer: install one and put \
             it first in PATH"
        ),
        None => bail!("python3 is missing: install Python {major}.{minor} or newer and put it in PATH"),
    }
}

fn version(python: &str) -> Option<(u32, u32)> {
    let question = "import sys; print(*sys.version_info[:2])";
    let output = Command::new(python).args(["-c", question]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
