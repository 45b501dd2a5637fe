//! Tags of objects that are copied in parts.

use aws_sdk_s3::types::{Tag, Tagging};
use cordon_domain::manifest::ObjectFacts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{ObjectHead, ObjectSession, Place, Writer, gone};
use crate::{
    aws::error::{classify, status},
    error::Result,
};

/// The bytes of headers that an upload may bring of the object's own: S3 takes about 8 KB in all
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>), of which a session token takes up to 2
/// and the signature and everything else up to 2 more.
const ROOM: usize = 4 << 10;
/// What one header takes beside its name and its value.
const LINE: usize = ": \r\n".len();
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Tags as the header takes them, which is as parameters of a URL
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>); `None` where they do not fit
/// beside everything else that an upload brings of the object.
pub(super) fn in_a_header(tags: &[Tag], facts: &ObjectFacts) -> Option<String> {
    let encoded = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
    let tags: Vec<_> =
        tags.iter().map(|tag| format!("{}={}", encoded(tag.key()), encoded(tag.value()))).collect();
    let header = tags.join("&");
    let metadata = facts.metadata.iter().map(|(name, value)| "x-amz-meta-".len() + name.len() + value.len());
    let content = facts.content_headers.iter().map(|(name, value)| name.len() + value.len());
    let redirect = facts.website_redirect.iter().map(|to| "x-amz-website-redirect-location".len() + to.len());
    let others: usize = metadata.chain(content).chain(redirect).map(|bytes| bytes + LINE).sum();
    (others + "x-amz-tagging".len() + header.len() + LINE <= ROOM).then_some(header)
}

impl<R: Writer> ObjectSession<R> {
    /// The tags of an object version.
    ///
    /// # Errors
    /// `ObjectMissing` when it is gone; otherwise as classified.
    pub(super) async fn tags(&self, place: &Place, version_id: Option<&str>) -> Result<Vec<Tag>> {
        let call = self
            .client
            .get_object_tagging()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(version_id.map(str::to_owned))
            .expected_bucket_owner(&place.owner);
        match call.send().await {
            Ok(answer) => Ok(answer.tag_set),
            Err(error) if matches!(status(&error), 404 | 405) => Err(gone(place)),
            Err(error) => Err(classify(&format!("s3:GetObjectTagging in {}", place.bucket), error)),
        }
    }

    /// Gives a copy the tags of the object, where it has not as many: S3 takes them when the copy is begun, but for
    /// those that are too long for a header. Their number is not asked of the object, which shows it only to whoever may
    /// read tags.
    ///
    /// # Errors
    /// `ObjectMissing` when the object is gone; otherwise as classified.
    pub(super) async fn copy_tags(
        &self,
        from: &Place,
        version_id: Option<&str>,
        to: &Place,
        copy: &ObjectHead,
    ) -> Result<()> {
        let tags = self.tags(from, version_id).await?;
        if usize::try_from(copy.facts.tag_count) == Ok(tags.len()) {
            return Ok(());
        }
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().expect("it has a set");
        let call = self
            .client
            .put_object_tagging()
            .bucket(&to.bucket)
            .key(&to.key)
            .set_version_id(copy.version_id.clone())
            .tagging(tagging)
            .expected_bucket_owner(&to.owner);
        let what = format!("s3:PutObjectTagging in {}", to.bucket);
        call.send().await.map(|_| ()).map_err(|error| classify(&what, error))
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag::builder().key(key).value(value).build().expect("it has both")
    }

    #[test]
    fn tags_are_written_as_parameters_of_a_url() {
        let tags = [tag("team", "a b+c"), tag("ü=&", "")];
        let header = in_a_header(&tags, &ObjectFacts::default());
        assert_eq!(header.as_deref(), Some("team=a%20b%2Bc&%C3%BC%3D%26="));
    }

    #[test]
    fn tags_that_do_not_fit_into_the_headers_are_left_for_afterwards() {
        let long: Vec<_> =
            (0..10).map(|n| tag(&format!("{n}{}", "k".repeat(127)), &"v".repeat(256))).collect();
        assert!(in_a_header(&long, &ObjectFacts::default()).is_some());
        let wide: Vec<_> = (0..10).map(|n| tag(&n.to_string(), &"語".repeat(256))).collect();
        assert_eq!(in_a_header(&wide, &ObjectFacts::default()), None);
        let metadata = [("m".to_owned(), "m".repeat(2_000))].into();
        assert_eq!(in_a_header(&long, &ObjectFacts { metadata, ..ObjectFacts::default() }), None);
        assert!(in_a_header(&long[..5], &ObjectFacts::default()).is_some());
    }

    proptest! {
        #[test]
        fn any_tag_comes_back_from_the_header(key in any::<String>(), value in any::<String>()) {
            let Some(header) = in_a_header(&[tag(&key, &value)], &ObjectFacts::default()) else { return Ok(()) };
            prop_assert!(header.is_ascii() && !header.contains(['+', ' ', '\n']));
            let (written_key, written_value) = header.split_once('=').expect("both are there");
            let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            prop_assert_eq!((decoded(written_key), decoded(written_value)), (key, value));
        }
    }
}
