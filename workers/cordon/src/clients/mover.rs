//! S3 under the mover role: the only way in which Cordon touches other people's objects.
//!
//! Each move assumes the role anew with a session policy for one bucket and one key, so that a mistake cannot reach
//! further than the case it was made in. Every call names the bucket owner that it expects.

mod copy_source;
mod session_policy;

use std::{collections::BTreeMap, time::Duration};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_s3::{
    Client,
    config::timeout::TimeoutConfig,
    error::ProvideErrorMetadata,
    operation::head_object::HeadObjectOutput,
    primitives::{ByteStream, DateTime, DateTimeFormat},
    types::{
        BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, ChecksumType, MetadataDirective,
        MfaDeleteStatus, ObjectLockLegalHoldStatus, TaggingDirective,
    },
};

use self::{copy_source::copy_source, session_policy::session_policy};
use super::error::{classify, status};
use crate::{
    domain::{
        finding::{ObjectVersion, bare_etag},
        manifest::{Location, Manifest, ObjectFacts},
    },
    error::{Code, Error, Result},
};

/// Opens movers.
#[derive(Clone, Debug)]
pub struct Movers {
    config: SdkConfig,
    sts: aws_sdk_sts::Client,
    role_arn: String,
    quarantine_bucket: String,
    account: String,
}

/// A session for one bucket and one key.
#[derive(Clone, Debug)]
pub struct Mover {
    client: Client,
    quarantine_bucket: String,
    account: String,
}

/// The source as it is now.
#[derive(Clone, Debug)]
pub struct SourceObject {
    /// Its ETag, bare.
    pub etag: String,
    /// What the manifest records of it.
    pub facts: ObjectFacts,
    /// Why it cannot be moved, if S3 already says so.
    pub obstacle: Option<Error>,
    checksum: Option<ChecksumAlgorithm>,
}

/// One entry of a key's version listing.
#[derive(Clone, Debug, PartialEq)]
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

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// It never did.
    Never,
    /// It does.
    Enabled,
    /// It did; what is written now replaces the `null` version.
    Suspended,
}

/// What a conditional removal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Yes,
    /// The condition does not hold: something else is there now.
    Changed,
}

impl Movers {
    /// Movers that put objects into `quarantine_bucket`, which `account` owns.
    pub fn new(config: &SdkConfig, role_arn: String, quarantine_bucket: String, account: String) -> Self {
        Self {
            sts: aws_sdk_sts::Client::new(config),
            config: config.clone(),
            role_arn,
            quarantine_bucket,
            account,
        }
    }

    /// Assumes the role for exactly this object, its case's prefix in quarantine, and nothing else.
    ///
    /// # Errors
    /// As classified.
    pub async fn open(&self, object: &ObjectVersion, case_id: &str) -> Result<Mover> {
        let session = format!("cordon-{}", &case_id[..16.min(case_id.len())]);
        let answer = self
            .sts
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(session)
            .duration_seconds(3_600)
            .policy(session_policy(object, &self.quarantine_bucket, case_id))
            .send()
            .await
            .map_err(|error| classify("sts:AssumeRole of the mover role", error))?;
        let keys = answer.credentials.ok_or_else(|| {
            Error::Retryable("sts:AssumeRole of the mover role answered without credentials".into())
        })?;
        let credentials = Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            std::time::SystemTime::try_from(keys.expiration).ok(),
            "mover",
        );
        let config =
            aws_sdk_s3::config::Builder::from(&self.config).credentials_provider(credentials).build();
        Ok(Mover {
            client: Client::from_conf(config),
            quarantine_bucket: self.quarantine_bucket.clone(),
            account: self.account.clone(),
        })
    }
}

impl Mover {
    /// Whether the source bucket keeps versions.
    ///
    /// # Errors
    /// `ObjectLocked` for MFA delete, `ObjectMissing` when the bucket is gone; otherwise as classified.
    pub async fn versioning(&self, object: &ObjectVersion) -> Result<Versioning> {
        let call =
            self.client.get_bucket_versioning().bucket(&object.bucket).expected_bucket_owner(&object.account);
        match call.send().await {
            Ok(answer) if answer.mfa_delete == Some(MfaDeleteStatus::Enabled) => Err(Error::terminal(
                Code::ObjectLocked,
                format!(
                    "The bucket {} has MFA delete: only a person with the device can remove a version.",
                    object.bucket
                ),
            )),
            Ok(answer) => Ok(match answer.status {
                Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
                Some(_) => Versioning::Enabled,
                None => Versioning::Never,
            }),
            Err(error) if status(&error) == 404 => Err(gone(object)),
            Err(error) => Err(classify(&format!("s3:GetBucketVersioning of {}", object.bucket), error)),
        }
    }

