//! `CopyObject`, or a copy in parts where the object is large.

use std::time::Duration;

use aws_sdk_s3::{
    config::timeout::TimeoutConfig,
    types::{AnnotationDirective, MetadataDirective, ServerSideEncryption, StorageClass, TaggingDirective},
};
use cordon_domain::manifest::ObjectFacts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    ObjectSession, Place, Writer, archived,
    head_object::{ObjectHead, denied_by_kms, is_archived},
    unusable_key,
};
use crate::{
    aws::error::{classify, code, status},
    error::{Error, Result},
};

/// Where a copy goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// There.
    pub place: &'a Place,
    /// The ETag of the object that it replaces; without one, nothing may be there.
    pub over: Option<&'a str>,
    /// Storage class, encryption and redirect of the copy; without them, the bucket's defaults.
    pub like: Option<&'a ObjectFacts>,
}

/// What a copy came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyOutcome {
    /// It is there.
    Copied,
    /// A condition does not hold: the source is another object now, or the destination is taken. A look tells which.
    Refused,
}

impl<R: Writer> ObjectSession<R> {
    /// Copies an object version, as it was `seen`, with its metadata, content headers, tags and annotations; in parts, some
    /// of them are left to [`ObjectSession::copy_tags_and_annotations`].
    ///
    /// # Errors
    /// `ObjectArchived`, `UnsupportedEncryption`, `RequestRejected` without a quarantine bucket; otherwise as
    /// classified.
    pub async fn copy_object(
        &self,
        from: &Place,
        version_id: Option<&str>,
        seen: &ObjectHead,
        to: Destination<'_>,
    ) -> Result<CopyOutcome> {
        if seen.facts.size > self.part_bytes {
            self.copy_in_parts(from, version_id, seen, to).await
        } else {
            self.copy_at_once(from, version_id, seen, to).await
        }
    }

    async fn copy_at_once(
        &self,
        from: &Place,
        version_id: Option<&str>,
        seen: &ObjectHead,
        to: Destination<'_>,
    ) -> Result<CopyOutcome> {
        let like = Like::of(to.like);
        let call = self
            .client
            .copy_object()
            .bucket(&to.place.bucket)
            .key(&to.place.key)
            .expected_bucket_owner(&to.place.owner)
            .copy_source(copy_source(from, version_id))
            .copy_source_if_match(format!("\"{}\"", seen.etag))
            .expected_source_bucket_owner(&from.owner)
            .metadata_directive(MetadataDirective::Copy)
            .tagging_directive(TaggingDirective::Copy)
            .annotation_directive(AnnotationDirective::Copy)
            .checksum_algorithm(seen.comparable(false))
            .set_storage_class(like.storage_class)
            .set_server_side_encryption(like.encryption)
            .set_ssekms_key_id(like.kms_key_id)
            .set_bucket_key_enabled(like.bucket_key)
            .set_website_redirect_location(like.website_redirect);
        let call = match to.over {
            None => call.if_none_match("*"),
            Some(etag) => call.if_match(format!("\"{etag}\"")),
        };
        let call =
            call.customize().config_override(aws_sdk_s3::Config::builder().timeout_config(copy_timeout()));
        match call.send().await {
            Ok(_) => Ok(CopyOutcome::Copied),
            Err(error) => match (status(&error), code(&error)) {
                (412, _) | (_, "PreconditionFailed" | "NoSuchKey" | "NoSuchVersion") => {
                    Ok(CopyOutcome::Refused)
                }
                (404, _) | (_, "NoSuchBucket") if to.place.bucket == self.quarantine_bucket => {
                    Err(self.no_quarantine_bucket())
                }
                // An annotation was changed during the copy, or the destination was written to.
                (409, code) => Err(Error::Retryable(format!(
                    "s3:CopyObject from {} met another change ({})",
                    from.bucket,
                    if code.is_empty() { "409" } else { code }
                ))),
                _ if is_archived(&error) => Err(archived()),
                _ if denied_by_kms(&error) => Err(unusable_key()),
                _ => Err(classify(&format!("s3:CopyObject from {}", from.bucket), error)),
            },
        }
    }
}

/// What a copy is to be like, as the requests take it.
#[derive(Debug, Default)]
pub(super) struct Like {
    pub(super) storage_class: Option<StorageClass>,
    pub(super) encryption: Option<ServerSideEncryption>,
    pub(super) kms_key_id: Option<String>,
    pub(super) bucket_key: Option<bool>,
    pub(super) website_redirect: Option<String>,
}

impl Like {
    pub(super) fn of(facts: Option<&ObjectFacts>) -> Self {
        let Some(facts) = facts else { return Self::default() };
        Self {
            storage_class: facts.storage_class.as_deref().map(StorageClass::from),
            encryption: facts.encryption.as_deref().map(ServerSideEncryption::from),
            kms_key_id: facts.kms_key_id.clone(),
            bucket_key: facts.bucket_key.then_some(true),
            website_redirect: facts.website_redirect.clone(),
        }
    }
}

/// S3 answers a copy when it is done, which takes minutes for the largest.
pub(super) fn copy_timeout() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(3_600)).build()
}

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The value of `x-amz-copy-source`, which the SDK does not encode: the key percent-encoded, the version id appended
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
pub(super) fn copy_source(from: &Place, version_id: Option<&str>) -> String {
    let version = version_id.map(|id| format!("?versionId={id}")).unwrap_or_default();
    format!("{}/{}{version}", from.bucket, utf8_percent_encode(&from.key, PLAIN))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn source(key: &str, version_id: Option<&str>) -> String {
        copy_source(&Place { owner: String::new(), bucket: "b".into(), key: key.into() }, version_id)
    }

    #[test]
    fn the_copy_source_is_encoded_and_the_version_id_is_not() {
        assert_eq!(source("a b+c%/é?.txt", Some("v.1")), "b/a%20b%2Bc%25/%C3%A9%3F.txt?versionId=v.1");
        assert_eq!(source("../x/./y/", None), "b/../x/./y/");
    }

    proptest! {
        #[test]
        fn any_key_comes_back_from_its_copy_source(key in any::<String>()) {
            let source = source(&key, None);
            prop_assert!(source.is_ascii() && !source.contains(['?', '#', ' ', '+', '\n']));
            let decoded: Vec<u8> = percent_decode_str(&source[2..]).collect();
            prop_assert_eq!(decoded, key.as_bytes());
        }
    }
}
