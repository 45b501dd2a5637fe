//! Buckets of the account, and what is in the way of taking an object out of one.

use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{MfaDeleteStatus, ServerSideEncryption},
};
use serde_json::Value;

use super::error::classify;
use crate::error::{Code, Result};

/// What Cordon does to an object that it moves, and what bucket policies may deny.
const MOVES: [&str; 6] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:ListBucket",
    "s3:ListBucketVersions",
];

/// The names of the buckets that an account has in a Region.
///
/// # Errors
/// As classified.
pub async fn names(client: &Client, region: &str) -> Result<Vec<String>> {
    let mut pages = client.list_buckets().bucket_region(region).max_buckets(1_000).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| classify("s3:ListAllMyBuckets", error))?;
        names.extend(page.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name));
    }
    Ok(names)
}

/// What of a bucket's settings keeps Cordon from moving its objects, a sentence each. What may not be read counts as an
/// error: nobody knows then.
///
/// # Errors
/// As classified.
pub async fn obstacles(client: &Client, bucket: &str, account: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let versioning =
        client.get_bucket_versioning().bucket(bucket).expected_bucket_owner(account).send().await;
    let versioning = versioning.map_err(|error| classify("s3:GetBucketVersioning", error))?;
    if versioning.mfa_delete == Some(MfaDeleteStatus::Enabled) {
        found.push(
            "MFA delete is on, so no role can remove a version: switch it off, or move objects by hand"
                .into(),
        );
    }
    found.extend(retention(client, bucket, account).await?);
    found.extend(foreign_key(client, bucket, account).await?);
    match client.get_bucket_policy().bucket(bucket).expected_bucket_owner(account).send().await {
        Ok(policy) => found.extend(denied_by(policy.policy().unwrap_or_default(), account)),
        Err(error) if error.code() == Some("NoSuchBucketPolicy") => {}
        Err(error) => return Err(classify("s3:GetBucketPolicy", error)),
    }
    Ok(found)
}

async fn retention(client: &Client, bucket: &str, account: &str) -> Result<Option<String>> {
    let lock =
        client.get_object_lock_configuration().bucket(bucket).expected_bucket_owner(account).send().await;
    let lock = match lock {
        Ok(lock) => lock.object_lock_configuration,
        Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => None,
        Err(error) => return Err(classify("s3:GetBucketObjectLockConfiguration", error)),
    };
    let retention = lock.and_then(|lock| lock.rule).and_then(|rule| rule.default_retention);
    Ok(retention.map(|retention| {
        let length = match (retention.days, retention.years) {
            (Some(days), _) => format!("{days} days"),
            (None, Some(years)) => format!("{years} years"),
            (None, None) => "some time".into(),
        };
        format!("Object Lock keeps each new version for {length}, and only then can it be removed")
    }))
}

