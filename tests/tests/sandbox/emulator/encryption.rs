//! Encryption at rest.

use anyhow::{Context, Result};
use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    operation::{
        create_multipart_upload::builders::CreateMultipartUploadFluentBuilder, head_object::HeadObjectOutput,
        put_object::builders::PutObjectFluentBuilder,
    },
    types::{
        ChecksumMode, ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    },
};
use serde_json::{Value, json};

use super::{
    buckets::{Bucket, status},
    harness::{StepFunctions, code, in_bare_sandbox},
    multipart::Upload,
    principals::session,
};

/// What KMS answers to the account's root user, asked by way of Step Functions.
async fn kms(action: &str, parameters: Value) -> Result<Value> {
    let sfn = StepFunctions::new().await;
    let task = json!({
        "Type": "Task", "Resource": format!("arn:aws:states:::aws-sdk:kms:{action}"), "Parameters": parameters
    });
    let machine = sfn.machine_of(task).await?;
    sfn.output(&sfn.start(&machine, json!({})).await?).await
}

/// A new key; returns its ARN.
async fn key() -> Result<String> {
    let created = kms("createKey", json!({})).await?;
    Ok(created["KeyMetadata"]["Arn"].as_str().context("the key's ARN")?.to_owned())
}

/// An object that is to be encrypted with a key.
fn put_under(key: &str, bucket: &Bucket, name: &str) -> PutObjectFluentBuilder {
    bucket.put(name).server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key)
}

/// An upload of such an object.
fn begin_under(key: &str, bucket: &Bucket, name: &str) -> CreateMultipartUploadFluentBuilder {
    bucket.begin(name).server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key)
}

/// How an object is encrypted, with which KMS key, and whether with a bucket key.
type Encryption = (Option<ServerSideEncryption>, Option<String>, Option<bool>);

fn encryption(head: HeadObjectOutput) -> Encryption {
    (head.server_side_encryption, head.ssekms_key_id, head.bucket_key_enabled)
}

#[test]
fn an_object_under_a_customers_own_key_is_closed_without_it() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let (key, md5) = ("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "KYvwGXoFFJ42a2u2GDWhwQ==");
        let put = bucket.put("closed").sse_customer_algorithm("AES256").sse_customer_key(key);
        put.sse_customer_key_md5(md5).body(b"content".to_vec().into()).send().await?;
        assert_eq!(status(bucket.head("closed").send().await), Some(400));
        assert_eq!(code(bucket.get("closed").send().await).as_deref(), Some("InvalidRequest"));
        assert_eq!(code(bucket.copy("closed", "copy").send().await).as_deref(), Some("InvalidRequest"));
        let upload = Upload::new(&bucket, "copy").await?;
        assert_eq!(code(upload.part(1, "closed").send().await).as_deref(), Some("InvalidRequest"));
        Ok(())
    })
}

#[test]
fn an_object_is_encrypted_as_its_request_says_and_else_as_its_bucket_does() -> Result<()> {
    in_bare_sandbox(async {
        use ServerSideEncryption::{Aes256, AwsKms, AwsKmsDsse};

        let (bucket, key, other) = (Bucket::versioned().await?, key().await?, key().await?);
        let short = key.rsplit('/').next().map(str::to_owned);
        put_under(&other, &bucket, "source").bucket_key_enabled(true).send().await?;
        let asked_and_expected: [(Encryption, Encryption); 4] = [
            ((None, None, None), (Some(Aes256), None, None)),
            ((Some(Aes256), None, None), (Some(Aes256), None, None)),
            ((Some(AwsKms), short, Some(true)), (Some(AwsKms), Some(key.clone()), Some(true))),
            ((Some(AwsKmsDsse), Some(key.clone()), None), (Some(AwsKmsDsse), Some(key.clone()), None)),
        ];
        for ((method, named, bucket_key), expected) in asked_and_expected {
            let put =
                bucket.put("put").set_server_side_encryption(method.clone()).set_ssekms_key_id(named.clone());
            put.set_bucket_key_enabled(bucket_key).send().await?;
            let copy = bucket.copy("source", "copy").set_server_side_encryption(method.clone());
            let copied =
                copy.set_ssekms_key_id(named.clone()).set_bucket_key_enabled(bucket_key).send().await?;
            let begin = bucket.begin("in parts").set_server_side_encryption(method).set_ssekms_key_id(named);
            let begun = begin.set_bucket_key_enabled(bucket_key).send().await?;
            let upload = Upload::of(&bucket, "in parts", &begun.upload_id.context("an upload id")?);
            bucket.put("content").body(b"content".to_vec().into()).send().await?;
            upload.complete(&[upload.copied(1, "content", 0..7).await?]).send().await?;
            assert_eq!(encryption(bucket.head("put").send().await?), expected);
            let by_version = bucket.head("copy").set_version_id(copied.version_id).send().await?;
            assert_eq!(encryption(by_version), expected);
            assert_eq!(encryption(bucket.head("in parts").send().await?), expected);
        }

        let managed = bucket.put("managed").server_side_encryption(AwsKms).send().await?;
        assert!(managed.ssekms_key_id().is_some_and(|arn| arn.starts_with("arn:aws:kms:") && arn != key));
        let unknown =
            bucket.put("unknown").server_side_encryption(AwsKms).ssekms_key_id("alias/unknown").send().await;
        assert_eq!(code(unknown).as_deref(), Some("KMS.NotFoundException"));

        let by_default =
            ServerSideEncryptionByDefault::builder().sse_algorithm(AwsKms).kms_master_key_id(&key).build()?;
        let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default);
        let rule = rule.bucket_key_enabled(true).build();
        let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build()?;
        let put = bucket.client.put_bucket_encryption().bucket(&bucket.name);
        put.server_side_encryption_configuration(configuration).send().await?;
        bucket.copy("content", "copy").send().await?;
        assert_eq!(encryption(bucket.head("copy").send().await?), (Some(AwsKms), Some(key), Some(true)));
        Ok(())
    })
}

