//! The Terraform module in a directory of its own, with its providers.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// What the module is made of, in the repository.
const PARTS: [&str; 2] = ["terraform", "statemachines"];
/// The provider that everything is run with; the module takes others too. Terraform reads this beside the module's own files.
pub const PROVIDER_OVERRIDE: (&str, &str) = (
    "provider_override.tf",
    "terraform {\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \"5.100.0\"\n    }\n  }\n}\n",
);
/// A line that is longer shows a whole state.
const LONGEST_LINE: usize = 4_000;

/// A copy, because Terraform writes beside what it reads. It ends with this value.
#[derive(Debug)]
pub struct Module {
    copy: TempDir,
}

impl Module {
    /// Copies the module, and fetches its providers by way of the cache that the sandbox fills too: they are large.
    ///
    /// # Errors
    /// When that fails.
    pub fn copied() -> Result<Module> {
        let repository =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a crate of the repository")?;
        let copy = tempfile::tempdir()?;
        for part in PARTS {
            for file in files(&repository.join(part))? {
                let target = copy.path().join(file.strip_prefix(repository)?);
                fs::create_dir_all(target.parent().context("a directory")?)?;
                fs::copy(&file, target)?;
            }
        }
        let module = Module { copy };
        let (name, text) = PROVIDER_OVERRIDE;
        fs::write(module.path().join(name), text)?;
        module.init(&repository.join(".sandbox/terraform"))?;
        Ok(module)
    }

    fn init(&self, cache: &Path) -> Result<()> {
        fs::create_dir_all(cache)?;
        // Terraform itself does not guard the cache against a second one that fills it.
        let guard = File::options().create(true).append(true).open(cache.join("init.lock"))?;
        guard.lock()?;
        let init = ["init", "-backend=false", "-input=false", "-no-color"];
        // A cache that is filled is a mirror, which needs no registry.
        let mirror = format!("-plugin-dir={}", cache.display());
        if run(self.command(&init).arg(mirror)).is_err() {
            let shared = env::var_os("TF_PLUGIN_CACHE_DIR").unwrap_or_else(|| cache.into());
            run(self.command(&init).env("TF_PLUGIN_CACHE_DIR", shared))?;
        }
        Ok(())
    }

    /// What Terraform prints.
    ///
    /// # Errors
    /// When it fails; with what it has said, but for lines that show a whole state.
    pub fn terraform(&self, arguments: &[&str]) -> Result<String> {
        run(&mut self.command(arguments))
    }

    /// The resources and data sources in the state that a run of one of its tests makes against the mock of AWS.
    ///
    /// # Errors
    /// When the test fails or has no such run.
    pub fn resources(&self, test: &str, run: &str) -> Result<Vec<Value>> {
        let filter = format!("-filter=tests/{test}.tftest.hcl");
        let said = self.terraform(&["test", "-json", "-verbose", &filter])?;
        let mut states = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|message| message["type"] == "test_state" && message["@testrun"] == run);
        let mut state =
            states.next().with_context(|| format!("{test} has no run {run} that makes a state"))?;
        match state["test_state"]["root_module"]["resources"].take() {
            Value::Array(resources) => Ok(resources),
            other => anyhow::bail!("the state of {run} holds no list of resources but {other}"),
        }
    }

    /// Every state machine in such a state as Step Functions would get it, by its stem.
    ///
    /// # Errors
    /// As [`Module::resources`]; when a definition is not JSON.
    pub fn state_machines(&self, test: &str, run: &str) -> Result<BTreeMap<String, Value>> {
        let resources = self.resources(test, run)?;
        let machines = resources.iter().filter(|resource| resource["type"] == "aws_sfn_state_machine");
        machines
            .map(|machine| {
                let stem = machine["index"].as_str().context("a state machine has its stem as its index")?;
                let definition = machine["values"]["definition"].as_str().context("it has a definition")?;
                Ok((stem.to_owned(), serde_json::from_str(definition)?))
            })
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("terraform");
        // A third less CPU: the schema of the AWS provider is large, and collected again and again.
        command.args(arguments).current_dir(self.path()).env("GOGC", "800");
        command
    }

    fn path(&self) -> PathBuf {
        self.copy.path().join(PARTS[0])
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("terraform is needed in PATH")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<_> = said.lines().filter(|line| line.len() < LONGEST_LINE).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{}\n{errors}", told.join("\n"));
    Ok(said)
}

/// Every file below a directory, without what Terraform leaves in one.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}
