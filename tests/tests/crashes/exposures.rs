//! Exposure cycles in which something fails: what they cost, and what they say of a bucket that they could not look at.
//!
//! The tests do what the state machine does, activity by activity, and let time pass by writing it into the records.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_macie2::types::{JobStatus, MacieStatus};
use aws_sdk_s3::types::{
    BucketVersioningStatus, MetadataDirective, ServerSideEncryption, StorageClass, VersioningConfiguration,
};
use cordon::{error::RETRYABLE, store::Exposures};
use cordon_domain::time;
use cordon_sandbox::{Fault, InterceptedCall, Intervention, doubles::SecurityHub};
use cordon_tests::{eventually, finding_document, kms, on_stage};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    repeats::{CARD, done, shared},
    scene::Scene,
};

/// How often the state machine repeats a task that ends with a retryable error.
const ATTEMPTS: usize = 7;

/// How a batch ended.
type Ended = Result<Value, (String, String)>;

#[test]
fn security_hub_that_is_off_for_ten_cycles_costs_one_job() -> Result<()> {
    on_stage(async {
        let (scene, hub) = (Scene::set().await?, Scene::set().await?.sandbox.security_hub());
        let _alone = scene.alone().await;
        shared(scene, "hub-off").await?;
        let off = Off::of(hub);
        for n in 0..10 {
            let ended = cycle(scene, &format!("hub-off-{n}"), "hub-off").await?;
            let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
            assert_eq!(code, "AccessDenied");
            if n == 9 {
                let at_once = cycle(scene, "hub-off-at-once", "hub-off").await?;
                assert_eq!(jobs_about(scene, "hub-off"), 1);
                assert!(at_once.is_empty(), "it is not tried again in the next cycle: {at_once:?}");
            }
            make_due(scene, "hub-off").await?;
        }
        drop(off);
        assert_eq!(jobs_about(scene, "hub-off"), 1);
        let ended = cycle(scene, "hub-on", "hub-off").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(scene, "hub-off").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(scene, "hub-off"), 1);
        Ok(())
    })
}

#[test]
fn security_hub_that_does_not_answer_costs_one_job() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "hub-away").await?;
        for n in 0..3 {
            let name = format!("hub-away-{n}");
            for batch in plan(scene, &name, "hub-away").await? {
                scan(scene, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
                let input = json!({"batch": batch});
                let away = |call: &InterceptedCall| match call.service.as_str() {
                    "securityhub" => Intervention::Instead(Fault::Unavailable),
                    _ => Intervention::Pass,
                };
                let mut process = scene.start_activity("report_exposures", &input, away).await?;
                let answer = process.answer().await?.context("nothing is held")?;
                assert_eq!(answer["error"], RETRYABLE, "{answer}");
            }
            let meanwhile = plan(scene, &format!("{name}-other"), "hub-away").await?;
            assert!(meanwhile.is_empty(), "between two attempts another cycle has it: {meanwhile:?}");
            let bucket = record(scene, "hub-away", "bucket").await?.context("a record")?;
            assert_eq!(bucket.get("report_failures"), None, "an attempt that is repeated counts for nothing");
            // Step Functions gives up, and the claim of this cycle expires.
            update(scene, "hub-away", "bucket", "SET claimed_until = :past", &[(":past", long_ago())])
                .await?;
            make_due(scene, "hub-away").await?;
        }
        let ended = cycle(scene, "hub-back", "hub-away").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(scene, "hub-away").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(scene, "hub-away"), 1);
        Ok(())
    })
}

