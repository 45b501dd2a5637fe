//! What S3 can throw at a move: versions, sizes, keys, and objects that cannot be moved.

mod obstacles;
mod sessions;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
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
use cordon_domain::{case::OutcomeResult, manifest::Manifest};
use cordon_sandbox::{CallFilter, Fault, FaultRule};
use cordon_tests::{ALICE, FALLBACK, Placed, TestEnv, eventually, run_test};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand::Rng;
use serde_json::json;

async fn set_versioning(env: &TestEnv, bucket: &str, status: BucketVersioningStatus) -> Result<()> {
    let versioning = VersioningConfiguration::builder().status(status).build();
    env.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await?;
    Ok(())
}

/// The ids of the versions of a bucket that have bytes.
async fn versions(env: &TestEnv, bucket: &str) -> Result<Vec<String>> {
    let listed = env.s3.list_object_versions().bucket(bucket).send().await?;
    Ok(listed.versions().iter().filter_map(|version| version.version_id.clone()).collect())
}

async fn manifest(env: &TestEnv, object: &Placed) -> Result<Manifest> {
    let case = env.case(object).await?;
    let key = case.quarantine.newest_copy().context("a copy in quarantine")?.key.clone();
    let quarantine = env.deployment.output("quarantine_bucket")?;
    let key = key.replace("/object", "/manifest.json");
    let read = env.s3.get_object().bucket(quarantine).key(key).send().await?.body.collect().await?;
    Ok(serde_json::from_slice(&read.to_vec())?)
}

/// Whether anything of a bucket is in quarantine.
async fn in_quarantine(env: &TestEnv, bucket: &str) -> Result<bool> {
    let prefix = format!("{}/{bucket}/", env.sandbox.account());
    let quarantine = env.deployment.output("quarantine_bucket")?;
    Ok(env.s3.list_objects_v2().bucket(quarantine).prefix(prefix).send().await?.key_count() > Some(0))
}

#[test]
fn where_policy_names_all_versions_none_is_left_after_a_person_has_said_so() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("all").await?;
        let before = env.put(&bucket, "key.txt", "before there were versions").await?;
        set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
        let reported = env.put(&bucket, "key.txt", "the secret").await?;
        let newest = env.put(&bucket, "key.txt", "the secret, once more").await?;
        let neighbor = env.put(&bucket, "key.txt.bak", "another key").await?;
        let run = env.respond("Credentials", &reported).await?;
        // Nothing was found in the two others: whoever writes a secret over an object does not have that object removed.
        let message = env.shows(&bucket, "2 of 3 have no finding of their own").await?;
        assert_eq!(versions(env, &bucket).await?.len(), 4);
        assert_eq!(env.click(FALLBACK, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;

        assert_eq!(versions(env, &bucket).await?, [neighbor.version.version_id.unwrap()]);
        let manifest = manifest(env, &reported).await?;
        let moved: Vec<_> = manifest.entries.iter().map(|entry| &entry.source).collect();
        assert_eq!(moved, [&newest.version, &reported.version, &before.version], "newest first");
        env.shows(&bucket, "Moved all 3 versions").await?;
        Ok(())
    })
}

#[test]
fn all_versions_are_moved_at_once_where_each_has_a_finding_of_its_own() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("all").await?;
        set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
        let first = env.put(&bucket, "key.txt", "the secret").await?;
        let second = env.put(&bucket, "key.txt", "the secret, once more").await?;
        env.respond("Credentials", &first).await?;
        env.shows(&bucket, "1 of 2 have no finding of their own").await?;
        env.succeeded(&env.respond("Credentials", &second).await?).await?;
        assert_eq!(versions(env, &bucket).await?, Vec::<String>::new());
        Ok(())
    })
}

