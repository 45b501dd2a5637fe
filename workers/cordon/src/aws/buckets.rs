//! Buckets of the account, and what is in the way of taking an object out of one.

use aws_sdk_kms::types::{KeyManagerType, KeyState};
use aws_sdk_s3::{
    Client,
    error::ProvideErrorMetadata,
    types::{MfaDeleteStatus, ServerSideEncryption},
};
use serde_json::Value;

use super::error::classify;
use crate::error::{Code, Error, Result};

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
pub async fn obstacles(
    client: &Client,
    kms: &aws_sdk_kms::Client,
    bucket: &str,
    account: &str,
) -> Result<Vec<String>> {
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
    if let Some(key) = default_key(client, bucket, account).await? {
        found.extend(closed_key(kms, &key, account).await?);
    }
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

/// The KMS key under which what is written to the bucket is encrypted.
async fn default_key(client: &Client, bucket: &str, account: &str) -> Result<Option<String>> {
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
    Ok(by_default.and_then(|default| default.kms_master_key_id))
}

/// Why Cordon cannot use a key, if so.
async fn closed_key(kms: &aws_sdk_kms::Client, key: &str, account: &str) -> Result<Option<String>> {
    if key.split(':').nth(4).is_some_and(|owner| owner != account) {
        return Ok(Some(format!(
            "it is encrypted with {key} of another account: name the key in Terraform's source_kms_key_arns, and have its \
             owner allow the roles of mover and restorer"
        )));
    }
    let unseen = |error: Error| {
        if !is_refused(&error) {
            return Err(error);
        }
        Ok(Some(format!(
            "it is encrypted with {key}, which may not be looked at ({error}): see that its policy lets the roles of mover \
             and restorer use it"
        )))
    };
    let found = match kms.describe_key().key_id(key).send().await {
        Ok(found) => found.key_metadata,
        Err(error) if error.code() == Some("NotFoundException") => None,
        Err(error) => return unseen(classify("kms:DescribeKey", error)),
    };
    let Some(found) = found else {
        return Ok(Some(format!(
            "it is encrypted with {key}, which is not there: nobody can read its objects"
        )));
    };
    if found.key_state.as_ref().is_some_and(|state| *state != KeyState::Enabled) {
        let state = found.key_state.map(|state| state.to_string()).unwrap_or_default();
        return Ok(Some(format!(
            "it is encrypted with {key}, whose state is {state}: nobody can read its objects until the key is enabled"
        )));
    }
    // S3's own key is open to the whole account.
    if found.key_manager == Some(KeyManagerType::Aws) {
        return Ok(None);
    }
    let policy = match kms.get_key_policy().key_id(found.key_id).policy_name("default").send().await {
        Ok(found) => found.policy.unwrap_or_default(),
        Err(error) => return unseen(classify("kms:GetKeyPolicy", error)),
    };
    Ok((!opens(&policy, account)).then(|| {
        format!(
            "it is encrypted with {key}, whose policy leaves its use neither to IAM nor to Cordon: have it allow \
             kms:Decrypt to the role of the mover, and kms:Decrypt and kms:GenerateDataKey to the role of the restorer"
        )
    }))
}

/// Whether a key's policy lets mover and restorer use the key, by name or by what IAM says in its account. Whether conditions
/// hold is not known here.
fn opens(policy: &str, account: &str) -> bool {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = list(&document["Statement"]);
    let uses = [("mover", "kms:Decrypt"), ("restorer", "kms:Decrypt"), ("restorer", "kms:GenerateDataKey")];
    uses.iter().all(|(role, action)| {
        let is_about = |statement: &&Value| {
            let principal = &statement["Principal"];
            let named = list(&principal["AWS"]);
            let is_named = |one: &Value| is_account(one, account) || is_role(one, account, role);
            let whom = principal == "*" || !statement["NotPrincipal"].is_null() || named.iter().any(is_named);
            whom && covers(statement, action)
        };
        let allowed = statements.iter().filter(is_about).any(|one| one["Effect"] == "Allow");
        let denied = statements.iter().filter(is_about).any(|one| {
            one["Effect"] == "Deny" && one["Condition"].is_null() && one["NotPrincipal"].is_null()
        });
        allowed && !denied
    })
}

/// Whether a principal is a role of an installation in the account: `cordon-mover`, `cordon-mover-eu-west-1`.
fn is_role(principal: &Value, account: &str, role: &str) -> bool {
    let arn = principal.as_str().unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default();
    arn.split(':').nth(4) == Some(account)
        && (name.ends_with(&format!("-{role}")) || name.contains(&format!("-{role}-")))
}

/// Whether a statement is about an action.
fn covers(statement: &Value, action: &str) -> bool {
    let actions = list(&statement["Action"]);
    if actions.is_empty() {
        // What is not named in NotAction.
        let but = list(&statement["NotAction"]);
        return !but.is_empty() && !but.iter().any(|glob| matches(glob, action));
    }
    actions.iter().any(|glob| matches(glob, action))
}

/// Whether a principal of a policy is everybody in the account.
fn is_account(principal: &Value, account: &str) -> bool {
    let root = |arn: &str| arn.split(':').nth(4) == Some(account) && arn.ends_with(":root");
    principal.as_str().is_some_and(|one| one == "*" || one == account || root(one))
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
    let named = list(&principal["AWS"]);
    let everybody =
        principal == "*" || named.iter().any(|one| is_account(one, account)) || principal.is_null();
    let action = MOVES.iter().any(|action| covers(statement, action));
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
pub fn is_refused(error: &Error) -> bool {
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

    #[test]
    fn a_key_is_open_where_iam_decides_or_mover_and_restorer_are_named() {
        let open = |statements: Value| opens(&json!({"Statement": statements}).to_string(), "111122223333");
        let allow = |principal: &str, action: &str| json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"});
        let root = "arn:aws:iam::111122223333:root";
        let role = |account: &str, name: &str| format!("arn:aws:iam::{account}:role/security/cordon-{name}");
        let (mover, restorer) = (role("111122223333", "mover"), role("111122223333", "restorer-eu-west-1"));
        assert!(open(allow(root, "kms:*")) && open(json!([allow("111122223333", "*")])));
        assert!(open(json!([allow(&mover, "kms:Decrypt"), allow(&restorer, "kms:*")])));
        let all_but =
            json!({"Effect": "Allow", "Principal": {"AWS": root}, "NotAction": "kms:ScheduleKeyDeletion"});
        assert!(open(all_but));
        for closed in [
            json!([allow(&mover, "kms:*")]),
            json!([allow(&mover, "kms:*"), allow(&restorer, "kms:Decrypt")]),
            json!([allow(&role("444455556666", "mover"), "kms:*"), allow(&restorer, "kms:*")]),
            json!([allow("arn:aws:iam::444455556666:root", "kms:*")]),
            json!([allow(root, "kms:PutKeyPolicy")]),
            json!([allow(root, "kms:*"), {"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt"}]),
        ] {
            assert!(!open(closed.clone()), "{closed}");
        }
        assert!(!opens("no JSON", "111122223333"));
    }
}