    /// Every version of exactly this key, newest first. Empty when the bucket is gone.
    ///
    /// # Errors
    /// As classified.
    pub async fn versions(&self, object: &ObjectVersion) -> Result<Vec<VersionEntry>> {
        let mut entries = Vec::new();
        let (mut key_marker, mut version_marker) = (None, None);
        loop {
            let call = self
                .client
                .list_object_versions()
                .bucket(&object.bucket)
                .prefix(&object.key)
                .expected_bucket_owner(&object.account)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker);
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if status(&error) == 404 => return Ok(Vec::new()),
                Err(error) => {
                    return Err(classify(&format!("s3:ListBucketVersions of {}", object.bucket), error));
                }
            };
            let mut past_the_key = false;
            for version in page.versions.unwrap_or_default() {
                if version.key.as_deref() != Some(&object.key) {
                    past_the_key = true;
                    continue;
                }
                entries.push(VersionEntry {
                    version_id: version.version_id.unwrap_or_else(|| "null".into()),
                    is_latest: version.is_latest.unwrap_or(false),
                    is_delete_marker: false,
                    etag: bare_etag(version.e_tag.as_deref().unwrap_or_default()).to_owned(),
                });
            }
            for marker in page.delete_markers.unwrap_or_default() {
                if marker.key.as_deref() != Some(&object.key) {
                    past_the_key = true;
                    continue;
                }
                entries.push(VersionEntry {
                    version_id: marker.version_id.unwrap_or_else(|| "null".into()),
                    is_latest: marker.is_latest.unwrap_or(false),
                    is_delete_marker: true,
                    etag: String::new(),
                });
            }
            // The listing is in the order of keys, and the key itself is the first with its own prefix.
            if past_the_key || page.is_truncated != Some(true) {
                return Ok(entries);
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// The source as it is now; `None` when it is gone. `version_id` is `None` only where the bucket never had
    /// versions.
    ///
    /// # Errors
    /// As classified.
    pub async fn head_source(
        &self,
        object: &ObjectVersion,
        version_id: Option<&str>,
    ) -> Result<Option<SourceObject>> {
        let call = self
            .client
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(version_id.map(str::to_owned))
            .expected_bucket_owner(&object.account)
            .checksum_mode(ChecksumMode::Enabled);
        let head = match call.send().await {
            Ok(head) => head,
            // 405: the version is a delete marker.
            Err(error) if matches!(status(&error), 404 | 405) => return Ok(None),
            Err(error) if status(&error) == 400 => {
                return Err(Error::terminal(
                    Code::UnsupportedEncryption,
                    "The object cannot be read without a key that only its owner has (SSE-C). Ask the owner to remove it.",
                ));
            }
            Err(error) => return Err(classify(&format!("s3:HeadObject in {}", object.bucket), error)),
        };
        let (algorithm, checksums) = checksums(&head);
        let content_headers = [
            ("Content-Type", head.content_type()),
            ("Content-Encoding", head.content_encoding()),
            ("Content-Disposition", head.content_disposition()),
            ("Content-Language", head.content_language()),
            ("Cache-Control", head.cache_control()),
            ("Expires", head.expires_string()),
        ];
        let locked = head.object_lock_legal_hold_status() == Some(&ObjectLockLegalHoldStatus::On)
            || head
                .object_lock_retain_until_date()
                .is_some_and(|until| until.secs() > DateTime::from(std::time::SystemTime::now()).secs());
        let archived =
            matches!(head.storage_class().map(|class| class.as_str()), Some("GLACIER" | "DEEP_ARCHIVE"))
                || head.archive_status().is_some();
        let obstacle = if locked {
            Some(Error::terminal(
                Code::ObjectLocked,
                "The object is under Object Lock or a legal hold and cannot be removed. Lift the hold, or wait until the retention ends.",
            ))
        } else if archived
            && head.restore().is_none_or(|restore| restore.contains("ongoing-request=\"true\""))
        {
            Some(Error::terminal(
                Code::ObjectArchived,
                "The object is in an archive storage class. Restore it first (s3:RestoreObject), then start the response again.",
            ))
        } else {
            None
        };
        Ok(Some(SourceObject {
            etag: bare_etag(head.e_tag().unwrap_or_default()).to_owned(),
            facts: ObjectFacts {
                size: head.content_length().unwrap_or_default(),
                last_modified: head.last_modified().and_then(|time| time.fmt(DateTimeFormat::DateTime).ok()),
                storage_class: head.storage_class().map(|class| class.as_str().to_owned()),
                encryption: head.server_side_encryption().map(|sse| sse.as_str().to_owned()),
                kms_key_id: head.ssekms_key_id().map(str::to_owned),
                content_headers: content_headers
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
                    .collect(),
                metadata: head
                    .metadata()
                    .into_iter()
                    .flatten()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
                tag_count: head.tag_count().unwrap_or_default(),
                checksums,
            },
            obstacle,
            checksum: algorithm,
        }))
    }

    /// Copies the source, if it still has this ETag, to `key` in quarantine. Gives back the copy's version.
    ///
    /// # Errors
    /// `ObjectChanged` when it has another ETag, `ObjectMissing` when it is gone; otherwise as classified.
    pub async fn copy(
        &self,
        object: &ObjectVersion,
        version_id: Option<&str>,
        source: &SourceObject,
        key: &str,
    ) -> Result<Option<String>> {
        let call = self
            .client
            .copy_object()
            .bucket(&self.quarantine_bucket)
            .key(key)
            .expected_bucket_owner(&self.account)
            .copy_source(copy_source(&object.bucket, &object.key, version_id))
            .copy_source_if_match(format!("\"{}\"", source.etag))
            .expected_source_bucket_owner(&object.account)
            .metadata_directive(MetadataDirective::Copy)
            .tagging_directive(TaggingDirective::Copy)
            .set_checksum_algorithm(source.checksum.clone())
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(copy_timeout()));
        match call.send().await {
            Ok(copied) => Ok(copied.version_id),
            Err(error) => match (status(&error), error.as_service_error().and_then(|e| e.code())) {
                (412, _) => Err(changed(object)),
                (404, Some("NoSuchKey" | "NoSuchVersion")) => Err(gone(object)),
                (404, _) => Err(self.no_quarantine_bucket()),
                (_, Some("InvalidObjectState" | "ObjectNotInActiveTierError")) => Err(Error::terminal(
                    Code::ObjectArchived,
                    "The object is in an archive storage class. Restore it first (s3:RestoreObject), then start the response again.",
                )),
                (400..=403, Some(code)) if code.starts_with("KMS.") && !code.contains("Throttl") => {
                    Err(Error::terminal(
                        Code::UnsupportedEncryption,
                        format!(
                            "The KMS key of the object or of the quarantine bucket cannot be used ({code}). Allow the mover role in the key's policy."
                        ),
                    ))
                }
                _ => Err(classify(&format!("s3:CopyObject from {}", object.bucket), error)),
            },
        }
    }

