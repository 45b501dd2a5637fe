//! Objects that cannot be moved, or not by everybody.

use super::*;

/// An object that cannot be moved, and how that is told.
struct Obstacle {
    stem: &'static str,
    lockable: bool,
    put: fn(PutObjectFluentBuilder) -> PutObjectFluentBuilder,
    code: &'static str,
    says: &'static str,
}

fn tomorrow() -> DateTime {
    DateTime::from_secs(jiff::Timestamp::now().as_second() + 86_400)
}

const OBSTACLES: &[Obstacle] = &[
    Obstacle {
        stem: "legal-hold",
        lockable: true,
        put: |put| put.object_lock_legal_hold_status(ObjectLockLegalHoldStatus::On),
        code: "ObjectLocked",
        says: "legal hold",
    },
    Obstacle {
        stem: "governance",
        lockable: true,
        put: |put| put.object_lock_mode(ObjectLockMode::Governance).object_lock_retain_until_date(tomorrow()),
        code: "ObjectLocked",
        says: "GOVERNANCE",
    },
    Obstacle {
        stem: "compliance",
        lockable: true,
        put: |put| put.object_lock_mode(ObjectLockMode::Compliance).object_lock_retain_until_date(tomorrow()),
        code: "ObjectLocked",
        says: "COMPLIANCE",
    },
    Obstacle {
        stem: "archived",
        lockable: false,
        put: |put| put.storage_class(StorageClass::DeepArchive),
        code: "ObjectArchived",
        says: "s3:RestoreObject",
    },
    Obstacle {
        stem: "customer-key",
        lockable: false,
        put: |put| {
            put.sse_customer_algorithm("AES256")
                .sse_customer_key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
                .sse_customer_key_md5("KYvwGXoFFJ42a2u2GDWhwQ==")
        },
        code: "UnsupportedEncryption",
        says: "SSE-C",
    },
];

#[test]
fn what_cannot_be_moved_is_known_before_anything_is_copied_and_told_with_the_next_step() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for obstacle in OBSTACLES {
            let bucket = env.bucket(obstacle.stem).await?;
            if obstacle.lockable {
                env.s3.delete_bucket().bucket(&bucket).send().await?;
                let lockable = env.s3.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true);
                lockable.send().await?;
            }
            let body = ByteStream::from_static(b"the secret");
            let put = (obstacle.put)(env.s3.put_object().bucket(&bucket).key("key.txt").body(body));
            let object = env.placed(&bucket, "key.txt", &put.send().await?, 10)?;
            cannot_move(env, &object, obstacle.code, obstacle.says).await.context(obstacle.stem)?;
        }
        Ok(())
    })
}

/// The run fails with the code, Slack says why, and neither side was touched.
async fn cannot_move(env: &TestEnv, object: &Placed, code: &str, says: &str) -> Result<()> {
    let bucket = &object.version.bucket;
    let ended = env.ended(&env.respond("Credentials", object).await?).await?;
    assert_eq!((ended.error(), ended.status.as_str()), (Some(code), "FAILED"), "{:?}", ended.cause());
    assert!(ended.cause().unwrap_or_default().contains(says), "{:?}", ended.cause());
    env.shows(bucket, says).await?;
    assert_eq!(versions(env, bucket).await?.len(), 1);
    assert!(!in_quarantine(env, bucket).await?);
    Ok(())
}

#[test]
fn a_bucket_with_mfa_delete_is_left_to_people() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("mfa").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .mfa_delete(MfaDelete::Enabled)
            .build();
        let put = env.s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioning);
        put.mfa("serial 123456").send().await?;
        cannot_move(env, &object, "ObjectLocked", "MFA delete").await
    })
}

#[test]
fn an_object_whose_kms_key_is_closed_to_cordon_is_left_where_it_is() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("kms").await?;
        let key = env.kms("createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
        let put = env
            .s3
            .put_object()
            .bucket(&bucket)
            .key("key.txt")
            .body(ByteStream::from_static(b"the secret"))
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(key.as_str().context("a key has an ARN")?);
        let object = env.placed(&bucket, "key.txt", &put.send().await?, 10)?;
        env.kms("disableKey", json!({"KeyId": key})).await?;
        cannot_move(env, &object, "UnsupportedEncryption", "KMS").await
    })
}

#[test]
fn a_bucket_policy_that_denies_reading_or_removing_is_told_and_nothing_is_lost() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for (action, copied) in [("s3:GetObject", false), ("s3:DeleteObject", true)] {
            let bucket = env.bucket("denied").await?;
            let object = env.put(&bucket, "key.txt", "the secret").await?;
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action,
                "Principal": "*", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
            env.s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await?;
            let ended = env.ended(&env.respond("Credentials", &object).await?).await?;
            assert_eq!(ended.error(), Some("AccessDenied"), "{:?}", ended.cause());
            let told = ended.cause().unwrap_or_default().contains("a complete copy is in quarantine");
            assert_eq!((told, in_quarantine(env, &bucket).await?), (copied, copied), "{:?}", ended.cause());
            assert!(env.is_there(&bucket, "key.txt").await?);
            env.shows(&bucket, "AWS refused").await?;
        }
        Ok(())
    })
}

#[test]
fn a_replicated_bucket_is_moved_from_and_it_is_said_that_replicas_keep_the_data() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, replica) = (env.bucket("replicated").await?, env.bucket("replica").await?);
        for bucket in [&bucket, &replica] {
            set_versioning(env, bucket, BucketVersioningStatus::Enabled).await?;
        }
        let rule = ReplicationRule::builder()
            .status(ReplicationRuleStatus::Enabled)
            .priority(1)
            .filter(ReplicationRuleFilter::builder().prefix("").build())
            .delete_marker_replication(
                DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Disabled).build(),
            )
            .destination(Destination::builder().bucket(format!("arn:aws:s3:::{replica}")).build()?)
            .build()?;
        let role = format!("arn:aws:iam::{}:role/replication", env.sandbox.account());
        let configuration = ReplicationConfiguration::builder().role(role).rules(rule).build()?;
        let put = env.s3.put_bucket_replication().bucket(&bucket);
        put.replication_configuration(configuration).send().await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        env.shows(&bucket, "replicas keep the data").await?;
        Ok(())
    })
}

#[test]
fn a_bucket_where_the_requester_pays_is_moved_from_by_its_owner() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("requester-pays").await?;
        let payment = RequestPaymentConfiguration::builder().payer(Payer::Requester).build()?;
        let put = env.s3.put_bucket_request_payment().bucket(&bucket);
        put.request_payment_configuration(payment).send().await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        assert!(!env.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}
