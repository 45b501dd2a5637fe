//! Copies of objects, and what they carry.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{
    BucketVersioningStatus, DeleteMarkerReplication, DeleteMarkerReplicationStatus, Destination, Payer,
    ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter, ReplicationRuleStatus,
    RequestPaymentConfiguration, ServerSideEncryption, StorageClass,
};
use serde_json::json;

use super::{
    buckets::Bucket,
    harness::{code, in_bare_sandbox, role, root, sandbox, unique},
    multipart::{LEAST, Upload, content},
    principals::session,
};

#[test]
fn a_copy_is_standard_and_redirects_nowhere_unless_it_is_asked_to() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let put =
            bucket.put("source").storage_class(StorageClass::StandardIa).website_redirect_location("/there");
        put.send().await?;
        let head = bucket.head("source").send().await?;
        assert_eq!(head.website_redirect_location(), Some("/there"));
        for (class, redirect) in [(None, None), (Some(StorageClass::OnezoneIa), Some("/elsewhere"))] {
            let copy = bucket.copy("source", "copy").set_storage_class(class.clone());
            let copied = copy.set_website_redirect_location(redirect.map(str::to_owned)).send().await?;
            for head in [bucket.head("copy"), bucket.head("copy").set_version_id(copied.version_id)] {
                let head = head.send().await?;
                assert_eq!(head.storage_class, class);
                assert_eq!(head.website_redirect_location.as_deref(), redirect);
            }
        }
        Ok(())
    })
}

#[test]
fn the_etag_of_a_copy_is_that_of_one_part_and_no_hash_of_the_content_under_a_kms_key() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let body = content(LEAST + 1);
        let at_once = bucket.put("source").body(body.into()).send().await?.e_tag;
        let upload = Upload::new(&bucket, "in parts").await?;
        let parts = [
            upload.copied(1, "source", 0..LEAST).await?,
            upload.copied(2, "source", LEAST..LEAST + 1).await?,
        ];
        let in_parts = upload.complete(&parts).send().await?.e_tag;
        assert_ne!(at_once, in_parts);

        let copied = bucket.copy("in%20parts", "copy").send().await?;
        assert_eq!(copied.copy_object_result.and_then(|copy| copy.e_tag), at_once);
        let head = bucket.head("copy").set_version_id(copied.version_id).send().await?;
        assert_eq!(head.e_tag, at_once);
        bucket.copy("source", "copy").server_side_encryption(ServerSideEncryption::AwsKms).send().await?;
        assert_ne!(bucket.head("copy").send().await?.e_tag, at_once);
        Ok(())
    })
}

#[test]
fn a_copy_carries_ten_tags_two_kilobytes_of_metadata_and_its_content_headers_even_without_content()
-> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let mut tags: Vec<_> = (0..10)
            .map(|at| (format!("{at}{}", "k".repeat(127)), format!("ü+ {}", "v".repeat(253))))
            .collect();
        let tagging: Vec<String> = tags
            .iter()
            .map(|(key, value)| format!("{key}={}", value.replace('+', "%2B").replace(' ', "+")))
            .collect();
        let tagging = tagging.join("&").replace('ü', "%C3%BC");
        let put = bucket
            .put("empty")
            .tagging(tagging)
            .metadata("a", "m".repeat(1_023))
            .metadata("b", "n".repeat(1_023));
        put.content_type("text/csv").content_encoding("gzip").cache_control("no-store").send().await?;
        bucket.copy("empty", "copy").send().await?;

        let (source, copy) = (bucket.head("empty").send().await?, bucket.head("copy").send().await?);
        assert_eq!((copy.content_length(), copy.tag_count()), (Some(0), Some(10)));
        assert_eq!(copy.metadata().map(|metadata| metadata.len()), Some(2));
        assert_eq!(copy.metadata, source.metadata);
        assert_eq!(copy.content_type(), Some("text/csv"));
        assert_eq!((copy.content_encoding(), copy.cache_control()), (Some("gzip"), Some("no-store")));
        tags.sort();
        assert_eq!(bucket.tags("copy").await?, tags);

        bucket.put("copy").send().await?;
        assert_eq!(bucket.tags("copy").await?, [], "an object that takes its place has none of them");
        assert_eq!(bucket.head("copy").send().await?.tag_count(), None);
        Ok(())
    })
}

