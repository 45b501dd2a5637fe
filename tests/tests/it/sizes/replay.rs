//! A policy tried on thousands of past findings.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use cordon::clock;
use cordon_domain::finding::ObjectVersion;
use cordon_tests::{CommandOutput, OPERATOR, Size, finding_document, operator, report, run_test};
use jiff::SignedDuration;
use serde_json::json;

use super::Installation;

const BUCKETS: usize = 50;

#[test]
fn a_policy_is_replayed_over_thousands_of_findings() -> Result<()> {
    run_test(async {
        let size = Size::of_this_run();
        let count = size.pick(500, 5_000, 5_000);
        let installation = Installation::lock().await?;
        let sandbox = &installation.sandbox;
        let others = sandbox.macie().findings().len();
        let created_at = clock::now() - SignedDuration::from_hours(72);
        for n in 0..count {
            let version = ObjectVersion {
                account: sandbox.account().to_owned(),
                bucket: format!("past-{}", n % BUCKETS),
                key: format!("card-{n}.txt"),
                version_id: None,
                etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
            };
            let id = format!("{:032x}", 0x5000_0000 + n);
            let mut finding = finding_document(sandbox.region(), &id, "Financial", &version, 20);
            // Longer ago than a worker that begins looks for lost events: it would open a case for each.
            finding["createdAt"] = json!(created_at);
            finding["updatedAt"] = json!(created_at);
            sandbox.macie().put_finding(finding);
        }
        let proposed = json!({"version": 1, "rules": [
            {"name": "one-bucket-leaves", "buckets": ["past-7"], "disposition": "quarantine"},
            {"name": "ask", "disposition": "review", "approvers": {"users": ["U0ALICE001"]}, "on_expiry": "ask_again"},
        ]});
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("policy.json");
        std::fs::write(&file, proposed.to_string())?;
        let file = file.to_str().context("a path")?;
        cordon_sandbox::operator::create(sandbox).await?;
        cordon_sandbox::operator::permit(sandbox, &installation.deployment).await?;
        let started = Instant::now();
        let arguments = ["policy", "replay", "--policy", file, "--since", "4d", "--json"];
        let said = operator::command(sandbox, &installation.deployment, &arguments)?.output().await?;
        let policy_arn = installation.deployment.output("operator_policy_arn")?;
        let iam = aws_sdk_iam::Client::new(&sandbox.sdk_config().await);
        iam.detach_role_policy().role_name(OPERATOR).policy_arn(policy_arn).send().await?;
        let replayed = CommandOutput::of(said).json()?;
        report(&format!(
            "PROOF policy_replay size={size} findings={count} seconds={:.0}",
            started.elapsed().as_secs_f64()
        ));
        ensure!(replayed["findings"] == count + others && replayed["unreadable"] == 0, "{replayed}");
        ensure!(replayed["changed"] == count / BUCKETS, "{replayed}");
        Ok(())
    })
}
