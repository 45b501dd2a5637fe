//! `HeadObject`, and `GetObject` of the whole object for its SHA-256.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::head_object::HeadObjectOutput,
    primitives::{DateTime, DateTimeFormat},
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, ObjectLockEventHold, ObjectLockLegalHoldStatus},
};
use cordon_domain::{finding::bare_etag, manifest::ObjectFacts};
use sha2::{Digest, Sha256};

use super::{ObjectSession, Place, archived, changed, unusable_key};
use crate::{
    aws::{
        self,
        error::{classify, status},
    },
    error::{Code, Error, Result},
};

/// A body that stands still for longer than this has broken off.
const STILL: Duration = Duration::from_secs(60);

/// An object version as S3 shows it.
#[derive(Clone, Debug)]
pub struct ObjectHead {
    /// Its version id; `None` in a bucket that never had versions.
    pub version_id: Option<String>,
    /// Its ETag, bare.
    pub etag: String,
    /// What the manifest records of it.
    pub facts: ObjectFacts,
    /// Why it cannot be moved, if S3 already says so.
    pub obstacle: Option<Error>,
}

impl ObjectHead {
    /// The algorithm to ask of a copy, so that its checksum can be compared with this one's; CRC64NVME, which S3 gives
    /// every object by itself, when there is none. Of a copy in parts S3 makes whole-object checksums by CRC only
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
    pub(super) fn comparable(&self, in_parts: bool) -> ChecksumAlgorithm {
        let usable = |name: &&String| !in_parts || name.starts_with("CRC");
        self.facts
            .checksums
            .keys()
            .find(usable)
            .map_or(ChecksumAlgorithm::Crc64Nvme, |name| ChecksumAlgorithm::from(name.as_str()))
    }
}

impl<R> ObjectSession<R> {
    /// An object version as it is now; without version id the current one. `None` when there is none.
    ///
    /// # Errors
    /// `UnsupportedEncryption` for what cannot be read without a key; otherwise as classified.
    pub async fn head_object(&self, place: &Place, version_id: Option<&str>) -> Result<Option<ObjectHead>> {
        let call = self
            .client
            .head_object()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(version_id.map(str::to_owned))
            .expected_bucket_owner(&place.owner);
        match call.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(Some(head_of(&head))),
            // 405: the version is a delete marker.
            Err(error) if matches!(status(&error), 404 | 405) => Ok(None),
            // The refusal of a HEAD has no body that could say why.
            Err(error) if matches!(status(&error), 301 | 400 | 403) => {
                Err(self.refusal(place, version_id).await)
            }
            Err(error) => Err(classify(&format!("s3:HeadObject in {}", place.bucket), error)),
        }
    }

    /// Why S3 refuses to show an object: asked again by a GET of one byte, whose refusal has a body.
    async fn refusal(&self, place: &Place, version_id: Option<&str>) -> Error {
        let call = self
            .client
            .get_object()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(version_id.map(str::to_owned))
            .range("bytes=0-0")
            .expected_bucket_owner(&place.owner);
        let Err(error) = call.send().await else {
            return Error::Retryable(format!("s3:HeadObject in {} was refused once", place.bucket));
        };
        let service = error.as_service_error();
        let message = service.and_then(ProvideErrorMetadata::message).unwrap_or_default();
        match (status(&error), service.and_then(ProvideErrorMetadata::code).unwrap_or_default()) {
            // An object without bytes has none to give.
            (416, _) => Error::Retryable(format!("s3:HeadObject in {} was refused once", place.bucket)),
            (404 | 405, _) => {
                Error::Retryable(format!("the object in {} was removed meanwhile", place.bucket))
            }
            (400, "InvalidRequest") if message.contains("Server Side Encryption") => Error::terminal(
                Code::UnsupportedEncryption,
                "The object is encrypted with a key that only its owner has (SSE-C), so it cannot be copied; nothing was \
                 touched. Ask the owner to remove it or to encrypt it with a KMS key.",
            ),
            (301, _) | (400, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                Error::terminal(
                    Code::RequestRejected,
                    format!(
                        "The bucket {} is in another Region than Cordon, which moves objects of its own Region only; nothing \
                     was touched. Install Cordon in that Region too, or move the object by hand.",
                        place.bucket
                    ),
                )
            }
            _ if denied_by_kms(&error) => unusable_key(),
            _ if is_archived(&error) => archived(),
            _ => classify(&format!("s3:GetObject in {}", place.bucket), error),
        }
    }

    /// Hex SHA-256 of an object version, read whole.
    ///
    /// # Errors
    /// `ObjectChanged` when it has another ETag; otherwise as classified.
    pub async fn sha256_of(&self, place: &Place, version_id: Option<&str>, etag: &str) -> Result<String> {
        let call = self
            .client
            .get_object()
            .bucket(&place.bucket)
            .key(&place.key)
            .set_version_id(version_id.map(str::to_owned))
            .if_match(format!("\"{etag}\""))
            .expected_bucket_owner(&place.owner);
        let mut body = match call.send().await {
            Ok(object) => object.body,
            Err(error) if status(&error) == 412 => return Err(changed(place)),
            Err(error) if denied_by_kms(&error) => return Err(unusable_key()),
            Err(error) if is_archived(&error) => return Err(archived()),
            Err(error) => return Err(classify(&format!("s3:GetObject in {}", place.bucket), error)),
        };
        let broke_off =
            |why: &str| Error::Retryable(format!("s3:GetObject in {} broke off: {why}", place.bucket));
        let mut hash = Sha256::new();
        while let Some(chunk) =
            tokio::time::timeout(STILL, body.next()).await.map_err(|_| broke_off("it stands still"))?
        {
            hash.update(chunk.map_err(|error| broke_off(&error.to_string()))?);
        }
        Ok(hex::encode(hash.finalize()))
    }
}

