//! The demo's checks: whether everything is where it should be in the end.

use anyhow::Context;
use serde_json::Value;

use super::executions::Executions;
use super::fixtures::{CARD, CREDENTIALS, EXCLUDED, Fixtures, PRIVATE, SHARED};
use super::output::Output;
use super::progress::CHANNEL;
use crate::deployment::Deployment;
use crate::front_door::calls::CallFilter;
use crate::sandbox::Sandbox;

/// Prints each thing that must hold, and whether it does. Says whether all do.
pub(super) async fn check(
    sandbox: &Sandbox,
    deployment: &Deployment,
    fixtures: &Fixtures,
    executions: &Executions,
    output: Output,
) -> anyhow::Result<bool> {
    let mut all = true;
    let mut must = |holds: bool, what: &str| {
        output.line(format_args!("  {} {what}", if holds { "ok    " } else { "WRONG " }));
        all &= holds;
    };
    let shared = fixtures.keys(SHARED).await?;
    let quarantined = quarantined(deployment, fixtures).await?;
    let messages = sandbox.slack().messages(CHANNEL);
    let headers: Vec<_> =
        messages.iter().filter_map(|message| message.pointer("/blocks/0/text/text")?.as_str()).collect();
    let dismissed = headers.iter().any(|header| header.ends_with("dismissed"));

    must(
        !shared.contains(&CREDENTIALS.to_owned()),
        "the credentials are gone from the shared bucket, without a click",
    );
    must(quarantined.iter().any(|key| key == CREDENTIALS), "and are in quarantine, with a manifest");
    if dismissed {
        must(shared.contains(&CARD.to_owned()), "the card number was dismissed and stays where it is");
    } else {
        must(
            !shared.contains(&CARD.to_owned()),
            "the card number is gone from the shared bucket, after somebody has decided",
        );
        must(quarantined.iter().any(|key| key == CARD), "and is in quarantine, with a manifest");
        let told = messages.iter().any(|message| {
            let text = message["blocks"].to_string();
            // By a click, or by `cordon approvals` as the operator whose environment is printed.
            let decided = ["by <@U0ALICE001>", "by `AROA"].iter().any(|by| text.contains(by));
            text.contains("Quarantined.") && decided
        });
        must(told, "its Slack message names the outcome and who decided");
    }
    must(
        shared.len() == if dismissed { 3 } else { 2 },
        "the ordinary files of the shared bucket are untouched",
    );
    must(fixtures.keys(PRIVATE).await?.len() == 2, "the private bucket is untouched");
    must(fixtures.keys(EXCLUDED).await?.len() == 4, "the excluded bucket is untouched");
    let scanned = sandbox.macie().jobs().iter().any(|job| job.to_string().contains(EXCLUDED));
    must(!scanned, "the excluded bucket was not scanned");

    let hub = sandbox.security_hub().findings();
    let text =
        |finding: &Value, pointer: &str| finding.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let about = |bucket: &str| {
        let arn = format!("arn:aws:s3:::{bucket}");
        hub.iter()
            .filter(|finding| text(finding, "/Resources/0/Id").as_deref() == Some(&arn))
            .collect::<Vec<_>>()
    };
    must(about(SHARED).len() == 1, "Security Hub has one finding about the shared bucket");
    let as_reported = about(SHARED).first().is_some_and(|finding| {
        text(finding, "/Severity/Label").as_deref() == Some("HIGH")
            && text(finding, "/Workflow/Status").as_deref() == Some("NEW")
            && text(finding, "/RecordState").as_deref() == Some("ACTIVE")
            && finding["Resources"].as_array().is_some_and(|resources| resources.len() == 3)
    });
    must(as_reported, "of severity HIGH, workflow NEW, record ACTIVE, listing bucket and both objects");
    must(about(EXCLUDED).is_empty() && about(PRIVATE).is_empty(), "and none about the others");

    let failed = executions.failed();
    must(
        failed.is_empty(),
        &format!(
            "no execution failed{}",
            if failed.is_empty() { String::new() } else { format!(": {}", failed.join(", ")) }
        ),
    );
    for role in ["worker", "gateway", "mover"] {
        let name = deployment.output(&format!("{role}_role_name"))?;
        let principal = format!(":assumed-role/{name}/");
        let calls = sandbox.calls().select(&CallFilter::default());
        let seen =
            calls.iter().any(|call| call.principal.as_deref().is_some_and(|arn| arn.contains(&principal)));
        must(seen, &format!("the {role} called AWS with session keys of its own role"));
    }
    Ok(all)
}

/// The original keys of what is in quarantine, read from the manifests beside the objects.
async fn quarantined(deployment: &Deployment, fixtures: &Fixtures) -> anyhow::Result<Vec<String>> {
    let bucket = deployment.output("quarantine_bucket")?;
    let keys = fixtures.keys(bucket).await?;
    let mut originals = Vec::new();
    for key in keys.iter().filter(|key| key.ends_with("/manifest.json")) {
        let object = fixtures
            .s3
            .get_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .context("cannot read a manifest")?;
        let bytes = object.body.collect().await.context("cannot read a manifest")?.to_vec();
        let manifest: Value = serde_json::from_slice(&bytes).context("a manifest is not JSON")?;
        let text = |entry: &Value, pointer: &str| Some(entry.pointer(pointer)?.as_str()?.to_owned());
        let entries = manifest["entries"].as_array().into_iter().flatten();
        let there =
            entries.filter(|entry| text(entry, "/quarantine/key").is_some_and(|key| keys.contains(&key)));
        originals.extend(there.filter_map(|entry| text(entry, "/source/key")));
    }
    Ok(originals)
}
