//! Running Terraform: the right environment, progress while it works, a clear sentence when it fails.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use crate::process::child::Child;

const OLDEST: (u32, u32) = (1, 9);
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
const CACHE_VARIABLE: &str = "TF_PLUGIN_CACHE_DIR";
/// Where a provider cache holds what came from the public registry.
const REGISTRY: &str = "registry.terraform.io";
const VARIABLES_FILE: &str = "sandbox.tfvars.json";

/// Terraform in one root directory.
pub(super) struct Terraform {
    root: PathBuf,
    log_dir: PathBuf,
    /// Providers are large: they are fetched once for all runs.
    cache: PathBuf,
    environment: Vec<(String, String)>,
}

impl Terraform {
    pub(super) async fn new(root: PathBuf, log_dir: &Path, data_dir: &Path) -> anyhow::Result<Terraform> {
        check_version()?;
        let cache = data_dir.join("terraform");
        std::fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let environment = environment(std::env::vars());
        Ok(Terraform { root, log_dir: log_dir.to_owned(), cache, environment })
    }

    pub(super) async fn init(&self) -> anyhow::Result<()> {
        // Terraform itself does not guard the cache against a second one that fills it.
        let guard = self.cache.join("init.lock");
        let file = OpenOptions::new().create(true).append(true).open(&guard);
        let file = file.with_context(|| format!("cannot write {}", guard.display()))?;
        let _guard: File = tokio::task::spawn_blocking(move || file.lock().map(|()| file))
            .await
            .context("waiting for another init was interrupted")?
            .with_context(|| format!("cannot lock {}", guard.display()))?;

        // Terraform asks the registry even for what is in its cache, but takes the cache as a mirror without asking.
        let mirror = format!("-plugin-dir={}", self.cache.display());
        let is_filled = self.cache.join(REGISTRY).is_dir();
        if is_filled && self.run("init", &["-input=false", &mirror], &self.environment).await?.0.success() {
            return Ok(());
        }
        tracing::info!("terraform init (the first time it fetches the AWS provider)");
        let mut environment = self.environment.clone();
        if !environment.iter().any(|(name, _)| name == CACHE_VARIABLE) {
            environment.push((CACHE_VARIABLE.into(), self.cache.display().to_string()));
        }
        let (status, log) = self.run("init", &["-input=false"], &environment).await?;
        if !status.success() {
            bail!("{}:\n{}\n(log: {})", init_advice(&log), errors(&log), log.display());
        }
        Ok(())
    }

    pub(super) async fn apply(&self, variables: &Map<String, Value>) -> anyhow::Result<()> {
        let file = self.root.join(VARIABLES_FILE);
        let text = serde_json::to_vec_pretty(variables).context("cannot write the Terraform variables")?;
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        self.change("apply", &["-auto-approve", "-input=false", "-parallelism=20"]).await
    }

    pub(super) async fn destroy(&self) -> anyhow::Result<()> {
        self.change("destroy", &["-auto-approve", "-input=false", "-parallelism=20"]).await
    }

    /// Fails with what would change. `but_for_outputs` are those of a destroy that was refused: Terraform has forgotten them.
    pub(super) async fn plan_is_clean(&self, but_for_outputs: bool) -> anyhow::Result<()> {
        const ONLY_OUTPUTS: &str = "without changing any real infrastructure";
        let (status, log) = self
            .run("plan", &["-detailed-exitcode", "-input=false", &with_variables()], &self.environment)
            .await?;
        let says = |what: &str| std::fs::read_to_string(&log).is_ok_and(|text| text.contains(what));
        match status.code() {
            Some(0) => Ok(()),
            Some(2) if but_for_outputs && says(ONLY_OUTPUTS) => Ok(()),
            Some(2) => bail!("a second plan wants to change what was just applied:\n{}", changes(&log)),
            _ => bail!("terraform plan failed:\n{}\n(log: {})", errors(&log), log.display()),
        }
    }