#[test]
fn an_expiry_takes_no_version_along_in_which_nothing_was_found() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("expiry-takes-all").await?;
        set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
        env.put(&bucket, "key.txt", "somebody's work").await?;
        let reported = env.put(&bucket, "key.txt", "the secret").await?;
        let run = env.respond("Credentials", &reported).await?;
        let message = env.asked(&bucket).await?;
        // Nobody decides, and people are asked again.
        eventually("the second round", async || {
            let case = env.case(&reported).await?;
            ensure!(case.decision().is_none(), "it has expired");
            Ok((case.approval.asked == 2).then_some(()))
        })
        .await?;
        assert_eq!(versions(env, &bucket).await?.len(), 2);
        assert_eq!(env.click(ALICE, &message, "quarantine:").await?, 200);
        env.succeeded(&run).await?;
        assert_eq!(versions(env, &bucket).await?, [""; 0]);
        Ok(())
    })
}

#[test]
fn a_version_that_is_no_longer_current_is_moved_and_the_newer_one_stays() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("noncurrent").await?;
        set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
        let reported = env.put(&bucket, "key.txt", "the secret").await?;
        let newer = env.put(&bucket, "key.txt", "somebody's work").await?;
        env.succeeded(&env.respond("Credentials", &reported).await?).await?;
        assert_eq!(versions(env, &bucket).await?, [newer.version.version_id.unwrap()]);
        assert!(env.is_there(&bucket, "key.txt").await?, "the newer version is current still");
        assert_eq!(manifest(env, &reported).await?.versions_left, 1);
        Ok(())
    })
}

#[test]
fn versioning_that_was_enabled_or_suspended_after_the_scan_is_handled() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for later in [BucketVersioningStatus::Enabled, BucketVersioningStatus::Suspended] {
            let bucket = env.bucket("later").await?;
            let reported = env.put(&bucket, "key.txt", "the secret").await?;
            set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
            set_versioning(env, &bucket, later).await?;
            env.succeeded(&env.respond("Credentials", &reported).await?).await?;
            assert_eq!(versions(env, &bucket).await?, [""; 0]);
        }
        Ok(())
    })
}

/// Whatever is written to a bucket with suspended versioning replaces its null version, a delete marker too.
#[test]
fn where_versioning_is_suspended_nothing_is_done_that_could_cost_a_null_version() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for null_is_reported in [true, false] {
            let bucket = env.bucket("buried").await?;
            let null = env.put(&bucket, "key.txt", "before there were versions").await?;
            set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
            let newer = env.put(&bucket, "key.txt", "newer").await?;
            set_versioning(env, &bucket, BucketVersioningStatus::Suspended).await?;
            let reported = if null_is_reported { &null } else { &newer };
            let ended = env.ended(&env.respond("Credentials", reported).await?).await?;
            assert_eq!(ended.error(), Some("RequestRejected"));
            let cause = ended.cause().unwrap_or_default();
            assert!(cause.contains("Nothing was touched") && cause.contains("Enable versioning"), "{cause}");
            assert_eq!(versions(env, &bucket).await?.len(), 2);
            assert!(!in_quarantine(env, &bucket).await?);
        }
        Ok(())
    })
}

#[test]
fn a_put_between_verification_and_removal_is_never_removed_and_macie_looks_at_it() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        for suspended in [false, true] {
            let bucket = env.bucket("overwritten").await?;
            if suspended {
                set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
                set_versioning(env, &bucket, BucketVersioningStatus::Suspended).await?;
            }
            let found = env.put(&bucket, "key.txt", "the secret").await?;
            env.sandbox.faults().inject(FaultRule {
                service: "s3".into(),
                operation: Some("DeleteObject".into()),
                principal: Some("cordon-mover".into()),
                kind: Fault::Latency(Duration::from_secs(5)),
                times: 1,
            });
            let run = env.respond("Credentials", &found).await?;
            eventually("the manifest", async || {
                let filter = CallFilter { operation: Some("PutObject".into()), ..CallFilter::default() };
                let calls = env.sandbox.calls().select(&filter);
                let manifest = format!("{}/1/manifest.json", found.version.case_id());
                Ok(calls.iter().any(|call| call.path.contains(&manifest)).then_some(()))
            })
            .await?;
            env.put(&bucket, "key.txt", "new keys: 5163200000000008").await?;
            env.succeeded(&run).await?;
            env.sandbox.faults().clear();
            assert!(env.is_there(&bucket, "key.txt").await?);
            assert_eq!(env.case(&found).await?.outcome().unwrap().result, OutcomeResult::ObjectChanged);
            // The card number in what was put is found although the bucket is shared with nobody.
            env.asked(&bucket).await?;
        }
        Ok(())
    })
}