/// Whether S3 refused because of a KMS key (and not because KMS was asked too often).
pub(super) fn denied_by_kms<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    error.as_service_error().is_some_and(|service| {
        let named = service.code().is_some_and(|code| code.starts_with("KMS.") && !code.contains("Throttl"));
        // The refusal itself is a plain AccessDenied that names the KMS action.
        let refused = service.code() == Some("AccessDenied")
            && service.message().is_some_and(|message| message.contains("kms:"));
        named || refused
    })
}

pub(super) fn is_archived<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(
        error.as_service_error().and_then(ProvideErrorMetadata::code),
        Some("InvalidObjectState" | "ObjectNotInActiveTierError")
    )
}

fn head_of(head: &HeadObjectOutput) -> ObjectHead {
    let content_headers = [
        ("Content-Type", head.content_type()),
        ("Content-Encoding", head.content_encoding()),
        ("Content-Disposition", head.content_disposition()),
        ("Content-Language", head.content_language()),
        ("Cache-Control", head.cache_control()),
        ("Expires", head.expires_string()),
    ];
    ObjectHead {
        version_id: head.version_id().map(str::to_owned),
        etag: bare_etag(head.e_tag().unwrap_or_default()).to_owned(),
        obstacle: obstacle(head),
        facts: ObjectFacts {
            size: head.content_length().unwrap_or_default(),
            last_modified: head.last_modified().and_then(aws::time),
            storage_class: head.storage_class().map(|class| class.as_str().to_owned()),
            encryption: head.server_side_encryption().map(|sse| sse.as_str().to_owned()),
            kms_key_id: head.ssekms_key_id().map(str::to_owned),
            bucket_key: head.bucket_key_enabled() == Some(true),
            content_headers: content_headers
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                .collect(),
            metadata: head.metadata().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
            hidden_metadata: head.missing_meta().unwrap_or_default(),
            tag_count: head.tag_count().unwrap_or_default(),
            website_redirect: head.website_redirect_location().map(str::to_owned),
            replication: head.replication_status().map(|status| status.as_str().to_owned()),
            checksums: checksums(head),
        },
    }
}

/// Why the object cannot be moved, as far as its HEAD says.
fn obstacle(head: &HeadObjectOutput) -> Option<Error> {
    let now = DateTime::from(std::time::SystemTime::now()).secs();
    let retained = head.object_lock_retain_until_date().filter(|until| until.secs() > now);
    let locked = |why: &str, next: &str| {
        let text = format!("{why}, so it cannot be removed, and nothing was touched. {next}");
        Some(Error::terminal(Code::ObjectLocked, text))
    };
    if head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On) {
        return locked(
            "The object is under a legal hold",
            "Have the hold lifted, then start the response again.",
        );
    }
    if head.object_lock_event_hold() == Some(&ObjectLockEventHold::On) {
        return locked(
            "The object is under an event hold",
            "Have the hold lifted, then start the response again.",
        );
    }
    if let Some(until) = retained {
        let mode = head.object_lock_mode().map_or("Object Lock", |mode| mode.as_str());
        let until = until.fmt(DateTimeFormat::DateTime).unwrap_or_default();
        return locked(
            &format!("The object is retained by Object Lock ({mode}) until {until}"),
            "Restrict who can read it (bucket policy) until then; in governance mode a person with \
             s3:BypassGovernanceRetention can shorten the retention.",
        );
    }
    let archive =
        matches!(head.storage_class().map(|class| class.as_str()), Some("GLACIER" | "DEEP_ARCHIVE"))
            || head.archive_status().is_some();
    let restored = head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"false\""));
    (archive && !restored).then(archived)
}

/// Whole-object checksums only: one over parts cannot be compared with one over the object.
fn checksums(head: &HeadObjectOutput) -> BTreeMap<String, String> {
    if head.checksum_type() == Some(&ChecksumType::Composite) {
        return BTreeMap::new();
    }
    [
        (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Crc32C, head.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        (ChecksumAlgorithm::Sha1, head.checksum_sha1()),
    ]
    .into_iter()
    .filter_map(|(algorithm, value)| {
        let value = value.filter(|value| !value.contains('-'))?;
        Some((algorithm.as_str().to_owned(), value.to_owned()))
    })
    .collect()
}
