//! What S3 can throw at a move: versions, sizes, keys, and objects that cannot be moved.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_s3::{
    operation::put_object::builders::PutObjectFluentBuilder,
    primitives::{ByteStream, DateTime},
    types::{
        BucketVersioningStatus, DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination,
        EncodingType, MfaDelete, ObjectLockLegalHoldStatus, ObjectLockMode, Payer, ReplicationConfiguration,
        ReplicationRule, ReplicationRuleFilter, ReplicationRuleStatus, RequestPaymentConfiguration,
        ServerSideEncryption, StorageClass, VersioningConfiguration,
    },
};
use cordon::{
    aws::object_session::{Destination as CopyDestination, Movers, Place},
    error::Code,
};
use cordon_domain::{case::OutcomeResult, manifest::Manifest};
use cordon_sandbox::{CallFilter, Fault, FaultRule};
use cordon_tests::{Placed, Stage, eventually, on_stage};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand::Rng;
use serde_json::json;

async fn set_versioning(stage: &Stage, bucket: &str, status: BucketVersioningStatus) -> Result<()> {
    let versioning = VersioningConfiguration::builder().status(status).build();
    stage.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await?;
    Ok(())
}

/// The ids of the versions of a bucket that have bytes.
async fn versions(stage: &Stage, bucket: &str) -> Result<Vec<String>> {
    let listed = stage.s3.list_object_versions().bucket(bucket).send().await?;
    Ok(listed.versions().iter().filter_map(|version| version.version_id.clone()).collect())
}

async fn manifest(stage: &Stage, object: &Placed) -> Result<Manifest> {
    let case = stage.case(object).await?;
    let key = case.quarantine_copy.context("a copy in quarantine")?.key;
    let quarantine = stage.deployment.output("quarantine_bucket")?;
    let key = key.replace("/object", "/manifest.json");
    let read = stage.s3.get_object().bucket(quarantine).key(key).send().await?.body.collect().await?;
    Ok(serde_json::from_slice(&read.to_vec())?)
}

/// Whether anything of a bucket is in quarantine.
async fn in_quarantine(stage: &Stage, bucket: &str) -> Result<bool> {
    let prefix = format!("{}/{bucket}/", stage.sandbox.account());
    let quarantine = stage.deployment.output("quarantine_bucket")?;
    Ok(stage.s3.list_objects_v2().bucket(quarantine).prefix(prefix).send().await?.key_count() > Some(0))
}

#[test]
fn where_policy_names_all_versions_none_is_left() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("all").await?;
        let before = stage.put(&bucket, "key.txt", "before there were versions").await?;
        set_versioning(stage, &bucket, BucketVersioningStatus::Enabled).await?;
        let reported = stage.put(&bucket, "key.txt", "the secret").await?;
        let newest = stage.put(&bucket, "key.txt", "the secret, once more").await?;
        let neighbour = stage.put(&bucket, "key.txt.bak", "another key").await?;
        stage.succeeded(&stage.respond("Credentials", &reported).await?).await?;

        assert_eq!(versions(stage, &bucket).await?, [neighbour.version.version_id.unwrap()]);
        let manifest = manifest(stage, &reported).await?;
        let moved: Vec<_> = manifest.entries.iter().map(|entry| &entry.source).collect();
        assert_eq!(moved, [&newest.version, &reported.version, &before.version], "newest first");
        stage.shows(&bucket, "Moved all 3 versions").await?;
        Ok(())
    })
}

#[test]
fn a_version_that_is_no_longer_current_is_moved_and_the_newer_one_stays() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("noncurrent").await?;
        set_versioning(stage, &bucket, BucketVersioningStatus::Enabled).await?;
        let reported = stage.put(&bucket, "key.txt", "the secret").await?;
        let newer = stage.put(&bucket, "key.txt", "somebody's work").await?;
        stage.succeeded(&stage.respond("Credentials", &reported).await?).await?;
        assert_eq!(versions(stage, &bucket).await?, [newer.version.version_id.unwrap()]);
        assert!(stage.is_there(&bucket, "key.txt").await?, "the newer version is current still");
        assert_eq!(manifest(stage, &reported).await?.versions_left, 1);
        Ok(())
    })
}