    /// Size, version and checksums of what is at `key` in quarantine; `None` when nothing is.
    ///
    /// # Errors
    /// As classified.
    pub async fn head_copy(&self, key: &str) -> Result<Option<(i64, Location, BTreeMap<String, String>)>> {
        let call = self
            .client
            .head_object()
            .bucket(&self.quarantine_bucket)
            .key(key)
            .expected_bucket_owner(&self.account)
            .checksum_mode(ChecksumMode::Enabled);
        let head = match call.send().await {
            Ok(head) => head,
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(classify("s3:HeadObject in the quarantine bucket", error)),
        };
        let (_, checksums) = checksums(&head);
        let location = Location {
            bucket: self.quarantine_bucket.clone(),
            key: key.to_owned(),
            version_id: head.version_id().map(str::to_owned),
        };
        Ok(Some((head.content_length().unwrap_or_default(), location, checksums)))
    }

    /// The manifest at `key`; `None` when there is none.
    ///
    /// # Errors
    /// As classified; `RequestRejected` for one that cannot be read.
    pub async fn manifest(&self, key: &str) -> Result<Option<Manifest>> {
        let call = self
            .client
            .get_object()
            .bucket(&self.quarantine_bucket)
            .key(key)
            .expected_bucket_owner(&self.account);
        let object = match call.send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().and_then(|e| e.code()) == Some("NoSuchBucket") => {
                return Err(self.no_quarantine_bucket());
            }
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(classify("s3:GetObject of a manifest", error)),
        };
        let bytes =
            object.body.collect().await.map_err(|error| {
                Error::Retryable(format!("s3:GetObject of a manifest broke off: {error}"))
            })?;
        serde_json::from_slice(&bytes.to_vec()).map(Some).map_err(|error| {
            Error::terminal(
                Code::RequestRejected,
                format!("The manifest {key} in the quarantine bucket cannot be read ({error}). Compare its versions; the object was not touched."),
            )
        })
    }

    fn no_quarantine_bucket(&self) -> Error {
        Error::terminal(
            Code::RequestRejected,
            format!(
                "The quarantine bucket {} does not exist; the object was not touched. Apply the Terraform again.",
                self.quarantine_bucket
            ),
        )
    }

    /// Writes the manifest at `key`.
    ///
    /// # Errors
    /// As classified.
    pub async fn put_manifest(&self, key: &str, manifest: &Manifest) -> Result<()> {
        let body = serde_json::to_vec_pretty(manifest).expect("a manifest holds plain members");
        let call = self
            .client
            .put_object()
            .bucket(&self.quarantine_bucket)
            .key(key)
            .expected_bucket_owner(&self.account)
            .content_type("application/json")
            .body(ByteStream::from(body));
        call.send().await.map_err(|error| classify("s3:PutObject of a manifest", error))?;
        Ok(())
    }

    /// Deletes the key without a version id, if its current version still has this ETag. In a bucket with versions
    /// this puts a delete marker.
    ///
    /// # Errors
    /// As classified.
    pub async fn remove_current(&self, object: &ObjectVersion, etag: &str) -> Result<Removed> {
        let call = self
            .client
            .delete_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .expected_bucket_owner(&object.account)
            .if_match(format!("\"{etag}\""));
        match call.send().await {
            Ok(_) => Ok(Removed::Yes),
            Err(error) if status(&error) == 412 => Ok(Removed::Changed),
            Err(error) if status(&error) == 404 => Ok(Removed::Yes),
            Err(error) => Err(removal_error(object, error)),
        }
    }

    /// Deletes exactly this version.
    ///
    /// # Errors
    /// As classified.
    pub async fn remove_version(&self, object: &ObjectVersion, version_id: &str) -> Result<()> {
        let call = self
            .client
            .delete_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .version_id(version_id)
            .expected_bucket_owner(&object.account);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == 404 => Ok(()),
            Err(error) => Err(removal_error(object, error)),
        }
    }
}

