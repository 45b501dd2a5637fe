//! Annotations of objects.
//!
//! An annotation belongs to one object version and goes with it. CopyObject takes all along in one operation; a copy in
//! parts takes none, and they are written one by one when it is complete
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-overview.html>).

use std::collections::BTreeSet;

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use futures::{StreamExt, TryStreamExt, stream};

use super::{ObjectHead, ObjectSession, Place, Writer, gone, head_object::denied_by_kms, unusable_key};
use crate::{
    aws::error::{classify, status},
    error::{Error, Result},
};

/// Annotations in hand at once, each of up to 1 MiB.
const MAX_CONCURRENCY: usize = 4;

impl<R: Writer> ObjectSession<R> {
    /// Writes the annotations of an object version beside its copy; gives back how many there are.
    ///
    /// # Errors
    /// `ObjectMissing` when the object is gone, `UnsupportedEncryption`; otherwise as classified.
    pub(super) async fn copy_annotations(
        &self,
        from: &Place,
        version_id: Option<&str>,
        to: &Place,
        copy: &ObjectHead,
    ) -> Result<usize> {
        let names = self.annotations(from, version_id).await?;
        let count = names.len();
        let carried = names.into_iter().map(|name| async move {
            let payload = self.annotation(from, version_id, &name).await?;
            self.put_annotation(to, copy, &name, payload).await
        });
        stream::iter(carried).buffered(MAX_CONCURRENCY).try_collect::<()>().await?;
        Ok(count)
    }

    /// Whether nothing is annotated otherwise on one of two objects than on the other; either may have further
    /// annotations.
    ///
    /// # Errors
    /// As [`ObjectSession::copy_tags_and_annotations`].
    pub async fn annotations_agree(
        &self,
        (one, its_version): (&Place, Option<&str>),
        (other, others_version): (&Place, Option<&str>),
    ) -> Result<bool> {
        let names = self.annotations(other, others_version).await?;
        if names.is_empty() {
            return Ok(true);
        }
        for name in names.intersection(&self.annotations(one, its_version).await?) {
            let theirs = self.annotation(other, others_version, name).await?;
            if self.annotation(one, its_version, name).await? != theirs {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The names of the annotations of an object version. Empty where S3 knows no annotations yet.
    async fn annotations(&self, place: &Place, version_id: Option<&str>) -> Result<BTreeSet<String>> {
        let (mut names, mut next) = (BTreeSet::new(), None);
        loop {
            let call = self
                .client
                .list_object_annotations()
                .bucket(&place.bucket)
                .key(&place.key)
                .set_version_id(version_id.map(str::to_owned))
                .expected_bucket_owner(&place.owner)
                .set_continuation_token(next);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if status(&error) == 501 => return Ok(names),
                Err(error) if matches!(status(&error), 404 | 405) => return Err(gone(place)),
                Err(error) => return Err(failed("s3:ListObjectAnnotations", place, error)),
            };
            names.extend(page.annotations.unwrap_or_default().into_iter().map(|entry| entry.annotation_name));
            next = page.next_continuation_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(names);
            }
        }
    }

    async fn annotation(&self, place: &Place, version_id: Option<&str>, name: &str) -> Result<Vec<u8>> {
        let call = self
            .client
            .get_object_annotation()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(version_id.map(str::to_owned))
            .annotation_name(name)
            .expected_bucket_owner(&place.owner);
        let answer = call.send().await.map_err(|error| match status(&error) {
            // It was there a moment ago.
            404 => Error::Retryable(format!(
                "an annotation of the object in {} was removed meanwhile",
                place.bucket
            )),
            _ => failed("s3:GetObjectAnnotation", place, error),
        })?;
        let payload = answer.annotation_payload.collect().await.map_err(|error| {
            Error::Retryable(format!("s3:GetObjectAnnotation in {} broke off: {error}", place.bucket))
        })?;
        Ok(payload.to_vec())
    }

    async fn put_annotation(
        &self,
        place: &Place,
        object: &ObjectHead,
        name: &str,
        payload: Vec<u8>,
    ) -> Result<()> {
        let call = self
            .client
            .put_object_annotation()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(object.version_id.clone())
            .annotation_name(name)
            .annotation_payload(payload.into())
            .object_if_match(format!("\"{}\"", object.etag))
            .expected_bucket_owner(&place.owner);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if matches!(status(&error), 404 | 412) => {
                Err(Error::Retryable(format!("the copy in {} was replaced meanwhile", place.bucket)))
            }
            Err(error) => Err(failed("s3:PutObjectAnnotation", place, error)),
        }
    }
}

fn failed<E>(operation: &str, place: &Place, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if denied_by_kms(&error) {
        return unusable_key();
    }
    classify(&format!("{operation} in {}", place.bucket), error)
}
