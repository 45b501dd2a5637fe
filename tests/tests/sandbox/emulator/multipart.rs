//! Multipart uploads.

use anyhow::{Context, Result};
use aws_sdk_s3::{
    operation::{
        complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder,
        upload_part_copy::builders::UploadPartCopyFluentBuilder,
    },
    types::{CompletedMultipartUpload, CompletedPart, StorageClass},
};
use serde_json::json;

use super::{
    buckets::{Bucket, status},
    harness::{code, in_bare_sandbox, sandbox},
    principals::session,
};

/// The least that a part may have, unless it is the last.
pub(super) const LEAST: usize = 5 << 20;
const SOMEBODY_ELSE: &str = "999988887777";

/// An upload to a key.
pub(super) struct Upload<'a> {
    bucket: &'a Bucket,
    key: String,
    pub(super) id: String,
}

impl<'a> Upload<'a> {
    pub(super) async fn new(bucket: &'a Bucket, key: &str) -> Result<Upload<'a>> {
        let begun = bucket.begin(key).send().await?;
        Ok(Upload::of(bucket, key, &begun.upload_id.context("an upload id")?))
    }

    pub(super) fn of(bucket: &'a Bucket, key: &str, id: &str) -> Upload<'a> {
        Upload { bucket, key: key.to_owned(), id: id.to_owned() }
    }

    /// Copies a part from an object of the same bucket, whole.
    pub(super) fn part(&self, number: i32, from: &str) -> UploadPartCopyFluentBuilder {
        let call = self.bucket.client.upload_part_copy().bucket(&self.bucket.name).key(&self.key);
        let call = call.upload_id(&self.id).part_number(number);
        call.copy_source(format!("{}/{from}", self.bucket.name))
    }

    /// Copies a part of some bytes of an object, and gives what names it when the upload is completed.
    pub(super) async fn copied(
        &self,
        number: i32,
        from: &str,
        range: std::ops::Range<usize>,
    ) -> Result<CompletedPart> {
        let range = format!("bytes={}-{}", range.start, range.end - 1);
        let copied = self.part(number, from).copy_source_range(range).send().await?;
        let etag = copied.copy_part_result.and_then(|part| part.e_tag).context("the part's ETag")?;
        Ok(CompletedPart::builder().part_number(number).e_tag(etag).build())
    }

    pub(super) fn complete(&self, parts: &[CompletedPart]) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        let call = self.bucket.client.complete_multipart_upload().bucket(&self.bucket.name).key(&self.key);
        call.upload_id(&self.id).multipart_upload(parts)
    }
}

/// Content that differs from place to place.
pub(super) fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at / 7 + at / 1013) as u8).collect()
}

#[test]
fn a_copy_in_parts_is_an_object_with_all_that_its_upload_names() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::versioned().await?;
        let body = content(LEAST + 100);
        let put = bucket.put("source").body(body.clone().into()).send().await?;
        bucket.put("source").body(b"newer".to_vec().into()).send().await?;
        let source = format!("source?versionId={}", put.version_id.context("a version id")?);

        let begin = bucket.begin("copy").tagging("team=a%20b&empty=").metadata("owner", "team a");
        let begin = begin.content_type("text/csv").content_encoding("identity").content_language("de");
        let begin = begin.cache_control("no-store").content_disposition("attachment");
        let begun =
            begin.storage_class(StorageClass::StandardIa).website_redirect_location("/there").send().await?;
        let upload = Upload::of(&bucket, "copy", &begun.upload_id.context("an upload id")?);
        let parts = [
            upload.copied(1, &source, 0..LEAST).await?,
            upload.copied(2, &source, LEAST..LEAST + 100).await?,
        ];
        let completed = upload.complete(&parts).send().await?;

        let head = bucket.head("copy").send().await?;
        assert!(head.e_tag().is_some_and(|etag| etag.ends_with("-2\"")), "{:?}", head.e_tag());
        assert!(completed.version_id().is_some());
        assert_eq!((completed.version_id(), completed.e_tag()), (head.version_id(), head.e_tag()));
        assert_eq!(
            head.metadata().and_then(|metadata| metadata.get("owner")).map(String::as_str),
            Some("team a")
        );
        assert_eq!((head.content_type(), head.content_encoding()), (Some("text/csv"), Some("identity")));
        assert_eq!((head.content_language(), head.cache_control()), (Some("de"), Some("no-store")));
        assert_eq!(head.content_disposition(), Some("attachment"));
        assert_eq!(head.storage_class(), Some(&StorageClass::StandardIa));
        assert_eq!(head.website_redirect_location(), Some("/there"));
        let tags = [("empty", ""), ("team", "a b")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(bucket.tags("copy").await?, tags);
        let copied = bucket.get("copy").send().await?.body.collect().await?.into_bytes();
        assert!(copied == body, "the bytes of the named version");
        Ok(())
    })
}

