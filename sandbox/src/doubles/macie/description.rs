//! Buckets and objects as a Macie finding describes them.

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput};
use serde_json::{Value, json};

use crate::doubles::{Home, bucket_access, bucket_access::BucketAccess, timestamp};

/// `s3Bucket`; `None` if there is no such bucket in the account.
pub(super) async fn describe_bucket(s3: &Client, home: &Home, bucket: &str) -> anyhow::Result<Option<Value>> {
    let Some(access) = bucket_access::read(s3, bucket).await? else { return Ok(None) };
    let created = s3
        .list_buckets()
        .send()
        .await?
        .buckets()
        .iter()
        .find(|listed| listed.name() == Some(bucket))
        .and_then(|listed| time(listed.creation_date()));
    let tags = match s3.get_bucket_tagging().bucket(bucket).send().await {
        Ok(tagging) => describe_tags(tagging.tag_set()),
        Err(error) if bucket_access::has_code(&error, &["NoSuchTagSet"]) => json!([]),
        Err(error) => return Err(error.into()),
    };
    let default_encryption = match s3.get_bucket_encryption().bucket(bucket).send().await {
        Ok(answer) => answer
            .server_side_encryption_configuration()
            .and_then(|configuration| configuration.rules().first())
            .and_then(|rule| rule.apply_server_side_encryption_by_default())
            .map(|default| encryption(default.sse_algorithm().as_str(), default.kms_master_key_id())),
        Err(error)
            if bucket_access::has_code(&error, &["ServerSideEncryptionConfigurationNotFoundError"]) =>
        {
            None
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Some(json!({
        "arn": format!("arn:aws:s3:::{bucket}"),
        "name": bucket,
        "createdAt": created,
        "owner": {"displayName": access.owner_name, "id": access.owner_id},
        "tags": tags,
        "defaultServerSideEncryption": default_encryption.unwrap_or_else(|| encryption("AES256", None)),
        "publicAccess": public_access(bucket, &home.account, &access),
        "allowsUnencryptedObjectUploads": if access.policy_requires_encryption() { "FALSE" } else { "TRUE" },
    })))
}

/// `s3Object` of an object that was just read; `None` if it has gone meanwhile.
pub(super) async fn describe_object(
    s3: &Client,
    bucket: &str,
    key: &str,
    object: &GetObjectOutput,
    public: bool,
) -> anyhow::Result<Option<Value>> {
    let tagging = s3.get_object_tagging().bucket(bucket).key(key);
    let tags = match tagging.set_version_id(object.version_id().map(str::to_owned)).send().await {
        Ok(tags) => tags,
        Err(error) if bucket_access::has_code(&error, &["NoSuchKey", "NoSuchVersion"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Some(json!({
        "bucketArn": format!("arn:aws:s3:::{bucket}"),
        "key": key,
        "path": format!("{bucket}/{key}"),
        "extension": extension(key),
        "lastModified": time(object.last_modified()),
        // The empty string, not null, in a bucket that has never been versioned.
        "versionId": object.version_id().unwrap_or_default(),
        // S3 encrypts every object; the emulator does not say so of those under the bucket's default.
        "serverSideEncryption": encryption(
            object.server_side_encryption().map_or("AES256", |algorithm| algorithm.as_str()),
            object.ssekms_key_id(),
        ),
        "size": object.content_length().unwrap_or_default(),
        "storageClass": object.storage_class().map_or("STANDARD", |class| class.as_str()),
        "tags": describe_tags(tags.tag_set()),
        "publicAccess": public,
        "eTag": object.e_tag().unwrap_or_default().trim_matches('"'),
    })))
}

/// What Macie takes an object for. Only the names that occur in tests and demos are known.
pub(super) fn mime_type(key: &str) -> &'static str {
    match extension(key).to_ascii_lowercase().as_str() {
        "csv" => "text/csv",
        "tsv" => "text/tab-separated-values",
        "json" => "application/json",
        "html" | "htm" => "text/html",
        "xml" => "application/xml",
        _ => "text/plain",
    }
}

fn extension(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

pub(super) fn public_access(bucket: &str, account: &str, access: &BucketAccess) -> Value {
    let permissions = |(read, write): (bool, bool)| json!({"allowsPublicReadAccess": read, "allowsPublicWriteAccess": write});
    let block = access.block;
    json!({
        "permissionConfiguration": {
            "bucketLevelPermissions": {
                "accessControlList": permissions(access.acl_allows_public()),
                "bucketPolicy": permissions(access.policy_allows_public(bucket, account)),
                "blockPublicAccess": {
                    "ignorePublicAcls": block.ignore_public_acls,
                    "restrictPublicBuckets": block.restrict_public_buckets,
                    "blockPublicAcls": block.block_public_acls,
                    "blockPublicPolicy": block.block_public_policy,
                },
            },
            "accountLevelPermissions": {
                "blockPublicAccess": {
                    "ignorePublicAcls": false,
                    "restrictPublicBuckets": false,
                    "blockPublicAcls": false,
                    "blockPublicPolicy": false,
                },
            },
        },
        "effectivePermission": if access.is_public(bucket, account) { "PUBLIC" } else { "NOT_PUBLIC" },
    })
}

fn encryption(algorithm: &str, key: Option<&str>) -> Value {
    json!({"encryptionType": algorithm, "kmsMasterKeyId": key})
}

fn describe_tags(tags: &[aws_sdk_s3::types::Tag]) -> Value {
    tags.iter().map(|tag| json!({"key": tag.key(), "value": tag.value()})).collect()
}

fn time(time: Option<&aws_sdk_s3::primitives::DateTime>) -> Option<String> {
    let millis = time?.to_millis().ok()?;
    jiff::Timestamp::from_millisecond(millis).ok().map(timestamp)
}

#[cfg(test)]
mod tests {
    use super::extension;

    #[test]
    fn extensions_have_no_dot_and_may_be_missing() {
        assert_eq!(extension("deploy keys/prod+eu/credentials"), "");
        assert_eq!(extension("a.b/2026 Sourcing.csv"), "csv");
        assert_eq!(extension("dir.d/none"), "");
    }
}
