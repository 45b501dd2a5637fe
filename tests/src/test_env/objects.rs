//! What a test puts into S3, and the findings about it.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use aws_sdk_s3::{operation::put_object::PutObjectOutput, primitives::ByteStream};
use cordon_domain::finding::{ObjectVersion, bare_etag, real_version};
use serde_json::{Value, json};

use super::TestEnv;
use crate::{finding_document, kms};

/// An object that a test has put somewhere.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Exactly this version.
    pub version: ObjectVersion,
    /// Bytes.
    pub size: usize,
}

impl TestEnv {
    /// Makes a bucket of its own for a test.
    pub async fn bucket(&self, stem: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{stem}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.s3.create_bucket().bucket(&name).send().await?;
        Ok(name)
    }

    /// Puts an object.
    pub async fn put(&self, bucket: &str, key: &str, text: &str) -> Result<Placed> {
        let body = ByteStream::from(text.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(bucket).key(key).body(body).send().await?;
        self.placed(bucket, key, &put, text.len())
    }

    /// What a PUT has made.
    pub fn placed(&self, bucket: &str, key: &str, put: &PutObjectOutput, size: usize) -> Result<Placed> {
        let version = ObjectVersion {
            account: self.sandbox.account().to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id: real_version(put.version_id()),
            etag: bare_etag(put.e_tag().context("a PUT answers with an ETag")?).to_owned(),
        };
        Ok(Placed { version, size })
    }

    /// Asks KMS.
    pub async fn kms(&self, action: &str, parameters: Value) -> Result<Value> {
        kms(&self.root, action, parameters).await
    }

    /// Shares a bucket with another account.
    pub async fn share(&self, bucket: &str) -> Result<()> {
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
            "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
        self.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await?;
        Ok(())
    }

    /// Whether exactly this key is there.
    pub async fn is_there(&self, bucket: &str, key: &str) -> Result<bool> {
        let listed = self.s3.list_objects_v2().bucket(bucket).prefix(key).send().await?;
        Ok(listed.contents().iter().any(|object| object.key() == Some(key)))
    }

    /// A Macie finding about an object, known to Macie but not published. Gives back its id.
    pub fn finding(&self, kind: &str, object: &Placed) -> String {
        let id = hex_id();
        self.sandbox.macie().put_finding(self.finding_document(&id, kind, object));
        id
    }

    /// The document of a finding about an object.
    pub fn finding_document(&self, id: &str, kind: &str, object: &Placed) -> Value {
        finding_document(self.sandbox.region(), id, kind, &object.version, object.size)
    }
}

fn hex_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{:016x}{:016x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
