//! Macie: jobs, their findings, and its events.

mod findings;

use super::*;

#[test]
fn a_job_finds_card_numbers_and_keys_in_the_objects_of_its_buckets() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let (plain, versioned) = (clients.bucket("plain").await?, clients.bucket("versioned").await?);
        let versioning =
            aws_sdk_s3::types::VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
        let put = clients
            .s3
            .put_bucket_versioning()
            .bucket(&versioned)
            .versioning_configuration(versioning.build());
        put.send().await?;
        clients.put(&plain, "2026 cards+é.txt", CARD).await?;
        clients.put(&plain, "harmless.txt", "5163200000000009 is no card number\n").await?;
        clients.put(&plain, "both", &format!("{CARD}{KEYS}")).await?;
        clients.put(&versioned, "keys", CARD).await?;
        let version = clients.put(&versioned, "keys", KEYS).await?.context("a version id")?;

        let job = clients.scan(&[&plain, &versioned]).await?;
        let findings: HashMap<String, _> = clients
            .findings_of(&job)
            .await?
            .into_iter()
            .filter_map(|finding| {
                let object = finding.resources_affected()?.s3_object()?;
                Some((object.key()?.to_owned(), finding))
            })
            .collect();
        let kind = |key: &str| findings.get(key).and_then(|finding| finding.r#type().cloned());
        assert_eq!(findings.len(), 3);
        assert_eq!(kind("2026 cards+é.txt"), Some(FindingType::SensitiveDataS3ObjectFinancial));
        assert_eq!(kind("both"), Some(FindingType::SensitiveDataS3ObjectMultiple));
        assert_eq!(
            kind("keys"),
            Some(FindingType::SensitiveDataS3ObjectCredentials),
            "only the latest version is read"
        );

        let object = |key: &str| findings[key].resources_affected().and_then(|affected| affected.s3_object());
        assert_eq!(object("keys").and_then(|object| object.version_id()), Some(version.as_str()));
        assert_eq!(
            object("both").and_then(|object| object.version_id()),
            Some(""),
            "no version in an unversioned bucket"
        );
        let head = clients.s3.head_object().bucket(&plain).key("both").send().await?;
        let tag = head.e_tag().context("an ETag")?.trim_matches('"').to_owned();
        assert_eq!(
            object("both").and_then(|object| object.e_tag()),
            Some(tag.as_str()),
            "bare, without quotes"
        );
        for finding in findings.values() {
            assert_eq!(finding.severity().and_then(|severity| severity.score()), Some(3));
            assert_eq!(finding.count(), Some(1));
            assert_eq!(finding.sample(), Some(false));
            assert_eq!(
                finding.classification_details().and_then(|details| details.job_id()),
                Some(job.as_str())
            );
        }
        Ok(())
    })
}

#[test]
fn each_macie_finding_is_published_as_the_event_that_eventbridge_gets_from_macie() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("published").await?;
        clients.put(&bucket, "card.txt", CARD).await?;
        let mut events =
            clients.events(json!({"source": ["aws.macie"], "detail-type": ["Macie Finding"]})).await?;
        let job = clients.scan(&[&bucket]).await?;
        let of_this_job = |event: &Value| event["detail"]["classificationDetails"]["jobId"] == *job;
        let event = events.next("the finding's event", of_this_job).await?;

        assert_eq!((&event["account"], &event["region"]), (&json!("111122223333"), &json!("us-east-1")));
        assert_eq!(event["resources"], json!([]));
        let expected = "accountId archived category classificationDetails count createdAt description id partition \
                        policyDetails region resourcesAffected sample schemaVersion severity title type updatedAt";
        let detail = &event["detail"];
        let found: Vec<&str> = detail.as_object().context("an object")?.keys().map(String::as_str).collect();
        assert_eq!(found.join(" "), expected);
        let paths = members(detail);
        for path in [
            "/resourcesAffected/s3Bucket/publicAccess/permissionConfiguration/accountLevelPermissions/blockPublicAccess\
             /blockPublicAcls",
            "/resourcesAffected/s3Bucket/defaultServerSideEncryption/kmsMasterKeyId",
            "/resourcesAffected/s3Bucket/allowsUnencryptedObjectUploads",
            "/resourcesAffected/s3Object/etag",
            "/resourcesAffected/s3Object/versionId",
            "/classificationDetails/result/status/reason",
            "/classificationDetails/result/sensitiveData/detections/occurrences/lineRanges/startColumn",
            "/classificationDetails/result/sensitiveData/detections/occurrences/cells",
            "/classificationDetails/result/customDataIdentifiers/totalCount",
            "/classificationDetails/originType",
        ] {
            assert!(paths.iter().any(|found| found == path), "{path} is missing in {paths:#?}");
        }
        assert!(!paths.iter().any(|path| path.ends_with("/eTag")), "the event spells it etag");
        let place =
            &detail["classificationDetails"]["result"]["sensitiveData"][0]["detections"][0]["occurrences"];
        assert_eq!(place["lineRanges"], json!([{"start": 2, "end": 2, "startColumn": 14}]));
        Ok(())
    })
}

