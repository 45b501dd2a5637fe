//! Annotations of objects.

use anyhow::{Context, Result};
use aws_sdk_s3::types::{AnnotationDirective, BucketVersioningStatus};
use serde_json::json;

use super::{
    buckets::{Bucket, status},
    harness::{code, in_bare_sandbox},
    multipart::Upload,
    principals::session,
};

/// Names and payloads of an object's annotations.
async fn annotations(bucket: &Bucket, key: &str, version: Option<&str>) -> Result<Vec<(String, String)>> {
    let (client, name) = (&bucket.client, &bucket.name);
    let version = version.map(str::to_owned);
    let list = client.list_object_annotations().bucket(name).key(key).set_version_id(version.clone());
    let mut found = Vec::new();
    for entry in list.send().await?.annotations() {
        let get = client.get_object_annotation().bucket(name).key(key).set_version_id(version.clone());
        let got = get.annotation_name(entry.annotation_name()).send().await?;
        let payload = String::from_utf8(got.annotation_payload.collect().await?.to_vec())?;
        assert_eq!(entry.size(), payload.len() as i64);
        found.push((entry.annotation_name().to_owned(), payload));
    }
    Ok(found)
}

async fn annotate(bucket: &Bucket, key: &str, name: &str, payload: &str) -> Result<()> {
    let put = bucket.client.put_object_annotation().bucket(&bucket.name).key(key).annotation_name(name);
    put.annotation_payload(payload.as_bytes().to_vec().into()).send().await?;
    Ok(())
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, payload)| ((*name).to_owned(), (*payload).to_owned())).collect()
}

#[test]
fn a_copy_takes_annotations_along_unless_it_is_told_not_to_and_a_copy_in_parts_takes_none() -> Result<()> {
    in_bare_sandbox(async {
        for (versioned, source) in [(true, "source"), (false, "source"), (true, "source?versionId=null")] {
            let bucket = if versioned { Bucket::versioned().await? } else { Bucket::new().await? };
            if source.ends_with("null") {
                bucket.set_versioning(BucketVersioningStatus::Suspended).await?;
            }
            let etag = bucket.put("source").body(b"content".to_vec().into()).send().await?.e_tag;
            annotate(&bucket, "source", "données", "{\"ü\": 1}").await?;
            assert_eq!(bucket.head("source").send().await?.e_tag, etag, "the object is as it was");

            bucket.copy(source, "copy").send().await?;
            let carried = annotations(&bucket, "copy", None).await?;
            assert_eq!(carried, pairs(&[("données", "{\"ü\": 1}")]), "{source}");
            bucket.copy(source, "bare").annotation_directive(AnnotationDirective::Exclude).send().await?;
            assert_eq!(annotations(&bucket, "bare", None).await?, []);

            let upload = Upload::new(&bucket, "in parts").await?;
            let part = upload.copied(1, source, 0..7).await?;
            upload.complete(&[part]).send().await?;
            assert_eq!(annotations(&bucket, "in parts", None).await?, []);
        }
        Ok(())
    })
}

#[test]
fn a_copy_with_annotations_needs_to_read_them_there_and_to_write_them_here() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let version = bucket.put("plain").send().await?.version_id.context("a version id")?;
        let by_version = format!("plain?versionId={version}");
        let (read, read_version, write) =
            ("s3:GetObjectAnnotation", "s3:GetObjectVersionAnnotation", "s3:PutObjectAnnotation");
        for (also, of_the_key, of_the_version) in [
            (&[][..], false, false),
            (&[read], false, false),
            (&[write], false, false),
            (&[read, write], true, false),
            (&[read, read_version, write], true, true),
        ] {
            let actions = [&["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], also].concat();
            let may = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
            let copier = bucket.seen_by(&session(may, None).await?);
            for (source, may) in [("plain", of_the_key), (&by_version, of_the_version)] {
                for directive in [None, Some(AnnotationDirective::Copy)] {
                    let copied = copier.copy(source, "copy").set_annotation_directive(directive).send().await;
                    assert_eq!(
                        code(copied),
                        (!may).then(|| "AccessDenied".to_owned()),
                        "{source} with {also:?}"
                    );
                }
                let without = copier.copy(source, "copy").annotation_directive(AnnotationDirective::Exclude);
                without.send().await?;
            }
        }
        Ok(())
    })
}

#[test]
fn annotations_of_a_version_need_the_permissions_for_versions() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let version = bucket.put("k").send().await?.version_id.context("a version id")?;
        annotate(&bucket, "k", "known", "1").await?;
        let verbs = ["Get", "List", "Put"];
        for of_versions in [false, true] {
            let actions = verbs.map(|verb| match (verb, of_versions) {
                ("List", false) => "s3:ListObjectAnnotations".to_owned(),
                ("List", true) => "s3:ListObjectVersionAnnotations".to_owned(),
                (verb, false) => format!("s3:{verb}ObjectAnnotation"),
                (verb, true) => format!("s3:{verb}ObjectVersionAnnotation"),
            });
            let may = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
            let caller = bucket.seen_by(&session(may, None).await?);
            for (asked, allowed) in [(None, !of_versions), (Some(version.clone()), of_versions)] {
                let (client, name) = (&caller.client, &caller.name);
                let get = client.get_object_annotation().bucket(name).key("k").annotation_name("known");
                let list = client.list_object_annotations().bucket(name).key("k");
                let put = client.put_object_annotation().bucket(name).key("k").annotation_name("new");
                let put = put.annotation_payload(b"2".to_vec().into());
                let answers = [
                    code(get.set_version_id(asked.clone()).send().await),
                    code(list.set_version_id(asked.clone()).send().await),
                    code(put.set_version_id(asked.clone()).send().await),
                ];
                let expected = (!allowed).then_some("AccessDenied");
                assert_eq!(answers.each_ref().map(Option::as_deref), [expected; 3], "{asked:?}, {actions:?}");
            }
        }
        Ok(())
    })
}

#[test]
fn an_annotation_is_written_on_condition_of_its_objects_etag() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let etag = bucket.put("k").body(b"content".to_vec().into()).send().await?.e_tag.context("an ETag")?;
        let put = || {
            let put =
                bucket.client.put_object_annotation().bucket(&bucket.name).key("k").annotation_name("a");
            put.annotation_payload(b"1".to_vec().into())
        };
        put().object_if_match(&etag).send().await?;
        put().object_if_match(&etag).send().await?;
        let other = put().object_if_match("\"00000000000000000000000000000000\"").send().await;
        assert_eq!(status(other), Some(412));
        assert_eq!(annotations(&bucket, "k", None).await?, pairs(&[("a", "1")]));
        Ok(())
    })
}