#[test]
fn a_finding_that_security_hub_refuses_costs_one_job_and_holds_up_no_other_bucket() -> Result<()> {
    on_stage(async {
        let (scene, hub) = (Scene::set().await?, Scene::set().await?.sandbox.security_hub());
        let _alone = scene.alone().await;
        shared(scene, "hub-refuses").await?;
        shared(scene, "hub-takes").await?;
        hub.refuse_findings_about("arn:aws:s3:::hub-refuses", true);
        for n in 0..10 {
            let ended = cycle(scene, &format!("hub-refuses-{n}"), "hub-refuses").await?;
            let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
            assert_eq!(code, "ImportRejected");
            assert_eq!(reported(scene, "hub-takes").context("the other's")?["RecordState"], "ACTIVE");
            make_due(scene, "hub-refuses").await?;
        }
        hub.refuse_findings_about("arn:aws:s3:::hub-refuses", false);
        let ended = cycle(scene, "hub-relents", "hub-refuses").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(scene, "hub-refuses").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(scene, "hub-refuses"), 1);
        Ok(())
    })
}

#[test]
fn a_scan_that_did_not_read_everything_is_repeated_later_and_for_each_bucket_alone() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        for bucket in ["half-a", "half-b"] {
            shared(scene, bucket).await?;
        }
        scene.sandbox.macie().fail_next_job();
        let ended = cycle(scene, "half-first", "half-a").await?;
        let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("the cycle ended with {ended:?}") };
        assert_eq!(code, "ScanFailed");
        for (n, why) in ["the next cycle", "a change of access"].iter().enumerate() {
            cycle(scene, &format!("half-early-{n}"), "half-a").await?;
            assert_eq!(jobs_about(scene, "half-a"), 1, "{why} scans again");
            access_changes(scene, "half-a", n).await?;
        }
        for bucket in ["half-a", "half-b"] {
            make_due(scene, bucket).await?;
        }
        let ended = cycle(scene, "half-again", "half-").await?;
        assert!(ended.iter().all(Result::is_ok), "{ended:?}");
        for bucket in ["half-a", "half-b"] {
            assert_eq!(jobs_about(scene, bucket), 2);
            assert_eq!(reported(scene, bucket).context("a finding")?["RecordState"], "ACTIVE");
        }
        let jobs = scene.sandbox.macie().jobs();
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
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        let macie = aws_sdk_macie2::Client::new(&scene.sandbox.sdk_config().await);
        shared(scene, "not-taken").await?;
        macie.update_macie_session().status(MacieStatus::Paused).send().await?;
        let refused = async || -> Result<()> {
            for n in 0..3 {
                let ended = cycle(scene, &format!("not-taken-{n}"), "not-taken").await?;
                let [Err((code, _))] = ended.as_slice() else { anyhow::bail!("it ended with {ended:?}") };
                ensure!(code == "AccessDenied", "{code}");
                let next = due_in(scene, "not-taken").await?;
                ensure!(next.as_mins() == [14, 29, 59][n], "after failure {n} it is due in {next:#}");
                let at_once = cycle(scene, &format!("not-taken-{n}-at-once"), "not-taken").await?;
                ensure!(at_once.is_empty(), "{at_once:?}");
                make_due(scene, "not-taken").await?;
            }
            Ok(())
        };
        let refused = refused().await;
        macie.update_macie_session().status(MacieStatus::Enabled).send().await?;
        refused?;
        let ended = cycle(scene, "taken", "not-taken").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(jobs_about(scene, "not-taken"), 1);
        Ok(())
    })
}

