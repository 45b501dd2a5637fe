//! A policy tried on thousands of past findings.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cordon_domain::finding::ObjectVersion;
use cordon_tests::{Said, finding_document, operator, report};
use serde_json::json;

use super::Installation;

const FINDINGS: usize = 5_000;
const BUCKETS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_replayed_over_thousands_of_findings() -> Result<()> {
    let installation = Installation::new(json!({})).await?;
    let sandbox = &installation.sandbox;
    for n in 0..FINDINGS {
        let version = ObjectVersion {
            account: sandbox.account().to_owned(),
            bucket: format!("past-{}", n % BUCKETS),
            key: format!("card-{n}.txt"),
            version_id: None,
            etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
        };
        sandbox.macie().put_finding(finding_document(
            sandbox.region(),
            &format!("{n:032x}"),
            "Financial",
            &version,
            20,
        ));
    }
    let proposed = json!({"version": 1, "rules": [
        {"name": "one-bucket-leaves", "buckets": ["past-7"], "disposition": "quarantine"},
        {"name": "ask", "disposition": "review", "approvers": {"users": ["U0ALICE001"]}, "on_expiry": "ask_again"},
    ]});
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("policy.json");
    std::fs::write(&file, proposed.to_string())?;
    let file = file.to_str().context("a path")?;
    operator::give_role(sandbox, &installation.deployment).await?;
    let started = Instant::now();
    let arguments = ["policy", "replay", "--policy", file, "--since", "1h", "--json"];
    let said = operator::command(sandbox, &installation.deployment, &arguments)?.output().await?;
    let replayed = Said::of(said).json()?;
    report(&format!(
        "PROOF policy_replay findings={FINDINGS} seconds={:.0}",
        started.elapsed().as_secs_f64()
    ));
    ensure!(replayed["findings"] == FINDINGS && replayed["unreadable"] == 0, "{replayed}");
    ensure!(replayed["changed"] == FINDINGS / BUCKETS, "{replayed}");
    Ok(())
}
