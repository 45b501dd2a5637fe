//! The examples of the Terraform module, planned and applied as they are in a sandbox: only the provider's endpoint and the inputs
//! are set. `make prove` runs this.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use cordon_sandbox::{Sandbox, ecs};
use cordon_tests::{eventually, existing_network, run_test, start_sandbox};
use serde_json::{Value, json};

/// Services that the module, the examples and the activation talk to.
const SERVICES: [&str; 21] = [
    "accessanalyzer",
    "apigatewayv2",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecs",
    "events",
    "iam",
    "kms",
    "logs",
    "macie2",
    "s3",
    "scheduler",
    "secretsmanager",
    "securityhub",
    "servicediscovery",
    "sfn",
    "sns",
    "sqs",
    "sts",
];

/// A copy of what the examples refer to, below which Terraform writes.
struct Example {
    _copy: tempfile::TempDir,
    root: PathBuf,
}

impl Example {
    fn copied(name: &str, sandbox: &Sandbox, inputs: &Value) -> Result<Example> {
        let repository =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a crate of the repository")?;
        let copy = tempfile::tempdir()?;
        for part in ["terraform", "statemachines"] {
            copy_tree(&repository.join(part), &copy.path().join(part))?;
        }
        let root = copy.path().join("terraform/examples").join(name);
        let endpoints: Vec<_> =
            SERVICES.iter().map(|service| format!("    {service} = \"{}\"", sandbox.endpoint())).collect();
        let provider = format!(
            "provider \"aws\" {{\n  access_key = \"{}\"\n  secret_key = \"test\"\n  skip_credentials_validation = true\n  \
             skip_metadata_api_check = true\n  skip_region_validation = true\n  s3_use_path_style = true\n\n  endpoints {{\n{}\n  \
             }}\n}}\n",
            sandbox.account(),
            endpoints.join("\n")
        );
        fs::write(root.join("sandbox_override.tf"), provider)?;
        fs::write(root.join("terraform.tfvars.json"), inputs.to_string())?;
        Ok(Example { _copy: copy, root })
    }

    /// Runs Terraform there; what it says, if it ends so.
    fn terraform(&self, arguments: &[&str], code: i32) -> Result<String> {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .arg("-no-color")
            .current_dir(&self.root)
            .env("GOGC", "800")
            .env_remove("TF_DATA_DIR");
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("TF_VAR_"))
        {
            command.env_remove(name);
        }
        let output = command.output().context("terraform is needed in PATH")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        let end: Vec<_> = said.lines().rev().take(40).collect();
        let end: Vec<_> = end.into_iter().rev().collect();
        ensure!(output.status.code() == Some(code), "terraform {arguments:?}:\n{}\n{errors}", end.join("\n"));
        Ok(said)
    }

    /// Fetches the providers by way of the cache that the sandbox fills too.
    fn init(&self) -> Result<()> {
        let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sandbox/terraform");
        let mirror = format!("-plugin-dir={}", cache.display());
        let init = ["init", "-backend=false", "-input=false"];
        self.terraform(&[&init[..], &[mirror.as_str()]].concat(), 0).or_else(|_| self.terraform(&init, 0))?;
        Ok(())
    }
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(".terraform") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}

fn slack() -> Value {
    json!({"app_id": "A0CORDON01", "team_id": "T0CORDON01", "channel": "C0SECURITY", "fallback_approvers": ["U0ALICE001"]})
}

/// An analyzer that is there already.
async fn analyzer(sandbox: &Sandbox) -> Result<String> {
    let client = aws_sdk_accessanalyzer::Client::new(&sandbox.sdk_config().await);
    let kind = aws_sdk_accessanalyzer::types::Type::Account;
    let made = client.create_analyzer().analyzer_name("company").r#type(kind).send().await?;
    made.arn.context("an analyzer has an ARN")
}

async fn applied(name: &str, inputs: impl AsyncFnOnce(&Sandbox) -> Result<Value>) -> Result<()> {
    let sandbox = start_sandbox().await?;
    let inputs = inputs(&sandbox).await?;
    let example = Example::copied(name, &sandbox, &inputs)?;
    example.init()?;
    example.terraform(&["plan", "-input=false"], 0)?;
    // It waits until the services are steady, as it does on AWS.
    example.terraform(&["apply", "-input=false", "-auto-approve", "-parallelism=20"], 0)?;
    example.terraform(&["plan", "-input=false", "-detailed-exitcode"], 0)?;
    eventually(&format!("tasks of {name}"), async || {
        Ok(sandbox.tasks().iter().any(|task| task.healthy && task.container == "worker").then_some(()))
    })
    .await?;
    // What is protected resists, and nothing of it goes.
    let refused = example.terraform(&["destroy", "-input=false", "-auto-approve"], 1)?;
    ensure!(!refused.contains("Destroy complete"), "{refused}");
    sandbox.stop().await;
    Ok(())
}

#[test]
fn every_example_is_planned_and_applied_as_it_is() -> Result<()> {
    run_test(async {
        applied("minimal", async |_| {
            Ok(json!({"region": "us-east-1", "image": ecs::image(), "slack": slack()}))
        })
        .await?;
        applied("complete", async |_| {
            Ok(json!({"region": "us-east-1", "image": ecs::image(), "network": {"kind": "small_public"},
                "slack_app_id": "A0CORDON01", "slack_team_id": "T0CORDON01", "slack_channel": "C0SECURITY",
                "fallback_approvers": ["U0ALICE001"]}))
        })
        .await?;
        applied("existing-vpc", async |sandbox| {
            let network = existing_network(sandbox).await?;
            let person = format!("arn:aws:iam::{}:role/carol", sandbox.account());
            Ok(json!({"region": "us-east-1", "image": ecs::image(), "vpc_id": network["vpc_id"], "private_subnet_ids": network["subnet_ids"],
                "analyzer_arn": analyzer(sandbox).await?, "slack": slack(), "operators_email": "security@example.com",
                "people": {"investigators": [person], "purgers": [person], "policy_writers": [person]}}))
        })
        .await?;
        println!("PROOF examples planned=3 applied=3 clean=3 protected=3");
        Ok(())
    })
}
