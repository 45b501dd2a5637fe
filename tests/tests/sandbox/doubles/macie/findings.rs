//! The list of findings.

use super::*;

#[test]
fn findings_are_listed_by_criteria_in_order_and_page_by_page() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("listed").await?;
        for n in 0..5 {
            clients.put(&bucket, &format!("card-{n}.txt"), CARD).await?;
        }
        clients.put(&bucket, "keys", KEYS).await?;
        let job = clients.scan(&[&bucket]).await?;

        let in_bucket = CriterionAdditionalProperties::builder().eq(&bucket).build();
        let financial =
            CriterionAdditionalProperties::builder().neq("SensitiveData:S3Object/Credentials").build();
        let since = CriterionAdditionalProperties::builder().gte(0).build();
        let criteria = FindingCriteria::builder()
            .criterion("resourcesAffected.s3Bucket.name", in_bucket)
            .criterion("type", financial)
            .criterion("updatedAt", since)
            .build();
        let order = SortCriteria::builder()
            .attribute_name("updatedAt")
            .order_by(aws_sdk_macie2::types::OrderBy::Desc)
            .build();
        let mut ids = vec![];
        let mut token = None;
        loop {
            let list =
                clients.macie.list_findings().finding_criteria(criteria.clone()).sort_criteria(order.clone());
            let page = list.max_results(2).set_next_token(token).send().await?;
            ids.extend(page.finding_ids.unwrap_or_default());
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        let mut expected: Vec<String> = clients
            .findings_of(&job)
            .await?
            .iter()
            .filter(|finding| finding.r#type() == Some(&FindingType::SensitiveDataS3ObjectFinancial))
            .filter_map(|finding| finding.id().map(str::to_owned))
            .collect();
        assert_eq!(ids.len(), 5);
        expected.sort();
        ids.sort();
        assert_eq!(ids, expected);

        let none = clients.macie.get_findings().finding_ids("0".repeat(32)).send().await?;
        assert!(none.findings().is_empty());
        let many = (0..51).map(|n| format!("{n:032x}")).collect();
        let error = clients
            .macie
            .get_findings()
            .set_finding_ids(Some(many))
            .send()
            .await
            .err()
            .context("too many")?;
        assert_eq!(error.code(), Some("ValidationException"));
        let misspelt = FindingCriteria::builder()
            .criterion("jobId", CriterionAdditionalProperties::builder().eq(&job).build())
            .build();
        let error = clients
            .macie
            .list_findings()
            .finding_criteria(misspelt)
            .send()
            .await
            .err()
            .context("unknown field")?;
        assert_eq!(error.code(), Some("ValidationException"));
        Ok(())
    })
}

#[test]
fn sample_findings_are_published_and_marked() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let mut events =
            clients.events(json!({"source": ["aws.macie"], "detail": {"sample": [true]}})).await?;
        clients.macie.create_sample_findings().send().await?;
        let event = events.next("a sample finding", |_| true).await?;
        assert_eq!(event["detail"]["resourcesAffected"]["s3Bucket"]["name"], "macie-sample-finding-bucket");
        let policy =
            clients.macie.create_sample_findings().finding_types(FindingType::PolicyIamUserS3BucketPublic);
        let error = policy.send().await.err().context("the double has no such sample")?;
        assert_eq!(error.raw_response().map(|response| response.status().as_u16()), Some(501));
        Ok(())
    })
}

#[test]
fn a_hand_made_finding_is_known_to_get_findings_and_published_when_asked() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let mut events = clients.events(json!({"source": ["aws.macie"]})).await?;
        let id = "c1f0a2b9d6d84e0f9a51f1f3b7de4a10";
        clients.sandbox.macie().put_finding(json!({
            "id": id, "type": "SensitiveData:S3Object/CustomIdentifier", "severity": {"score": 2, "description": "Medium"},
            "resourcesAffected": {"s3Object": {"key": "k", "etag": "9e107d9d372bb6826bd81d3542a419d6"}},
        }));
        let found = clients.macie.get_findings().finding_ids(id).send().await?;
        let object = found.findings()[0].resources_affected().and_then(|affected| affected.s3_object());
        assert_eq!(object.and_then(|object| object.e_tag()), Some("9e107d9d372bb6826bd81d3542a419d6"));
        clients.sandbox.macie().publish_finding(id).await?;
        let event = events.next("the event", |event| event["detail"]["id"] == id).await?;
        assert_eq!(
            event["detail"]["resourcesAffected"]["s3Object"]["etag"],
            "9e107d9d372bb6826bd81d3542a419d6"
        );
        Ok(())
    })
}