#[test]
fn versioning_that_was_enabled_or_suspended_after_the_scan_is_handled() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        for later in [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended] {
            let bucket = stage.bucket("later").await?;
            let reported = stage.put(&bucket, "key.txt", "the secret").await?;
            set_versioning(stage, &bucket, BucketVersioningStatus::Enabled).await?;
            set_versioning(stage, &bucket, later).await?;
            stage.succeeded(&stage.respond("Credentials", &reported).await?).await?;
            assert_eq!(versions(stage, &bucket).await?, [""; 0]);
        }
        Ok(())
    })
}

/// Whatever is written to a bucket with suspended versioning replaces its null version, a delete marker too.
#[test]
fn where_versioning_is_suspended_nothing_is_done_that_could_cost_a_null_version() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        for null_is_reported in [true, false] {
            let bucket = stage.bucket("buried").await?;
            let null = stage.put(&bucket, "key.txt", "before there were versions").await?;
            set_versioning(stage, &bucket, BucketVersioningStatus::Enabled).await?;
            let newer = stage.put(&bucket, "key.txt", "newer").await?;
            set_versioning(stage, &bucket, BucketVersioningStatus::Suspended).await?;
            let reported = if null_is_reported { &null } else { &newer };
            let ended = stage.ended(&stage.respond("Credentials", reported).await?).await?;
            assert_eq!(ended.error(), Some("RequestRejected"));
            let cause = ended.cause().unwrap_or_default();
            assert!(cause.contains("Nothing was touched") && cause.contains("Enable versioning"), "{cause}");
            assert_eq!(versions(stage, &bucket).await?.len(), 2);
            assert!(!in_quarantine(stage, &bucket).await?);
        }
        Ok(())
    })
}

#[test]
fn a_put_between_verification_and_removal_is_never_removed_and_macie_looks_at_it() -> Result<()> {
    on_stage(async {
        let (stage, _alone) = Stage::alone().await?;
        for suspended in [false, true] {
            let bucket = stage.bucket("overwritten").await?;
            if suspended {
                set_versioning(stage, &bucket, BucketVersioningStatus::Enabled).await?;
                set_versioning(stage, &bucket, BucketVersioningStatus::Suspended).await?;
            }
            let found = stage.put(&bucket, "key.txt", "the secret").await?;
            stage.sandbox.faults().inject(FaultRule {
                service: "s3".into(),
                operation: Some("DeleteObject".into()),
                principal: Some("cordon-mover".into()),
                kind: Fault::Latency(Duration::from_secs(5)),
                times: 1,
            });
            let run = stage.respond("Credentials", &found).await?;
            eventually("the manifest", async || {
                let filter = CallFilter { operation: Some("PutObject".into()), ..CallFilter::default() };
                let calls = stage.sandbox.calls().select(&filter);
                let manifest = format!("{}/1/manifest.json", found.version.case_id());
                Ok(calls.iter().any(|call| call.path.contains(&manifest)).then_some(()))
            })
            .await?;
            stage.put(&bucket, "key.txt", "new keys: 5163200000000008").await?;
            stage.succeeded(&run).await?;
            stage.sandbox.faults().clear();
            assert!(stage.is_there(&bucket, "key.txt").await?);
            assert_eq!(stage.case(&found).await?.outcome.unwrap().result, OutcomeResult::ObjectChanged);
            // The card number in what was put is found although the bucket is shared with nobody.
            stage.asked(&bucket).await?;
        }
        Ok(())
    })
}

#[test]
fn with_full_verification_both_sides_are_read() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("full").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        let manifest = manifest(stage, &object).await?;
        let read = manifest.entries[0].verification.read.as_deref();
        // SHA-256 of "the secret".
        assert_eq!(read, Some("368a693d784c7d1957ec748148a5de1e1f2e97f1f6360c69b0cfcf6471bbbf07"));
        Ok(())
    })
}

