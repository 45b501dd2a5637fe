//! Short ways to make buckets and objects, and to ask for them.

use anyhow::Result;
use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::http::HttpResponse,
    error::SdkError,
    operation::{
        copy_object::builders::CopyObjectFluentBuilder,
        create_multipart_upload::builders::CreateMultipartUploadFluentBuilder,
        delete_object::builders::DeleteObjectFluentBuilder, get_object::builders::GetObjectFluentBuilder,
        head_object::builders::HeadObjectFluentBuilder, put_object::builders::PutObjectFluentBuilder,
    },
    types::{BucketVersioningStatus, VersioningConfiguration},
};

use super::harness::{root, s3, unique};

/// A bucket of this test's own, as one caller sees it.
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
}

impl Bucket {
    /// A new bucket, seen by the account's root user.
    pub(super) async fn new() -> Result<Bucket> {
        let bucket = Bucket { client: s3(&root().await), name: unique("bucket") };
        bucket.client.create_bucket().bucket(&bucket.name).send().await?;
        Ok(bucket)
    }

    /// A new bucket with versions.
    pub(super) async fn versioned() -> Result<Bucket> {
        let bucket = Bucket::new().await?;
        bucket.set_versioning(BucketVersioningStatus::Enabled).await?;
        Ok(bucket)
    }

    pub(super) async fn set_versioning(&self, status: BucketVersioningStatus) -> Result<()> {
        let state = VersioningConfiguration::builder().status(status).build();
        self.client.put_bucket_versioning().bucket(&self.name).versioning_configuration(state).send().await?;
        Ok(())
    }

    /// The same bucket, seen by somebody else.
    pub(super) fn seen_by(&self, caller: &SdkConfig) -> Bucket {
        Bucket { client: s3(caller), name: self.name.clone() }
    }

    pub(super) fn put(&self, key: &str) -> PutObjectFluentBuilder {
        self.client.put_object().bucket(&self.name).key(key)
    }

    pub(super) fn get(&self, key: &str) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(&self.name).key(key)
    }

    pub(super) fn head(&self, key: &str) -> HeadObjectFluentBuilder {
        self.client.head_object().bucket(&self.name).key(key)
    }

    pub(super) fn delete(&self, key: &str) -> DeleteObjectFluentBuilder {
        self.client.delete_object().bucket(&self.name).key(key)
    }

    /// A copy within the bucket; the source's key needs no encoding.
    pub(super) fn copy(&self, from: &str, to: &str) -> CopyObjectFluentBuilder {
        let source = format!("{}/{from}", self.name);
        self.client.copy_object().bucket(&self.name).key(to).copy_source(source)
    }

    pub(super) fn begin(&self, key: &str) -> CreateMultipartUploadFluentBuilder {
        self.client.create_multipart_upload().bucket(&self.name).key(key)
    }

    /// The tags of an object, sorted.
    pub(super) async fn tags(&self, key: &str) -> Result<Vec<(String, String)>> {
        let answer = self.client.get_object_tagging().bucket(&self.name).key(key).send().await?;
        let mut tags: Vec<_> = answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect();
        tags.sort();
        Ok(tags)
    }
}

/// The HTTP status that a call was refused with; None when it was not.
pub(super) fn status<T, E>(answer: Result<T, SdkError<E, HttpResponse>>) -> Option<u16> {
    answer.err()?.raw_response().map(|response| response.status().as_u16())
}
