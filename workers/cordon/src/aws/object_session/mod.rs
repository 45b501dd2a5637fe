//! S3 under the mover's and the restorer's roles: the only way in which Cordon touches other people's objects.
//!
//! Each move assumes the role anew with a session policy for one bucket and one key, so that a mistake cannot reach
//! further than the case it was made in. Every call names the bucket owner that it expects, and every write carries a
//! condition. The roles belong to the account of the bucket, so a bucket where the requester pays needs nothing more.

mod annotations;
mod copy_object;
mod delete_object;
mod head_object;
mod list_object_versions;
mod multipart_copy;
mod parts;
mod session;
mod session_policy;
mod tags;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{BucketVersioningStatus, MfaDeleteStatus},
};
use aws_sdk_sts::types::Tag;
use cordon_domain::{finding::ObjectVersion, manifest::Manifest};

pub use self::{
    copy_object::{CopyOutcome, Destination},
    delete_object::DeleteOutcome,
    head_object::ObjectHead,
    list_object_versions::VersionEntry,
};
use self::{head_object::denied_by_kms, session::Session, session_policy::session_policies};
use super::error::{classify, status};
use crate::error::{Code, Error, Result};

/// The role that takes objects away: it reads and deletes at the source, and writes to quarantine.
#[derive(Clone, Copy, Debug)]
pub struct Mover;
/// The role that puts objects back: it reads in quarantine, and writes where they were.
#[derive(Clone, Copy, Debug)]
pub struct Restorer;
/// The role of people who look into quarantine: it reads.
#[derive(Clone, Copy, Debug)]
pub struct Investigator;

/// A role that sessions are opened of.
pub trait SessionRole {
    /// Whether its own policy narrows a session by the session's tags. People's sessions carry none.
    const IS_TAGGED: bool;
}
impl SessionRole for Mover {
    const IS_TAGGED: bool = true;
}
impl SessionRole for Restorer {
    const IS_TAGGED: bool = true;
}
impl SessionRole for Investigator {
    const IS_TAGGED: bool = false;
}

/// The tags of a session: the only bucket and the only case that the roles of mover and restorer let it reach, as
/// `terraform/role_mover.tf` and `terraform/role_restorer.tf` spell them.
const BUCKET_TAG: &str = "CordonBucket";
const CASE_TAG: &str = "CordonCase";

/// A role that writes somewhere.
pub trait Writer {}
impl Writer for Mover {}
impl Writer for Restorer {}

/// Opens sessions of the role `R`.
#[derive(Clone, Debug)]
pub struct ObjectSessions<R> {
    config: SdkConfig,
    sts: aws_sdk_sts::Client,
    role_arn: String,
    quarantine_bucket: String,
    account: String,
    part_bytes: i64,
    role: PhantomData<R>,
}

/// A session of the role `R` for one bucket and one key, and the case's prefix in quarantine. What the role may not do has
/// no method here.
#[derive(Clone, Debug)]
pub struct ObjectSession<R> {
    client: Client,
    /// Names this session's uploads, whoever of the role's sessions for the case began them.
    session: String,
    quarantine_bucket: String,
    account: String,
    part_bytes: i64,
    role: PhantomData<R>,
}

/// A key in a bucket, and the account that is expected to own the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The account.
    pub owner: String,
    /// The bucket.
    pub bucket: String,
    /// The key, raw UTF-8.
    pub key: String,
}

impl Place {
    /// Where an object version is.
    pub fn of(object: &ObjectVersion) -> Self {
        Self { owner: object.account.clone(), bucket: object.bucket.clone(), key: object.key.clone() }
    }
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

impl Versioning {
    /// The version id by which S3 is asked for an object version.
    pub fn requested(self, version_id: Option<&str>) -> Option<&str> {
        match (version_id, self) {
            (Some(id), _) => Some(id),
            (None, Versioning::Never) => None,
            (None, Versioning::Enabled | Versioning::Suspended) => Some("null"),
        }
    }
}

/// What a conditional write of a manifest came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is there, with this ETag.
    Created(String),
    /// Another worker's is there, or a newer one.
    AlreadyExists,
}

impl<R: SessionRole> ObjectSessions<R> {
    /// Sessions of `role_arn`, between any bucket and `quarantine_bucket`, which `account` owns. Objects larger than
    /// `part_bytes` are copied in parts of at least this size.
    pub fn new(
        config: &SdkConfig,
        role_arn: String,
        quarantine_bucket: String,
        account: String,
        part_bytes: i64,
    ) -> Self {
        Self {
            sts: aws_sdk_sts::Client::new(config),
            config: config.clone(),
            role_arn,
            quarantine_bucket,
            account,
            part_bytes,
            role: PhantomData,
        }
    }

    /// Assumes the role for exactly this place, the case's prefix in quarantine, and nothing else; again whenever the
    /// session is about to expire.
    ///
    /// # Errors
    /// As classified.
    pub async fn open(&self, place: &Place, case_id: &str) -> Result<ObjectSession<R>> {
        let name = format!("cordon-{}", &case_id[..16.min(case_id.len())]);
        let policies = session_policies(&self.role_arn, place, &self.quarantine_bucket, case_id);
        let tag = |(key, value): (&str, &str)| Tag::builder().key(key).value(value).build();
        let tags: std::result::Result<Vec<_>, _> =
            [(BUCKET_TAG, place.bucket.as_str()), (CASE_TAG, case_id)].into_iter().map(tag).collect();
        let tags = if R::IS_TAGGED { tags.expect("key and value are set") } else { Vec::new() };
        let (sts, role_arn) = (self.sts.clone(), self.role_arn.clone());
        let session = Session::open(sts, role_arn, name.clone(), policies, tags).await?;
        let config = aws_sdk_s3::config::Builder::from(&self.config);
        let config = config.identity_cache(Session::cache()).credentials_provider(session).build();
        Ok(ObjectSession {
            client: Client::from_conf(config),
            session: name,
            quarantine_bucket: self.quarantine_bucket.clone(),
            account: self.account.clone(),
            part_bytes: self.part_bytes,
            role: PhantomData,
        })
    }
}

