//! The examples of the Terraform module, planned and applied as they are in a sandbox: only the provider's endpoint and the inputs
//! are set. `make prove` runs this.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use aws_sdk_kms::types::KeyState;
use aws_sdk_macie2::types::FindingPublishingFrequency;
use aws_sdk_sfn::types::ExecutionStatus;
use cordon::store::Cases;
use cordon_domain::finding::{ObjectVersion, bare_etag};
use cordon_sandbox::{CallFilter, Sandbox, ecs};
use cordon_tests::{
    PROVIDER_OVERRIDE, eventually, eventually_within, existing_network, finding_document,
    listen_to_operators, report, run_test, start_sandbox,
};
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

/// Tags that a company gives everything: S3 takes ten for an object.
const DEFAULT_TAGS: usize = 11;

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
        let tags: Vec<_> = (0..DEFAULT_TAGS).map(|number| format!("    tag-{number} = \"a\"")).collect();
        let provider = format!(
            "provider \"aws\" {{\n  access_key = \"{}\"\n  secret_key = \"test\"\n  skip_credentials_validation = true\n  \
             skip_metadata_api_check = true\n  skip_region_validation = true\n  s3_use_path_style = true\n\n  endpoints {{\n{}\n  \
             }}\n\n  default_tags {{\n    tags = {{\n{}\n    }}\n  }}\n}}\n",
            sandbox.account(),
            endpoints.join("\n"),
            tags.join("\n")
        );
        fs::write(root.join("sandbox_override.tf"), provider)?;
        fs::write(root.join(PROVIDER_OVERRIDE.0), PROVIDER_OVERRIDE.1)?;
        fs::write(root.join("terraform.tfvars.json"), inputs.to_string())?;
        Ok(Example { _copy: copy, root })
    }

    /// Runs Terraform there; what it says, if it ends so, and of a failure the errors too.
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
        if code != 1 {
            return Ok(said);
        }
        // What was destroyed or said on the way, and the errors, which are wrapped in a frame.
        let told = |line: &&str| line.contains("Destruction complete") || line.contains("(local-exec)");
        let words = said.lines().filter(told).chain(errors.lines()).flat_map(str::split_whitespace);
        Ok(words.filter(|word| !["│", "╷", "╵"].contains(word)).collect::<Vec<_>>().join(" "))
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

/// Where the first apply has come to the stores only, these are not destroyed.
fn half_an_apply_is_protected(example: &Example) -> Result<()> {
    let target = "-target=module.cordon.terraform_data.stores_are_kept";
    example.terraform(&["apply", "-input=false", "-auto-approve", "-parallelism=20", target], 0)?;
    let refused = example.terraform(&["destroy", "-input=false", "-auto-approve"], 1)?;
    ensure!(refused.contains("so no store, key or policy was destroyed"), "{refused}");
    ensure!(!refused.contains("Destruction complete"), "{refused}");
    Ok(())
}

/// Inputs that would take away what is switched on are refused, and other names would meet the protection.
fn inputs_destroy_nothing(example: &Example) -> Result<()> {
    let file = example.root.join("input_override.tf");
    let with = |module: &str, change: &str, arguments: &[&str], code: i32| {
        fs::write(&file, format!("module \"{module}\" {{\n  {change}\n}}\n"))?;
        let said = example.terraform(arguments, code);
        fs::remove_file(&file)?;
        said
    };
    let less = "enable_macie = false\n  analyzer_name = \"other\"";
    let apply = ["apply", "-input=false", "-auto-approve", "-target=module.activation"];
    let refused = with("activation", less, &apply, 1)?;
    ensure!(refused.contains("stay on, for the whole account"), "{refused}");
    ensure!(!refused.contains("Destruction complete"), "{refused}");
    // To apply this takes minutes, as what is not protected by it goes on.
    let planned = with("cordon", "name_prefix = \"other\"", &["plan", "-input=false"], 0)?;
    ensure!(planned.contains("module.cordon.terraform_data.names_are_kept must be replaced"), "{planned}");
    Ok(())
}

