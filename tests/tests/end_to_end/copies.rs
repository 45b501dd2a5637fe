//! Copies that a run has made before it failed or was stopped: they stay known, and can be put back and purged.

use std::time::Duration;

use anyhow::{Context, Result};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{Placed, Stage, on_stage};
use serde_json::{Value, json};

/// Has S3 refuse every removal from a bucket, or no longer.
async fn refuse_removals(stage: &Stage, bucket: &str, refuse: bool) -> Result<()> {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
    if refuse {
        stage.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    } else {
        stage.s3.delete_bucket_policy().bucket(bucket).send().await?;
    }
    Ok(())
}

/// The line of `cordon quarantine list` about a bucket.
async fn listed(stage: &Stage, bucket: &str) -> Result<Value> {
    let said = stage.cordon(&["quarantine", "list", "--bucket", bucket, "--json"]).await?;
    let listed = said.json()?;
    listed.get(0).cloned().with_context(|| format!("nothing is listed: {said:?}"))
}

/// How many copies, with all their versions, are in quarantine for a bucket.
async fn copies(stage: &Stage, bucket: &str) -> Result<usize> {
    let quarantine = stage.deployment.output("quarantine_bucket")?;
    let prefix = format!("{}/{bucket}/", stage.sandbox.account());
    let listed = stage.s3.list_object_versions().bucket(quarantine).prefix(prefix).send().await?;
    Ok(listed
        .versions()
        .iter()
        .filter(|version| version.key().is_some_and(|key| key.ends_with("/object")))
        .count())
}

/// A response that ends with an error of this code.
async fn fails(stage: &Stage, object: &Placed, code: &str) -> Result<()> {
    let run = stage.respond("Credentials", object).await?;
    let ended = stage.ended(&run).await?;
    assert_eq!((ended.status.as_str(), ended.error()), ("FAILED", Some(code)), "{:?}", ended.cause());
    Ok(())
}

#[test]
fn a_copy_whose_removal_was_refused_is_listed_and_used_by_the_next_response() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("refused-removal").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(stage, &bucket, true).await?;
        fails(stage, &object, "AccessDenied").await?;
        assert_eq!(listed(stage, &bucket).await?["state"], "copied");
        fails(stage, &object, "AccessDenied").await?;
        assert_eq!(copies(stage, &bucket).await?, 1, "a further finding makes no further copy");
        refuse_removals(stage, &bucket, false).await?;
        let run = stage.respond("Credentials", &object).await?;
        stage.succeeded(&run).await?;
        assert!(!stage.is_there(&bucket, "key.txt").await?);
        assert_eq!(copies(stage, &bucket).await?, 1);
        assert_eq!(listed(stage, &bucket).await?["state"], "in_quarantine");
        let said = stage.cordon(&["restore", &object.version.case_id(), "--reason", "a test"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(stage.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn the_same_bytes_put_again_with_other_metadata_are_copied_anew() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("put-again").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        let again = stage.s3.put_object().bucket(&bucket).key("key.txt").metadata("owner", "finance");
        again.body(b"the secret".to_vec().into()).send().await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        assert_eq!(copies(stage, &bucket).await?, 2);
        let said = stage.cordon(&["restore", &object.version.case_id(), "--reason", "a test"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        let head = stage.s3.head_object().bucket(&bucket).key("key.txt").send().await?;
        assert_eq!(head.metadata().and_then(|all| all.get("owner")).map(String::as_str), Some("finance"));
        Ok(())
    })
}

#[test]
fn a_copy_whose_removal_was_refused_can_be_purged() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("refused-purge").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(stage, &bucket, true).await?;
        fails(stage, &object, "AccessDenied").await?;
        let case_id = object.version.case_id();
        let said = stage.cordon(&["quarantine", "purge", &case_id, "--reason", "a test", "--yes"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(copies(stage, &bucket).await?, 0);
        assert_eq!(listed(stage, &bucket).await?["state"], "purged");
        assert!(stage.is_there(&bucket, "key.txt").await?, "it never left its place");
        // What was purged is nothing to go on with.
        refuse_removals(stage, &bucket, false).await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        assert_eq!((copies(stage, &bucket).await?, stage.is_there(&bucket, "key.txt").await?), (1, false));
        Ok(())
    })
}

#[test]
fn an_object_that_was_replaced_after_a_refused_removal_is_known_to_be_in_quarantine() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("refused-replaced").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(stage, &bucket, true).await?;
        fails(stage, &object, "AccessDenied").await?;
        refuse_removals(stage, &bucket, false).await?;
        stage.put(&bucket, "key.txt", "another text").await?;
        let run = stage.respond("Credentials", &object).await?;
        stage.succeeded(&run).await?;
        assert!(stage.is_there(&bucket, "key.txt").await?, "nobody reported what is there now");
        assert_eq!(listed(stage, &bucket).await?["state"], "in_quarantine");
        stage.shows(&bucket, "complete in quarantine").await?;
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_after_it_has_copied_leaves_a_record_of_the_copy() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        let bucket = stage.bucket("stopped-copy").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.sandbox.faults().inject(FaultRule {
            service: "s3".into(),
            operation: Some("DeleteObject".into()),
            principal: Some("cordon-mover".into()),
            kind: Fault::Latency(Duration::from_secs(60)),
            times: 1,
        });
        let run = stage.respond("Credentials", &object).await?;
        let stopped = async {
            cordon_tests::eventually("the removal being asked for", async || {
                Ok((stage.sandbox.faults().left() == 0).then_some(()))
            })
            .await?;
            stage.sfn.stop_execution().execution_arn(&run).cause("stopped by hand").send().await?;
            stage.shows(&bucket, "ABORTED").await
        };
        let message = stopped.await;
        stage.sandbox.faults().clear();
        let message = message?["blocks"].to_string();
        assert!(message.contains("A complete copy is in quarantine"), "{message}");
        assert_eq!(listed(stage, &bucket).await?["state"], "copied");
        assert!(stage.is_there(&bucket, "key.txt").await?, "the worker has heard of the end");
        Ok(())
    })
}
