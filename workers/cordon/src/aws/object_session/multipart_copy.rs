//! Copying in parts, many at once, and going on where another worker was ended.
//!
//! S3 carries nothing but bytes in parts: metadata, content headers, tags and annotations go by hand, the former with the
//! upload, and annotations when it is complete. An upload is found again by its key and by the session that began it,
//! which is named after the case.

use std::collections::BTreeMap;

use aws_sdk_s3::{
    operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder,
    types::{ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType},
};
use cordon_domain::manifest::ObjectFacts;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    ObjectSession, Place, Writer, archived,
    copy_object::{CopyOutcome, Destination, Like, copy_source, copy_timeout},
    head_object::{ObjectHead, denied_by_kms, is_archived},
    list_object_versions::decoded,
    tags::in_a_header,
    unusable_key,
};
use crate::{
    aws::{
        error::{classify, code, status},
        object_session::parts::{Part, parts},
    },
    error::{Code, Error, Result},
};

/// Parts in flight at once.
const MAX_CONCURRENCY: usize = 8;

/// Why copying in parts stops early.
enum Stop {
    /// The source is another object now, or the upload is no longer there: another worker has completed or aborted it.
    Refused,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<R: Writer> ObjectSession<R> {
    /// Copies in parts, or finishes what another worker of this case began.
    pub(super) async fn copy_in_parts(
        &self,
        from: &Place,
        version_id: Option<&str>,
        seen: &ObjectHead,
        to: Destination<'_>,
    ) -> Result<CopyOutcome> {
        if let Some(error) = cannot_be_carried(&seen.facts) {
            return Err(error);
        }
        match self.all_parts(from, version_id, seen, to).await {
            Ok(copied) => Ok(copied),
            Err(Stop::Refused) => Ok(CopyOutcome::Refused),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn all_parts(
        &self,
        from: &Place,
        version_id: Option<&str>,
        seen: &ObjectHead,
        to: Destination<'_>,
    ) -> std::result::Result<CopyOutcome, Stop> {
        let upload = match self.uploads(to.place).await?.into_iter().next() {
            Some(upload) => upload,
            None => self.begin(from, version_id, seen, to).await?,
        };
        let done = self.parts_done(to.place, &upload).await?;
        let source = copy_source(from, version_id);
        let copying = parts(seen.facts.size, self.part_bytes).into_iter().map(|part| {
            let ready = done.get(&part.number).filter(|(size, _)| *size == part.size());
            let ready = ready.map(|(_, etag)| etag.clone());
            let (source, upload) = (&source, &upload);
            async move {
                let etag = match ready {
                    Some(etag) => etag,
                    None => self.copy_part(from, source, seen, to.place, upload, part).await?,
                };
                Ok::<_, Stop>(CompletedPart::builder().part_number(part.number).e_tag(etag).build())
            }
        });
        let copied = stream::iter(copying).buffered(MAX_CONCURRENCY).try_collect().await?;
        Ok(self.complete(to, &upload, copied).await?)
    }

    /// Aborts what is left of this case's uploads to a place. Another worker that is still at one sees it gone, and
    /// looks at the copy instead.
    ///
    /// # Errors
    /// As classified.
    pub async fn abort_uploads(&self, place: &Place) -> Result<()> {
        for upload in self.uploads(place).await? {
            let call = self
                .client
                .abort_multipart_upload()
                .bucket(&place.bucket)
                .key(&place.key)
                .upload_id(upload)
                .expected_bucket_owner(&place.owner);
            match call.send().await {
                Ok(_) => {}
                Err(error) if status(&error) == 404 => {}
                Err(error) => {
                    return Err(classify(&format!("s3:AbortMultipartUpload in {}", place.bucket), error));
                }
            }
        }
        Ok(())
    }

    /// Gives a complete copy in parts what it does not have yet of the object: tags that were too long for a header, and
    /// annotations. An earlier attempt may have been ended in between. Gives back how many annotations there are.
    ///
    /// # Errors
    /// `ObjectMissing` when the object is gone; otherwise as classified.
    pub async fn copy_tags_and_annotations(
        &self,
        from: &Place,
        version_id: Option<&str>,
        to: &Place,
        copy: &ObjectHead,
    ) -> Result<usize> {
        self.copy_tags(from, version_id, to, copy).await?;
        self.copy_annotations(from, version_id, to, copy).await
    }

    /// Whether an object of this size is copied in parts.
    pub fn is_copied_in_parts(&self, size: i64) -> bool {
        size > self.part_bytes
    }

    /// The uploads to exactly this key that sessions of this case began, oldest first.
    async fn uploads(&self, place: &Place) -> Result<Vec<String>> {
        let mut uploads = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let call = self
                .client
                .list_multipart_uploads()
                .bucket(&place.bucket)
                .prefix(&place.key)
                .encoding_type(EncodingType::Url)
                .expected_bucket_owner(&place.owner)
                .set_key_marker(key_marker)
                .set_upload_id_marker(id_marker);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if status(&error) == 404 && place.bucket == self.quarantine_bucket => {
                    return Err(self.no_quarantine_bucket());
                }
                Err(error) => {
                    return Err(classify(&format!("s3:ListMultipartUploads of {}", place.bucket), error));
                }
            };
            let session = format!("/{}", self.session);
            for upload in page.uploads.unwrap_or_default() {
                let ours = upload.initiator.and_then(|by| by.id).is_some_and(|id| id.ends_with(&session));
                if ours && upload.key.is_some_and(|key| decoded(&key) == place.key) {
                    uploads.extend(upload.upload_id.map(|id| (upload.initiated.map(|at| at.secs()), id)));
                }
            }
            if page.is_truncated != Some(true) {
                uploads.sort();
                return Ok(uploads.into_iter().map(|(_, id)| id).collect());
            }
            (key_marker, id_marker) =
                (page.next_key_marker.map(|key| decoded(&key)), page.next_upload_id_marker);
        }
    }

    async fn begin(
        &self,
        from: &Place,
        version_id: Option<&str>,
        seen: &ObjectHead,
        to: Destination<'_>,
    ) -> Result<String> {
        let like = Like::of(to.like);
        let tags = self.tags(from, version_id).await?;
        let tagging = if tags.is_empty() { None } else { in_a_header(&tags, &seen.facts) };
        let call = self
            .client
            .create_multipart_upload()
            .bucket(&to.place.bucket)
            .key(&to.place.key)
            .expected_bucket_owner(&to.place.owner)
            .set_metadata(Some(seen.facts.metadata.clone().into_iter().collect()))
            .set_tagging(tagging)
            .checksum_algorithm(seen.comparable(true))
            .checksum_type(ChecksumType::FullObject)
            .set_storage_class(like.storage_class)
            .set_server_side_encryption(like.encryption)
            .set_ssekms_key_id(like.kms_key_id)
            .set_bucket_key_enabled(like.bucket_key)
            .set_website_redirect_location(like.website_redirect);
        // As text: what somebody once wrote as Expires need not be a date.
        let expires = seen.facts.content_headers.get("Expires").cloned();
        let call = with_content_headers(call, seen).customize().mutate_request(move |request| {
            if let Some(expires) = &expires {
                request.headers_mut().insert("expires", expires.clone());
            }
        });
        let created = call.send().await.map_err(|error| match code(&error) {
            "RequestHeaderSectionTooLarge" | "MetadataTooLarge" => too_much_metadata(),
            _ if denied_by_kms(&error) => unusable_key(),
            _ => classify(&format!("s3:CreateMultipartUpload in {}", to.place.bucket), error),
        })?;
        created
            .upload_id
            .ok_or_else(|| Error::Retryable("s3:CreateMultipartUpload answered without an upload id".into()))
    }

    /// Size and ETag of the parts that are there, by number.
    async fn parts_done(
        &self,
        place: &Place,
        upload: &str,
    ) -> std::result::Result<BTreeMap<i32, (i64, String)>, Stop> {
        let mut done = BTreeMap::new();
        let mut marker = None;
        loop {
            let call = self
                .client
                .list_parts()
                .bucket(&place.bucket)
                .key(&place.key)
                .upload_id(upload)
                .expected_bucket_owner(&place.owner)
                .set_part_number_marker(marker);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if status(&error) == 404 => return Err(Stop::Refused),
                Err(error) => {
                    return Err(classify(&format!("s3:ListParts in {}", place.bucket), error).into());
                }
            };
            for part in page.parts.unwrap_or_default() {
                if let (Some(number), Some(size), Some(etag)) = (part.part_number, part.size, part.e_tag) {
                    done.insert(number, (size, etag));
                }
            }
            if page.is_truncated != Some(true) {
                return Ok(done);
            }
            marker = page.next_part_number_marker;
        }
    }

