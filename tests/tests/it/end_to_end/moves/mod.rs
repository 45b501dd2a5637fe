//! What S3 can throw at a move: versions, sizes, keys, and objects that cannot be moved.

mod obstacles;

use std::time::Duration;

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
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
use aws_sdk_sts::types::Tag;
use cordon::{
    aws::object_session::{Destination as CopyDestination, Mover, ObjectSessions, Place},
    error::Code,
};
use cordon_domain::{case::OutcomeResult, manifest::Manifest};
use cordon_sandbox::{CallFilter, Fault, FaultRule};
use cordon_tests::{Placed, TestEnv, eventually, run_test};
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
fn where_policy_names_all_versions_none_is_left() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("all").await?;
        let before = env.put(&bucket, "key.txt", "before there were versions").await?;
        set_versioning(env, &bucket, BucketVersioningStatus::Enabled).await?;
        let reported = env.put(&bucket, "key.txt", "the secret").await?;
        let newest = env.put(&bucket, "key.txt", "the secret, once more").await?;
        let neighbor = env.put(&bucket, "key.txt.bak", "another key").await?;
        env.succeeded(&env.respond("Credentials", &reported).await?).await?;

        assert_eq!(versions(env, &bucket).await?, [neighbor.version.version_id.unwrap()]);
        let manifest = manifest(env, &reported).await?;
        let moved: Vec<_> = manifest.entries.iter().map(|entry| &entry.source).collect();
        assert_eq!(moved, [&newest.version, &reported.version, &before.version], "newest first");
        env.shows(&bucket, "Moved all 3 versions").await?;
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

#[test]
fn a_session_reaches_its_own_key_and_case_and_nothing_else() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("session").await?;
        let (mine, other) =
            (env.put(&bucket, "key", "mine").await?, env.put(&bucket, "key2", "other").await?);
        let worker = env.worker_config().await?;
        let movers = |role: &str| -> Result<ObjectSessions<Mover>> {
            Ok(ObjectSessions::<Mover>::new(
                &worker,
                format!("arn:aws:iam::{}:role/{}", env.sandbox.account(), env.deployment.output(role)?),
                env.deployment.output("quarantine_bucket")?.to_owned(),
                env.sandbox.account().to_owned(),
                1 << 30,
            ))
        };
        let (place, elsewhere) = (Place::of(&mine.version), Place::of(&other.version));
        let mover = movers("mover_role_name")?.open(&place, &mine.version.case_id()).await?;
        let seen = mover.head_object(&place, None).await?.context("the session sees its own object")?;
        let denied = |code: Option<Code>| assert_eq!(code, Some(Code::AccessDenied));
        denied(mover.head_object(&elsewhere, None).await.err().and_then(|error| error.code()));
        denied(
            mover.delete_current(&elsewhere, &other.version.etag).await.err().and_then(|error| error.code()),
        );
        let copies = [
            // Another case's prefix, another key of the bucket, and its own key: a mover writes to quarantine only.
            mover.in_quarantine(&format!("{}/{bucket}/another/1/object", env.sandbox.account())),
            elsewhere.clone(),
            Place { key: "key3".into(), ..place.clone() },
            place.clone(),
        ];
        for to in copies {
            let over = (to == place).then_some(seen.etag.as_str());
            let copied = mover
                .copy_object(&place, None, &seen, CopyDestination { place: &to, over, like: None })
                .await;
            denied(copied.err().and_then(|error| error.code()));
        }
        // With the mover's methods: what the type lacks, the role must refuse too.
        let restorer = movers("restorer_role_name")?.open(&place, &mine.version.case_id()).await?;
        denied(
            restorer.delete_current(&place, &mine.version.etag).await.err().and_then(|error| error.code()),
        );
        assert!(env.is_there(&bucket, "key").await? && env.is_there(&bucket, "key2").await?);
        Ok(())
    })
}

/// A worker that asks for more than one object gets no more than one bucket and one case.
#[test]
fn whatever_a_worker_asks_for_the_roles_reach_only_what_the_tags_of_the_session_name() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let (bucket, other) = (env.bucket("tagged").await?, env.bucket("tagged").await?);
        for bucket in [&bucket, &other] {
            env.put(bucket, "key", "text").await?;
        }
        let sts = aws_sdk_sts::Client::new(&env.worker_config().await?);
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let case = "c0ffee".repeat(10);
        for role in ["mover_role_name", "restorer_role_name"] {
            let arn = format!("arn:aws:iam::{}:role/{}", env.sandbox.account(), env.deployment.output(role)?);
            // Without a session policy, which is the caller's to give.
            let assume = |tags: &[(&str, &str)]| {
                let tag = |&(key, value): &(&str, &str)| Tag::builder().key(key).value(value).build();
                let tags: Vec<_> = tags.iter().map(tag).collect::<Result<_, _>>().expect("key and value");
                sts.assume_role().role_arn(&arn).role_session_name("wide").set_tags(Some(tags)).send()
            };
            for too_few in [&[][..], &[("CordonBucket", &*bucket)], &[("CordonCase", &*case)]] {
                assert!(assume(too_few).await.is_err(), "{role} is taken with {too_few:?}");
            }
            let keys = assume(&[("CordonBucket", &bucket), ("CordonCase", &case)]).await?;
            let keys = keys.credentials.context("credentials")?;
            let token = Some(keys.session_token);
            let keys = Credentials::new(keys.access_key_id, keys.secret_access_key, token, None, "wide");
            let config = aws_sdk_s3::config::Builder::from(&env.root).credentials_provider(keys).build();
            let s3 = aws_sdk_s3::Client::from_conf(config);
            s3.get_object().bucket(&bucket).key("key").send().await?;
            assert!(
                s3.get_object().bucket(&other).key("key").send().await.is_err(),
                "{role}: another bucket"
            );
            let listed = s3.list_objects_v2().bucket(&other).send().await;
            assert!(listed.is_err(), "{role}: the keys of another bucket");
            let key = |case: &str| format!("{}/{bucket}/{case}/1/object", env.sandbox.account());
            let there = s3.head_object().bucket(quarantine).key(key(&case)).send().await;
            assert_eq!(
                there.err().and_then(|error| Some(error.raw_response()?.status().as_u16())),
                Some(404)
            );
            let there = s3.head_object().bucket(quarantine).key(key("another")).send().await;
            assert_eq!(
                there.err().and_then(|error| Some(error.raw_response()?.status().as_u16())),
                Some(403)
            );
        }
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