#[test]
fn metadata_tags_and_headers_at_their_limits_are_carried() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("limits").await?;
        let tags: Vec<_> = (0..10).map(|n| format!("tag{n}=value+{n}")).collect();
        let put = stage.s3.put_object().bucket(&bucket).key("empty").body(ByteStream::from_static(b""));
        let put = put
            .tagging(tags.join("&"))
            .metadata("notes", "x".repeat(2_000))
            .content_type("text/csv; charset=utf-8")
            .cache_control("no-store")
            .send()
            .await?;
        let object = stage.placed(&bucket, "empty", &put, 0)?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;

        let moved = manifest(stage, &object).await?.entries.remove(0);
        let quarantine = stage.deployment.output("quarantine_bucket")?;
        let head = stage.s3.head_object().bucket(quarantine).key(&moved.quarantine.key).send().await?;
        assert_eq!(head.metadata().unwrap()["notes"].len(), 2_000);
        assert_eq!(head.content_type(), Some("text/csv; charset=utf-8"));
        assert_eq!(head.cache_control(), Some("no-store"));
        let tagging = stage.s3.get_object_tagging().bucket(quarantine).key(&moved.quarantine.key);
        assert_eq!(tagging.send().await?.tag_set().len(), 10);
        Ok(())
    })
}

#[test]
fn of_two_runs_for_the_same_object_one_moves_it() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("both").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        let findings = [stage.finding("Credentials", &object), stage.finding("Credentials", &object)];
        for id in &findings {
            stage.sandbox.macie().publish_finding(id).await?;
        }
        for id in &findings {
            stage.succeeded(&stage.run_for(id).await?).await?;
        }
        stage.shows(&bucket, "Quarantined.").await?;
        assert_eq!(stage.messages(&bucket).len(), 1);
        assert_eq!(stage.case(&object).await?.generation, 1);
        Ok(())
    })
}

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
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        for obstacle in OBSTACLES {
            let bucket = stage.bucket(obstacle.stem).await?;
            if obstacle.lockable {
                stage.s3.delete_bucket().bucket(&bucket).send().await?;
                let lockable = stage.s3.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true);
                lockable.send().await?;
            }
            let body = ByteStream::from_static(b"the secret");
            let put = (obstacle.put)(stage.s3.put_object().bucket(&bucket).key("key.txt").body(body));
            let object = stage.placed(&bucket, "key.txt", &put.send().await?, 10)?;
            cannot_move(stage, &object, obstacle.code, obstacle.says).await.context(obstacle.stem)?;
        }
        Ok(())
    })
}

/// The run fails with the code, Slack says why, and neither side was touched.
async fn cannot_move(stage: &Stage, object: &Placed, code: &str, says: &str) -> Result<()> {
    let bucket = &object.version.bucket;
    let ended = stage.ended(&stage.respond("Credentials", object).await?).await?;
    assert_eq!((ended.error(), ended.status.as_str()), (Some(code), "FAILED"), "{:?}", ended.cause());
    assert!(ended.cause().unwrap_or_default().contains(says), "{:?}", ended.cause());
    stage.shows(bucket, says).await?;
    assert_eq!(versions(stage, bucket).await?.len(), 1);
    assert!(!in_quarantine(stage, bucket).await?);
    Ok(())
}

#[test]
fn a_bucket_with_mfa_delete_is_left_to_people() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("mfa").await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .mfa_delete(MfaDelete::Enabled)
            .build();
        let put = stage.s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(versioning);
        put.mfa("serial 123456").send().await?;
        cannot_move(stage, &object, "ObjectLocked", "MFA delete").await
    })
}

