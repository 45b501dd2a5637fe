//! Access Analyzer: findings that follow the policies of buckets.

use super::*;

#[test]
fn sharing_a_bucket_makes_a_finding_and_ending_it_resolves_that() -> Result<()> {
    with_doubles(async {
        let clients = Clients::new().await?;
        let bucket = clients.bucket("shared").await?;
        let analyzer = clients.analyzer_arn().await?;
        let arn = format!("arn:aws:s3:::{bucket}");
        let mut events =
            clients.events(json!({"source": ["aws.access-analyzer"], "detail": {"resource": [arn]}})).await?;

        let external = json!({"AWS": "arn:aws:iam::999988887777:root"});
        clients.share(&bucket, external.clone(), json!(["s3:ListBucket", "s3:GetObject"])).await?;
        let event = events.next("the finding's event", |_| true).await?;
        assert_eq!(event["detail-type"], "Access Analyzer Finding");
        assert_eq!(event["resources"], json!([analyzer]));
        let detail = &event["detail"];
        let found: Vec<&str> = detail.as_object().context("an object")?.keys().map(String::as_str).collect();
        assert_eq!(
            found.join(" "),
            "accountId action analyzedAt condition createdAt id isDeleted isPublic principal region resource \
             resourceType status updatedAt version"
        );
        assert_eq!(detail["principal"], json!({"AWS": "999988887777"}));
        assert_eq!(detail["action"], json!(["s3:GetObject", "s3:ListBucket"]));
        assert_eq!((&detail["status"], &detail["isPublic"]), (&json!("ACTIVE"), &json!(false)));

        // Changed access is a new finding, and the old one is resolved.
        clients.share(&bucket, external, json!("s3:GetObject")).await?;
        let resolved = events.next("the resolution", |event| event["detail"]["status"] == "RESOLVED").await?;
        assert_eq!(resolved["detail"]["id"], detail["id"]);
        let (id, status) = clients.access_findings(&bucket).await?.pop().context("a second finding")?;
        assert_eq!(status, "ACTIVE");
        assert_ne!(detail["id"], id);

        clients.s3.delete_bucket_policy().bucket(&bucket).send().await?;
        let is_resolved =
            |event: &Value| event["detail"]["id"] == id && event["detail"]["status"] == "RESOLVED";
        events.next("the second resolution", is_resolved).await?;
        Ok(())
    })
}