    /// Copies one part; gives back its ETag.
    async fn copy_part(
        &self,
        from: &Place,
        source: &str,
        seen: &ObjectHead,
        to: &Place,
        upload: &str,
        part: Part,
    ) -> std::result::Result<String, Stop> {
        let call = self
            .client
            .upload_part_copy()
            .bucket(&to.bucket)
            .key(&to.key)
            .upload_id(upload)
            .part_number(part.number)
            .expected_bucket_owner(&to.owner)
            .copy_source(source)
            .copy_source_range(format!("bytes={}-{}", part.first, part.last))
            .copy_source_if_match(format!("\"{}\"", seen.etag))
            .expected_source_bucket_owner(&from.owner)
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(copy_timeout()));
        match call.send().await {
            Ok(copied) => {
                let etag = copied.copy_part_result.and_then(|result| result.e_tag);
                Ok(etag
                    .ok_or_else(|| Error::Retryable("s3:UploadPartCopy answered without an ETag".into()))?)
            }
            Err(error) => match (status(&error), code(&error)) {
                (412, _) | (_, "PreconditionFailed" | "NoSuchKey" | "NoSuchVersion" | "NoSuchUpload") => {
                    Err(Stop::Refused)
                }
                _ if is_archived(&error) => Err(archived().into()),
                _ if denied_by_kms(&error) => Err(unusable_key().into()),
                _ => Err(classify(&format!("s3:UploadPartCopy from {}", from.bucket), error).into()),
            },
        }
    }

    async fn complete(
        &self,
        to: Destination<'_>,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<CopyOutcome> {
        let call = self
            .client
            .complete_multipart_upload()
            .bucket(&to.place.bucket)
            .key(&to.place.key)
            .upload_id(upload)
            .expected_bucket_owner(&to.place.owner)
            .checksum_type(ChecksumType::FullObject)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        let call = match to.over {
            None => call.if_none_match("*"),
            Some(etag) => call.if_match(format!("\"{etag}\"")),
        };
        let call =
            call.customize().config_override(aws_sdk_s3::Config::builder().timeout_config(copy_timeout()));
        match call.send().await {
            Ok(_) => Ok(CopyOutcome::Copied),
            Err(error) => match (status(&error), code(&error)) {
                (412 | 404, _) | (_, "PreconditionFailed" | "NoSuchUpload" | "NoSuchKey") => {
                    Ok(CopyOutcome::Refused)
                }
                _ if denied_by_kms(&error) => Err(unusable_key()),
                _ => Err(classify(&format!("s3:CompleteMultipartUpload in {}", to.place.bucket), error)),
            },
        }
    }
}