#[test]
fn tags_are_written_and_copied_only_by_those_who_may() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        bucket.put("plain").send().await?;
        let version = bucket.put("tagged").tagging("a=b").send().await?.version_id.context("a version id")?;
        let may = |also: &[&str]| {
            let plain = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:*Annotation"];
            let actions = [&plain, also].concat();
            json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
        };
        for (also, by_key, by_version, writes) in [
            (&[][..], false, false, false),
            (&["s3:PutObjectTagging"], false, false, true),
            (&["s3:PutObjectTagging", "s3:GetObjectTagging"], true, false, true),
            (&["s3:PutObjectTagging", "s3:GetObjectVersionTagging"], false, true, true),
        ] {
            let copier = bucket.seen_by(&session(may(also), None).await?);
            let source = format!("tagged?versionId={version}");
            copier.copy("plain", "copy").send().await?;
            let asked = [
                code(copier.copy("tagged", "copy").send().await),
                code(copier.copy(&source, "copy").send().await),
                code(copier.put("put").tagging("a=b").send().await),
                code(copier.begin("begun").tagging("a=b").send().await),
            ];
            let refusal = |may: bool| (!may).then_some("AccessDenied");
            let expected = [refusal(by_key), refusal(by_version), refusal(writes), refusal(writes)];
            assert_eq!(asked.each_ref().map(Option::as_deref), expected, "{also:?}");
        }
        Ok(())
    })
}

#[test]
fn an_object_in_a_replicated_bucket_says_whether_it_was_replicated() -> Result<()> {
    in_bare_sandbox(async {
        let (source, replica) = (Bucket::versioned().await?, Bucket::versioned().await?);
        let before = source.put("before").send().await?;
        let role =
            role(&aws_sdk_iam::Client::new(&root().await), &unique("replicates"), "s3.amazonaws.com").await?;
        let rule = ReplicationRule::builder()
            .status(ReplicationRuleStatus::Enabled)
            .priority(1)
            .filter(ReplicationRuleFilter::builder().prefix("").build())
            .delete_marker_replication(
                DeleteMarkerReplication::builder().status(DeleteMarkerReplicationStatus::Disabled).build(),
            )
            .destination(Destination::builder().bucket(format!("arn:aws:s3:::{}", replica.name)).build()?)
            .build()?;
        let configuration = ReplicationConfiguration::builder().role(role).rules(rule).build()?;
        let put = source.client.put_bucket_replication().bucket(&source.name);
        put.replication_configuration(configuration).send().await?;

        let after = source.put("after").send().await?;
        let status = |key: &str, version: Option<String>| source.head(key).set_version_id(version).send();
        assert_eq!(status("before", before.version_id).await?.replication_status, None);
        for version in [None, after.version_id.clone()] {
            let shown = status("after", version).await?.replication_status;
            assert_eq!(shown.as_ref().map(|status| status.as_str()), Some("COMPLETED"));
        }
        source.delete("after").set_version_id(after.version_id).send().await?;
        replica.head("after").send().await?;
        Ok(())
    })
}

#[test]
fn the_owner_of_a_bucket_whose_requesters_pay_needs_to_say_nothing() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("k").send().await?;
        let payment = RequestPaymentConfiguration::builder().payer(Payer::Requester).build()?;
        let put = bucket.client.put_bucket_request_payment().bucket(&bucket.name);
        put.request_payment_configuration(payment).expected_bucket_owner(sandbox().account()).send().await?;
        let may = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
        let ours = bucket.seen_by(&session(may, None).await?);
        ours.head("k").send().await?;
        ours.copy("k", "copy").send().await?;
        ours.delete("k").send().await?;
        Ok(())
    })
}

#[test]
fn a_copy_of_a_null_version_has_its_tags() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        bucket.set_versioning(BucketVersioningStatus::Suspended).await?;
        bucket.put("source").tagging("a=b").send().await?;
        bucket.copy("source?versionId=null", "copy").send().await?;
        assert_eq!(bucket.tags("copy").await?, [("a".to_owned(), "b".to_owned())]);
        Ok(())
    })
}