/// A key that is given later would have the one that was made deleted, and with it what is in quarantine.
async fn keeps_its_key(example: &Example, sandbox: &Sandbox) -> Result<()> {
    let kms = aws_sdk_kms::Client::new(&sandbox.sdk_config().await);
    let own =
        kms.create_key().send().await?.key_metadata.and_then(|key| key.arn).context("a key has an ARN")?;
    let change =
        format!("module \"cordon\" {{\n  data_key_arn = \"{own}\"\n  quarantine_key_arn = \"{own}\"\n}}\n");
    fs::write(example.root.join("key_override.tf"), change)?;
    let refused = example.terraform(&["apply", "-input=false", "-auto-approve", "-parallelism=20"], 1)?;
    for key in ["data", "quarantine"] {
        ensure!(refused.contains(&format!("so the {key} key was not scheduled for deletion")), "{refused}");
        let made = kms.describe_key().key_id(format!("alias/cordon-{key}")).send().await?.key_metadata;
        let state = made.and_then(|key| key.key_state);
        ensure!(state == Some(KeyState::Enabled), "{key}: {state:?}");
    }
    Ok(())
}

/// All default tags are on the bucket, and none on the policy in it.
async fn tags_fit(sandbox: &Sandbox) -> Result<()> {
    let s3 = aws_sdk_s3::Client::new(&sandbox.sdk_config().await);
    let bucket = format!("cordon-state-{}-{}", sandbox.account(), sandbox.region());
    let tags = s3.get_bucket_tagging().bucket(&bucket).send().await?.tag_set;
    ensure!(tags.len() >= DEFAULT_TAGS, "{tags:?}");
    let tags = s3.get_object_tagging().bucket(&bucket).key("policy.json").send().await?.tag_set;
    ensure!(tags.is_empty(), "{tags:?}");
    Ok(())
}

/// The activation is taken out of the configuration as docs/DEPLOY.md says, and everything stays on.
fn activation_is_taken_out(example: &Example) -> Result<()> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/DEPLOY.md"))?;
    let (_, block) = page.split_once("```hcl\nremoved {").context("the block is there")?;
    let (block, _) = block.split_once("```").context("the block has an end")?;
    let file = example.root.join("main.tf");
    let mut text = fs::read_to_string(&file)?;
    for begins in ["module \"activation\"", "import {", "import {"] {
        let from = text.find(&format!("\n{begins}")).with_context(|| format!("no {begins}"))?;
        let length = text[from..].find("\n}\n").context("a block has an end")?;
        text.replace_range(from..from + length + 3, "");
    }
    let (before, rest) = text.split_once("coalesce(").context("the analyzer's ARN")?;
    let (_, after) = rest.split_once(')').context("its end")?;
    let of = "module.activation.aws_accessanalyzer_analyzer.this[0]";
    let analyzer = example.terraform(&["state", "show", of], 0)?;
    let arn = analyzer.lines().find_map(|line| line.trim().strip_prefix("arn ")?.split('"').nth(1));
    let analyzer = arn.context("the analyzer's ARN")?;
    fs::write(&file, format!("{before}\"{analyzer}\"{after}\nremoved {{{block}"))?;
    example.terraform(&["init", "-backend=false", "-input=false"], 0)?;
    let applied = example.terraform(&["apply", "-input=false", "-auto-approve"], 0)?;
    ensure!(applied.contains("0 added, 0 changed, 0 destroyed"), "{applied}");
    let rest = example.terraform(&["state", "list"], 0)?;
    ensure!(!rest.contains("module.activation") && rest.contains("module.cordon"), "{rest}");
    Ok(())
}

/// Everything goes, in the order that docs/DEPLOY.md has.
fn is_removed(example: &Example) -> Result<()> {
    let change = "module \"cordon\" {\n  enabled = false\n  deletion_protection = false\n}\n";
    fs::write(example.root.join("removal_override.tf"), change)?;
    example.terraform(&["apply", "-input=false", "-auto-approve", "-parallelism=20"], 0)?;
    let removed = example.terraform(&["destroy", "-input=false", "-auto-approve", "-parallelism=20"], 0)?;
    ensure!(removed.contains("Destroy complete!"), "{removed}");
    let rest = example.terraform(&["state", "list"], 0)?;
    ensure!(rest.trim().is_empty(), "{rest}");
    Ok(())
}

