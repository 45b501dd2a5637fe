//! The join of who has access with what Macie finds.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{Tag, Tagging};
use cordon_sandbox::CallFilter;
use cordon_tests::{TestEnv, eventually, run_test};
use serde_json::{Value, json};

const CARD: &str =
    "This is a sample file with a dummy credit card\nCard Number: 5163200000000008\nExpiry Date: 08/20\n";

/// What Security Hub has about a bucket.
fn reported(env: &TestEnv, bucket: &str) -> Option<Value> {
    let arn = format!("arn:aws:s3:::{bucket}");
    env.sandbox.security_hub().findings().into_iter().find(|finding| finding["Resources"][0]["Id"] == arn)
}

fn jobs_about(env: &TestEnv, bucket: &str) -> usize {
    env.sandbox.macie().jobs().iter().filter(|job| job.to_string().contains(&format!("\"{bucket}\""))).count()
}

/// Waits until the intake has recorded that a bucket is shared.
pub(crate) async fn recorded(env: &TestEnv, bucket: &str) -> Result<()> {
    let arn = format!("arn:aws:s3:::{bucket}");
    let dynamodb = aws_sdk_dynamodb::Client::new(&env.root);
    let table = env.deployment.output("exposures_table")?;
    eventually(&format!("the record of {bucket}"), async || {
        let item = dynamodb
            .get_item()
            .table_name(table)
            .key("bucket_arn", aws_sdk_dynamodb::types::AttributeValue::S(arn.clone()))
            .key("item", aws_sdk_dynamodb::types::AttributeValue::S("bucket".into()))
            .consistent_read(true)
            .send()
            .await?;
        Ok(item.item.map(|_| ()))
    })
    .await
}

#[test]
fn a_shared_bucket_with_sensitive_data_becomes_one_security_hub_finding() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("exposed").await?;
        env.put(&bucket, "customers/card & co.txt", CARD).await?;
        env.put(&bucket, "README.txt", "nothing to see").await?;
        env.share(&bucket).await?;
        recorded(env, &bucket).await?;
        env.cycle().await?;

        let finding = reported(env, &bucket).context("the exposure is reported")?;
        for (pointer, expected) in [
            ("/FindingProviderFields/Severity/Label", "HIGH"),
            ("/Severity/Label", "HIGH"),
            ("/Workflow/Status", "NEW"),
            ("/RecordState", "ACTIVE"),
            ("/CompanyName", "Cordon"),
            ("/ProductName", "Cordon"),
            ("/Resources/1/Type", "AwsS3Object"),
        ] {
            assert_eq!(
                finding.pointer(pointer).and_then(Value::as_str),
                Some(expected),
                "{pointer} in {finding}"
            );
        }
        let title = finding["Title"].as_str().unwrap();
        assert!(title.contains(&bucket) && title.contains("999988887777"), "{title}");
        assert_eq!(finding["Resources"].as_array().unwrap().len(), 2);
        // Its own finding has asked in Slack meanwhile.
        let asked = env.asked(&bucket).await?;
        env.click(cordon_tests::ALICE, &asked, "quarantine:").await?;
        env.shows(&bucket, "Quarantined.").await?;

        // The access changes, so the bucket is due again; it was scanned recently, so no second job, and the object is
        // listed although it has been quarantined meanwhile.
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")]}]});
        env.s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await?;
        eventually("the second report", async || {
            env.cycle().await?;
            let finding = reported(env, &bucket).context("the exposure is still reported")?;
            Ok((finding["ProductFields"]["cordon/QuarantinedObjectCount"] == "1").then_some(()))
        })
        .await?;
        assert_eq!(jobs_about(env, &bucket), 1, "a recent scan is used again");
        let finding = reported(env, &bucket).unwrap();
        assert_eq!(finding["Resources"][1]["Details"]["Other"]["cordon:CaseStatus"], "quarantined");

        // The sharing ends, and so does the exposure.
        env.s3.delete_bucket_policy().bucket(&bucket).send().await?;
        eventually("the end of the exposure", async || {
            env.cycle().await?;
            Ok(reported(env, &bucket).filter(|finding| finding["RecordState"] == "ARCHIVED"))
        })
        .await?;
        // Nobody asks for the job and the access any more, so their records have an end.
        eventually("an end of every record that is over", async || {
            let kept = kept_for_good(env, &bucket).await?;
            Ok(kept.is_empty().then_some(()))
        })
        .await?;
        Ok(())
    })
}

