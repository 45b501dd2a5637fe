//! Scans and plans that fail, and what they cost.

use super::*;

#[test]
fn a_scan_that_did_not_read_everything_is_repeated_later_and_for_each_bucket_alone() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        for bucket in ["half-a", "half-b"] {
            shared(fixture, bucket).await?;
        }
        fixture.sandbox.macie().fail_next_job();
        let ended = cycle(fixture, "half-first", "half-a").await?;
        let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
        assert_eq!(code, "ScanFailed");
        for (n, why) in ["the next cycle", "a change of access"].iter().enumerate() {
            cycle(fixture, &format!("half-early-{n}"), "half-a").await?;
            assert_eq!(jobs_about(fixture, "half-a"), 1, "{why} scans again");
            access_changes(fixture, "half-a", n).await?;
        }
        for bucket in ["half-a", "half-b"] {
            make_due(fixture, bucket).await?;
        }
        let ended = cycle(fixture, "half-again", "half-").await?;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
        for bucket in ["half-a", "half-b"] {
            assert_eq!(jobs_about(fixture, bucket), 2);
            assert_eq!(reported(fixture, bucket).context("a finding")?["RecordState"], "ACTIVE");
        }
        let jobs = fixture.sandbox.macie().jobs();
        let about_both =
            |job: &&Value| ["\"half-a\"", "\"half-b\""].iter().all(|bucket| job.to_string().contains(bucket));
        assert_eq!(
            jobs.iter().filter(about_both).count(),
            1,
            "one bad bucket costs the others no second scan"
        );
        Ok(())
    })
}

#[test]
fn a_job_that_macie_does_not_take_is_asked_for_ever_later() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let macie = aws_sdk_macie2::Client::new(&fixture.sandbox.sdk_config().await);
        shared(fixture, "not-taken").await?;
        macie.update_macie_session().status(MacieStatus::Paused).send().await?;
        let refused = async || -> Result<()> {
            for n in 0..3 {
                let ended = cycle(fixture, &format!("not-taken-{n}"), "not-taken").await?;
                let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("it ended with {ended:?}") };
                ensure!(code == "AccessDenied", "{code}");
                let next = due_in(fixture, "not-taken").await?;
                ensure!(next.as_mins() == [14, 29, 59][n], "after failure {n} it is due in {next:#}");
                let at_once = cycle(fixture, &format!("not-taken-{n}-at-once"), "not-taken").await?;
                ensure!(at_once.is_empty(), "{at_once:?}");
                make_due(fixture, "not-taken").await?;
            }
            Ok(())
        };
        let refused = refused().await;
        macie.update_macie_session().status(MacieStatus::Enabled).send().await?;
        refused?;
        let ended = cycle(fixture, "taken", "not-taken").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(jobs_about(fixture, "not-taken"), 1);
        Ok(())
    })
}

#[test]
fn a_finding_that_cannot_be_read_costs_no_second_job() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let macie = fixture.sandbox.macie();
        shared(fixture, "unreadable").await?;
        let object = object_in(fixture, "unreadable").await?;
        let [batch] =
            plan(fixture, "unreadable-0", "unreadable").await?.try_into().map_err(|_| anyhow!("one"))?;
        let job = scan(fixture, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
        let mut broken =
            finding_document(fixture.sandbox.region(), "b10ken", "Financial", &object, CARD.len());
        broken["classificationDetails"]["jobId"] = job["job_id"].clone();
        let whole = broken.clone();
        broken["resourcesAffected"]["s3Object"]["eTag"] = Value::Null;
        macie.put_finding(broken);
        let ended = report(fixture, &batch).await?;
        assert!(matches!(&ended, Err((code, _)) if code == "ScanFailed"), "{ended:?}");
        for n in 1..4 {
            let at_once = cycle(fixture, &format!("unreadable-{n}-at-once"), "unreadable").await?;
            assert!(at_once.is_empty(), "{at_once:?}");
            make_due(fixture, "unreadable").await?;
            let ended = cycle(fixture, &format!("unreadable-{n}"), "unreadable").await?;
            assert!(matches!(ended.as_slice(), [Err((code, _))] if code == "ScanFailed"), "{ended:?}");
        }
        macie.put_finding(whole);
        make_due(fixture, "unreadable").await?;
        let ended = cycle(fixture, "readable", "unreadable").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(jobs_about(fixture, "unreadable"), 1);
        Ok(())
    })
}

#[test]
fn a_job_whose_run_ended_before_the_report_is_read_later_and_not_repeated() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "abandoned").await?;
        for batch in plan(fixture, "abandoned-0", "abandoned").await? {
            scan(fixture, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
        }
        let held = cycle(fixture, "abandoned-1", "abandoned").await?;
        assert!(held.is_empty(), "another cycle has it: {held:?}");
        update(fixture, "abandoned", "bucket", "SET claimed_until = :past", &[(":past", long_ago())]).await?;
        let ended = cycle(fixture, "abandoned-2", "abandoned").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(fixture, "abandoned").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(fixture, "abandoned"), 1);
        Ok(())
    })
}