/// Why a copy in parts would be less than the object, if so.
fn cannot_be_carried(facts: &ObjectFacts) -> Option<Error> {
    let hidden = facts.hidden_metadata;
    (hidden > 0).then(|| {
        Error::terminal(
            Code::RequestRejected,
            format!(
                "The object is too large to be copied at once, and S3 cannot show {hidden} of its metadata entries, so \
                 a copy would lose them; nothing was moved. Write the object's metadata again without them, or move it \
                 by hand."
            ),
        )
    })
}

fn too_much_metadata() -> Error {
    Error::terminal(
        Code::RequestRejected,
        "The object is too large to be copied at once, and its metadata and content headers do not fit into one request; \
         nothing was moved. Shorten them, or move the object by hand.",
    )
}

fn with_content_headers(
    call: CreateMultipartUploadFluentBuilder,
    seen: &ObjectHead,
) -> CreateMultipartUploadFluentBuilder {
    let header = |name: &str| seen.facts.content_headers.get(name).cloned();
    call.set_content_type(header("Content-Type"))
        .set_content_encoding(header("Content-Encoding"))
        .set_content_disposition(header("Content-Disposition"))
        .set_content_language(header("Content-Language"))
        .set_cache_control(header("Cache-Control"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_a_copy_would_lose_is_refused() {
        assert!(cannot_be_carried(&ObjectFacts::default()).is_none());
        let error = cannot_be_carried(&ObjectFacts { hidden_metadata: 2, ..ObjectFacts::default() });
        let error = error.expect("it is refused");
        assert_eq!(error.code(), Some(Code::RequestRejected));
        assert!(error.to_string().contains("2 of its metadata entries"), "{error}");
    }
}