#[test]
fn a_kms_key_opens_its_objects_only_to_those_who_may_use_it_through_s3() -> Result<()> {
    in_bare_sandbox(async {
        let (bucket, key) = (Bucket::versioned().await?, key().await?);
        let put = put_under(&key, &bucket, "k").body(b"content".to_vec().into()).send().await?;
        bucket.put("plain").body(b"content".to_vec().into()).send().await?;
        let version = put.version_id.context("a version id")?;
        let source = format!("k?versionId={version}");
        let s3 = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
        let may = |action: &str, service: &str| {
            json!([s3, {
                "Effect": "Allow", "Action": action, "Resource": key,
                "Condition": { "StringEquals": { "kms:ViaService": format!("{service}.us-east-1.amazonaws.com") } }
            }])
        };
        for (statements, reads, writes) in [
            (json!([s3]), false, false),
            (may("kms:Decrypt", "dynamodb"), false, false),
            (may("kms:Decrypt", "s3"), true, false),
            (may("kms:GenerateDataKey", "s3"), false, true),
            (may("kms:*", "s3"), true, true),
        ] {
            let caller = bucket.seen_by(&session(statements.clone(), None).await?);
            caller.head("k").send().await?;
            for head in [caller.head("k"), caller.head("k").version_id(&version)] {
                let refused = status(head.checksum_mode(ChecksumMode::Enabled).send().await);
                assert_eq!(refused, (!reads).then_some(403), "{statements}");
            }
            let plain = Upload::new(&bucket, "plain parts").await?;
            let plain = Upload::of(&caller, "plain parts", &plain.id);
            let begun = begin_under(&key, &bucket, "parts").send().await?;
            let parts = Upload::of(&caller, "parts", begun.upload_id().context("an upload id")?);
            let calls = [
                (code(caller.get("k").send().await), reads),
                (code(caller.get("k").version_id(&version).send().await), reads),
                (code(caller.copy(&source, "copy").send().await), reads),
                (code(plain.part(1, &source).send().await), reads),
                (code(parts.part(1, "plain").send().await), reads),
                (code(put_under(&key, &caller, "written").send().await), writes),
                (code(begin_under(&key, &caller, "begun").send().await), writes),
            ];
            for (at, (refused, may)) in calls.iter().enumerate() {
                assert_eq!(
                    refused.as_deref(),
                    (!may).then_some("AccessDenied"),
                    "call {at} with {statements}"
                );
            }
        }
        let caller = bucket.seen_by(&session(json!([s3]), None).await?);
        let refused = caller.get("k").send().await.err().context("a refusal")?;
        let message = refused.message().unwrap_or_default();
        assert!(message.contains("kms:Decrypt") && message.contains(&key), "{message}");
        Ok(())
    })
}

#[test]
fn everybody_of_the_account_uses_the_managed_key_through_s3() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let s3 = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
        let caller = bucket.seen_by(&session(s3, None).await?);
        caller.put("k").server_side_encryption(ServerSideEncryption::AwsKms).send().await?;
        caller.get("k").send().await?;
        Ok(())
    })
}

#[test]
fn a_disabled_key_closes_its_objects() -> Result<()> {
    in_bare_sandbox(async {
        let (bucket, key) = (Bucket::new().await?, key().await?);
        let put = || put_under(&key, &bucket, "k").send();
        put().await?;
        kms("disableKey", json!({ "KeyId": key })).await?;
        let disabled = Some("KMS.DisabledException");
        assert_eq!(code(bucket.get("k").send().await).as_deref(), disabled);
        assert_eq!(code(bucket.copy("k", "copy").send().await).as_deref(), disabled);
        assert_eq!(code(put().await).as_deref(), disabled);
        assert_eq!(status(bucket.head("k").checksum_mode(ChecksumMode::Enabled).send().await), Some(400));
        bucket.head("k").send().await?;
        Ok(())
    })
}
