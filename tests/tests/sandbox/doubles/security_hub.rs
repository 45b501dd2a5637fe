//! Security Hub: imports of findings and what customers change in them.

use aws_sdk_securityhub::types::{
    AwsSecurityFinding, AwsSecurityFindingFilters, AwsSecurityFindingIdentifier, RecordState, Resource,
    Severity, SeverityLabel, StringFilter, StringFilterComparison, WorkflowStatus, WorkflowUpdate,
};

use super::*;

fn finding(id: &str, updated_at: &str) -> aws_sdk_securityhub::types::builders::AwsSecurityFindingBuilder {
    AwsSecurityFinding::builder()
        .schema_version("2018-10-08")
        .id(id)
        .product_arn(PRODUCT)
        .generator_id("exposed-sensitive-bucket")
        .aws_account_id("111122223333")
        .types("Effects/Data Exposure")
        .created_at("2026-03-11T10:00:00.000Z")
        .updated_at(updated_at)
        .severity(Severity::builder().label(SeverityLabel::High).build())
        .title("Externally accessible S3 bucket holds sensitive data")
        .description("It does.")
        .resources(Resource::builder().r#type("AwsS3Bucket").id("arn:aws:s3:::amzn-s3-demo-bucket1").build())
}

fn by_id(comparison: StringFilterComparison, id: &str) -> AwsSecurityFindingFilters {
    let filter = StringFilter::builder().value(id).comparison(comparison).build();
    AwsSecurityFindingFilters::builder().id(filter).build()
}

#[test]
fn an_import_tells_which_findings_failed_and_why() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SECURITY_HUB.read()).await;
        let clients = Clients::new().await?;
        let id = unique("mixed");
        let blank = finding(&format!("{id}-blank"), "2026-03-11T10:00:00Z").title(" ").build();
        let foreign = finding(&format!("{id}-foreign"), "2026-03-11T10:00:00Z");
        let foreign = foreign.product_arn("arn:aws:securityhub:us-east-1::product/aws/macie").build();
        let right = finding(&id, "2026-03-11T10:00:00Z").build();
        let import = clients.hub.batch_import_findings().findings(blank).findings(right).findings(foreign);
        let answer = import.send().await?;
        assert_eq!((answer.success_count, answer.failed_count), (Some(1), Some(2)));
        let codes: Vec<&str> =
            answer.failed_findings().iter().filter_map(|failed| failed.error_code()).collect();
        assert_eq!(codes, ["InvalidInput", "InvalidAccess"]);
        assert!(answer.failed_findings()[0].error_message().is_some_and(|message| message.contains("Title")));

        let many = vec![finding(&id, "2026-03-11T10:00:00Z").build(); 101];
        let error =
            clients.hub.batch_import_findings().set_findings(Some(many)).send().await.err().context("101")?;
        assert_eq!(
            aws_sdk_securityhub::error::ProvideErrorMetadata::code(&error),
            Some("InvalidInputException")
        );
        Ok(())
    })
}

#[test]
fn a_newer_import_updates_and_leaves_to_the_customer_what_is_the_customers() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SECURITY_HUB.read()).await;
        let clients = Clients::new().await?;
        let id = unique("updated");
        let import = async |finding: AwsSecurityFinding| -> Result<()> {
            let answer = clients.hub.batch_import_findings().findings(finding).send().await?;
            ensure!(answer.failed_count == Some(0), "{answer:?}");
            Ok(())
        };
        let get = async || -> Result<AwsSecurityFinding> {
            let filters = by_id(StringFilterComparison::Equals, &id);
            let answer = clients.hub.get_findings().filters(filters).send().await?;
            answer.findings.unwrap_or_default().pop().context("the finding")
        };
        import(finding(&id, "2026-03-11T10:00:00Z").build()).await?;
        let identifier = AwsSecurityFindingIdentifier::builder().id(&id).product_arn(PRODUCT).build();
        let workflow = WorkflowUpdate::builder().status(WorkflowStatus::Notified).build();
        let update = clients.hub.batch_update_findings().finding_identifiers(identifier).workflow(workflow);
        assert_eq!(update.send().await?.processed_findings().len(), 1);

        import(finding(&id, "2026-03-11T10:00:00Z").title("not newer").build()).await?;
        assert_eq!(
            get().await?.title.as_deref(),
            Some("Externally accessible S3 bucket holds sensitive data")
        );
        let newer =
            finding(&id, "2026-03-11T10:00:00.001Z").title("newer").record_state(RecordState::Archived);
        import(newer.build()).await?;
        let updated = get().await?;
        assert_eq!(updated.title.as_deref(), Some("newer"));
        assert_eq!(updated.record_state(), Some(&RecordState::Archived));
        assert_eq!(
            updated.workflow().and_then(|workflow| workflow.status()),
            Some(&WorkflowStatus::Notified)
        );
        assert_eq!(updated.severity().and_then(|severity| severity.normalized()), Some(70));
        Ok(())
    })
}

