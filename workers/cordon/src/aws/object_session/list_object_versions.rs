//! `ListObjectVersions` of one key.

use aws_sdk_s3::types::EncodingType;
use cordon_domain::finding::bare_etag;
use percent_encoding::percent_decode_str;

use super::{ObjectSession, Place};
use crate::{
    aws::error::{classify, status},
    error::Result,
};

/// One entry of a key's version listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionEntry {
    /// The id, `null` for the null version.
    pub version_id: String,
    /// Whether a request without version id gets this one.
    pub is_latest: bool,
    /// A delete marker has no bytes.
    pub is_delete_marker: bool,
    /// The ETag, bare; empty for a marker.
    pub etag: String,
}

impl<R> ObjectSession<R> {
    /// Every version of exactly this key: the versions newest first, then the delete markers. Empty when the bucket is
    /// gone.
    ///
    /// # Errors
    /// As classified.
    pub async fn list_object_versions(&self, place: &Place) -> Result<Vec<VersionEntry>> {
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let call = self
                .client
                .list_object_versions()
                .bucket(&place.bucket)
                .prefix(&place.key)
                // Keys may hold characters that XML cannot.
                .encoding_type(EncodingType::Url)
                .expected_bucket_owner(&place.owner)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if status(&error) == 404 => return Ok(Vec::new()),
                Err(error) => {
                    return Err(classify(&format!("s3:ListBucketVersions of {}", place.bucket), error));
                }
            };
            let id = |id: Option<String>| id.unwrap_or_else(|| "null".into());
            let mut past_the_key = false;
            for version in page.versions.unwrap_or_default() {
                if !is(version.key.as_deref(), &place.key) {
                    past_the_key = true;
                    continue;
                }
                versions.push(VersionEntry {
                    version_id: id(version.version_id),
                    is_latest: version.is_latest.unwrap_or(false),
                    is_delete_marker: false,
                    etag: bare_etag(version.e_tag.as_deref().unwrap_or_default()).to_owned(),
                });
            }
            for marker in page.delete_markers.unwrap_or_default() {
                if !is(marker.key.as_deref(), &place.key) {
                    past_the_key = true;
                    continue;
                }
                markers.push(VersionEntry {
                    version_id: id(marker.version_id),
                    is_latest: marker.is_latest.unwrap_or(false),
                    is_delete_marker: true,
                    etag: String::new(),
                });
            }
            // The listing is in the order of keys, and the key itself is the first with its own prefix.
            if past_the_key || page.is_truncated != Some(true) {
                versions.extend(markers);
                return Ok(versions);
            }
            (key_marker, version_marker) =
                (page.next_key_marker.map(|marker| decoded(&marker)), page.next_version_id_marker);
        }
    }
}

fn is(listed: Option<&str>, key: &str) -> bool {
    listed.is_some_and(|listed| decoded(listed) == key)
}

/// A key from a listing with `encoding-type=url`, in which S3 writes a space as `+`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>).
pub(super) fn decoded(listed: &str) -> String {
    percent_decode_str(&listed.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keys_are_decoded() {
        for (listed, key) in [("a+b%2Bc%25", "a b+c%"), ("%C3%A9%01/", "é\u{1}/"), ("plain", "plain")] {
            assert_eq!(decoded(listed), key);
        }
    }
}