#[test]
fn a_part_is_copied_only_from_the_object_that_is_meant() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let etag =
            bucket.put("source").body(b"content".to_vec().into()).send().await?.e_tag.context("an ETag")?;
        let upload = Upload::new(&bucket, "copy").await?;
        upload.part(1, "source").copy_source_if_match(&etag).send().await?;
        let changed = upload.part(1, "source").copy_source_if_match("\"00000000000000000000000000000000\"");
        let changed = changed.send().await;
        assert_eq!(code(changed).as_deref(), Some("PreconditionFailed"));
        let beyond = upload.part(1, "source").copy_source_range("bytes=0-7").send().await;
        assert_eq!(code(beyond).as_deref(), Some("InvalidArgument"));
        Ok(())
    })
}

#[test]
fn every_call_of_an_upload_is_denied_when_the_bucket_is_another_owners_than_expected() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        let upload = Upload::new(&bucket, "copy").await?;
        let part = upload.copied(1, "source", 0..7).await?;
        let (client, name, id) = (&bucket.client, &bucket.name, &upload.id);
        for (owner, refusal) in [(SOMEBODY_ELSE, Some("AccessDenied")), (sandbox().account(), None)] {
            let begin = bucket.begin("copy").expected_bucket_owner(owner).send().await;
            let copy_to = upload.part(1, "source").expected_bucket_owner(owner).send().await;
            let copy_from = upload.part(1, "source").expected_source_bucket_owner(owner).send().await;
            let uploads =
                client.list_multipart_uploads().bucket(name).expected_bucket_owner(owner).send().await;
            let parts =
                client.list_parts().bucket(name).key("copy").upload_id(id).expected_bucket_owner(owner);
            let parts = parts.send().await;
            let complete =
                upload.complete(std::slice::from_ref(&part)).expected_bucket_owner(owner).send().await;
            let other = Upload::new(&bucket, "other").await?;
            let abort = client.abort_multipart_upload().bucket(name).key("other").upload_id(&other.id);
            let abort = abort.expected_bucket_owner(owner).send().await;
            let refusals = [
                code(begin),
                code(copy_to),
                code(copy_from),
                code(uploads),
                code(parts),
                code(complete),
                code(abort),
            ];
            assert_eq!(refusals.each_ref().map(Option::as_deref), [refusal; 7], "{owner}");
        }
        Ok(())
    })
}

#[test]
fn uploads_are_listed_in_pages_each_with_who_began_it_and_when() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let may = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
        let caller = session(may, None).await?;
        let arn =
            aws_sdk_sts::Client::new(&caller).get_caller_identity().send().await?.arn.context("an ARN")?;
        let theirs = bucket.seen_by(&caller);
        for key in ["case/a", "case/b", "case/b", "other"] {
            Upload::new(&theirs, key).await?;
        }

        let (mut seen, mut marker) = (Vec::new(), (None, None));
        loop {
            let list =
                theirs.client.list_multipart_uploads().bucket(&bucket.name).prefix("case/").max_uploads(1);
            let page = list.set_key_marker(marker.0).set_upload_id_marker(marker.1).send().await?;
            for upload in page.uploads() {
                assert_eq!(upload.initiator().and_then(|by| by.id()), Some(arn.as_str()));
                assert!(upload.initiated().is_some());
                let parts =
                    theirs.client.list_parts().bucket(&bucket.name).key(upload.key().unwrap_or_default());
                let parts = parts.set_upload_id(upload.upload_id().map(str::to_owned)).send().await?;
                assert_eq!(parts.initiator().and_then(|by| by.id()), Some(arn.as_str()));
                seen.push((
                    upload.key().unwrap_or_default().to_owned(),
                    upload.upload_id().unwrap_or_default().to_owned(),
                ));
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            marker = (page.next_key_marker, page.next_upload_id_marker);
        }
        let keys: Vec<&str> = seen.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["case/a", "case/b", "case/b"]);
        assert_ne!(seen[1].1, seen[2].1);

        let behind =
            bucket.client.list_multipart_uploads().bucket(&bucket.name).key_marker("case/b").send().await?;
        let behind: Vec<&str> = behind.uploads().iter().filter_map(|upload| upload.key()).collect();
        assert_eq!(behind, ["other"], "a key marker alone skips every upload to that key");
        Ok(())
    })
}

#[test]
fn parts_are_listed_in_pages_with_their_size_and_etag() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        let upload = Upload::new(&bucket, "copy").await?;
        let mut copied = Vec::new();
        for (number, bytes) in [(1, 2), (3, 3), (7, 7)] {
            let part = upload.copied(number, "source", 0..bytes).await?;
            copied.push((number, bytes as i64, part.e_tag.context("an ETag")?));
        }
        let (mut listed, mut marker) = (Vec::new(), None);
        loop {
            let page = bucket
                .client
                .list_parts()
                .bucket(&bucket.name)
                .key("copy")
                .upload_id(&upload.id)
                .max_parts(2);
            let page = page.set_part_number_marker(marker).send().await?;
            for part in page.parts() {
                let etag = part.e_tag().unwrap_or_default().to_owned();
                listed.push((part.part_number().unwrap_or_default(), part.size().unwrap_or_default(), etag));
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            marker = page.next_part_number_marker;
        }
        assert_eq!(listed, copied);
        Ok(())
    })
}

