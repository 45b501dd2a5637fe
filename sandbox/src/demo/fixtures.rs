//! The demo's fixtures: three buckets and their objects.

use anyhow::Context;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};
use serde_json::json;

use crate::sandbox::Sandbox;

/// Nobody else can reach it.
pub(super) const PRIVATE: &str = "cordon-demo-private";
/// Shared with another account.
pub(super) const SHARED: &str = "cordon-demo-shared";
/// Shared as well, but tagged to be left alone.
pub(super) const EXCLUDED: &str = "cordon-demo-excluded";
/// The key of the file with the card number.
pub(super) const CARD: &str = "customers/card payment.txt";
/// The key of the file with the access key.
pub(super) const CREDENTIALS: &str = "deploy/credentials";

const CARD_FILE: &str = "This is a sample file with a dummy credit card\n\
                         Card Number: 5163200000000008\n\
                         Expiry Date: 08/20\n";
/// An invented key pair in the documented form, which opens nothing.
const CREDENTIALS_FILE: &str = "[default]\n\
                                aws_access_key_id = AKIAZ4T7DEMOKEY5Q2WX\n\
                                aws_secret_access_key = Zd8kP1vQwE/t7LmNx2sRbY4cHj+FuA9gK0iDemo1\n";
const ORDINARY: [(&str, &str); 2] = [
    ("README.txt", "Nothing to see here.\n"),
    ("2026/report.csv", "month,visitors\n2026-10,1204\n2026-11,1377\n"),
];

/// The buckets, once they exist.
pub(super) struct Fixtures {
    pub(super) s3: Client,
}

impl Fixtures {
    /// Makes the buckets, their files first: what is scanned is complete when the sharing is noticed.
    pub(super) async fn create(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let fixtures = Self { s3: Client::new(&sandbox.sdk_config().await) };
        for bucket in [PRIVATE, SHARED, EXCLUDED] {
            let created = fixtures.s3.create_bucket().bucket(bucket).send().await;
            created.with_context(|| format!("cannot make the bucket {bucket}"))?;
            for (key, text) in ORDINARY {
                fixtures.put(bucket, key, text).await?;
            }
        }
        for bucket in [SHARED, EXCLUDED] {
            fixtures.put(bucket, CARD, CARD_FILE).await?;
            fixtures.put(bucket, CREDENTIALS, CREDENTIALS_FILE).await?;
        }
        let tag = Tag::builder().key("cordon:scan").value("exclude").build()?;
        let tagging = Tagging::builder().tag_set(tag).build()?;
        let tagged = fixtures.s3.put_bucket_tagging().bucket(EXCLUDED).tagging(tagging).send().await;
        tagged.context("cannot tag a bucket")?;
        for bucket in [SHARED, EXCLUDED] {
            fixtures.share(bucket).await?;
        }
        Ok(fixtures)
    }

    async fn put(&self, bucket: &str, key: &str, text: &'static str) -> anyhow::Result<()> {
        let body = ByteStream::from_static(text.as_bytes());
        let put =
            self.s3.put_object().bucket(bucket).key(key).content_type("text/plain").body(body).send().await;
        put.with_context(|| format!("cannot write {bucket}/{key}"))?;
        Ok(())
    }

    async fn share(&self, bucket: &str) -> anyhow::Result<()> {
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "ShareWithPartner", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
            "Action": ["s3:GetObject"], "Resource": [format!("arn:aws:s3:::{bucket}/*")]}]});
        let shared = self.s3.put_bucket_policy().bucket(bucket).policy(policy.to_string()).send().await;
        shared.with_context(|| format!("cannot share the bucket {bucket}"))?;
        Ok(())
    }

    /// The keys in a bucket, in order.
    pub(super) async fn keys(&self, bucket: &str) -> anyhow::Result<Vec<String>> {
        let listed = self.s3.list_objects_v2().bucket(bucket).send().await;
        let listed = listed.with_context(|| format!("cannot list the bucket {bucket}"))?;
        Ok(listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect())
    }
}