#[test]
fn the_effective_permission_is_that_of_the_buckets_real_policy() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("open").await?;
        clients.put(&bucket, "card.txt", CARD).await?;
        let permission = async || -> Result<String> {
            let job = clients.scan(&[&bucket]).await?;
            let findings = clients.findings_of(&job).await?;
            let affected = findings.first().and_then(|finding| finding.resources_affected());
            let access =
                affected.and_then(|affected| affected.s3_bucket()).and_then(|bucket| bucket.public_access());
            Ok(access
                .and_then(|access| access.effective_permission())
                .context("a permission")?
                .as_str()
                .to_owned())
        };
        assert_eq!(permission().await?, "NOT_PUBLIC");
        clients.unblock(&bucket).await?;
        clients.share(&bucket, json!("*"), json!("s3:GetObject")).await?;
        assert_eq!(permission().await?, "PUBLIC");
        Ok(())
    })
}

#[test]
fn a_job_reads_every_page_and_skips_what_macie_cannot_read() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("pages").await?;
        let mut puts = tokio::task::JoinSet::new();
        for n in 0..1001 {
            let put = clients
                .s3
                .put_object()
                .bucket(&bucket)
                .key(format!("a/{n:04}"))
                .body(ByteStream::from_static(b"x"));
            puts.spawn(put.send());
            if puts.len() >= 32 {
                puts.join_next().await.context("a put")???;
            }
        }
        while let Some(put) = puts.join_next().await {
            put??;
        }
        clients.put(&bucket, "z-last", CARD).await?;
        let archived =
            clients.s3.put_object().bucket(&bucket).key("z-archived").storage_class(StorageClass::Glacier);
        archived.body(ByteStream::from_static(CARD.as_bytes())).send().await?;
        clients.put(&bucket, "z-binary", &format!("\0\0{CARD}")).await?;

        let job = clients.scan(&[&bucket]).await?;
        let findings = clients.findings_of(&job).await?;
        let keys: Vec<&str> =
            findings.iter().filter_map(|f| f.resources_affected()?.s3_object()?.key()).collect();
        assert_eq!(keys, ["z-last"]);
        let described = clients.macie.describe_classification_job().job_id(&job).send().await?;
        let objects = described.statistics().and_then(|s| s.approximate_number_of_objects_to_process());
        assert_eq!(objects, Some(1003.0));
        Ok(())
    })
}

#[test]
fn what_is_encrypted_out_of_macies_reach_is_skipped_and_the_job_is_complete_without_an_error() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("encrypted").await?;
        let root = clients.sandbox.sdk_config().await;
        let key = kms(&root, "createKey", json!({})).await?["KeyMetadata"]["Arn"].clone();
        let key = key.as_str().context("a key has an ARN")?;
        let put = |name: &str| {
            let body = ByteStream::from_static(CARD.as_bytes());
            clients.s3.put_object().bucket(&bucket).key(name).body(body)
        };
        put("ours").server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key).send().await?;
        put("managed").server_side_encryption(ServerSideEncryption::AwsKms).send().await?;
        let (customers, md5) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "KYvwGXoFFJ42a2u2GDWhwQ==");
        let closed = put("customers").sse_customer_algorithm("AES256").sse_customer_key(customers);
        closed.sse_customer_key_md5(md5).send().await?;

        let scanned = async || -> Result<Vec<String>> {
            let job = clients.scan(&[&bucket]).await?;
            let described = clients.macie.describe_classification_job().job_id(&job).send().await?;
            let error = described.last_run_error_status().and_then(|status| status.code().cloned());
            assert_eq!(error, Some(LastRunErrorStatusCode::None));
            let findings = clients.findings_of(&job).await?;
            let keys = findings.iter().filter_map(|found| found.resources_affected()?.s3_object()?.key());
            let mut keys: Vec<_> = keys.map(str::to_owned).collect();
            keys.sort();
            Ok(keys)
        };
        assert_eq!(scanned().await?, ["managed"], "the account may use the key, Macie may not");

        let role = "arn:aws:iam::111122223333:role/aws-service-role/macie.amazonaws.com/AWSServiceRoleForAmazonMacie";
        let statement = |who: &str, action: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": "*"});
        let policy = json!({"Version": "2012-10-17",
            "Statement": [statement("arn:aws:iam::111122223333:root", "kms:*"), statement(role, "kms:Decrypt")]});
        let parameters = json!({"KeyId": key, "PolicyName": "default", "Policy": policy.to_string()});
        kms(&root, "putKeyPolicy", parameters).await?;
        assert_eq!(scanned().await?, ["managed", "ours"], "the key policy names its service-linked role");
        Ok(())
    })
}