impl<R> ObjectSession<R> {
    /// A place in quarantine.
    pub fn in_quarantine(&self, key: &str) -> Place {
        Place { owner: self.account.clone(), bucket: self.quarantine_bucket.clone(), key: key.to_owned() }
    }

    /// Whether the bucket keeps versions.
    ///
    /// # Errors
    /// `ObjectMissing` when the bucket is gone; otherwise as classified.
    pub async fn versioning(&self, place: &Place) -> Result<Versioning> {
        Ok(self.versions_kept(place).await?.0)
    }

    async fn versions_kept(&self, place: &Place) -> Result<(Versioning, bool)> {
        let call =
            self.client.get_bucket_versioning().bucket(&place.bucket).expected_bucket_owner(&place.owner);
        match call.send().await {
            Ok(answer) => {
                let versioning = match answer.status {
                    Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
                    Some(_) => Versioning::Enabled,
                    None => Versioning::Never,
                };
                Ok((versioning, answer.mfa_delete == Some(MfaDeleteStatus::Enabled)))
            }
            Err(error) if status(&error) == 404 => Err(gone(place)),
            Err(error) => Err(classify(&format!("s3:GetBucketVersioning of {}", place.bucket), error)),
        }
    }

    /// The manifest at `key` and its ETag; `None` when there is none.
    ///
    /// # Errors
    /// As classified; `RequestRejected` for one that cannot be read, or when there is no quarantine bucket.
    pub async fn manifest(&self, key: &str) -> Result<Option<(Manifest, String)>> {
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
        let etag = object.e_tag().unwrap_or_default().to_owned();
        let bytes =
            object.body.collect().await.map_err(|error| {
                Error::Retryable(format!("s3:GetObject of a manifest broke off: {error}"))
            })?;
        let manifest = serde_json::from_slice(&bytes.to_vec()).map_err(|error| {
            Error::terminal(
                Code::RequestRejected,
                format!("The manifest {key} in the quarantine bucket cannot be read ({error}). Compare its versions; the object was not touched."),
            )
        })?;
        Ok(Some((manifest, etag)))
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
}

impl ObjectSession<Mover> {
    /// Whether the bucket keeps versions, if they can be removed.
    ///
    /// # Errors
    /// `ObjectLocked` for MFA delete; otherwise as [`ObjectSession::versioning`].
    pub async fn removable_versioning(&self, place: &Place) -> Result<Versioning> {
        let (versioning, mfa_delete) = self.versions_kept(place).await?;
        if mfa_delete {
            return Err(Error::terminal(
                Code::ObjectLocked,
                format!(
                    "The bucket {} has MFA delete: only a person with the device can remove a version. Nothing was \
                     touched; remove the version by hand, or turn MFA delete off and start the response again.",
                    place.bucket
                ),
            ));
        }
        Ok(versioning)
    }

    /// Writes the manifest at `key`: a first one only where there is none, a longer one only over the one of this
    /// ETag.
    ///
    /// # Errors
    /// As classified.
    pub async fn put_manifest(
        &self,
        key: &str,
        manifest: &Manifest,
        over: Option<&str>,
    ) -> Result<PutOutcome> {
        let body = serde_json::to_vec_pretty(manifest).expect("a manifest holds plain members");
        let call = self
            .client
            .put_object()
            .bucket(&self.quarantine_bucket)
            .key(key)
            .expected_bucket_owner(&self.account)
            .content_type("application/json")
            .body(ByteStream::from(body));
        let call = match over {
            None => call.if_none_match("*"),
            Some(etag) => call.if_match(etag),
        };
        match call.send().await {
            Ok(put) => Ok(PutOutcome::Created(put.e_tag.unwrap_or_default())),
            Err(error) if status(&error) == 412 => Ok(PutOutcome::AlreadyExists),
            Err(error) if denied_by_kms(&error) => Err(unusable_key()),
            Err(error) => Err(classify("s3:PutObject of a manifest", error)),
        }
    }
}

/// The error of an object that is not the one of the finding any more.
pub fn changed(place: &Place) -> Error {
    Error::terminal(
        Code::ObjectChanged,
        format!(
            "The object in {} was written again after the finding; what is there now was not moved.",
            place.bucket
        ),
    )
}

/// The error of an object that is gone.
pub fn gone(place: &Place) -> Error {
    Error::terminal(
        Code::ObjectMissing,
        format!("The object is no longer in {}; there was nothing to move.", place.bucket),
    )
}

fn unusable_key() -> Error {
    Error::terminal(
        Code::UnsupportedEncryption,
        "The KMS key of the object or of its destination cannot be used, so nothing was moved. Allow Cordon's mover \
         and restorer roles in the key's policy (kms:Decrypt, kms:GenerateDataKey) and see that the key is enabled; name a key of another \
         account in Terraform's `source_kms_key_arns` too.",
    )
}

fn archived() -> Error {
    Error::terminal(
        Code::ObjectArchived,
        "The object is in an archive storage class and nothing was moved. Restore it first (s3:RestoreObject), then \
         start the response again.",
    )
}
