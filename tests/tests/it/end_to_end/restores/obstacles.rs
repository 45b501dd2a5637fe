//! What keeps an object from being put back, and what a person is told then.

use super::*;

#[test]
fn into_a_bucket_that_is_gone_nothing_is_put_back_and_the_sentence_says_what_to_do() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("deleted-since").await?;
        let (_, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        env.s3.delete_bucket().bucket(&bucket).send().await?;
        let said = restore(env, &case_id, &["--json"]).await?;
        let report = &said.json()?[0];
        assert_eq!((said.code, &report["code"]), (Some(1), &json!("ObjectMissing")), "{said:?}");
        let detail = report["detail"].as_str().unwrap_or_default();
        assert_eq!(
            detail,
            format!(
                "The bucket {bucket} no longer exists, so nothing was put back. Create it again, or copy the object out \
                 of quarantine by hand."
            )
        );
        assert_eq!(copies(env, &case_id, &bucket).await?.len(), 2, "the copy and its manifest stay");
        Ok(())
    })
}

#[test]
fn a_restore_whose_run_was_never_started_is_started_by_the_reconciler() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("unstarted").await?;
        let (object, _) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        let machine = env.machine("object_restore")?.replace(":stateMachine:", ":execution:");
        let request = Restore {
            request_id: "5e1f".repeat(8),
            execution_arn: format!("{machine}:{}", "5e1f".repeat(8)),
            requested_by: "arn:aws:iam::111122223333:user/olivia".into(),
            reason: "the command was ended at this moment".into(),
            replace: false,
            even_if_exposed: false,
            copy_generation: None,
            requested_at: clock::now(),
            mac: None,
            versions_restored: 0,
            last_restored: None,
            outcome: None,
        };
        let case = env.case(&object).await?;
        let key = env.setting("worker", "CORDON_MAC_KEY_ARN").await?;
        let request = vouched_restore(&env.worker_config().await?, &key, &case, request).await?;
        env.cases()?.request_restore(&case, &request).await?.stands().context("it is recorded")?;
        env.shows(&bucket, "Put back").await?;
        assert_eq!(text(env, &bucket, "key.txt").await?, "the secret");
        Ok(())
    })
}

#[test]
fn a_manifest_that_somebody_has_changed_puts_nothing_back() -> Result<()> {
    run_test(async {
        let (env, _alone) = TestEnv::alone().await?;
        let bucket = env.bucket("tampered").await?;
        let (object, case_id) = quarantined(env, &bucket, "key.txt", "the secret").await?;
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let case = env.case(&object).await?;
        let copy = case.quarantine.newest_copy().context("a copy")?;
        let manifest = copy.key.replace("/object", "/manifest.json");
        let good = text(env, quarantine, &manifest).await?;
        let another = |change: &dyn Fn(&mut Value)| -> Result<String> {
            let mut changed = serde_json::from_str(&good)?;
            change(&mut changed);
            Ok(changed.to_string())
        };
        // Nobody but the mover may write there.
        let policy = env.s3.get_bucket_policy().bucket(quarantine).send().await?.policy;
        env.s3.delete_bucket_policy().bucket(quarantine).send().await?;
        let mut said = Vec::new();
        for (what, bad) in [
            ("cut short", good[..good.len() / 2].to_owned()),
            ("of another case", another(&|manifest| manifest["case_id"] = json!("0".repeat(64)))?),
            (
                "of another account",
                another(&|manifest| manifest["entries"][0]["source"]["account"] = json!("999988887777"))?,
            ),
            (
                "of another copy",
                another(&|manifest| manifest["entries"][0]["quarantine"]["key"] = json!("policy.json"))?,
            ),
            (
                "of another size",
                another(&|manifest| manifest["entries"][0]["verification"]["size"] = json!(3))?,
            ),
            ("of nothing", another(&|manifest| manifest["entries"] = json!([]))?),
        ] {
            let body = ByteStream::from(bad.into_bytes());
            env.s3.put_object().bucket(quarantine).key(&manifest).body(body).send().await?;
            said.push((what, restore(env, &case_id, &["--json"]).await));
            env.s3.delete_object().bucket(&bucket).key("key.txt").send().await?;
        }
        env.s3.put_bucket_policy().bucket(quarantine).set_policy(policy).send().await?;
        let mut put_back = Vec::new();
        for (what, said) in said {
            let said = said?;
            if said.json()?[0]["result"] != "failed" || said.code != Some(1) {
                put_back.push((what, said));
            }
        }
        assert!(put_back.is_empty(), "{put_back:?}");
        Ok(())
    })
}