#[test]
fn an_object_whose_kms_key_is_closed_to_cordon_is_left_where_it_is() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("kms").await?;
        let key = stage.kms("createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
        let put = stage
            .s3
            .put_object()
            .bucket(&bucket)
            .key("key.txt")
            .body(ByteStream::from_static(b"the secret"))
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .ssekms_key_id(key.as_str().context("a key has an ARN")?);
        let object = stage.placed(&bucket, "key.txt", &put.send().await?, 10)?;
        stage.kms("disableKey", json!({"KeyId": key})).await?;
        cannot_move(stage, &object, "UnsupportedEncryption", "KMS").await
    })
}

#[test]
fn a_bucket_policy_that_denies_reading_or_removing_is_told_and_nothing_is_lost() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        for (action, copied) in [("s3:GetObject", false), ("s3:DeleteObject", true)] {
            let bucket = stage.bucket("denied").await?;
            let object = stage.put(&bucket, "key.txt", "the secret").await?;
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action,
                "Principal": "*", "Resource": format!("arn:aws:s3:::{bucket}/*")}]});
            stage.s3.put_bucket_policy().bucket(&bucket).policy(policy.to_string()).send().await?;
            let ended = stage.ended(&stage.respond("Credentials", &object).await?).await?;
            assert_eq!(ended.error(), Some("AccessDenied"), "{:?}", ended.cause());
            let told = ended.cause().unwrap_or_default().contains("a complete copy is in quarantine");
            assert_eq!((told, in_quarantine(stage, &bucket).await?), (copied, copied), "{:?}", ended.cause());
            assert!(stage.is_there(&bucket, "key.txt").await?);
            stage.shows(&bucket, "AWS refused").await?;
        }
        Ok(())
    })
}

#[test]
fn a_replicated_bucket_is_moved_from_and_it_is_said_that_replicas_keep_the_data() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let (bucket, replica) = (stage.bucket("replicated").await?, stage.bucket("replica").await?);
        for bucket in [&bucket, &replica] {
            set_versioning(stage, bucket, BucketVersioningStatus::Enabled).await?;
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
        let role = format!("arn:aws:iam::{}:role/replication", stage.sandbox.account());
        let configuration = ReplicationConfiguration::builder().role(role).rules(rule).build()?;
        let put = stage.s3.put_bucket_replication().bucket(&bucket);
        put.replication_configuration(configuration).send().await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        stage.shows(&bucket, "replicas keep the data").await?;
        Ok(())
    })
}

#[test]
fn a_bucket_where_the_requester_pays_is_moved_from_by_its_owner() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("requester-pays").await?;
        let payment = RequestPaymentConfiguration::builder().payer(Payer::Requester).build()?;
        let put = stage.s3.put_bucket_request_payment().bucket(&bucket);
        put.request_payment_configuration(payment).send().await?;
        let object = stage.put(&bucket, "key.txt", "the secret").await?;
        stage.succeeded(&stage.respond("Credentials", &object).await?).await?;
        assert!(!stage.is_there(&bucket, "key.txt").await?);
        Ok(())
    })
}

