//! Copies that a run has made before it failed or was stopped: they stay known, and can be put back and purged.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration,
    LifecycleRule, LifecycleRuleFilter, VersioningConfiguration,
};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{Placed, TestEnv, run_test, signed_as};
use serde_json::{Value, json};

/// Has S3 refuse every removal from a bucket, or no longer.
async fn refuse_removals(env: &TestEnv, bucket: &str, refuse: bool) -> Result<()> {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",
        "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
    if refuse {
        env.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    } else {
        env.s3.delete_bucket_policy().bucket(bucket).send().await?;
    }
    Ok(())
}

/// The line of `cordon quarantine list` about a bucket.
async fn listed(env: &TestEnv, bucket: &str) -> Result<Value> {
    let said = env.cordon(&["quarantine", "list", "--bucket", bucket, "--json"]).await?;
    let listed = said.json()?;
    listed.get(0).cloned().with_context(|| format!("nothing is listed: {said:?}"))
}

/// How many copies, with all their versions, are in quarantine for a bucket.
async fn copies(env: &TestEnv, bucket: &str) -> Result<usize> {
    let quarantine = env.deployment.output("quarantine_bucket")?;
    let prefix = format!("{}/{bucket}/", env.sandbox.account());
    let listed = env.s3.list_object_versions().bucket(quarantine).prefix(prefix).send().await?;
    Ok(listed
        .versions()
        .iter()
        .filter(|version| version.key().is_some_and(|key| key.ends_with("/object")))
        .count())
}

/// A response that ends with an error of this code.
async fn fails(env: &TestEnv, object: &Placed, code: &str) -> Result<()> {
    let run = env.respond("Credentials", object).await?;
    let ended = env.ended(&run).await?;
    assert_eq!((ended.status.as_str(), ended.error()), ("FAILED", Some(code)), "{:?}", ended.cause());
    Ok(())
}

#[test]
fn a_copy_whose_removal_was_refused_is_listed_and_used_by_the_next_response() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("refused-removal").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(env, &bucket, true).await?;
        fails(env, &object, "AccessDenied").await?;
        assert_eq!(listed(env, &bucket).await?["state"], "copied");
        fails(env, &object, "AccessDenied").await?;
        assert_eq!(copies(env, &bucket).await?, 1, "a further finding makes no further copy");
        refuse_removals(env, &bucket, false).await?;
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;
        assert!(!env.is_there(&bucket, "key.txt").await?);
        assert_eq!(copies(env, &bucket).await?, 1);
        assert_eq!(listed(env, &bucket).await?["state"], "in_quarantine");
        let said = env.cordon(&["restore", &object.version.case_id(), "--reason", "a test"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert!(env.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn who_may_do_everything_in_the_account_neither_reads_nor_removes_what_is_in_quarantine() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("administered").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        let (iam, account) = (aws_sdk_iam::Client::new(&env.root), env.sandbox.account());
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}}]});
        iam.create_role()
            .role_name("everything")
            .assume_role_policy_document(trust.to_string())
            .send()
            .await?;
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let put = iam.put_role_policy().role_name("everything").policy_name("all");
        put.policy_document(all.to_string()).send().await?;
        let s3 = aws_sdk_s3::Client::new(&signed_as(&env.root, account, "everything").await?);
        s3.list_objects_v2().bucket(&bucket).send().await?;
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let prefix = format!("{account}/{bucket}/");
        let there = env.s3.list_object_versions().bucket(quarantine).prefix(prefix).send().await?;
        assert!(there.versions().len() >= 2, "a copy and its manifest: {there:?}");
        for version in there.versions() {
            let key = version.key().context("a key")?;
            assert!(s3.get_object().bucket(quarantine).key(key).send().await.is_err(), "it reads {key}");
            let delete = s3.delete_object().bucket(quarantine).key(key);
            let delete = delete.set_version_id(version.version_id().map(str::to_owned));
            assert!(delete.send().await.is_err(), "it removes {key}");
        }
        // Nor has it S3 remove them.
        let expires = LifecycleRule::builder()
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .expiration(LifecycleExpiration::builder().days(1).build())
            .build()?;
        let rules = BucketLifecycleConfiguration::builder().rules(expires).build()?;
        let put = s3.put_bucket_lifecycle_configuration().bucket(quarantine).lifecycle_configuration(rules);
        assert!(put.send().await.is_err(), "it lets them expire");
        Ok(())
    })
}

