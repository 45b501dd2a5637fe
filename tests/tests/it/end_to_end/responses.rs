//! What becomes of a finding where nobody is asked, or nothing is to be done.

use anyhow::Result;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use cordon_domain::case::OutcomeResult;
use cordon_sandbox::CallFilter;
use cordon_tests::{TestEnv, eventually, run_test};
use serde_json::json;

#[test]
fn credentials_are_quarantined_without_a_click() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("automatic").await?;
        let object = env.put(&bucket, "keys/a b+c%?&é.txt", "aws_access_key_id = …").await?;
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;

        assert!(!env.is_there(&bucket, &object.version.key).await?, "the source is gone");
        let case = env.case(&object).await?;
        let outcome = case.outcome().cloned().expect("an outcome");
        assert_eq!(outcome.result, OutcomeResult::Quarantined);
        let quarantine = env.deployment.output("quarantine_bucket")?;
        let key = case.quarantine.newest_copy().expect("a copy in quarantine").key.clone();
        assert!(env.is_there(quarantine, &key).await?, "the copy is there");
        let manifest = key.replace("/object", "/manifest.json");
        let manifest =
            env.s3.get_object().bucket(quarantine).key(manifest).send().await?.body.collect().await?;
        let manifest: cordon_domain::manifest::Manifest = serde_json::from_slice(&manifest.to_vec())?;
        let [moved] = manifest.entries.as_slice() else { panic!("{manifest:?}") };
        assert_eq!(moved.source, object.version);
        assert_eq!(moved.verification.size, object.size as i64);
        assert!(moved.verification.matched.is_some(), "{:?}", moved.verification);
        let message = env.shows(&bucket, "Quarantined.").await?;
        assert!(message["blocks"].to_string().contains("Decided by policy"), "{message}");
        assert_eq!(env.messages(&bucket).len(), 1);
        Ok(())
    })
}

#[test]
fn the_current_version_is_moved_and_the_one_before_it_does_not_surface() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("versions").await?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        env.s3.put_bucket_versioning().bucket(&bucket).versioning_configuration(enabled).send().await?;
        let older = env.put(&bucket, "key.txt", "an older text").await?;
        let current = env.put(&bucket, "key.txt", "the secret").await?;
        let run = env.respond("Credentials", &current).await?;
        env.succeeded(&run).await?;

        assert!(!env.is_there(&bucket, "key.txt").await?, "nothing is current");
        let listed = env.s3.list_object_versions().bucket(&bucket).send().await?;
        let left: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
        assert_eq!(left, [older.version.version_id.as_deref().unwrap()]);
        assert!(env.case(&current).await?.outcome().unwrap().detail.contains("1 other version"));
        Ok(())
    })
}

#[test]
fn an_object_that_was_written_again_is_not_moved() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("changed").await?;
        let found = env.put(&bucket, "key.txt", "the secret").await?;
        env.put(&bucket, "key.txt", "something harmless that somebody needs").await?;
        let run = env.respond("Credentials", &found).await?;
        env.succeeded(&run).await?;
        assert_eq!(env.case(&found).await?.outcome().unwrap().result, OutcomeResult::ObjectChanged);
        assert!(env.is_there(&bucket, "key.txt").await?);
        env.shows(&bucket, "Object changed.").await?;
        Ok(())
    })
}

#[test]
fn an_object_that_is_gone_is_no_error() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("gone").await?;
        let found = env.put(&bucket, "key.txt", "the secret").await?;
        env.s3.delete_object().bucket(&bucket).key("key.txt").send().await?;
        let run = env.respond("Credentials", &found).await?;
        env.succeeded(&run).await?;
        assert_eq!(env.case(&found).await?.outcome().unwrap().result, OutcomeResult::ObjectMissing);
        Ok(())
    })
}

#[test]
fn the_same_object_found_twice_has_one_case_and_one_message() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("twice").await?;
        let object = env.put(&bucket, "card.txt", "5163200000000008").await?;
        let first = env.respond("Financial", &object).await?;
        env.asked(&bucket).await?;
        let again = env.finding("Financial", &object);
        for _ in 0..2 {
            env.sandbox.macie().publish_finding(&again).await?;
        }
        let runs = eventually("both duplicate runs", async || {
            let runs = env.runs_for(&again).await?;
            Ok((runs.len() == 2).then_some(runs))
        })
        .await?;
        for run in &runs {
            env.succeeded(run).await?;
            assert_eq!(env.states(run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
        }
        assert_eq!(env.messages(&bucket).len(), 1);
        let case = env.case(&object).await?;
        assert_eq!((case.execution_arn, case.finding_ids.len()), (first, 2));
        Ok(())
    })
}

#[test]
fn an_event_that_macie_knows_nothing_of_fails_and_operators_are_told_why() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let id = "f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0";
        let event = json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {"id": id}});
        let started = env
            .sfn
            .start_execution()
            .state_machine_arn(env.machine("finding_response")?)
            .input(event.to_string())
            .send()
            .await?;
        let ended = env.ended(&started.execution_arn).await?;
        assert_eq!(ended.status.as_str(), "FAILED");
        assert_eq!(ended.error(), Some("InvalidFinding"));
        let cause = ended.cause().unwrap_or_default();
        assert!(cause.contains(id) && cause.contains("nothing was done"), "{cause}");
        let notice = env.operator_notice(id).await?;
        assert!(notice.contains("InvalidFinding"), "{notice}");
        Ok(())
    })
}