#[test]
fn with_full_verification_both_sides_are_read() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("full").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        let manifest = manifest(env, &object).await?;
        let read = manifest.entries[0].verification.read.as_deref();
        // SHA-256 of "the secret".
        assert_eq!(read, Some("368a693d784c7d1957ec748148a5de1e1f2e97f1f6360c69b0cfcf6471bbbf07"));
        Ok(())
    })
}

#[test]
fn metadata_tags_and_headers_at_their_limits_are_carried() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("limits").await?;
        let tags: Vec<_> = (0..10).map(|n| format!("tag{n}=value+{n}")).collect();
        let put = env.s3.put_object().bucket(&bucket).key("empty").body(ByteStream::from_static(b""));
        let put = put
            .tagging(tags.join("&"))
            .metadata("notes", "x".repeat(2_000))
            .content_type("text/csv; charset=utf-8")
            .cache_control("no-store")
            .send()
            .await?;
        let object = env.placed(&bucket, "empty", &put, 0)?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;

        let moved = manifest(env, &object).await?.entries.remove(0);
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let head = env.s3.head_object().bucket(quarantine).key(&moved.quarantine.key).send().await?;
        assert_eq!(head.metadata().unwrap()["notes"].len(), 2_000);
        assert_eq!(head.content_type(), Some("text/csv; charset=utf-8"));
        assert_eq!(head.cache_control(), Some("no-store"));
        let tagging = env.s3.get_object_tagging().bucket(quarantine).key(&moved.quarantine.key);
        assert_eq!(tagging.send().await?.tag_set().len(), 10);
        Ok(())
    })
}

#[test]
fn of_two_runs_for_the_same_object_one_moves_it() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("both").await?;
        let object = env.put(&bucket, "key.txt", "the secret").await?;
        let findings = [env.finding("Credentials", &object), env.finding("Credentials", &object)];
        for id in &findings {
            env.sandbox.macie().publish_finding(id).await?;
        }
        for id in &findings {
            env.succeeded(&env.run_for(id).await?).await?;
        }
        env.shows(&bucket, "Quarantined.").await?;
        assert_eq!(env.messages(&bucket).len(), 1);
        assert_eq!(env.case(&object).await?.generation, 1);
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
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("keys").await?;
        let keys: Vec<String> =
            ODD_KEYS.iter().map(|key| (*key).to_owned()).chain(keys_at_random()).collect();
        let mut decoys: Vec<String> = ODD_KEYS.iter().flat_map(|key| neighbors(key)).collect();
        decoys.retain(|decoy| !keys.contains(decoy));
        decoys.sort();
        decoys.dedup();
        for decoy in &decoys {
            env.put(&bucket, decoy, "harmless").await?;
        }
        let mut findings = Vec::new();
        for key in &keys {
            let object = env.put(&bucket, key, "the secret").await?;
            let id = env.finding("Credentials", &object);
            env.sandbox.macie().publish_finding(&id).await?;
            findings.push((id, key));
        }
        for (id, key) in findings {
            let run = env.run_for(&id).await?;
            env.succeeded(&run).await.with_context(|| format!("{key:?}"))?;
        }
        let listed = env.s3.list_object_versions().bucket(&bucket).encoding_type(EncodingType::Url);
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
fn neighbors(key: &str) -> [String; 3] {
    [format!("{key}x"), utf8_percent_encode(key, NON_ALPHANUMERIC).to_string(), key.trim().to_owned()]
}