#[test]
fn the_same_bytes_put_again_with_other_metadata_are_copied_anew() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("put-again").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        let again = env.s3.put_object().bucket(&bucket).key("key.txt").metadata("owner", "finance");
        again.body(b"the secret".to_vec().into()).send().await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        assert_eq!(copies(env, &bucket).await?, 2);
        let said = env.cordon(&["restore", &object.version.case_id(), "--reason", "a test"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        let head = env.s3.head_object().bucket(&bucket).key("key.txt").send().await?;
        assert_eq!(head.metadata().and_then(|all| all.get("owner")).map(String::as_str), Some("finance"));
        Ok(())
    })
}

/// The copy of an earlier generation does not stand for what was written since, whatever happens to the new copy.
#[test]
fn what_was_written_since_an_earlier_copy_is_copied_anew_although_s3_does_not_list_it() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("refused-again").await?;
        // Here versions are listed, and what is written again takes the place of what was there.
        let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
        env.s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(suspended).send().await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(env, &bucket, true).await?;
        fails(env, &object, "AccessDenied").await?;
        refuse_removals(env, &bucket, false).await?;
        let again = env.s3.put_object().bucket(&bucket).key("key.txt").metadata("owner", "finance");
        again.body(b"the secret".to_vec().into()).send().await?;
        // As often as the SDK asks, so that the worker has the error.
        env.sandbox.faults().inject(FaultRule {
            service: "s3".into(),
            operation: Some("ListObjectVersions".into()),
            principal: Some("cordon-mover".into()),
            kind: Fault::InternalError,
            times: 5,
        });
        let ended = env.succeeded(&env.respond("Credentials", &object).await?).await;
        let left = env.sandbox.faults().left();
        env.sandbox.faults().clear();
        ended?;
        assert_eq!((left, copies(env, &bucket).await?), (0, 2));
        let said = env.cordon(&["restore", &object.version.case_id(), "--reason", "a test"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        let head = env.s3.head_object().bucket(&bucket).key("key.txt").send().await?;
        assert_eq!(head.metadata().and_then(|all| all.get("owner")).map(String::as_str), Some("finance"));
        Ok(())
    })
}

#[test]
fn a_copy_whose_removal_was_refused_can_be_purged() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("refused-purge").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(env, &bucket, true).await?;
        fails(env, &object, "AccessDenied").await?;
        let case_id = object.version.case_id();
        let said = env.cordon(&["quarantine", "purge", &case_id, "--reason", "a test", "--yes"]).await?;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(copies(env, &bucket).await?, 0);
        assert_eq!(listed(env, &bucket).await?["state"], "purged");
        assert!(env.is_there(&bucket, "key.txt").await?, "it never left its place");
        // What was purged is nothing to go on with.
        refuse_removals(env, &bucket, false).await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        assert_eq!((copies(env, &bucket).await?, env.is_there(&bucket, "key.txt").await?), (1, false));
        Ok(())
    })
}

#[test]
fn an_object_that_was_replaced_after_a_refused_removal_is_known_to_be_in_quarantine() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("refused-replaced").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        refuse_removals(env, &bucket, true).await?;
        fails(env, &object, "AccessDenied").await?;
        refuse_removals(env, &bucket, false).await?;
        env.put(&bucket, "key.txt", "another text").await?;
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;
        assert!(env.is_there(&bucket, "key.txt").await?, "nobody reported what is there now");
        assert_eq!(listed(env, &bucket).await?["state"], "in_quarantine");
        env.shows(&bucket, "complete in quarantine").await?;
        Ok(())
    })
}

#[test]
fn a_run_that_is_stopped_after_it_has_copied_leaves_a_record_of_the_copy() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("stopped-copy").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.sandbox.faults().inject(FaultRule {
            service: "s3".into(),
            operation: Some("DeleteObject".into()),
            principal: Some("cordon-mover".into()),
            kind: Fault::Latency(Duration::from_secs(60)),
            times: 1,
        });
        let run = env.respond("Credentials", &object).await?;
        let stopped = async {
            cordon_tests::eventually("the removal being asked for", async || {
                Ok((env.sandbox.faults().left() == 0).then_some(()))
            })
            .await?;
            env.sfn.stop_execution().execution_arn(&run).cause("stopped by hand").send().await?;
            env.shows(&bucket, "ABORTED").await
        };
        let message = stopped.await;
        env.sandbox.faults().clear();
        let message = message?["blocks"].to_string();
        assert!(message.contains("A complete copy is in quarantine"), "{message}");
        assert_eq!(listed(env, &bucket).await?["state"], "copied");
        assert!(env.is_there(&bucket, "key.txt").await?, "the worker has heard of the end");
        Ok(())
    })
}
