//! When an exposure ends, and when it only seems to.

use super::*;

#[test]
fn an_access_finding_recorded_while_a_report_reads_is_not_taken_for_deleted() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "between").await?;
        let batches = plan(fixture, "between-0", "between").await?;
        for batch in &batches {
            scan(fixture, batch).await?.map_err(|failure| anyhow!("{failure:?}"))?;
            let late = |call: &InterceptedCall| match call.service.as_str() {
                "access-analyzer" => Intervention::Hold,
                _ => Intervention::Pass,
            };
            let mut process =
                fixture.start_activity("report_exposures", &json!({"batch": batch}), late).await?;
            ensure!(process.answer().await?.is_none(), "the list was not read");
            let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding",
                "detail": access_detail(fixture, "between", "between-late")});
            done(fixture, "record_access_finding", &json!({"event": event})).await?;
            process.proxy.release();
            process.answer().await?.context("nothing more is held")?;
        }
        let finding = record(fixture, "between", "access#between-late").await?.context("it is on record")?;
        assert_eq!(finding.get("status"), Some(&text("ACTIVE")));
        Ok(())
    })
}

#[test]
fn an_access_finding_that_was_missing_from_the_list_comes_back_with_it() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "missing").await?;
        let detail = access_detail(fixture, "missing", "missing-for-now");
        let event = json!({"source": "aws.access-analyzer", "detail-type": "Access Analyzer Finding", "detail": detail});
        done(fixture, "record_access_finding", &json!({"event": event})).await?;
        cycle(fixture, "missing-0", "missing").await?;
        let status = async || -> Result<AttributeValue> {
            let finding =
                record(fixture, "missing", "access#missing-for-now").await?.context("it is on record")?;
            finding.get("status").cloned().context("a status")
        };
        assert_eq!(status().await?, text("DELETED"), "the list does not have it");
        let listed = json!({"id": detail["id"], "status": "ACTIVE", "resource": detail["resource"],
            "resourceType": detail["resourceType"], "resourceOwnerAccount": detail["accountId"],
            "principal": detail["principal"], "action": detail["action"], "isPublic": false, "condition": {},
            "createdAt": detail["updatedAt"], "analyzedAt": detail["updatedAt"], "updatedAt": detail["updatedAt"]});
        fixture.sandbox.access_analyzer().put_finding(fixture.deployment.output("analyzer_arn")?, listed)?;
        done(fixture, "sync_access_findings", &json!({})).await?;
        assert_eq!(status().await?, text("ACTIVE"), "the list has it again, as it was");
        Ok(())
    })
}

#[test]
fn an_exposure_whose_objects_macie_could_not_read_again_stays_and_says_why() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        for (unread, says) in [
            (Unread::Archived, "GLACIER"),
            (Unread::UnderAClosedKey, "KMS"),
            (Unread::UnderACustomersKey, "SSE-C"),
        ] {
            let bucket = format!("unread-{unread:?}").to_lowercase();
            shared(fixture, &bucket).await?;
            cycle(fixture, &format!("{bucket}-0"), &bucket).await?;
            assert_eq!(reported(fixture, &bucket).context("a finding")?["RecordState"], "ACTIVE");
            close(fixture, &bucket, unread).await?;
            too_old(fixture, &bucket).await?;
            let ended = cycle(fixture, &format!("{bucket}-1"), &bucket).await?;
            assert!(matches!(ended.as_slice(), [Ok(_)]), "{ended:?}");
            assert_eq!(jobs_about(fixture, &bucket), 2);
            let finding = reported(fixture, &bucket).context("a finding")?;
            assert_eq!(finding["RecordState"], "ACTIVE", "{unread:?}");
            assert!(finding["Description"].as_str().unwrap_or_default().contains(says), "{finding}");
            assert_eq!(finding["ProductFields"]["cordon/UnconfirmedObjectCount"], "1", "{finding}");
            assert_eq!(finding["Resources"][1]["Id"], format!("arn:aws:s3:::{bucket}/cards.txt"));

            // Removed, it is over.
            fixture.s3.delete_object().bucket(&bucket).key("cards.txt").send().await?;
            make_due(fixture, &bucket).await?;
            cycle(fixture, &format!("{bucket}-2"), &bucket).await?;
            assert_eq!(
                reported(fixture, &bucket).context("a finding")?["RecordState"],
                "ARCHIVED",
                "{unread:?}"
            );
            assert_eq!(jobs_about(fixture, &bucket), 2);
        }
        Ok(())
    })
}

#[test]
fn an_exposure_stays_while_the_version_that_was_found_is_still_there() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "below-newer").await?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        fixture
            .s3
            .put_bucket_versioning()
            .bucket("below-newer")
            .versioning_configuration(enabled)
            .send()
            .await?;
        let put = async |text: &str| {
            let body = text.as_bytes().to_vec().into();
            fixture.s3.put_object().bucket("below-newer").key("cards.txt").body(body).send().await
        };
        let found = put(CARD).await?.version_id.context("a version")?;
        cycle(fixture, "below-newer-0", "below-newer").await?;
        put("nothing to see").await?;
        too_old(fixture, "below-newer").await?;
        cycle(fixture, "below-newer-1", "below-newer").await?;
        let finding = reported(fixture, "below-newer").context("a finding")?;
        assert_eq!(finding["RecordState"], "ACTIVE");
        assert!(finding.to_string().contains("below a newer one"), "{finding}");
        let delete = fixture.s3.delete_object().bucket("below-newer").key("cards.txt");
        delete.version_id(found).send().await?;
        make_due(fixture, "below-newer").await?;
        cycle(fixture, "below-newer-2", "below-newer").await?;
        assert_eq!(reported(fixture, "below-newer").context("a finding")?["RecordState"], "ARCHIVED");
        Ok(())
    })
}

#[test]
fn an_exposure_ends_when_its_object_was_replaced_by_one_that_a_scan_found_clean() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "replaced").await?;
        cycle(fixture, "replaced-0", "replaced").await?;
        let body = b"nothing to see".to_vec().into();
        fixture.s3.put_object().bucket("replaced").key("cards.txt").body(body).send().await?;
        too_old(fixture, "replaced").await?;
        cycle(fixture, "replaced-1", "replaced").await?;
        assert_eq!(reported(fixture, "replaced").context("a finding")?["RecordState"], "ARCHIVED");
        Ok(())
    })
}

#[test]
fn an_exposure_ends_with_the_access_whatever_macie_could_read() -> Result<()> {
    run_test(async {
        let (fixture, _alone) = Fixture::alone().await?;
        shared(fixture, "unshared").await?;
        cycle(fixture, "unshared-0", "unshared").await?;
        close(fixture, "unshared", Unread::Archived).await?;
        fixture.s3.delete_bucket_policy().bucket("unshared").send().await?;
        fixture.sandbox.access_analyzer().bucket_changed("unshared").await;
        cycle(fixture, "unshared-1", "unshared").await?;
        assert_eq!(reported(fixture, "unshared").context("a finding")?["RecordState"], "ARCHIVED");
        assert_eq!(jobs_about(fixture, "unshared"), 1);

        // Shared again, its object is still there.
        access_changes(fixture, "unshared", 0).await?;
        too_old(fixture, "unshared").await?;
        cycle(fixture, "unshared-2", "unshared").await?;
        assert_eq!(reported(fixture, "unshared").context("a finding")?["RecordState"], "ACTIVE");
        Ok(())
    })
}