    pub(super) async fn outputs(&self) -> anyhow::Result<Map<String, Value>> {
        let output = Command::new("terraform")
            .args(["output", "-json", "-no-color"])
            .current_dir(&self.root)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .output()
            .context("cannot run terraform output")?;
        if !output.status.success() {
            bail!("terraform output failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        let outputs: Map<String, Value> =
            serde_json::from_slice(&output.stdout).context("the Terraform outputs are not understood")?;
        Ok(outputs.into_iter().map(|(name, mut output)| (name, output["value"].take())).collect())
    }

    async fn change(&self, verb: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let variables = with_variables();
        let arguments: Vec<&str> = arguments.iter().copied().chain([variables.as_str()]).collect();
        let began = Instant::now();
        let (status, log) = self.run(verb, &arguments, &self.environment).await?;
        if !status.success() {
            bail!("terraform {verb} failed:\n{}\n(log: {})", errors(&log), log.display());
        }
        tracing::info!(
            "terraform {verb}: done, {} resources, {} s",
            changed(&log),
            began.elapsed().as_secs()
        );
        Ok(())
    }

    /// Runs one command and tells how far it is while it runs. Returns its status and its log.
    async fn run(
        &self,
        verb: &str,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> anyhow::Result<(ExitStatus, PathBuf)> {
        let log = self.log_dir.join(format!("terraform-{verb}.log"));
        // The log of an earlier run of the same command would be taken for this one's.
        let _ = std::fs::remove_file(&log);
        let root = format!("-chdir={}", self.root.display());
        let argv: Vec<&str> =
            ["terraform", &root, verb, "-no-color"].into_iter().chain(arguments.iter().copied()).collect();
        let mut child = Child::start("Terraform", &argv, environment, &log).await?;
        let mut ticks =
            tokio::time::interval_at(tokio::time::Instant::now() + PROGRESS_EVERY, PROGRESS_EVERY);
        loop {
            tokio::select! {
                status = child.wait() => return Ok((status?, log)),
                _ = ticks.tick() => tracing::info!("terraform {verb}: {} resources so far", changed(&log)),
            }
        }
    }
}

fn with_variables() -> String {
    format!("-var-file={VARIABLES_FILE}")
}

/// The caller's environment without what would change what is applied, or where.
fn environment(inherited: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = inherited
        .filter(|(name, value)| {
            let foreign = name.starts_with("AWS_") || name.starts_with("TF_VAR_");
            let elsewhere = matches!(name.as_str(), "TF_WORKSPACE" | "TF_DATA_DIR");
            // Terraform warns of a missing file in every single command.
            let missing = name == "TF_CLI_CONFIG_FILE" && !Path::new(value).is_file();
            !(foreign || elsewhere || missing)
        })
        .collect();
    let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
    set("TF_IN_AUTOMATION", "1".into());
    set("CHECKPOINT_DISABLE", "1".into());
    set("AWS_EC2_METADATA_DISABLED", "true".into());
    // The schema of the AWS provider is large, and would be collected again and again.
    set("GOGC", "400".into());
    environment
}

fn check_version() -> anyhow::Result<()> {
    let (major, minor) = OLDEST;
    let advice = format!("install Terraform {major}.{minor} or newer and put it in PATH");
    let output =
        match Command::new("terraform").args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1").output() {
            Ok(output) => output,
            Err(_) => bail!("terraform is missing: {advice}"),
        };
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let version = answer["terraform_version"].as_str().unwrap_or("of unknown version");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(found_major), Some(found_minor)) if (found_major, found_minor) >= OLDEST => Ok(()),
        _ => bail!("terraform is {version}: {advice}"),
    }
}

fn init_advice(log: &Path) -> &'static str {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let unreachable =
        ["could not connect to registry", "Failed to query available provider packages", "no such host"];
    if unreachable.iter().any(|sign| text.contains(sign)) {
        return "terraform init cannot fetch the AWS provider: the first deployment needs a provider registry (check \
                the network, or name a directory that has it with TF_CLI_ARGS_init=-plugin-dir=<directory>)";
    }
    "terraform init failed"
}

/// How many resources have been created, changed or destroyed so far.
fn changed(log: &Path) -> usize {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let done = ["Creation complete", "Modifications complete", "Destruction complete"];
    text.lines().filter(|line| done.iter().any(|sign| line.contains(sign))).count()
}

/// Terraform's error messages without the frame that it draws around them.
fn errors(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().skip_while(|line| !line.contains("Error:"));
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches(['│', '╷', '╵', ' '])).collect();
    lines.into_iter().filter(|line| !line.is_empty()).take(25).collect::<Vec<_>>().join("\n")
}

/// The resources that a plan would change, and the lines that say how.
fn changes(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let told = |line: &&str| {
        let line = line.trim_start();
        ["# ", "+ ", "- ", "~ ", "-/+ ", "Plan:"].iter().any(|sign| line.starts_with(sign))
    };
    text.lines().filter(told).take(60).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_aws_settings_and_variables_do_not_reach_terraform() {
        let inherited = [
            ("AWS_PROFILE", "production"),
            ("TF_VAR_endpoint", "https://elsewhere"),
            ("TF_CLI_CONFIG_FILE", "/does/not/exist"),
            ("TF_CLI_ARGS_init", "-plugin-dir=/providers"),
            ("PATH", "/bin"),
        ];
        let inherited = inherited.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let environment = environment(inherited);
        let names: Vec<&str> = environment.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"PATH") && names.contains(&"TF_CLI_ARGS_init"));
        assert!(!names.contains(&"AWS_PROFILE") && !names.contains(&"TF_VAR_endpoint"));
        assert!(!names.contains(&"TF_CLI_CONFIG_FILE"));
    }
}