async fn foreign_key(client: &Client, bucket: &str, account: &str) -> Result<Option<String>> {
    let encryption =
        client.get_bucket_encryption().bucket(bucket).expected_bucket_owner(account).send().await;
    let rules = match encryption {
        Ok(encryption) => {
            encryption.server_side_encryption_configuration.map(|found| found.rules).unwrap_or_default()
        }
        Err(error) if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") => Vec::new(),
        Err(error) => return Err(classify("s3:GetEncryptionConfiguration", error)),
    };
    let by_default = rules.into_iter().find_map(|rule| rule.apply_server_side_encryption_by_default);
    let by_default = by_default.filter(|default| {
        matches!(default.sse_algorithm, ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
    });
    let key = by_default.and_then(|default| default.kms_master_key_id).filter(|key| key.starts_with("arn:"));
    Ok(key.filter(|key| key.split(':').nth(4) != Some(account)).map(|key| {
        format!("it is encrypted with {key} of another account: name the key in Terraform's source_kms_key_arns, and \
             have its owner allow the roles of mover and restorer")
    }))
}

/// The statements of a bucket policy that may deny everybody what a move needs. Whether their conditions hold for the mover
/// is not known here, except where they are about requests in clear text, which Cordon never sends.
fn denied_by(policy: &str, account: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = list(&document["Statement"]);
    let denies = statements.iter().enumerate().filter(|(_, statement)| {
        statement["Effect"] == "Deny"
            && hits_the_mover(statement, account)
            && !is_about_clear_text(&statement["Condition"])
    });
    denies
        .map(|(number, statement)| {
            let name = statement["Sid"].as_str().map_or_else(|| format!("number {}", number + 1), str::to_owned);
            let when = if statement["Condition"].is_null() { "denies" } else { "may deny" };
            format!("statement {name} of its bucket policy {when} what a move needs: exempt the roles of mover and restorer")
        })
        .collect()
}

fn hits_the_mover(statement: &Value, account: &str) -> bool {
    let principal = &statement["Principal"];
    // A denial for an account is one for every role in it.
    let has_the_mover = |one: &Value| {
        let root = |arn: &str| arn.split(':').nth(4) == Some(account) && arn.ends_with(":root");
        one.as_str().is_some_and(|one| one == "*" || one == account || root(one))
    };
    let everybody =
        principal == "*" || list(&principal["AWS"]).iter().any(has_the_mover) || principal.is_null();
    let actions = list(&statement["Action"]);
    let action = if actions.is_empty() {
        // What is not named in NotAction is denied.
        let but = list(&statement["NotAction"]);
        !but.is_empty() && MOVES.iter().any(|action| !but.iter().any(|glob| matches(glob, action)))
    } else {
        MOVES.iter().any(|action| actions.iter().any(|glob| matches(glob, action)))
    };
    everybody && action
}

fn matches(glob: &Value, action: &str) -> bool {
    let glob = glob.as_str().unwrap_or_default().to_lowercase();
    wildmatch::WildMatch::new(&glob).matches(&action.to_lowercase())
}

/// Conditions on the way of a request alone: `aws:SecureTransport`, and the version of TLS.
fn is_about_clear_text(condition: &Value) -> bool {
    let keys: Vec<String> = condition
        .as_object()
        .into_iter()
        .flat_map(|operators| operators.values())
        .flat_map(|keys| {
            keys.as_object().into_iter().flat_map(|keys| keys.keys().map(|key| key.to_lowercase()))
        })
        .collect();
    !keys.is_empty() && keys.iter().all(|key| matches!(key.as_str(), "aws:securetransport" | "s3:tlsversion"))
}

/// IAM writes one of a list without brackets.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// Whether an error says that the caller may not look.
pub fn is_refused(error: &crate::error::Error) -> bool {
    error.code() == Some(Code::AccessDenied)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_that_denies_a_move_is_told_and_one_that_wants_tls_is_not() {
        let told = |statement: Value| denied_by(&json!({"Statement": statement}).to_string(), "111122223333");
        let tls = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let kept = json!([{"Sid": "Keep", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:DeleteObject*"]}]);
        let vpc = json!({"Effect": "Deny", "Principal": "*", "NotAction": "s3:GetBucketPolicy",
            "Condition": {"StringNotEquals": {"aws:SourceVpc": "vpc-1"}}});
        let somebody = json!({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::111122223333:user/x"}, "Action": "s3:*"});
        let puts = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"});
        for nothing in [tls, somebody, puts, json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*"})] {
            assert_eq!(told(nothing.clone()), Vec::<String>::new(), "{nothing}");
        }
        for whole_account in ["111122223333", "arn:aws:iam::111122223333:root"] {
            let denied =
                json!({"Effect": "Deny", "Principal": {"AWS": whole_account}, "Action": "s3:DeleteObject"});
            assert_eq!(told(denied).len(), 1, "{whole_account}");
        }
        assert!(told(kept)[0].starts_with("statement Keep of its bucket policy denies"));
        assert!(told(vpc)[0].starts_with("statement number 1 of its bucket policy may deny"));
        assert!(denied_by("no JSON", "111122223333").is_empty());
    }
}