#[test]
fn a_job_that_outlasts_its_wait_is_read_when_it_ends_and_not_repeated() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        let macie = aws_sdk_macie2::Client::new(&fixture.sandbox.sdk_config().await);
        shared(fixture, "outlasts").await?;
        fixture.sandbox.macie().set_pace(Duration::from_secs(2));
        let [batch] =
            plan(fixture, "outlasts-0", "outlasts").await?.try_into().map_err(|_| anyhow!("one"))?;
        let job = done(fixture, "start_scan", &json!({"batch": batch})).await?;
        fixture.sandbox.macie().set_pace(Duration::ZERO);
        let id = job["job_id"].as_str().context("a job")?;
        macie.update_classification_job().job_id(id).job_status(JobStatus::UserPaused).send().await?;
        let ended = report(fixture, &batch).await?;
        assert!(matches!(&ended, Err((code, _)) if code == "ScanFailed"), "{ended:?}");
        for n in 1..4 {
            make_due(fixture, "outlasts").await?;
            cycle(fixture, &format!("outlasts-{n}"), "outlasts").await?;
            assert_eq!(jobs_about(fixture, "outlasts"), 1, "the first job is still at work");
        }
        macie.update_classification_job().job_id(id).job_status(JobStatus::Running).send().await?;
        job_ended(fixture, &job).await?;
        make_due(fixture, "outlasts").await?;
        let ended = cycle(fixture, "outlasts-end", "outlasts").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(fixture, "outlasts").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(fixture, "outlasts"), 1);
        Ok(())
    })
}

#[test]
fn a_bucket_that_cannot_be_planned_ends_no_plan() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        for bucket in ["untold-a", "untold-b"] {
            shared(fixture, bucket).await?;
        }
        done(fixture, "sync_access_findings", &json!({})).await?;
        only_due(fixture, "untold-").await?;
        // As often as one call is repeated: the first bucket's tags cannot be read, the second's can.
        let mut left = 5;
        let meet = move |call: &InterceptedCall| match call.operation.as_str() {
            "GetBucketTagging" if left > 0 => {
                left -= 1;
                Intervention::Instead(Fault::InternalError)
            }
            _ => Intervention::Pass,
        };
        let mut process = fixture.start_activity("plan_scans", &json!({"cycle": "untold"}), meet).await?;
        let answer = process.answer().await?.context("nothing is held")?;
        ensure!(answer["error"].is_null(), "the plan ended: {answer}");
        let batches = batches(fixture, &answer["output"], "untold-").await?;
        let planned: Vec<_> = batches
            .iter()
            .flat_map(|batch| batch["buckets"].as_array().cloned().unwrap_or_default())
            .collect();
        assert_eq!(
            planned.iter().filter(|bucket| bucket["name"].to_string().contains("untold-")).count(),
            1,
            "{answer}"
        );
        let left_out =
            if planned.iter().any(|bucket| bucket["name"] == "untold-a") { "untold-b" } else { "untold-a" };
        let record = record(fixture, left_out, "bucket").await?.context("a record")?;
        assert_eq!(record.get("claimed_by"), None, "its claim is setup back");
        assert!(due_in(fixture, left_out).await?.is_positive(), "it is tried again later");
        Ok(())
    })
}

#[test]
fn what_a_failed_plan_held_is_given_back_at_once() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "setup-back").await?;
        done(fixture, "sync_access_findings", &json!({})).await?;
        let state = fixture.deployment.output("state_bucket")?;
        let before = fixture.s3.get_bucket_policy().bucket(state).send().await?.policy.context("a policy")?;
        let mut closed: Value = serde_json::from_str(&before)?;
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{state}/cycles/*")});
        closed["Statement"].as_array_mut().context("statements")?.push(deny);
        fixture.s3.put_bucket_policy().bucket(state).policy(closed.to_string()).send().await?;
        let planned = fixture.worker.run_once("plan_scans", json!({"cycle": "setup-back"}).to_string()).await;
        fixture.s3.put_bucket_policy().bucket(state).policy(before).send().await?;
        let failure = planned.err().context("the plan could not be written")?;
        assert_eq!(failure.code, "AccessDenied", "{}", failure.cause);
        let bucket = record(fixture, "setup-back", "bucket").await?.context("a record")?;
        assert_eq!(bucket.get("claimed_by"), None, "the bucket is setup back");
        let ended = cycle(fixture, "setup-back-again", "setup-back").await?;
        assert!(
            matches!(ended.as_slice(), [Ok(_)]),
            "the lease and the bucket are there for the next cycle: {ended:?}"
        );
        Ok(())
    })
}

#[test]
fn a_bucket_that_stays_shared_is_not_scanned_anew_while_its_last_scan_can_be_used() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "stays-shared").await?;
        cycle(fixture, "stays-shared-0", "stays-shared").await?;
        for days in 1..30 {
            let scanned = (":at", ago(SignedDuration::from_hours(24 * days)));
            update(fixture, "stays-shared", "scan#latest", "SET scanned_at = :at", &[scanned]).await?;
            make_due(fixture, "stays-shared").await?;
            cycle(fixture, &format!("stays-shared-{days}"), "stays-shared").await?;
            assert_eq!(jobs_about(fixture, "stays-shared"), 1, "after {days} days");
        }
        too_old(fixture, "stays-shared").await?;
        cycle(fixture, "stays-shared-30", "stays-shared").await?;
        assert_eq!(jobs_about(fixture, "stays-shared"), 2);
        Ok(())
    })
}