/// Records that DynamoDB will not remove by itself: of access to a bucket, and of jobs that nothing waits for.
async fn kept_for_good(env: &TestEnv, bucket: &str) -> Result<Vec<String>> {
    let dynamodb = aws_sdk_dynamodb::Client::new(&env.root);
    let scan = dynamodb.scan().table_name(env.deployment.output("exposures_table")?).consistent_read(true);
    let items: Vec<_> = scan.into_paginator().items().send().try_collect().await?;
    let arn = aws_sdk_dynamodb::types::AttributeValue::S(format!("arn:aws:s3:::{bucket}"));
    let kept = items.iter().filter(|item| !item.contains_key("expires_at")).filter_map(|record| {
        let item = record.get("item")?.as_s().ok()?;
        let of_bucket = record.get("bucket_arn") == Some(&arn);
        let is_over = match item.as_str() {
            "job" => !record.contains_key("due"),
            _ => of_bucket && item.starts_with("access#"),
        };
        is_over.then(|| item.clone())
    });
    Ok(kept.collect())
}

#[test]
fn a_shared_bucket_without_sensitive_data_is_scanned_and_not_reported() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("harmless").await?;
        env.put(&bucket, "README.txt", "nothing to see").await?;
        env.share(&bucket).await?;
        recorded(env, &bucket).await?;
        env.cycle().await?;
        assert_eq!(jobs_about(env, &bucket), 1);
        assert_eq!(reported(env, &bucket), None);
        Ok(())
    })
}

#[test]
fn a_bucket_with_the_exclusion_tag_is_not_scanned() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("excluded").await?;
        env.put(&bucket, "card.txt", CARD).await?;
        let tag = Tag::builder().key("cordon:scan").value("exclude").build()?;
        env.s3
            .put_bucket_tagging()
            .bucket(&bucket)
            .tagging(Tagging::builder().tag_set(tag).build()?)
            .send()
            .await?;
        env.share(&bucket).await?;
        recorded(env, &bucket).await?;
        env.cycle().await?;
        assert_eq!(jobs_about(env, &bucket), 0);
        assert_eq!(reported(env, &bucket), None);
        Ok(())
    })
}

#[test]
fn a_job_that_could_not_read_everything_makes_no_bucket_clean() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("half-scanned").await?;
        env.put(&bucket, "README.txt", "nothing to see").await?;
        env.share(&bucket).await?;
        recorded(env, &bucket).await?;
        env.sandbox.macie().fail_next_job();
        let cycle = env.cycle().await?;
        env.operator_notice("Nothing is taken for clean").await?;
        let state = env.deployment.output("state_bucket")?;
        let name = cycle.rsplit(':').next().unwrap();
        let summary =
            env.s3.get_object().bucket(state).key(format!("cycles/{name}/summary.json")).send().await?;
        let summary: Value = serde_json::from_slice(&summary.body.collect().await?.to_vec())?;
        assert_eq!(summary["batches_failed"], 1, "{summary}");
        env.cycle().await?;
        assert_eq!(jobs_about(env, &bucket), 1, "it is not scanned in every cycle if that does not help");
        Ok(())
    })
}