#[test]
fn a_client_token_names_one_job_and_only_with_the_same_request() -> Result<()> {
    with_doubles(async {
        let _shared = waiting(MACIE.read()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("token").await?;
        let token = unique("token");
        let first = clients.create_job(&token, &[&bucket]).await?;
        assert_eq!(clients.create_job(&token, &[&bucket]).await?, first);
        let error = clients.create_job(&token, &["another"]).await.err().context("refused")?;
        assert!(format!("{error:?}").contains("ConflictException"), "{error:?}");
        Ok(())
    })
}

#[test]
fn a_job_that_cannot_reach_a_bucket_is_complete_with_an_error_and_not_clean() -> Result<()> {
    with_doubles(async {
        let _own = waiting(MACIE.write()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("reachable").await?;
        clients.put(&bucket, "card.txt", CARD).await?;
        let outcome = async |job: &str| -> Result<Option<LastRunErrorStatusCode>> {
            let job = clients.macie.describe_classification_job().job_id(job).send().await?;
            Ok(job.last_run_error_status().and_then(|status| status.code().cloned()))
        };
        let job = clients.scan(&["doubles-no-such-bucket", &bucket]).await?;
        assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::Error));
        assert_eq!(clients.findings_of(&job).await?.len(), 1, "the other bucket was scanned");

        clients.sandbox.macie().fail_next_job();
        let job = clients.scan(&[&bucket]).await?;
        assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::Error));
        let job = clients.scan(&[&bucket]).await?;
        assert_eq!(outcome(&job).await?, Some(LastRunErrorStatusCode::None));
        Ok(())
    })
}

#[test]
fn a_job_keeps_its_pace_and_can_be_paused_resumed_and_cancelled() -> Result<()> {
    with_doubles(async {
        let _own = waiting(MACIE.write()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("pace").await?;
        clients.put(&bucket, "card.txt", CARD).await?;
        let update = async |job: &str, status: JobStatus| {
            clients.macie.update_classification_job().job_id(job).job_status(status).send().await
        };

        clients.sandbox.macie().set_pace(Duration::from_secs(3600));
        let cancelled = clients.create_job(&unique("pace"), &[&bucket]).await?;
        assert_eq!(clients.job_status(&cancelled).await?, JobStatus::Running);
        update(&cancelled, JobStatus::Cancelled).await?;
        assert_eq!(clients.job_status(&cancelled).await?, JobStatus::Cancelled);
        assert!(update(&cancelled, JobStatus::Running).await.is_err(), "cancelled is for good");

        clients.sandbox.macie().set_pace(Duration::from_millis(300));
        let paused = clients.create_job(&unique("pace"), &[&bucket]).await?;
        update(&paused, JobStatus::UserPaused).await?;
        let other = clients.create_job(&unique("pace"), &[&bucket]).await?;
        eventually("the other job's end", async || {
            Ok((clients.job_status(&other).await? == JobStatus::Complete).then_some(()))
        })
        .await?;
        assert_eq!(clients.job_status(&paused).await?, JobStatus::UserPaused);
        assert!(clients.findings_of(&paused).await?.is_empty());
        let described = clients.macie.describe_classification_job().job_id(&paused).send().await?;
        assert!(described.user_paused_details().is_some_and(|details| details.job_expires_at().is_some()));
        update(&paused, JobStatus::Running).await?;
        eventually("the resumed job's end", async || {
            Ok((clients.job_status(&paused).await? == JobStatus::Complete).then_some(()))
        })
        .await?;
        assert_eq!(clients.findings_of(&paused).await?.len(), 1);
        clients.sandbox.macie().set_pace(Duration::ZERO);
        Ok(())
    })
}

#[test]
fn jobs_are_created_at_the_published_rate_when_that_is_asked_for() -> Result<()> {
    with_doubles(async {
        let _own = waiting(MACIE.write()).await;
        let clients = Clients::new().await?;
        let bucket = clients.bucket("rate").await?;
        clients.sandbox.macie().set_create_interval(Some(Duration::from_secs(3600)));
        clients.create_job(&unique("rate"), &[&bucket]).await?;
        // The SDK's own retries meet the limit too, and give up.
        let refused = clients.create_job(&unique("rate"), &[&bucket]).await;
        clients.sandbox.macie().set_create_interval(None);
        assert!(format!("{:?}", refused.err().context("throttled")?).contains("ThrottlingException"));
        clients.create_job(&unique("rate"), &[&bucket]).await?;
        Ok(())
    })
}