#[test]
fn a_session_reaches_its_own_key_and_case_and_nothing_else() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("session").await?;
        let (mine, other) =
            (stage.put(&bucket, "key", "mine").await?, stage.put(&bucket, "key2", "other").await?);
        let worker = stage.worker_config().await?;
        let movers = |role: &str| -> Result<Movers> {
            Ok(Movers::new(
                &worker,
                format!("arn:aws:iam::{}:role/{}", stage.sandbox.account(), stage.deployment.output(role)?),
                stage.deployment.output("quarantine_bucket")?.to_owned(),
                stage.sandbox.account().to_owned(),
                1 << 30,
            ))
        };
        let (place, elsewhere) = (Place::of(&mine.version), Place::of(&other.version));
        let mover = movers("mover_role_name")?.open(&place, &mine.version.case_id()).await?;
        let seen = mover.look(&place, None).await?.context("the session sees its own object")?;
        let denied = |code: Option<Code>| assert_eq!(code, Some(Code::AccessDenied));
        denied(mover.look(&elsewhere, None).await.err().and_then(|error| error.code()));
        denied(
            mover.remove_current(&elsewhere, &other.version.etag).await.err().and_then(|error| error.code()),
        );
        let copies = [
            // Another case's prefix, another key of the bucket, and its own key: a mover writes to quarantine only.
            mover.in_quarantine(&format!("{}/{bucket}/another/1/object", stage.sandbox.account())),
            elsewhere.clone(),
            Place { key: "key3".into(), ..place.clone() },
            place.clone(),
        ];
        for to in copies {
            let over = (to == place).then_some(seen.etag.as_str());
            let copied =
                mover.copy(&place, None, &seen, CopyDestination { place: &to, over, like: None }).await;
            denied(copied.err().and_then(|error| error.code()));
        }
        let restorer = movers("restorer_role_name")?.open(&place, &mine.version.case_id()).await?;
        denied(
            restorer.remove_current(&place, &mine.version.etag).await.err().and_then(|error| error.code()),
        );
        assert!(stage.is_there(&bucket, "key").await? && stage.is_there(&bucket, "key2").await?);
        Ok(())
    })
}

/// Keys that something on the way is known to spoil.
const ODD_KEYS: &[&str] = &[
    " leading and trailing ",
    "a+b%2Bc%20d",
    "100%",
    "what?versionId=null#fragment&a=b",
    "\"quotes\" 'and' <tags> & more",
    "new\nline\r\ttab",
    "control \u{1} character",
    "../up",
    "a/./b/../c",
    "/leading//double/",
    "*?$ {policy} ${aws:username}",
    "e\u{301} decomposed",
    "é composed",
    "😀/ключ/鍵",
];

/// Keys of any characters, some as long as a key may be.
fn keys_at_random() -> Vec<String> {
    let mut rng = rand::rng();
    let key = |_| {
        let most = if rng.random_ratio(1, 8) { 1_024 } else { 40 };
        let mut key = String::new();
        loop {
            let next: char = rng.random_range('\u{1}'..='\u{1FFFF}');
            if key.len() + next.len_utf8() > most {
                return key;
            }
            key.push(next);
        }
    };
    (0..24).map(key).collect()
}

#[test]
fn any_key_is_moved_and_no_other() -> Result<()> {
    on_stage(async {
        let (stage, _shared) = Stage::shared().await?;
        let bucket = stage.bucket("keys").await?;
        let keys: Vec<String> =
            ODD_KEYS.iter().map(|key| (*key).to_owned()).chain(keys_at_random()).collect();
        let mut decoys: Vec<String> = ODD_KEYS.iter().flat_map(|key| neighbours(key)).collect();
        decoys.retain(|decoy| !keys.contains(decoy));
        decoys.sort();
        decoys.dedup();
        for decoy in &decoys {
            stage.put(&bucket, decoy, "harmless").await?;
        }
        let mut findings = Vec::new();
        for key in &keys {
            let object = stage.put(&bucket, key, "the secret").await?;
            let id = stage.finding("Credentials", &object);
            stage.sandbox.macie().publish_finding(&id).await?;
            findings.push((id, key));
        }
        for (id, key) in findings {
            let run = stage.run_for(&id).await?;
            stage.succeeded(&run).await.with_context(|| format!("{key:?}"))?;
        }
        let listed = stage.s3.list_object_versions().bucket(&bucket).encoding_type(EncodingType::Url);
        let mut left = Vec::new();
        for version in listed.send().await?.versions() {
            let key = version.key().unwrap_or_default().replace('+', " ");
            left.push(percent_decode_str(&key).decode_utf8()?.into_owned());
        }
        left.sort();
        assert_eq!(left, decoys);
        Ok(())
    })
}

/// Keys that are easily taken for this one: with something after it, encoded once more, and without its spaces.
fn neighbours(key: &str) -> [String; 3] {
    [format!("{key}x"), utf8_percent_encode(key, NON_ALPHANUMERIC).to_string(), key.trim().to_owned()]
}
