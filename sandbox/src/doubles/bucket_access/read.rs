//! Reading a bucket's access configuration through S3.

use aws_sdk_s3::{Client, error::SdkError};

use super::{BucketAccess, Grantee, PublicAccessBlock};

/// Reads the bucket's access configuration; `None` if there is no such bucket in this account.
pub(in crate::doubles) async fn read(s3: &Client, bucket: &str) -> anyhow::Result<Option<BucketAccess>> {
    let acl = match s3.get_bucket_acl().bucket(bucket).send().await {
        Ok(acl) => acl,
        Err(error) if has_code(&error, &["NoSuchBucket", "AccessDenied"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let policy = match s3.get_bucket_policy().bucket(bucket).send().await {
        Ok(answer) => answer.policy().map(serde_json::from_str).transpose()?,
        Err(error) if has_code(&error, &["NoSuchBucketPolicy"]) => None,
        Err(error) if has_code(&error, &["NoSuchBucket"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let block = match s3.get_public_access_block().bucket(bucket).send().await {
        Ok(answer) => {
            answer.public_access_block_configuration().map_or_else(PublicAccessBlock::default, |block| {
                PublicAccessBlock {
                    block_public_acls: block.block_public_acls().unwrap_or(false),
                    ignore_public_acls: block.ignore_public_acls().unwrap_or(false),
                    block_public_policy: block.block_public_policy().unwrap_or(false),
                    restrict_public_buckets: block.restrict_public_buckets().unwrap_or(false),
                }
            })
        }
        Err(error) if has_code(&error, &["NoSuchPublicAccessBlockConfiguration"]) => {
            PublicAccessBlock::default()
        }
        Err(error) if has_code(&error, &["NoSuchBucket"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let acls_disabled = match s3.get_bucket_ownership_controls().bucket(bucket).send().await {
        Ok(answer) => answer.ownership_controls().is_some_and(|controls| {
            controls.rules().iter().any(|rule| rule.object_ownership().as_str() == "BucketOwnerEnforced")
        }),
        Err(error) if has_code(&error, &["OwnershipControlsNotFoundError"]) => false,
        Err(error) if has_code(&error, &["NoSuchBucket"]) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let entries = acl.grants().iter().filter(|_| !acls_disabled).filter_map(|grant| {
        let grantee = grant.grantee()?;
        let whom = match grantee.uri() {
            Some(uri) if uri.ends_with("/AllUsers") => Grantee::Everyone,
            Some(uri) if uri.ends_with("/AuthenticatedUsers") => Grantee::EveryAwsUser,
            Some(_) => return None,
            None => Grantee::Canonical(grantee.id()?.to_owned()),
        };
        Some((whom, grant.permission()?.clone()))
    });
    let owner = acl.owner();
    Ok(Some(BucketAccess {
        policy,
        acl: entries.collect(),
        owner_id: owner.and_then(|owner| owner.id()).unwrap_or_default().to_owned(),
        owner_name: owner
            .and_then(|owner| owner.display_name())
            .filter(|name| !name.is_empty())
            .map(str::to_owned),
        block,
    }))
}

/// Whether S3 answered with one of these error codes.
pub(in crate::doubles) fn has_code<E, R>(error: &SdkError<E, R>, codes: &[&str]) -> bool
where
    E: aws_sdk_s3::error::ProvideErrorMetadata,
{
    error.as_service_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&code))
}