#[test]
fn a_deleted_bucket_resolves_its_findings() -> Result<()> {
    with_doubles(async {
        let clients = Clients::new().await?;
        let bucket = clients.bucket("deleted").await?;
        clients.share(&bucket, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
        let statuses = async || -> Result<Vec<String>> {
            Ok(clients.access_findings(&bucket).await?.into_iter().map(|(_, status)| status).collect())
        };
        eventually("a finding", async || Ok((statuses().await? == ["ACTIVE"]).then_some(()))).await?;
        clients.s3.delete_bucket().bucket(&bucket).send().await?;
        eventually("its resolution", async || Ok((statuses().await? == ["RESOLVED"]).then_some(()))).await
    })
}

#[test]
fn a_public_bucket_is_reported_only_when_nothing_blocks_it() -> Result<()> {
    with_doubles(async {
        let clients = Clients::new().await?;
        let bucket = clients.bucket("public").await?;
        let open = async || -> Result<Vec<Value>> {
            let arn = format!("arn:aws:s3:::{bucket}");
            let all = clients.sandbox.access_analyzer().findings();
            Ok(all.into_iter().filter(|f| f["resource"] == arn && f["status"] == "ACTIVE").collect())
        };
        clients.unblock(&bucket).await?;
        clients.share(&bucket, json!("*"), json!("s3:GetObject")).await?;
        let finding = eventually("a public finding", async || Ok(open().await?.pop())).await?;
        assert_eq!((&finding["isPublic"], &finding["principal"]), (&json!(true), &json!({"AWS": "*"})));

        let block = PublicAccessBlockConfiguration::builder().restrict_public_buckets(true).build();
        let put =
            clients.s3.put_public_access_block().bucket(&bucket).public_access_block_configuration(block);
        put.send().await?;
        eventually("its resolution", async || Ok(open().await?.is_empty().then_some(()))).await?;

        clients.unblock(&bucket).await?;
        clients.s3.delete_bucket_policy().bucket(&bucket).send().await?;
        let rule = aws_sdk_s3::types::OwnershipControlsRule::builder()
            .object_ownership(ObjectOwnership::ObjectWriter);
        let controls = aws_sdk_s3::types::OwnershipControls::builder().rules(rule.build()?).build()?;
        clients
            .s3
            .put_bucket_ownership_controls()
            .bucket(&bucket)
            .ownership_controls(controls)
            .send()
            .await?;
        let acl =
            clients.s3.put_bucket_acl().bucket(&bucket).acl(aws_sdk_s3::types::BucketCannedAcl::PublicRead);
        acl.send().await?;
        let finding = eventually("a finding about the ACL", async || {
            Ok(open().await?.into_iter().find(|finding| finding["sources"][0]["type"] == "BUCKET_ACL"))
        })
        .await?;
        assert_eq!(finding["isPublic"], true);
        Ok(())
    })
}

#[test]
fn both_versions_of_the_finding_lists_are_paged_filtered_and_agree() -> Result<()> {
    with_doubles(async {
        use aws_sdk_accessanalyzer::types::Criterion;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("versions").await?;
        let analyzer = clients.analyzer_arn().await?;
        let principals = ["999988887777", "888877776666", "777766665555"];
        clients.share(&bucket, json!({"AWS": principals}), json!("s3:GetObject")).await?;
        eventually("three findings", async || {
            Ok((clients.access_findings(&bucket).await?.len() == 3).then_some(()))
        })
        .await?;

        let about = Criterion::builder().eq(format!("arn:aws:s3:::{bucket}")).build();
        let active = Criterion::builder().eq("ACTIVE").build();
        let mut first: Vec<String> = vec![];
        let mut pages = clients
            .analyzer
            .list_findings()
            .analyzer_arn(&analyzer)
            .filter("resource", about.clone())
            .filter("status", active);
        pages = pages.max_results(2);
        let mut pages = pages.into_paginator().send();
        while let Some(page) = pages.next().await {
            first.extend(page?.findings.into_iter().map(|finding| finding.id));
        }
        let mut second: Vec<String> = vec![];
        let list = clients
            .analyzer
            .list_findings_v2()
            .analyzer_arn(&analyzer)
            .filter("resource", about)
            .max_results(1);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            second.extend(page?.findings.into_iter().map(|finding| finding.id));
        }
        assert_eq!(first.len(), 3);
        assert_eq!(first, second);

        let one = clients
            .analyzer
            .get_finding()
            .analyzer_arn(&analyzer)
            .id(&first[0])
            .send()
            .await?
            .finding
            .context("it")?;
        assert_eq!(one.resource_owner_account, "111122223333");
        let two = clients.analyzer.get_finding_v2().analyzer_arn(&analyzer).id(&first[0]).send().await?;
        let details = two.finding_details[0].as_external_access_details().ok().context("external access")?;
        assert_eq!(details.principal(), one.principal());
        let error = clients
            .analyzer
            .get_finding()
            .analyzer_arn(&analyzer)
            .id("none")
            .send()
            .await
            .err()
            .context("none")?;
        assert_eq!(
            aws_sdk_accessanalyzer::error::ProvideErrorMetadata::code(&error),
            Some("ResourceNotFoundException")
        );
        Ok(())
    })
}

#[test]
fn an_archived_finding_is_told_and_an_archive_rule_archives_at_once() -> Result<()> {
    with_doubles(async {
        use aws_sdk_accessanalyzer::types::{Criterion, FindingStatusUpdate};
        let clients = Clients::new().await?;
        let analyzer = clients.analyzer_arn().await?;
        let (by_hand, by_rule) = (clients.bucket("by-hand").await?, clients.bucket("by-rule").await?);
        let arn = |bucket: &str| format!("arn:aws:s3:::{bucket}");
        let resources = json!([arn(&by_hand), arn(&by_rule)]);
        let mut events = clients
            .events(json!({"source": ["aws.access-analyzer"], "detail": {"resource": resources}}))
            .await?;

        clients.share(&by_hand, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
        let opened = events.next("the finding", |event| event["detail"]["resource"] == arn(&by_hand)).await?;
        let id = opened["detail"]["id"].as_str().context("an id")?;
        let update = clients.analyzer.update_findings().analyzer_arn(&analyzer).ids(id);
        update.status(FindingStatusUpdate::Archived).send().await?;
        let archived =
            events.next("the archived finding", |event| event["detail"]["status"] == "ARCHIVED").await?;
        assert_eq!(archived["detail"]["id"], id);

        let rule =
            clients.analyzer.create_archive_rule().analyzer_name("external-access").rule_name(unique("rule"));
        rule.filter("resource", Criterion::builder().eq(arn(&by_rule)).build()).send().await?;
        clients.share(&by_rule, json!({"AWS": "999988887777"}), json!("s3:GetObject")).await?;
        let arrived =
            events.next("the finding", |event| event["detail"]["resource"] == arn(&by_rule)).await?;
        assert_eq!(arrived["detail"]["status"], "ARCHIVED");
        Ok(())
    })
}
