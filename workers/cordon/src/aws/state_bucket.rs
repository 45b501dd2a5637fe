//! S3 as the worker itself uses it: the state bucket, and tags of buckets. Objects of others are the mover's business.

use aws_sdk_s3::{Client, error::ProvideErrorMetadata, primitives::ByteStream};

use super::error::{classify, status};
use crate::error::{Code, Error, Result};

/// The state bucket, and what is asked of other buckets.
#[derive(Clone, Debug)]
pub struct StateBucket {
    client: Client,
    bucket: String,
    account: String,
}

/// An object of the state bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its version id.
    pub version: Option<String>,
    /// What its writer says the hex SHA-256 of the bytes is.
    pub claimed_sha256: Option<String>,
}

/// The tags of a bucket, as far as they could be read.
#[derive(Clone, Debug, PartialEq)]
pub enum BucketTags {
    /// These.
    Tags(Vec<(String, String)>),
    /// The bucket is gone.
    Gone,
    /// They may not be read.
    Unknown,
}

impl StateBucket {
    /// The state bucket of `account`.
    pub fn new(client: Client, bucket: String, account: String) -> Self {
        Self { client, bucket, account }
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Reads an object; `None` when there is none.
    ///
    /// # Errors
    /// As classified.
    pub async fn get(&self, key: &str) -> Result<Option<StoredObject>> {
        self.get_version(key, None).await
    }

    /// Reads a version of an object, or the newest; `None` when there is none.
    ///
    /// # Errors
    /// As classified.
    pub async fn get_version(&self, key: &str, version: Option<&str>) -> Result<Option<StoredObject>> {
        let call = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .expected_bucket_owner(&self.account);
        let object = match call.send().await {
            Ok(object) => object,
            Err(error) if status(&error) == 404 => return Ok(None),
            Err(error) => return Err(classify(&format!("s3:GetObject of {key} in the state bucket"), error)),
        };
        let version = object.version_id().map(str::to_owned);
        let claimed_sha256 = object.metadata().and_then(|metadata| metadata.get("sha256")).cloned();
        let body = object.body.collect().await.map_err(|error| {
            Error::Retryable(format!("s3:GetObject of {key} in the state bucket broke off: {error}"))
        })?;
        Ok(Some(StoredObject { bytes: body.to_vec(), version, claimed_sha256 }))
    }

    /// The ids of at most `most` versions of an object that have bytes, newest first.
    ///
    /// # Errors
    /// As classified.
    pub async fn versions(&self, key: &str, most: i32) -> Result<Vec<String>> {
        let call = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(key)
            .max_keys(most)
            .expected_bucket_owner(&self.account);
        let listed = call
            .send()
            .await
            .map_err(|error| classify("s3:ListBucketVersions of the state bucket", error))?;
        let of_key = listed.versions.unwrap_or_default().into_iter();
        let of_key = of_key.filter(|version| version.key.as_deref() == Some(key));
        Ok(of_key.filter_map(|version| version.version_id).collect())
    }

    /// Writes an object.
    ///
    /// # Errors
    /// As classified.
    pub async fn put(&self, key: &str, body: Vec<u8>) -> Result<()> {
        let call = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .expected_bucket_owner(&self.account)
            .content_type("application/json")
            .body(ByteStream::from(body));
        call.send()
            .await
            .map_err(|error| classify(&format!("s3:PutObject of {key} in the state bucket"), error))?;
        Ok(())
    }

    /// The keys below a prefix.
    ///
    /// # Errors
    /// As classified.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .expected_bucket_owner(&self.account)
            .into_paginator()
            .send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| classify("s3:ListBucket of the state bucket", error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }

    /// The tags of any bucket.
    ///
    /// # Errors
    /// As classified, except that a refusal is [`BucketTags::Unknown`].
    pub async fn bucket_tags(&self, bucket: &str, owner: &str) -> Result<BucketTags> {
        match self.client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(owner).send().await {
            Ok(tagging) => {
                Ok(BucketTags::Tags(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()))
            }
            Err(error) => match error.as_service_error().and_then(|service| service.code()) {
                Some("NoSuchTagSet" | "NoSuchTagSetError") => Ok(BucketTags::Tags(Vec::new())),
                Some("NoSuchBucket") => Ok(BucketTags::Gone),
                _ => match classify(&format!("s3:GetBucketTagging of {bucket}"), error) {
                    denied if denied.code() == Some(Code::AccessDenied) => Ok(BucketTags::Unknown),
                    other => Err(other),
                },
            },
        }
    }
}