#[test]
fn completing_honors_the_conditions_on_its_key() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let there =
            bucket.put("copy").body(b"content".to_vec().into()).send().await?.e_tag.context("an ETag")?;
        let upload = Upload::new(&bucket, "copy").await?;
        let parts = [upload.copied(1, "copy", 0..7).await?];
        let taken = upload.complete(&parts).if_none_match("*").send().await;
        assert_eq!(code(taken).as_deref(), Some("PreconditionFailed"));
        let other = upload.complete(&parts).if_match("\"00000000000000000000000000000000\"").send().await;
        assert_eq!(code(other).as_deref(), Some("PreconditionFailed"));
        upload.complete(&parts).if_match(there).send().await?;
        Ok(())
    })
}

#[test]
fn an_upload_that_is_unknown_finished_aborted_or_of_another_key_is_none() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        let finished = Upload::new(&bucket, "copy").await?;
        let part = [finished.copied(1, "source", 0..7).await?];
        finished.complete(&part).send().await?;
        let aborted = Upload::new(&bucket, "copy").await?;
        let abort =
            || bucket.client.abort_multipart_upload().bucket(&bucket.name).key("copy").upload_id(&aborted.id);
        abort().send().await?;
        assert_eq!(code(abort().send().await).as_deref(), Some("NoSuchUpload"));
        let of_another_key = Upload::new(&bucket, "other").await?;

        let ids = [finished.id.as_str(), &aborted.id, &of_another_key.id, "never-begun"];
        for id in ids {
            let upload = Upload::of(&bucket, "copy", id);
            let complete = code(upload.complete(&part).send().await);
            let copy = code(upload.part(1, "source").send().await);
            let parts =
                bucket.client.list_parts().bucket(&bucket.name).key("copy").upload_id(id).send().await;
            let all = [complete, copy, code(parts)];
            assert_eq!(all.each_ref().map(Option::as_deref), [Some("NoSuchUpload"); 3], "{id}");
        }
        Ok(())
    })
}

#[test]
fn every_part_but_the_last_has_at_least_five_mebibytes() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        bucket.put("source").body(content(LEAST).into()).send().await?;
        let upload = Upload::new(&bucket, "copy").await?;
        let small =
            [upload.copied(1, "source", 0..LEAST - 1).await?, upload.copied(2, "source", 0..1).await?];
        let refused = upload.complete(&small).send().await;
        assert_eq!(status(refused), Some(400));
        assert_eq!(code(upload.complete(&small).send().await).as_deref(), Some("EntityTooSmall"));
        let enough = [upload.copied(1, "source", 0..LEAST).await?, small[1].clone()];
        upload.complete(&enough).send().await?;
        Ok(())
    })
}

#[test]
fn tags_in_a_header_are_percent_encoded() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        for tagging in ["team=a+b", "team=a b", "team=ü"] {
            let begun = bucket.begin("copy").tagging(tagging).send().await;
            assert_eq!(code(begun).as_deref(), Some("InvalidArgument"), "{tagging}");
        }
        let begun = bucket.begin("copy").tagging("a%2Bb%3D=%C3%BC%20%26").send().await?;
        bucket.put("source").body(b"content".to_vec().into()).send().await?;
        let upload = Upload::of(&bucket, "copy", &begun.upload_id.context("an upload id")?);
        let part = upload.copied(1, "source", 0..7).await?;
        upload.complete(&[part]).send().await?;
        assert_eq!(bucket.tags("copy").await?, [("a+b=".to_owned(), "ü &".to_owned())]);
        Ok(())
    })
}

#[test]
fn a_request_with_more_than_eight_kilobytes_of_headers_is_refused() -> Result<()> {
    in_bare_sandbox(async {
        let bucket = Bucket::new().await?;
        let may = json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]);
        let session = bucket.seen_by(&session(may, None).await?);
        let begun = async |client: &Bucket, bytes: usize| {
            let metadata = (0..bytes / 1_000).map(|n| (format!("m{n}"), "m".repeat(1_000)));
            code(client.begin("copy").set_metadata(Some(metadata.collect())).send().await)
        };
        assert_eq!(begun(&bucket, 7_000).await, None);
        assert_eq!(begun(&session, 5_000).await, None);
        let too_large = Some("RequestHeaderSectionTooLarge".to_owned());
        assert_eq!(begun(&session, 7_000).await, too_large, "a session's token counts too");
        assert_eq!(begun(&bucket, 9_000).await, too_large);
        Ok(())
    })
}