#[test]
fn nobody_but_macie_can_publish_its_findings() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder()
            .source("aws.macie")
            .detail_type("Macie Finding")
            .detail(json!({"id": "forged"}).to_string())
            .build();
        let events = aws_sdk_eventbridge::Client::new(&env.root);
        let refused = events.put_events().entries(entry).send().await;
        let refused = refused.map_or(true, |answer| answer.failed_entry_count() == 1);
        assert!(refused);
        Ok(())
    })
}

#[test]
fn a_malformed_event_ends_with_a_sentence_that_says_what_is_missing() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for (input, says) in [
            (json!({}), "it has no source"),
            (json!([1, 2]), "it has no source"),
            (json!({"source": "aws.guardduty", "detail-type": "Macie Finding"}), "aws.guardduty"),
            (json!({"source": "aws.macie", "detail-type": "Macie Finding", "detail": {}}), "detail.id"),
        ] {
            let started = env
                .sfn
                .start_execution()
                .state_machine_arn(env.machine("finding_response")?)
                .input(input.to_string())
                .send()
                .await?;
            let ended = env.ended(&started.execution_arn).await?;
            assert_eq!(ended.error(), Some("InvalidFinding"), "{input}");
            assert!(ended.cause().unwrap_or_default().contains(says), "{:?}", ended.cause());
        }
        let started = env
            .sfn
            .start_execution()
            .state_machine_arn(env.machine("access_finding_intake")?)
            .input(
                json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding"})
                    .to_string(),
            )
            .send()
            .await?;
        let ended = env.ended(&started.execution_arn).await?;
        assert!(ended.cause().unwrap_or_default().contains("it has no detail"), "{:?}", ended.cause());
        Ok(())
    })
}

#[test]
fn a_finding_that_lacks_its_object_fails_visibly() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("lacking").await?;
        let object = env.put(&bucket, "key.txt", "text").await?;
        let mut document = env.finding_document("1acc1acc1acc1acc1acc1acc1acc1acc", "Financial", &object);
        document["resourcesAffected"]["s3Object"] = json!(null);
        env.sandbox.macie().put_finding(document);
        env.sandbox.macie().publish_finding("1acc1acc1acc1acc1acc1acc1acc1acc").await?;
        let ended = env.ended(&env.run_for("1acc1acc1acc1acc1acc1acc1acc1acc").await?).await?;
        assert_eq!(ended.error(), Some("InvalidFinding"));
        assert!(
            ended.cause().unwrap_or_default().contains("has no resourcesAffected.s3Object.key"),
            "{:?}",
            ended.cause()
        );
        Ok(())
    })
}

#[test]
fn a_finding_type_that_is_not_known_yet_is_reviewed() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("unknown-type").await?;
        let object = env.put(&bucket, "key.txt", "text").await?;
        let run = env.respond("SomethingNew", &object).await?;
        env.asked(&bucket).await?;
        assert!(env.states(&run).await?.contains(&"PostApproval".to_owned()));
        let case = env.case(&object).await?;
        assert_eq!(case.plan.rule, "no rule matches");
        Ok(())
    })
}

#[test]
fn what_policy_ignores_is_left_alone() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let bucket = env.bucket("ignored").await?;
        let object = env.put(&bucket, "key.txt", "text").await?;
        let run = env.respond("Credentials", &object).await?;
        env.succeeded(&run).await?;
        assert_eq!(env.states(&run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
        assert!(env.is_there(&bucket, "key.txt").await? && env.messages(&bucket).is_empty());
        Ok(())
    })
}

#[test]
fn findings_about_cordons_own_buckets_are_ignored() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        for output in ["quarantine_bucket", "state_bucket"] {
            let bucket = env.deployment.output(output)?.to_owned();
            let version = cordon_domain::finding::ObjectVersion {
                account: env.sandbox.account().into(),
                bucket,
                key: "policy.json".into(),
                version_id: None,
                etag: "e".into(),
            };
            let run = env.respond("Credentials", &cordon_tests::Placed { version, size: 1 }).await?;
            env.succeeded(&run).await?;
            assert_eq!(env.states(&run).await?, ["TriageFinding", "RouteDisposition", "Done"]);
        }
        Ok(())
    })
}

#[test]
fn a_sample_finding_gets_a_marked_message_and_touches_no_object() -> Result<()> {
    run_test(async {
        let (env, _shared) = TestEnv::shared().await?;
        let before = env.sandbox.calls().last();
        let macie = aws_sdk_macie2::Client::new(&env.root);
        macie
            .create_sample_findings()
            .finding_types("SensitiveData:S3Object/Credentials".into())
            .send()
            .await?;
        let message = env.shows("macie-sample-finding-bucket", "Sample, nothing touched.").await?;
        assert!(message["blocks"].to_string().contains("[SAMPLE]"), "{message}");
        let calls = env.sandbox.calls().select(&CallFilter {
            after: Some(before),
            service: Some("s3".into()),
            ..CallFilter::default()
        });
        assert!(calls.iter().all(|call| !call.path.contains("macie-sample-finding-bucket")), "{calls:?}");
        Ok(())
    })
}