async fn applied(name: &str, inputs: impl AsyncFnOnce(&Sandbox) -> Result<Value>) -> Result<()> {
    let sandbox = start_sandbox().await?;
    let inputs = inputs(&sandbox).await?;
    let example = Example::copied(name, &sandbox, &inputs)?;
    example.init()?;
    if name == "minimal" {
        half_an_apply_is_protected(&example)?;
    }
    example.terraform(&["plan", "-input=false", "-out=planned"], 0)?;
    // It waits until the services are steady, as it does on AWS.
    example.terraform(&["apply", "-input=false", "-parallelism=20", "planned"], 0)?;
    example.terraform(&["plan", "-input=false", "-detailed-exitcode"], 0)?;
    eventually(&format!("tasks of {name}"), async || {
        Ok(sandbox.tasks().iter().any(|task| task.healthy && task.container == "worker").then_some(()))
    })
    .await?;
    tags_fit(&sandbox).await?;
    // What is protected resists, and nothing of it goes.
    let refused = example.terraform(&["destroy", "-input=false", "-auto-approve"], 1)?;
    ensure!(refused.contains("deletion_protection is true, so nothing was destroyed"), "{refused}");
    ensure!(!refused.contains("Destruction complete"), "{refused}");
    if name == "minimal" {
        let macie = aws_sdk_macie2::Client::new(&sandbox.sdk_config().await);
        let frequency = macie.get_macie_session().send().await?.finding_publishing_frequency;
        ensure!(frequency == Some(FindingPublishingFrequency::OneHour), "what others have set is changed");
        keeps_its_key(&example, &sandbox).await?;
    }
    if name == "complete" {
        inputs_destroy_nothing(&example)?;
        activation_is_taken_out(&example)?;
        is_removed(&example)?;
    }
    let switched_off = ["DisableMacie", "DisableSecurityHub", "DeleteAnalyzer"];
    let calls = sandbox.calls().select(&CallFilter::default());
    ensure!(
        calls.iter().all(|call| !switched_off.contains(&&*call.operation)),
        "{name} has switched something off"
    );
    sandbox.stop().await;
    report(&format!("PROOF example name={name} planned=1 applied=1 clean=1 protected=1"));
    Ok(())
}

#[test]
fn minimal_is_planned_and_applied_as_it_is() -> Result<()> {
    // What others have switched on is taken over.
    run_test(applied("minimal", async |sandbox| {
        let root = sandbox.sdk_config().await;
        let hourly = FindingPublishingFrequency::OneHour;
        let enable = aws_sdk_macie2::Client::new(&root).enable_macie().finding_publishing_frequency(hourly);
        enable.send().await?;
        aws_sdk_securityhub::Client::new(&root).enable_security_hub().send().await?;
        let on = json!({"macie": true, "security_hub": true, "analyzer_arn": analyzer(sandbox).await?});
        Ok(json!({"region": "us-east-1", "image": ecs::image(), "slack": slack(), "already_on": on}))
    }))
}

#[test]
fn complete_is_planned_and_applied_as_it_is() -> Result<()> {
    run_test(applied("complete", async |_| {
        Ok(json!({"region": "us-east-1", "image": ecs::image(), "network": {"kind": "small_public"},
            "slack_app_id": "A0CORDON01", "slack_team_id": "T0CORDON01", "slack_channel": "C0SECURITY",
            "fallback_approvers": ["U0ALICE001"]}))
    }))
}

#[test]
fn existing_vpc_is_planned_and_applied_as_it_is() -> Result<()> {
    run_test(applied("existing-vpc", async |sandbox| {
        let network = existing_network(sandbox).await?;
        let person = format!("arn:aws:iam::{}:role/carol", sandbox.account());
        Ok(
            json!({"region": "us-east-1", "image": ecs::image(), "vpc_id": network["vpc_id"], "private_subnet_ids": network["subnet_ids"],
            "analyzer_arn": analyzer(sandbox).await?, "slack": slack(), "operators_email": "security@example.com",
            "people": {"investigators": [person], "purgers": [person], "policy_writers": [person]}}),
        )
    }))
}

