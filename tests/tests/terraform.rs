//! The Terraform module: its own tests against a mock of AWS, and its life in the sandbox, where it is applied, planned
//! again without a difference and taken down.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cordon_sandbox::{Options, Sandbox, deployment::Deployment};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_applied_plans_clean_and_leaves_nothing_when_destroyed() -> Result<()> {
    let sandbox = Sandbox::start(Options { port: 0, slack_port: 0, ..Options::default() }).await?;
    let deployment = Deployment::apply(&sandbox, json!({})).await?;
    deployment.plan_is_clean().await?;
    deployment.destroy().await?;
    let root = sandbox.sdk_config().await;
    let machines = aws_sdk_sfn::Client::new(&root).list_state_machines().send().await?.state_machines;
    let buckets = aws_sdk_s3::Client::new(&root).list_buckets().send().await?;
    let tables = aws_sdk_dynamodb::Client::new(&root).list_tables().send().await?;
    ensure!(machines.is_empty(), "{machines:?}");
    ensure!(buckets.buckets().is_empty(), "{buckets:?}");
    ensure!(tables.table_names().is_empty(), "{tables:?}");
    sandbox.stop().await;
    Ok(())
}

#[test]
fn every_terraform_test_passes() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a crate of the repository")?;
    // A copy, because Terraform writes beside what it reads.
    let copy = tempfile::tempdir()?;
    let module = copy.path().join("terraform");
    let mut tests = Vec::new();
    for part in ["terraform", "statemachines"] {
        for file in files(&repository.join(part))? {
            let path = file.strip_prefix(repository)?;
            let target = copy.path().join(path);
            fs::create_dir_all(target.parent().context("a directory")?)?;
            fs::copy(&file, target)?;
            if path.to_string_lossy().ends_with(".tftest.hcl") {
                tests.push(path.strip_prefix("terraform")?.to_owned());
            }
        }
    }
    ensure!(!tests.is_empty(), "there is no terraform test");
    init(&module, &repository.join(".sandbox/terraform"))?;
    let said = run(terraform(&module).args(["test", "-no-color"]))?;
    for test in tests {
        let passed = format!("{}... pass", test.display());
        ensure!(
            said.lines().any(|line| line == passed),
            "terraform test left out {}:\n{said}",
            test.display()
        );
    }
    Ok(())
}

/// Fetches the provider by way of the cache that the sandbox fills too: it is large.
fn init(module: &Path, cache: &Path) -> Result<()> {
    fs::create_dir_all(cache)?;
    // Terraform itself does not guard the cache against a second one that fills it.
    let guard = File::options().create(true).append(true).open(cache.join("init.lock"))?;
    guard.lock()?;
    let init = ["init", "-backend=false", "-input=false", "-no-color"];
    // A cache that is filled is a mirror, which needs no registry.
    let mirror = format!("-plugin-dir={}", cache.display());
    if run(terraform(module).args(init).arg(mirror)).is_err() {
        let shared = env::var_os("TF_PLUGIN_CACHE_DIR").unwrap_or_else(|| cache.into());
        run(terraform(module).args(init).env("TF_PLUGIN_CACHE_DIR", shared))?;
    }
    Ok(())
}

fn terraform(module: &Path) -> Command {
    let mut command = Command::new("terraform");
    command.current_dir(module);
    command
}

/// Runs a command; what it printed, also when it fails.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("terraform is needed in PATH")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} failed:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(said)
}

/// Every file below a directory, without what Terraform leaves in one.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with(".terraform") {
            files.extend(self::files(&path)?);
        } else if path.is_file() && !path.ends_with(".terraform.lock.hcl") {
            files.push(path);
        }
    }
    Ok(files)
}