#[test]
fn access_findings_may_come_late_and_twice() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("out-of-order").await?;
        let analyzer = env.deployment.output("analyzer_arn")?;
        let detail = |status: &str, at: &str| {
            json!({"version": "1.0", "id": format!("order-{bucket}"), "status": status, "resourceType": "AWS::S3::Bucket",
            "resource": format!("arn:aws:s3:::{bucket}"), "createdAt": at, "analyzedAt": at, "updatedAt": at,
            "accountId": env.sandbox.account(), "region": env.sandbox.region(),
            "principal": {"AWS": "999988887777"}, "action": ["s3:GetObject"], "condition": {}, "isDeleted": false, "isPublic": false})
        };
        let intake = env.machine("access_finding_intake")?;
        let send = async |detail: Value| {
            let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding", "resources": [analyzer], "detail": detail});
            let started =
                env.sfn.start_execution().state_machine_arn(intake).input(event.to_string()).send().await?;
            let ended = env.ended(&started.execution_arn).await?;
            let output: Value = serde_json::from_str(ended.output().unwrap_or("null"))?;
            anyhow::Ok(output["record"]["recorded"].as_bool())
        };
        assert_eq!(send(detail("RESOLVED", "2026-03-11T02:00:00Z")).await?, Some(true));
        assert_eq!(send(detail("ACTIVE", "2026-03-11T01:00:00Z")).await?, Some(false), "older");
        assert_eq!(send(detail("RESOLVED", "2026-03-11T02:00:00Z")).await?, Some(false), "the same again");
        assert_eq!(send(detail("ACTIVE", "2026-03-11T03:00:00Z")).await?, Some(true));
        Ok(())
    })
}

/// Has Macie find something in a bucket half an hour ago, and no event tell of it.
async fn found_without_event(env: &TestEnv, bucket: &str, id: &str) -> Result<()> {
    let object = env.put(bucket, "card.txt", CARD).await?;
    let mut document = env.finding_document(id, "Credentials", &object);
    let earlier = cordon::clock::now() - jiff::SignedDuration::from_mins(30);
    document["createdAt"] = json!(earlier);
    document["updatedAt"] = json!(earlier);
    env.sandbox.macie().put_finding(document);
    Ok(())
}

#[test]
fn a_finding_whose_event_never_came_is_swept_up() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("swept").await?;
        let id = "5wep75wep75wep75wep75wep75wep700";
        found_without_event(env, &bucket, id).await?;
        forget_sweep(env).await?;
        env.cycle().await?;
        env.succeeded(&env.run_for(id).await?).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        forget_sweep(env).await?;
        env.cycle().await?;
        assert_eq!(env.runs_for(id).await?.len(), 1, "a second sweep starts nothing");
        Ok(())
    })
}

#[test]
fn a_finding_whose_event_never_came_is_swept_up_where_no_cycle_runs() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("swept-by-itself").await?;
        let id = "5wep75wep75wep75wep75wep75wep701";
        found_without_event(env, &bucket, id).await?;
        // A worker that begins sweeps at once.
        env.replace_worker().await?;
        env.succeeded(&env.run_for(id).await?).await?;
        assert!(!env.is_there(&bucket, "card.txt").await?);
        Ok(())
    })
}

/// Lets the next sweep look as far back as the first one.
async fn forget_sweep(env: &TestEnv) -> Result<()> {
    let value = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.into());
    let dynamodb = aws_sdk_dynamodb::Client::new(&env.root);
    let delete = dynamodb.delete_item().table_name(env.deployment.output("exposures_table")?);
    delete.key("bucket_arn", value("sweep")).key("item", value("sweep")).send().await?;
    Ok(())
}

#[test]
fn the_worker_presents_session_keys_and_never_reads_other_peoples_objects() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("roles").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        let calls = env
            .sandbox
            .calls()
            .select(&CallFilter { principal: Some(":assumed-role/".into()), ..CallFilter::default() });
        let about: Vec<_> = calls.iter().filter(|call| call.path.contains(&bucket)).collect();
        assert!(about.iter().any(|call| call.operation == "DeleteObject"));
        let mover = format!(":assumed-role/{}/", env.deployment.output("mover_role_name")?);
        for call in about {
            let principal = call.principal.as_deref().unwrap_or_default();
            assert!(principal.contains(&mover), "{call:?}");
            assert!(call.access_key.as_deref().is_some_and(|key| key.starts_with("ASIA")), "{call:?}");
        }
        Ok(())
    })
}