#[test]
fn two_installations_in_one_region_answer_each_for_its_own_buckets_and_events() -> Result<()> {
    const NAMES: [&str; 2] = ["finance", "research"];
    run_test(async {
        let sandbox = start_sandbox().await?;
        let network = existing_network(&sandbox).await?;
        let root = sandbox.sdk_config().await;
        aws_sdk_macie2::Client::new(&root).enable_macie().send().await?;
        let of = |name: &str| {
            json!({"buckets": [format!("{name}-*")], "slack_app_id": format!("A0{}", name.to_uppercase()),
                "slack_channel": "C0SECURITY", "fallback_approvers": ["U0ALICE001"]})
        };
        let inputs = json!({"region": "us-east-1", "image": ecs::image(), "vpc_id": network["vpc_id"],
            "private_subnet_ids": network["subnet_ids"], "analyzer_arn": analyzer(&sandbox).await?,
            "slack_team_id": "T0CORDON01", "installations": {NAMES[0]: of(NAMES[0]), NAMES[1]: of(NAMES[1])}});
        let example = Example::copied("two-installations", &sandbox, &inputs)?;
        example.init()?;
        let mut alike = inputs;
        alike["installations"][NAMES[1]]["slack_app_id"] = json!("A0FINANCE");
        let alike = format!("-var=installations={}", alike["installations"]);
        let refused = example.terraform(&["plan", "-input=false", &alike], 1)?;
        ensure!(refused.contains("needs a Slack app of its own"), "{refused}");
        example.terraform(&["apply", "-input=false", "-auto-approve", "-parallelism=20"], 0)?;
        example.terraform(&["plan", "-input=false", "-detailed-exitcode"], 0)?;
        let outputs: Value = serde_json::from_str(&example.terraform(&["output", "-json"], 0)?)?;
        let output =
            |name: &str, of: &str| outputs[name]["value"][of].as_str().unwrap_or_default().to_owned();

        let (s3, sfn) = (aws_sdk_s3::Client::new(&root), aws_sdk_sfn::Client::new(&root));
        let cases =
            NAMES.map(|name| Cases::new(aws_sdk_dynamodb::Client::new(&root), output("cases_tables", name)));
        for (number, name) in NAMES.into_iter().enumerate() {
            let bucket = format!("{name}-reports");
            s3.create_bucket().bucket(&bucket).send().await?;
            let put = s3.put_object().bucket(&bucket).key("key.txt").body(b"the secret".to_vec().into());
            let etag = put.send().await?.e_tag.context("an ETag")?;
            let object = ObjectVersion {
                account: sandbox.account().into(),
                bucket,
                key: "key.txt".into(),
                version_id: None,
                etag: bare_etag(&etag).into(),
            };
            let id = format!("{number:032x}");
            let finding = finding_document(sandbox.region(), &id, "Credentials", &object, 10);
            sandbox.macie().put_finding(finding);
            sandbox.macie().publish_finding(&id).await?;
            eventually("the case of the one", async || {
                cases[number].get(&object.case_id()).await.map_err(Into::into)
            })
            .await?;
            // The other has looked at the finding too.
            let other = NAMES[1 - number];
            let machine = format!(
                "arn:aws:states:us-east-1:{}:stateMachine:{other}-finding_response",
                sandbox.account()
            );
            eventually("the other's execution", async || {
                let runs = sfn.list_executions().state_machine_arn(&machine).send().await?.executions;
                let ended = runs.iter().filter(|run| run.status == ExecutionStatus::Succeeded).count();
                Ok((ended > number).then_some(()))
            })
            .await?;
            ensure!(
                cases[1 - number].get(&object.case_id()).await?.is_none(),
                "{other} has a case about {name}"
            );
        }

        // What one tells its operators is not told to the other's.
        let mut heard = [Vec::<String>::new(), Vec::new()];
        let mut queues = Vec::new();
        for name in NAMES {
            queues.push(listen_to_operators(&root, &output("operators_topic_arns", name), name).await?);
        }
        for name in NAMES {
            let state = output("state_buckets", name);
            let policy =
                s3.get_object().bucket(&state).key("policy.json").send().await?.body.collect().await?;
            let put = s3.put_object().bucket(&state).key("policy.json");
            put.body(policy.into_bytes().into()).send().await?;
        }
        eventually_within(Duration::from_secs(120), "a notice of each changed policy", async || {
            for ((sqs, queue), heard) in queues.iter().zip(&mut heard) {
                let told = sqs.receive_message().queue_url(queue).max_number_of_messages(10).send().await?;
                heard.extend(told.messages().iter().filter_map(|message| message.body().map(str::to_owned)));
            }
            let is_told = |heard: &Vec<String>| heard.iter().any(|body| body.contains("PolicyChanged"));
            Ok(heard.iter().all(is_told).then_some(()))
        })
        .await?;
        for (heard, other) in heard.iter().zip([NAMES[1], NAMES[0]]) {
            ensure!(!heard.iter().any(|body| body.contains(other)), "{other} was overheard: {heard:?}");
        }
        sandbox.stop().await;
        report("PROOF two_installations answered=2 overheard=0");
        Ok(())
    })
}
