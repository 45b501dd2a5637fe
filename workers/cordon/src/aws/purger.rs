//! Deletes from quarantine for good, under the purger's role.
//!
//! A session reaches the copies of one generation of one case. The manifest beside them is out of its reach: it stays
//! as evidence.

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    types::{Delete, ObjectIdentifier},
};
use serde_json::json;

use super::{
    error::classify,
    sts::{self, POLICY_LIMIT},
};
use crate::error::{Code, Error, Result};

/// What [`cordon_domain::manifest::copy_key`] calls the copies below a case's prefix.
const COPIES: [&str; 2] = ["object", "version-*"];
/// The most versions that one call deletes
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
const MAX_BATCH: usize = 1_000;

/// What every purge of one person starts from.
#[derive(Clone, Copy, Debug)]
pub struct Purgers<'a> {
    /// Their own credentials.
    pub config: &'a SdkConfig,
    /// Their ARN.
    pub caller: &'a str,
    /// The purger's role.
    pub role_arn: &'a str,
    /// The quarantine bucket.
    pub bucket: &'a str,
    /// The account that is expected to own it.
    pub account: &'a str,
}

/// A session for the copies below one prefix.
#[derive(Clone, Debug)]
pub struct Purger {
    client: Client,
    bucket: String,
    account: String,
    prefix: String,
}

impl Purgers<'_> {
    /// Takes the role for the copies beside `copy_key`, that one included.
    ///
    /// # Errors
    /// `AccessDenied` for those who may not; otherwise as classified.
    pub async fn open(&self, copy_key: &str) -> Result<Purger> {
        let folder = copy_key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let prefix = format!("{folder}/");
        let policy = session_policy(self.role_arn, self.bucket, &prefix);
        let assumed = sts::assume(self.config, self.role_arn, self.caller, policy).await;
        let credentials = assumed.map_err(|error| match error.code() {
            Some(code @ Code::AccessDenied) => Error::terminal(
                code,
                format!(
                    "AWS does not let you take the role {}, so nothing was deleted; Terraform's `purgers` names who \
                     may.",
                    self.role_arn
                ),
            ),
            _ => error,
        })?;
        let config = aws_sdk_s3::config::Builder::from(self.config).credentials_provider(credentials).build();
        Ok(Purger {
            client: Client::from_conf(config),
            bucket: self.bucket.to_owned(),
            account: self.account.to_owned(),
            prefix,
        })
    }
}

impl Purger {
    /// Deletes every version of every copy, and proves by a listing that none is left. Gives back how many there were.
    ///
    /// # Errors
    /// As classified; repeating it deletes what is left.
    pub async fn purge(&self) -> Result<usize> {
        let to_delete = self.versions().await?;
        for batch in to_delete.chunks(MAX_BATCH) {
            self.delete(batch).await?;
        }
        match self.versions().await?.len() {
            0 => Ok(to_delete.len()),
            n => Err(Error::Retryable(format!("{n} versions are still listed under {}", self.prefix))),
        }
    }

    /// Every version and every delete marker of the copies.
    async fn versions(&self) -> Result<Vec<ObjectIdentifier>> {
        let (mut found, mut key_marker, mut version_marker) = (Vec::new(), None, None);
        loop {
            let call = self
                .client
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(&self.prefix)
                .expected_bucket_owner(&self.account)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker);
            let page = call
                .send()
                .await
                .map_err(|error| classify(&format!("s3:ListBucketVersions of {}", self.bucket), error))?;
            let versions = page.versions.unwrap_or_default().into_iter().map(|v| (v.key, v.version_id));
            let markers = page.delete_markers.unwrap_or_default().into_iter().map(|m| (m.key, m.version_id));
            for (key, version_id) in versions.chain(markers) {
                let Some(key) = key.filter(|key| self.is_copy(key)) else { continue };
                let to_delete = ObjectIdentifier::builder().key(key).set_version_id(version_id).build();
                found.push(to_delete.expect("it has a key"));
            }
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    fn is_copy(&self, key: &str) -> bool {
        let name = key.strip_prefix(&self.prefix).unwrap_or_default();
        COPIES.iter().any(|copy| match copy.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *copy,
        })
    }

    async fn delete(&self, versions: &[ObjectIdentifier]) -> Result<()> {
        let delete = Delete::builder().set_objects(Some(versions.to_vec())).quiet(true).build();
        let call = self
            .client
            .delete_objects()
            .bucket(&self.bucket)
            .delete(delete.expect("it has objects"))
            .expected_bucket_owner(&self.account);
        let what = format!("s3:DeleteObjects in {}", self.bucket);
        let answer = call.send().await.map_err(|error| classify(&what, error))?;
        match answer.errors.unwrap_or_default().first() {
            None => Ok(()),
            Some(error) => Err(Error::Retryable(format!(
                "{what} left {} ({}: {})",
                error.key().unwrap_or("a version"),
                error.code().unwrap_or("no code"),
                error.message().unwrap_or("no further message")
            ))),
        }
    }
}

/// What a session may do: list, and delete the copies below the prefix, whatever their version.
fn session_policy(role_arn: &str, bucket: &str, prefix: &str) -> String {
    let s3 = format!("arn:{}:s3:::{bucket}", role_arn.split(':').nth(1).unwrap_or("aws"));
    let policy = |prefix: &str| {
        let copies: Vec<_> = COPIES.iter().map(|name| format!("{s3}/{prefix}{name}")).collect();
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:ListBucketVersions"], "Resource": s3},
            {"Effect": "Allow", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"], "Resource": copies},
        ]})
        .to_string()
    };
    // The prefix is written once for each name of a copy.
    policy(&sts::key_pattern(prefix, POLICY_LIMIT.saturating_sub(policy("").len()) / COPIES.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_reaches_copies_and_no_manifest() {
        let policy = session_policy("arn:aws:iam::1:role/purger", "q", "1/b/c/2/");
        assert!(policy.contains("arn:aws:s3:::q/1/b/c/2/object\""), "{policy}");
        assert!(policy.contains("arn:aws:s3:::q/1/b/c/2/version-*\""), "{policy}");
        assert!(!policy.contains("c/2/*"), "{policy}");
    }

    #[test]
    fn a_prefix_on_record_is_no_pattern_and_never_makes_the_policy_too_long() {
        let policy = session_policy("arn:aws:iam::1:role/purger", "q", "1/*/");
        assert!(policy.contains("arn:aws:s3:::q/1/${*}/object\""), "{policy}");
        let long =
            session_policy("arn:aws-us-gov:iam::1:role/purger", &"q".repeat(63), &"*\u{1}语".repeat(300));
        assert!(long.len() <= POLICY_LIMIT && long.is_ascii(), "{long}");
    }
}
