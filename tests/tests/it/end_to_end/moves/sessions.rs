//! What a session of the mover or the restorer reaches.

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_sdk_sts::types::Tag;
use cordon::{
    aws::object_session::{Destination as CopyDestination, Mover, ObjectSessions, Place},
    error::Code,
};
use cordon_sandbox::{Fault, FaultRule};
use cordon_tests::{TestEnv, run_test};

#[test]
fn a_session_reaches_its_own_key_and_case_and_nothing_else() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        reaches_its_own(env, "key", "key2").await
    })
}

/// From now on STS packs no session policy of more characters than these.
fn packs_at_most(env: &TestEnv, above: usize) {
    env.sandbox.faults().inject(FaultRule {
        service: "sts".into(),
        operation: Some("AssumeRole".into()),
        principal: Some("cordon-worker".into()),
        kind: Fault::PackedPolicyTooLarge { above },
        times: u32::MAX,
    });
}

/// The exact policy of a key of 900 characters has about 1,400, the shorter one about 550.
#[test]
fn where_sts_packs_short_policies_only_objects_are_moved_and_come_back() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        packs_at_most(env, 700);
        let key = format!("statements/{}", "x".repeat(889));
        reaches_its_own(env, &key, "key2").await?;
        let bucket = env.bucket("packed").await?;
        let object = env.put(&bucket, &key, "the secret").await?;
        env.succeeded(&env.respond("Credentials", &object).await?).await?;
        assert!(!env.is_there(&bucket, &key).await?);
        let restored = env.cordon(&["restore", &object.version.case_id(), "--reason", "packed"]).await?;
        assert_eq!(restored.code, Some(0), "{restored:?}");
        assert!(env.is_there(&bucket, &key).await?);
        assert!(env.sandbox.faults().left() < u32::MAX - 3, "STS has packed every policy");
        env.sandbox.faults().clear();
        Ok(())
    })
}

#[test]
fn where_sts_packs_no_policy_the_object_stays_and_the_reason_is_told() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        packs_at_most(env, 0);
        let bucket = env.bucket("unpacked").await?;
        let object = env.put(&bucket, "key", "the secret").await?;
        let ended = env.ended(&env.respond("Credentials", &object).await?).await?;
        env.sandbox.faults().clear();
        assert_eq!(ended.status.as_str(), "FAILED", "{ended:?}");
        assert!(ended.cause().unwrap_or_default().contains("Packed policy"), "{:?}", ended.cause());
        assert!(env.is_there(&bucket, "key").await?);
        env.shows(&bucket, "Packed policy").await?;
        Ok(())
    })
}

/// With sessions for an object of this key: another key of the bucket, and another case, are out of reach.
async fn reaches_its_own(env: &TestEnv, key: &str, other_key: &str) -> Result<()> {
    let bucket = env.bucket("session").await?;
    let (mine, other) = (env.put(&bucket, key, "mine").await?, env.put(&bucket, other_key, "other").await?);
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
    denied(mover.delete_current(&elsewhere, &other.version.etag).await.err().and_then(|error| error.code()));
    let copies = [
        // Another case's prefix, another key of the bucket, and its own key: a mover writes to quarantine only.
        mover.in_quarantine(&format!("{}/{bucket}/another/1/object", env.sandbox.account())),
        elsewhere.clone(),
        Place { key: "key3".into(), ..place.clone() },
        place.clone(),
    ];
    for to in copies {
        let over = (to == place).then_some(seen.etag.as_str());
        let copied =
            mover.copy_object(&place, None, &seen, CopyDestination { place: &to, over, like: None }).await;
        denied(copied.err().and_then(|error| error.code()));
    }
    // With the mover's methods: what the type lacks, the role must refuse too.
    let restorer = movers("restorer_role_name")?.open(&place, &mine.version.case_id()).await?;
    denied(restorer.delete_current(&place, &mine.version.etag).await.err().and_then(|error| error.code()));
    assert!(env.is_there(&bucket, key).await? && env.is_there(&bucket, other_key).await?);
    Ok(())
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
            let prefix = format!("{bucket}/key");
            for wrong in [
                &[][..],
                &[("CordonBucket", &*bucket)],
                &[("CordonCase", &*case)],
                &[("CordonBucket", &*prefix), ("CordonCase", &*case)],
            ] {
                assert!(assume(wrong).await.is_err(), "{role} is taken with {wrong:?}");
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