#[test]
fn findings_are_found_by_id_and_paged() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SECURITY_HUB.read()).await;
        let clients = Clients::new().await?;
        let prefix = unique("paged");
        let findings =
            (0..5).map(|n| finding(&format!("{prefix}/{n}"), "2026-03-11T10:00:00Z").build()).collect();
        clients.hub.batch_import_findings().set_findings(Some(findings)).send().await?;
        let filters = by_id(StringFilterComparison::Prefix, &format!("{prefix}/"));
        let mut pages = clients.hub.get_findings().filters(filters).max_results(2).into_paginator().send();
        let mut found = vec![];
        while let Some(page) = pages.next().await {
            found.extend(page?.findings.unwrap_or_default().into_iter().filter_map(|finding| finding.id));
        }
        assert_eq!(found, (0..5).map(|n| format!("{prefix}/{n}")).collect::<Vec<_>>());
        Ok(())
    })
}

#[test]
fn every_import_is_published() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SECURITY_HUB.read()).await;
        let clients = Clients::new().await?;
        let mut events = clients.events(json!({"source": ["aws.securityhub"]})).await?;
        let id = unique("published");
        clients
            .hub
            .batch_import_findings()
            .findings(finding(&id, "2026-03-11T10:00:00Z").build())
            .send()
            .await?;
        let event = events.next("the import", |event| event["detail"]["findings"][0]["Id"] == id).await?;
        assert_eq!(event["detail-type"], "Security Hub Findings - Imported");
        Ok(())
    })
}

#[test]
fn where_it_is_off_every_call_is_refused_and_what_it_knew_is_there_again_after() -> Result<()> {
    with_doubles(async {
        let _own = waiting(SECURITY_HUB.write()).await;
        let clients = Clients::new().await?;
        let id = unique("off");
        let import = async || {
            let finding = finding(&id, "2026-03-11T10:00:00Z").build();
            clients.hub.batch_import_findings().findings(finding).send().await
        };
        import().await?;
        clients.sandbox.security_hub().set_off(true);
        let error = import().await.err().context("refused")?;
        assert_eq!(
            aws_sdk_securityhub::error::ProvideErrorMetadata::code(&error),
            Some("InvalidAccessException")
        );
        clients.sandbox.security_hub().set_off(false);
        let filters = by_id(StringFilterComparison::Equals, &id);
        let found = clients.hub.get_findings().filters(filters).send().await?;
        assert_eq!(found.findings().len(), 1);
        Ok(())
    })
}

#[test]
fn a_refused_finding_fails_alone_in_an_answer_of_200() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(SECURITY_HUB.read()).await;
        let clients = Clients::new().await?;
        let (refused, taken) = (unique("refused"), unique("taken"));
        let about = |bucket: &str| {
            let resource = Resource::builder().r#type("AwsS3Bucket").id(format!("arn:aws:s3:::{bucket}"));
            finding(bucket, "2026-03-11T10:00:00Z").set_resources(None).resources(resource.build()).build()
        };
        let hub = clients.sandbox.security_hub();
        hub.refuse_findings_about(&format!("arn:aws:s3:::{refused}"), true);
        let import = clients.hub.batch_import_findings().findings(about(&refused)).findings(about(&taken));
        let answer = import.send().await?;
        assert_eq!((answer.success_count, answer.failed_count), (Some(1), Some(1)));
        assert_eq!(answer.failed_findings()[0].id.as_deref(), Some(refused.as_str()));
        hub.refuse_findings_about(&format!("arn:aws:s3:::{refused}"), false);
        let again = clients.hub.batch_import_findings().findings(about(&refused)).send().await?;
        assert_eq!(again.failed_count, Some(0));
        Ok(())
    })
}
