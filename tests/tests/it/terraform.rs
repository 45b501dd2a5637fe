//! The Terraform module in the sandbox, where it is applied in both kinds of network, planned again without a difference and
//! taken down. Its own tests, against a mock of AWS, are run by `make check`.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use cordon_tests::{
    CommandOutput, eventually_within,
    operator::{self, as_administrator},
    run_test,
};
use serde_json::json;

use super::{
    crashes::fixture::Fixture,
    sizes::{BUCKETS, Installation},
};

#[test]
fn what_is_applied_in_a_small_network_of_its_own_plans_clean_and_is_not_destroyed_while_it_is_protected()
-> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        fixture.deployment.plan_is_clean().await?;

        // What somebody has written past Terraform shows, whatever it says.
        let s3 = aws_sdk_s3::Client::new(&fixture.sandbox.sdk_config().await);
        let state = fixture.deployment.output("state_bucket")?;
        let get = s3.get_object().bucket(state).key("policy.json").send().await?;
        let (written, bytes) = (get.metadata().cloned(), get.body.collect().await?.to_vec());
        let put = async |metadata| {
            let put = s3.put_object().bucket(state).key("policy.json").content_type("application/json");
            put.set_metadata(metadata).body(bytes.clone().into()).send().await
        };
        put(None).await?;
        let shown = fixture.deployment.plan_is_clean().await.err().context("it plans clean")?.to_string();
        ensure!(shown.contains("aws_s3_object.policy"), "{shown}");
        put(written).await?;
        let quarantine = fixture.deployment.output("quarantine_bucket")?;
        s3.put_object().bucket(quarantine).key("kept").body(b"a copy".to_vec().into()).send().await?;
        let refused = fixture.deployment.destroy().await.err().context("it was destroyed")?.to_string();
        // Terraform breaks its lines where they are long.
        let refused = refused.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(refused.contains("deletion_protection is true, so nothing was destroyed"), "{refused}");
        let kept = s3.get_object().bucket(quarantine).key("kept").send().await?.body.collect().await?;
        ensure!(kept.into_bytes() == "a copy", "what is in quarantine can no longer be read");
        s3.delete_object().bucket(quarantine).key("kept").send().await?;
        // Whatever had gone would have to be made again.
        fixture.deployment.infrastructure_is_as_declared().await
    })
}

#[test]
fn the_protection_depends_on_every_resource_of_the_module() -> Result<()> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform");
    let mut declared = BTreeSet::from(["module.network".to_owned()]);
    for entry in fs::read_dir(&module)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "tf") {
            continue;
        }
        for line in fs::read_to_string(&path)?.lines() {
            let words: Vec<_> = line.split('"').collect();
            if let ["resource ", kind, " ", name, ..] = words[..]
                && (kind != "terraform_data" || ["key_is_kept", "stores_are_kept"].contains(&name))
            {
                declared.insert(format!("{kind}.{name}"));
            }
        }
    }
    let protection = fs::read_to_string(module.join("protection.tf"))?;
    let (_, list) = protection.split_once("depends_on = [").context("a list")?;
    let (list, _) = list.split_once(']').context("its end")?;
    let protected: BTreeSet<_> =
        list.lines().filter_map(|line| line.trim().strip_suffix(',')).map(str::to_owned).collect();
    ensure!(declared.len() > 50, "only {} resources were found", declared.len());
    let missing: Vec<_> = declared.symmetric_difference(&protected).collect();
    ensure!(missing.is_empty(), "not in both: {missing:?}");
    Ok(())
}

#[test]
fn what_is_applied_in_an_existing_network_plans_clean_and_leaves_nothing_when_destroyed() -> Result<()> {
    run_test(async {
        let Installation { sandbox, deployment, .. } = Installation::take().await?;
        deployment.plan_is_clean().await?;
        let root = sandbox.sdk_config().await;

        // With nobody who polls, an execution would go on for a month, and no state machine with one can be deleted.
        let machine = deployment.outputs()["state_machine_arns"]["finding_response"].clone();
        let sfn = aws_sdk_sfn::Client::new(&root);
        let start = sfn.start_execution().set_state_machine_arn(machine.as_str().map(str::to_owned));
        let run = start.input("{}").send().await?.execution_arn;
        let cordon = async |arguments: &[&str]| {
            let mut command = operator::command(&sandbox, &deployment, arguments)?;
            as_administrator(&mut command, &sandbox).await?;
            anyhow::Ok(CommandOutput::of(command.output().await?))
        };
        let listed = cordon(&["executions", "list"]).await?;
        ensure!(listed.out.lines().any(|line| line == run), "{listed:?}");
        let unsure = cordon(&["executions", "stop", "--reason", "it is removed"]).await?;
        ensure!(unsure.code == Some(1) && unsure.err.contains("add --yes"), "{unsure:?}");
        let stopped = cordon(&["executions", "stop", "--reason", "it is removed", "--yes", "--json"]).await?;
        ensure!(stopped.code == Some(0) && stopped.json()?["running"] == 0, "{stopped:?}");
        let ended = sfn.describe_execution().execution_arn(&run).send().await?;
        ensure!(ended.cause().is_some_and(|cause| cause.starts_with("it is removed (by ")), "{ended:?}");

        deployment.destroy().await?;
        let machines = aws_sdk_sfn::Client::new(&root).list_state_machines().send().await?.state_machines;
        let buckets = aws_sdk_s3::Client::new(&root).list_buckets().send().await?;
        let buckets = buckets.buckets().iter().filter_map(|bucket| bucket.name());
        let buckets: Vec<_> = buckets.filter(|name| !name.starts_with(BUCKETS)).collect();
        let tables = aws_sdk_dynamodb::Client::new(&root).list_tables().send().await?;
        ensure!(machines.is_empty(), "{machines:?}");
        ensure!(buckets.is_empty(), "{buckets:?}");
        ensure!(tables.table_names().is_empty(), "{tables:?}");
        let clusters = deployment.ecs("ListClusters", &json!({})).await?;
        ensure!(clusters["clusterArns"].as_array().is_some_and(Vec::is_empty), "{clusters}");
        // What other tests have stopped may take its time to end.
        eventually_within(Duration::from_secs(120), "the end of every task", async || {
            Ok(sandbox.tasks().is_empty().then_some(()))
        })
        .await?;
        sandbox.stop().await;
        Ok(())
    })
}