/// S3 answers a copy when it is done, which takes minutes for the largest.
fn copy_timeout() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(3_600)).build()
}

fn removal_error(
    object: &ObjectVersion,
    error: aws_sdk_s3::error::SdkError<
        aws_sdk_s3::operation::delete_object::DeleteObjectError,
        aws_sdk_s3::config::http::HttpResponse,
    >,
) -> Error {
    let locked = error
        .as_service_error()
        .and_then(|e| e.message())
        .is_some_and(|message| message.contains("object protected by object lock"));
    if locked {
        return Error::terminal(
            Code::ObjectLocked,
            "Object Lock refuses the removal; the copy in quarantine stays. Lift the hold, or wait until the retention ends.",
        );
    }
    classify(&format!("s3:DeleteObject in {}", object.bucket), error)
}

/// The error of an object that is not the one of the finding any more.
pub fn changed(object: &ObjectVersion) -> Error {
    Error::terminal(
        Code::ObjectChanged,
        format!(
            "The object in {} was written again after the finding; what is there now was not moved.",
            object.bucket
        ),
    )
}

/// The error of an object that is gone.
pub fn gone(object: &ObjectVersion) -> Error {
    Error::terminal(
        Code::ObjectMissing,
        format!("The object is no longer in {}; there was nothing to move.", object.bucket),
    )
}

/// Whole-object checksums only: one over parts cannot be compared with one over the object.
fn checksums(head: &HeadObjectOutput) -> (Option<ChecksumAlgorithm>, BTreeMap<String, String>) {
    if head.checksum_type() == Some(&ChecksumType::Composite) {
        return (None, BTreeMap::new());
    }
    let found: Vec<_> = [
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Sha1, head.checksum_sha1()),
        (ChecksumAlgorithm::Crc32C, head.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
    ]
    .into_iter()
    .filter_map(|(algorithm, value)| {
        Some((algorithm, value.filter(|value| !value.contains('-'))?.to_owned()))
    })
    .collect();
    let first = found.first().map(|(algorithm, _)| algorithm.clone());
    (first, found.into_iter().map(|(algorithm, value)| (algorithm.as_str().to_owned(), value)).collect())
}