#[test]
fn a_finding_that_cannot_be_read_costs_no_second_job() -> Result<()> {
    on_stage(async {
        let (scene, macie) = (Scene::set().await?, Scene::set().await?.sandbox.macie());
        let _alone = scene.alone().await;
        shared(scene, "unreadable").await?;
        let object = object_in(scene, "unreadable").await?;
        let [batch] =
            plan(scene, "unreadable-0", "unreadable").await?.try_into().map_err(|_| anyhow!("one"))?;
        let job = scan(scene, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
        let mut broken = finding_document(scene.sandbox.region(), "b10ken", "Financial", &object, CARD.len());
        broken["classificationDetails"]["jobId"] = job["job_id"].clone();
        let whole = broken.clone();
        broken["resourcesAffected"]["s3Object"]["eTag"] = Value::Null;
        macie.put_finding(broken);
        let ended = report(scene, &batch).await?;
        assert!(matches!(&ended, Err((code, _)) if code == "ScanFailed"), "{ended:?}");
        for n in 1..4 {
            let at_once = cycle(scene, &format!("unreadable-{n}-at-once"), "unreadable").await?;
            assert!(at_once.is_empty(), "{at_once:?}");
            make_due(scene, "unreadable").await?;
            let ended = cycle(scene, &format!("unreadable-{n}"), "unreadable").await?;
            assert!(matches!(ended.as_slice(), [Err((code, _))] if code == "ScanFailed"), "{ended:?}");
        }
        macie.put_finding(whole);
        make_due(scene, "unreadable").await?;
        let ended = cycle(scene, "readable", "unreadable").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(jobs_about(scene, "unreadable"), 1);
        Ok(())
    })
}

#[test]
fn a_job_whose_run_ended_before_the_report_is_read_later_and_not_repeated() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "abandoned").await?;
        for batch in plan(scene, "abandoned-0", "abandoned").await? {
            scan(scene, &batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
        }
        let held = cycle(scene, "abandoned-1", "abandoned").await?;
        assert!(held.is_empty(), "another cycle has it: {held:?}");
        update(scene, "abandoned", "bucket", "SET claimed_until = :past", &[(":past", long_ago())]).await?;
        let ended = cycle(scene, "abandoned-2", "abandoned").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(scene, "abandoned").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(scene, "abandoned"), 1);
        Ok(())
    })
}

#[test]
fn a_job_that_outlasts_its_wait_is_read_when_it_ends_and_not_repeated() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        let macie = aws_sdk_macie2::Client::new(&scene.sandbox.sdk_config().await);
        shared(scene, "outlasts").await?;
        scene.sandbox.macie().set_pace(Duration::from_secs(2));
        let [batch] = plan(scene, "outlasts-0", "outlasts").await?.try_into().map_err(|_| anyhow!("one"))?;
        let job = done(scene, "start_scan", &json!({"batch": batch})).await?;
        scene.sandbox.macie().set_pace(Duration::ZERO);
        let id = job["job_id"].as_str().context("a job")?;
        macie.update_classification_job().job_id(id).job_status(JobStatus::UserPaused).send().await?;
        let ended = report(scene, &batch).await?;
        assert!(matches!(&ended, Err((code, _)) if code == "ScanFailed"), "{ended:?}");
        for n in 1..4 {
            make_due(scene, "outlasts").await?;
            cycle(scene, &format!("outlasts-{n}"), "outlasts").await?;
            assert_eq!(jobs_about(scene, "outlasts"), 1, "the first job is still at work");
        }
        macie.update_classification_job().job_id(id).job_status(JobStatus::Running).send().await?;
        job_ended(scene, &job).await?;
        make_due(scene, "outlasts").await?;
        let ended = cycle(scene, "outlasts-end", "outlasts").await?;
        assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
        assert_eq!(reported(scene, "outlasts").context("a finding")?["RecordState"], "ACTIVE");
        assert_eq!(jobs_about(scene, "outlasts"), 1);
        Ok(())
    })
}

#[test]
fn a_bucket_that_cannot_be_planned_ends_no_plan() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        for bucket in ["untold-a", "untold-b"] {
            shared(scene, bucket).await?;
        }
        done(scene, "sync_access_findings", &json!({})).await?;
        // As often as one call is repeated: the first bucket's tags cannot be read, the second's can.
        let mut left = 5;
        let meet = move |call: &InterceptedCall| match call.operation.as_str() {
            "GetBucketTagging" if left > 0 => {
                left -= 1;
                Intervention::Instead(Fault::InternalError)
            }
            _ => Intervention::Pass,
        };
        let mut process = scene.start_activity("plan_scans", &json!({"cycle": "untold"}), meet).await?;
        let answer = process.answer().await?.context("nothing is held")?;
        ensure!(answer["error"].is_null(), "the plan ended: {answer}");
        let batches = batches(scene, &answer["output"], "untold-").await?;
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
        let record = record(scene, left_out, "bucket").await?.context("a record")?;
        assert_eq!(record.get("claimed_by"), None, "its claim is given back");
        assert!(due_in(scene, left_out).await?.is_positive(), "it is tried again later");
        Ok(())
    })
}

#[test]
fn what_a_failed_plan_held_is_given_back_at_once() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "given-back").await?;
        done(scene, "sync_access_findings", &json!({})).await?;
        let state = scene.deployment.output("state_bucket")?;
        let before = scene.s3.get_bucket_policy().bucket(state).send().await?.policy.context("a policy")?;
        let mut closed: Value = serde_json::from_str(&before)?;
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{state}/cycles/*")});
        closed["Statement"].as_array_mut().context("statements")?.push(deny);
        scene.s3.put_bucket_policy().bucket(state).policy(closed.to_string()).send().await?;
        let planned = scene.worker.run_once("plan_scans", json!({"cycle": "given-back"}).to_string()).await;
        scene.s3.put_bucket_policy().bucket(state).policy(before).send().await?;
        let failure = planned.err().context("the plan could not be written")?;
        assert_eq!(failure.code, "AccessDenied", "{}", failure.cause);
        let bucket = record(scene, "given-back", "bucket").await?.context("a record")?;
        assert_eq!(bucket.get("claimed_by"), None, "the bucket is given back");
        let ended = cycle(scene, "given-back-again", "given-back").await?;
        assert!(
            matches!(ended.as_slice(), [Ok(_)]),
            "the lease and the bucket are there for the next cycle: {ended:?}"
        );
        Ok(())
    })
}

#[test]
fn a_bucket_that_stays_shared_is_not_scanned_anew_while_its_last_scan_can_be_used() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "stays-shared").await?;
        cycle(scene, "stays-shared-0", "stays-shared").await?;
        for days in 1..30 {
            let scanned = (":at", text(&ago(SignedDuration::from_hours(24 * days))));
            update(scene, "stays-shared", "scan#latest", "SET scanned_at = :at", &[scanned]).await?;
            make_due(scene, "stays-shared").await?;
            cycle(scene, &format!("stays-shared-{days}"), "stays-shared").await?;
            assert_eq!(jobs_about(scene, "stays-shared"), 1, "after {days} days");
        }
        too_old(scene, "stays-shared").await?;
        cycle(scene, "stays-shared-30", "stays-shared").await?;
        assert_eq!(jobs_about(scene, "stays-shared"), 2);
        Ok(())
    })
}

#[test]
fn an_access_finding_recorded_while_a_report_reads_is_not_taken_for_deleted() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "between").await?;
        let batches = plan(scene, "between-0", "between").await?;
        for batch in &batches {
            scan(scene, batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
            let late = |call: &InterceptedCall| match call.service.as_str() {
                "access-analyzer" => Intervention::Hold,
                _ => Intervention::Pass,
            };
            let mut process =
                scene.start_activity("report_exposures", &json!({"batch": batch}), late).await?;
            ensure!(process.answer().await?.is_none(), "the list was not read");
            let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding",
                "detail": access_detail(scene, "between", "between-late")});
            done(scene, "record_access_finding", &json!({"event": event})).await?;
            process.proxy.release();
            process.answer().await?.context("nothing more is held")?;
        }
        let finding = record(scene, "between", "access#between-late").await?.context("it is on record")?;
        assert_eq!(finding.get("status"), Some(&text("ACTIVE")));
        Ok(())
    })
}

#[test]
fn an_access_finding_that_was_missing_from_the_list_comes_back_with_it() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "missing").await?;
        let detail = access_detail(scene, "missing", "missing-for-now");
        let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding", "detail": detail});
        done(scene, "record_access_finding", &json!({"event": event})).await?;
        cycle(scene, "missing-0", "missing").await?;
        let status = async || -> Result<AttributeValue> {
            let finding =
                record(scene, "missing", "access#missing-for-now").await?.context("it is on record")?;
            finding.get("status").cloned().context("a status")
        };
        assert_eq!(status().await?, text("DELETED"), "the list does not have it");
        let listed = json!({"id": detail["id"], "status": "ACTIVE", "resource": detail["resource"],
            "resourceType": detail["resourceType"], "resourceOwnerAccount": detail["accountId"],
            "principal": detail["principal"], "action": detail["action"], "isPublic": false, "condition": {},
            "createdAt": detail["updatedAt"], "analyzedAt": detail["updatedAt"], "updatedAt": detail["updatedAt"]});
        scene.sandbox.access_analyzer().put_finding(scene.deployment.output("analyzer_arn")?, listed)?;
        done(scene, "sync_access_findings", &json!({})).await?;
        assert_eq!(status().await?, text("ACTIVE"), "the list has it again, as it was");
        Ok(())
    })
}

/// What can become of an object so that Macie does not read it, while the job says nothing of it.
#[derive(Clone, Copy, Debug)]
enum Unread {
    Archived,
    UnderAClosedKey,
    UnderACustomersKey,
}

#[test]
fn an_exposure_whose_objects_macie_could_not_read_again_stays_and_says_why() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        for (unread, says) in [
            (Unread::Archived, "GLACIER"),
            (Unread::UnderAClosedKey, "KMS"),
            (Unread::UnderACustomersKey, "SSE-C"),
        ] {
            let bucket = format!("unread-{unread:?}").to_lowercase();
            shared(scene, &bucket).await?;
            cycle(scene, &format!("{bucket}-0"), &bucket).await?;
            assert_eq!(reported(scene, &bucket).context("a finding")?["RecordState"], "ACTIVE");
            close(scene, &bucket, unread).await?;
            too_old(scene, &bucket).await?;
            let ended = cycle(scene, &format!("{bucket}-1"), &bucket).await?;
            assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
            assert_eq!(jobs_about(scene, &bucket), 2);
            let finding = reported(scene, &bucket).context("a finding")?;
            assert_eq!(finding["RecordState"], "ACTIVE", "{unread:?}");
            assert!(finding["Description"].as_str().unwrap_or_default().contains(says), "{finding}");
            assert_eq!(finding["ProductFields"]["cordon/UnconfirmedObjectCount"], "1", "{finding}");
            assert_eq!(finding["Resources"][1]["Id"], format!("arn:aws:s3:::{bucket}/cards.txt"));

            // Removed, it is over.
            scene.s3.delete_object().bucket(&bucket).key("cards.txt").send().await?;
            make_due(scene, &bucket).await?;
            cycle(scene, &format!("{bucket}-2"), &bucket).await?;
            assert_eq!(
                reported(scene, &bucket).context("a finding")?["RecordState"],
                "ARCHIVED",
                "{unread:?}"
            );
            assert_eq!(jobs_about(scene, &bucket), 2);
        }
        Ok(())
    })
}

#[test]
fn an_exposure_stays_while_the_version_that_was_found_is_still_there() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "below-newer").await?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        scene
            .s3
            .put_bucket_versioning()
            .bucket("below-newer")
            .versioning_configuration(enabled)
            .send()
            .await?;
        let put = async |text: &str| {
            let body = text.as_bytes().to_vec().into();
            scene.s3.put_object().bucket("below-newer").key("cards.txt").body(body).send().await
        };
        let found = put(CARD).await?.version_id.context("a version")?;
        cycle(scene, "below-newer-0", "below-newer").await?;
        put("nothing to see").await?;
        too_old(scene, "below-newer").await?;
        cycle(scene, "below-newer-1", "below-newer").await?;
        let finding = reported(scene, "below-newer").context("a finding")?;
        assert_eq!(finding["RecordState"], "ACTIVE");
        assert!(finding.to_string().contains("below a newer one"), "{finding}");
        let delete = scene.s3.delete_object().bucket("below-newer").key("cards.txt");
        delete.version_id(found).send().await?;
        make_due(scene, "below-newer").await?;
        cycle(scene, "below-newer-2", "below-newer").await?;
        assert_eq!(reported(scene, "below-newer").context("a finding")?["RecordState"], "ARCHIVED");
        Ok(())
    })
}

#[test]
fn an_exposure_ends_when_its_object_was_replaced_by_one_that_a_scan_found_clean() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "replaced").await?;
        cycle(scene, "replaced-0", "replaced").await?;
        let body = b"nothing to see".to_vec().into();
        scene.s3.put_object().bucket("replaced").key("cards.txt").body(body).send().await?;
        too_old(scene, "replaced").await?;
        cycle(scene, "replaced-1", "replaced").await?;
        assert_eq!(reported(scene, "replaced").context("a finding")?["RecordState"], "ARCHIVED");
        Ok(())
    })
}

#[test]
fn an_exposure_ends_with_the_access_whatever_macie_could_read() -> Result<()> {
    on_stage(async {
        let scene = Scene::set().await?;
        let _alone = scene.alone().await;
        shared(scene, "unshared").await?;
        cycle(scene, "unshared-0", "unshared").await?;
        close(scene, "unshared", Unread::Archived).await?;
        scene.s3.delete_bucket_policy().bucket("unshared").send().await?;
        scene.sandbox.access_analyzer().bucket_changed("unshared").await;
        cycle(scene, "unshared-1", "unshared").await?;
        assert_eq!(reported(scene, "unshared").context("a finding")?["RecordState"], "ARCHIVED");
        assert_eq!(jobs_about(scene, "unshared"), 1);

        // Shared again, its object is still there.
        access_changes(scene, "unshared", 0).await?;
        too_old(scene, "unshared").await?;
        cycle(scene, "unshared-2", "unshared").await?;
        assert_eq!(reported(scene, "unshared").context("a finding")?["RecordState"], "ACTIVE");
        Ok(())
    })
}

/// Security Hub, off until this is dropped.
struct Off<'a>(&'a SecurityHub);

impl<'a> Off<'a> {
    fn of(hub: &'a SecurityHub) -> Self {
        hub.set_off(true);
        Self(hub)
    }
}

impl Drop for Off<'_> {
    fn drop(&mut self) {
        self.0.set_off(false);
    }
}

/// Does what the state machine does in one cycle. Gives the ends of the batches that are about a bucket whose name
/// begins with `about`.
async fn cycle(scene: &Scene, name: &str, about: &str) -> Result<Vec<Ended>> {
    let mut ends = Vec::new();
    for batch in plan(scene, name, about).await? {
        ends.push(match scan(scene, &batch).await? {
            Ok(_) => report(scene, &batch).await?,
            Err(failure) => Err(failure),
        });
    }
    Ok(ends)
}

/// Reads Access Analyzer's list and plans a cycle.
async fn plan(scene: &Scene, name: &str, about: &str) -> Result<Vec<Value>> {
    done(scene, "sync_access_findings", &json!({})).await?;
    let planned = done(scene, "plan_scans", &json!({"cycle": name})).await?;
    batches(scene, &planned, about).await
}

/// The batches of a plan that are about a bucket whose name begins so.
async fn batches(scene: &Scene, planned: &Value, about: &str) -> Result<Vec<Value>> {
    let place = |member: &str| planned[member].as_str().unwrap_or_default();
    let plan = scene.s3.get_object().bucket(place("bucket")).key(place("key")).send().await?;
    let mut batches: Vec<Value> = serde_json::from_slice(&plan.body.collect().await?.into_bytes())?;
    batches.retain(|batch| batch["buckets"].to_string().contains(&format!("\"name\":\"{about}")));
    Ok(batches)
}

/// Creates the job of a batch, if it needs one, and waits for its end.
async fn scan(scene: &Scene, batch: &Value) -> Result<Ended> {
    if batch["kind"] != "scan" {
        return Ok(Ok(Value::Null));
    }
    let started = attempt(scene, "start_scan", batch).await?;
    if let Ok(job) = &started {
        job_ended(scene, job).await?;
    }
    Ok(started)
}

/// Waits for a job's end, and records it as the scan watcher does.
async fn job_ended(scene: &Scene, job: &Value) -> Result<()> {
    let failed = eventually("the end of the job", async || {
        let jobs = scene.sandbox.macie().jobs();
        let ended = jobs.iter().find(|one| one["jobId"] == job["job_id"] && one["jobStatus"] == "COMPLETE");
        Ok(ended.map(|job| job["lastRunErrorStatus"]["code"] == "ERROR"))
    })
    .await?;
    let exposures =
        Exposures::new(scene.dynamodb.clone(), scene.deployment.output("exposures_table")?.into());
    let problem = failed.then_some("the job could not read all buckets");
    exposures.finish_job(job["record"].as_str().context("a record")?, problem).await?;
    Ok(())
}

async fn report(scene: &Scene, batch: &Value) -> Result<Ended> {
    attempt(scene, "report_exposures", batch).await
}

/// Does a task about a batch, again while it ends with a retryable error.
async fn attempt(scene: &Scene, stem: &str, batch: &Value) -> Result<Ended> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        match scene.worker.run_once(stem, json!({"batch": batch}).to_string()).await {
            Err(failure) if failure.code == RETRYABLE => last = Some(failure),
            ended => return Ok(ended.map_err(|failure| (failure.code.into(), failure.cause))),
        }
    }
    Err(anyhow!("{stem} did not end: {last:?}"))
}

/// Another account gets access, or loses it, so that the bucket is due at once.
async fn access_changes(scene: &Scene, bucket: &str, n: usize) -> Result<()> {
    let who = format!("arn:aws:iam::{}:root", ["444455556666", "777788889999"][n % 2]);
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
        "Principal": {"AWS": who}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
    scene.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
    scene.sandbox.access_analyzer().bucket_changed(bucket).await;
    Ok(())
}

/// The detail of an event about access to a bucket.
fn access_detail(scene: &Scene, bucket: &str, id: &str) -> Value {
    json!({"id": id, "resourceType": "AWS::S3::Bucket", "status": "ACTIVE",
        "resource": format!("arn:aws:s3:::{bucket}"), "accountId": scene.sandbox.account(),
        "updatedAt": "2026-03-11T01:14:07.482Z", "principal": {"AWS": "444455556666"},
        "action": ["s3:GetObject"], "isPublic": false, "isDeleted": false})
}

/// The one object of a bucket that was made [`shared`].
async fn object_in(scene: &Scene, bucket: &str) -> Result<cordon_domain::finding::ObjectVersion> {
    let head = scene.s3.head_object().bucket(bucket).key("cards.txt").send().await?;
    let etag = cordon_domain::finding::bare_etag(head.e_tag().context("an ETag")?).to_owned();
    Ok(cordon_domain::finding::ObjectVersion {
        account: scene.sandbox.account().into(),
        bucket: bucket.into(),
        key: "cards.txt".into(),
        version_id: None,
        etag,
    })
}

/// Takes the object out of Macie's reach, its content unchanged.
async fn close(scene: &Scene, bucket: &str, unread: Unread) -> Result<()> {
    let onto_itself = scene
        .s3
        .copy_object()
        .bucket(bucket)
        .key("cards.txt")
        .copy_source(format!("{bucket}/cards.txt"))
        .metadata_directive(MetadataDirective::Copy);
    match unread {
        Unread::Archived => {
            onto_itself.storage_class(StorageClass::Glacier).send().await?;
        }
        Unread::UnderAClosedKey => {
            let root = scene.sandbox.sdk_config().await;
            let key = kms(&root, "createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
            let copy = onto_itself.server_side_encryption(ServerSideEncryption::AwsKms);
            copy.ssekms_key_id(key.as_str().context("a key has an ARN")?).send().await?;
        }
        Unread::UnderACustomersKey => {
            let (key, md5) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "KYvwGXoFFJ42a2u2GDWhwQ==");
            let put =
                scene.s3.put_object().bucket(bucket).key("cards.txt").body(CARD.as_bytes().to_vec().into());
            let put = put.sse_customer_algorithm("AES256").sse_customer_key(key).sse_customer_key_md5(md5);
            put.send().await?;
        }
    }
    Ok(())
}

/// Lets the time pass that the bucket is left alone for.
async fn make_due(scene: &Scene, bucket: &str) -> Result<()> {
    let set = "SET due = :due, due_at = :past REMOVE scan_not_before";
    update(scene, bucket, "bucket", set, &[(":due", text("bucket")), (":past", long_ago())]).await
}

/// Lets the last scan of a bucket become too old to be used again, and the bucket due.
async fn too_old(scene: &Scene, bucket: &str) -> Result<()> {
    let month = text(&ago(SignedDuration::from_hours(24 * 31)));
    update(scene, bucket, "scan#latest", "SET scanned_at = :at", &[(":at", month)]).await?;
    make_due(scene, bucket).await
}

/// For how long a bucket is left alone from now.
async fn due_in(scene: &Scene, bucket: &str) -> Result<SignedDuration> {
    let record = record(scene, bucket, "bucket").await?.context("a record")?;
    let at = record.get("due_at").and_then(|at| at.as_s().ok()).context("it is due")?;
    Ok(at.parse::<Timestamp>()?.duration_since(Timestamp::now()))
}

type Record = std::collections::HashMap<String, AttributeValue>;

async fn record(scene: &Scene, bucket: &str, item: &str) -> Result<Option<Record>> {
    let get = scene.dynamodb.get_item().table_name(scene.deployment.output("exposures_table")?);
    let get = get.key("bucket_arn", text(&format!("arn:aws:s3:::{bucket}"))).key("item", text(item));
    Ok(get.consistent_read(true).send().await?.item)
}

async fn update(
    scene: &Scene,
    bucket: &str,
    item: &str,
    expression: &str,
    values: &[(&str, AttributeValue)],
) -> Result<()> {
    let update = scene.dynamodb.update_item().table_name(scene.deployment.output("exposures_table")?);
    let update = update.key("bucket_arn", text(&format!("arn:aws:s3:::{bucket}"))).key("item", text(item));
    let update = update.update_expression(expression).condition_expression("attribute_exists(bucket_arn)");
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    update.set_expression_attribute_values(Some(values)).send().await?;
    Ok(())
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn ago(length: SignedDuration) -> String {
    time::stored(Timestamp::now() - length)
}

fn long_ago() -> AttributeValue {
    text(&ago(SignedDuration::from_hours(1)))
}

/// What Security Hub has about a bucket.
fn reported(scene: &Scene, bucket: &str) -> Option<Value> {
    let arn = format!("arn:aws:s3:::{bucket}");
    scene.sandbox.security_hub().findings().into_iter().find(|finding| finding["Resources"][0]["Id"] == arn)
}

fn jobs_about(scene: &Scene, bucket: &str) -> usize {
    let name = format!("\"{bucket}\"");
    scene.sandbox.macie().jobs().iter().filter(|job| job.to_string().contains(&name)).count()
}
