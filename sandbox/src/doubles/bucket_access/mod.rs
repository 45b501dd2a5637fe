//! Who outside the account can reach a bucket, read from its policy, ACL and public-access block.
//!
//! [`read`] fetches the configuration through S3; the analysis itself is pure. It follows what S3 documents as
//! "public" and what Access Analyzer reports as external: an Allow to another account's principal or to
//! everyone, less what an unconditional Deny takes away, as far as the public-access block lets it through.

mod read;
mod statement;

pub(super) use read::{has_code, read};

use aws_sdk_s3::types::Permission;
use serde_json::Value;

use self::statement::{
    Condition, actions_of, concerns, condition_of, denies, external, matches_pattern, one_or_many,
    principals_of, stated_actions,
};

/// The four switches of a public-access block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PublicAccessBlock {
    pub(super) block_public_acls: bool,
    pub(super) ignore_public_acls: bool,
    pub(super) block_public_policy: bool,
    pub(super) restrict_public_buckets: bool,
}

/// Where a grant comes from, in Access Analyzer's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Policy,
    BucketAcl,
}

impl Source {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Policy => "POLICY",
            Self::BucketAcl => "BUCKET_ACL",
        }
    }
}

/// Access that somebody outside the account has to a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    /// Kind and identity, such as `("AWS", "999988887777")`.
    pub(super) principal: (String, String),
    /// Sorted, without repetition.
    pub(super) actions: Vec<String>,
    /// Condition keys with their values, several values joined by a comma.
    pub(super) condition: Vec<(String, String)>,
    pub(super) is_public: bool,
    pub(super) source: Source,
}

/// The access configuration of one bucket.
#[derive(Debug, Clone, Default)]
pub(super) struct BucketAccess {
    pub(super) policy: Option<Value>,
    /// Grantee and permission of every ACL entry; empty when ACLs are disabled.
    pub(super) acl: Vec<(Grantee, Permission)>,
    pub(super) owner_id: String,
    pub(super) owner_name: Option<String>,
    pub(super) block: PublicAccessBlock,
}

/// Whom an ACL entry is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grantee {
    Everyone,
    EveryAwsUser,
    Canonical(String),
}

impl BucketAccess {
    /// What the account outside `account` is granted, one entry a principal, condition and source.
    pub(super) fn external_grants(&self, bucket: &str, account: &str) -> Vec<Grant> {
        let mut grants = self.policy_grants(bucket, account);
        // A public policy is cut down to the account as a whole, its grants to named accounts with it.
        if self.block.restrict_public_buckets && grants.iter().any(|grant| grant.is_public) {
            grants.clear();
        }
        grants.extend(self.acl_grants());
        grants.sort();
        merge(grants)
    }

    /// Whether the public can read or write through the ACL, whatever the public-access block says.
    pub(super) fn acl_allows_public(&self) -> (bool, bool) {
        let allows = |wanted: &[Permission]| {
            let everyone = |whom: &Grantee| !matches!(whom, Grantee::Canonical(_));
            self.acl.iter().any(|(whom, permission)| everyone(whom) && wanted.contains(permission))
        };
        (
            allows(&[Permission::Read, Permission::FullControl]),
            allows(&[Permission::Write, Permission::FullControl]),
        )
    }

    /// Whether the public can read or write through the policy, whatever the public-access block says.
    pub(super) fn policy_allows_public(&self, bucket: &str, account: &str) -> (bool, bool) {
        let public: Vec<Grant> =
            self.policy_grants(bucket, account).into_iter().filter(|grant| grant.is_public).collect();
        let any = |samples: &[&str]| {
            public.iter().flat_map(|grant| &grant.actions).any(|action| {
                samples.iter().any(|sample| matches_pattern(&action.to_lowercase(), &sample.to_lowercase()))
            })
        };
        (
            any(&["s3:GetObject", "s3:ListBucket", "s3:GetObjectVersion"]),
            any(&["s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy"]),
        )
    }

    /// Whether anybody can reach the bucket or its objects.
    pub(super) fn is_public(&self, bucket: &str, account: &str) -> bool {
        self.external_grants(bucket, account).iter().any(|grant| grant.is_public)
    }

    /// Whether the policy refuses uploads that are not encrypted, which is what Macie looks for.
    pub(super) fn policy_requires_encryption(&self) -> bool {
        self.statements().iter().any(|statement| {
            statement["Effect"] == "Deny"
                && actions_of(statement).iter().any(|action| matches_pattern(action, "s3:putobject"))
                && condition_of(statement)
                    .iter()
                    .any(|condition| condition.key == "s3:x-amz-server-side-encryption")
        })
    }

    fn statements(&self) -> Vec<&Value> {
        self.policy.as_ref().map_or_else(Vec::new, |policy| one_or_many(&policy["Statement"]))
    }

    fn policy_grants(&self, bucket: &str, account: &str) -> Vec<Grant> {
        let statements = self.statements();
        let mut grants = vec![];
        for statement in statements.iter().filter(|statement| statement["Effect"] == "Allow") {
            let conditions = condition_of(statement);
            if conditions.iter().any(|condition| condition.confines_to(account))
                || !concerns(statement, bucket)
            {
                continue;
            }
            for principal in principals_of(statement) {
                let Some(principal) = external(principal, account, &self.owner_id) else { continue };
                let actions: Vec<String> = stated_actions(statement)
                    .into_iter()
                    .filter(|action| {
                        !statements.iter().any(|deny| denies(deny, &principal, action, statement))
                    })
                    .collect();
                if actions.is_empty() {
                    continue;
                }
                let is_public = principal.1 == "*" && !conditions.iter().any(Condition::narrows);
                grants.push(Grant {
                    principal,
                    actions,
                    condition: conditions.iter().map(|c| (c.name.clone(), c.values.join(", "))).collect(),
                    is_public,
                    source: Source::Policy,
                });
            }
        }
        grants.sort();
        merge(grants)
    }

    fn acl_grants(&self) -> Vec<Grant> {
        let mut grants = vec![];
        for (whom, permission) in &self.acl {
            let (principal, is_public) = match whom {
                Grantee::Everyone | Grantee::EveryAwsUser if self.block.ignore_public_acls => continue,
                Grantee::Everyone | Grantee::EveryAwsUser => (("AWS".to_owned(), "*".to_owned()), true),
                Grantee::Canonical(id) if *id == self.owner_id => continue,
                Grantee::Canonical(id) => (("CanonicalUser".to_owned(), id.clone()), false),
            };
            let actions = match permission {
                Permission::Read => {
                    &["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"][..]
                }
                Permission::Write => &["s3:DeleteObject", "s3:PutObject"][..],
                Permission::ReadAcp => &["s3:GetBucketAcl"][..],
                Permission::WriteAcp => &["s3:PutBucketAcl"][..],
                _ => &[
                    "s3:DeleteObject",
                    "s3:GetBucketAcl",
                    "s3:ListBucket",
                    "s3:ListBucketMultipartUploads",
                    "s3:ListBucketVersions",
                    "s3:PutBucketAcl",
                    "s3:PutObject",
                ][..],
            };
            let actions = actions.iter().map(|action| (*action).to_owned()).collect();
            grants.push(Grant {
                principal,
                actions,
                condition: vec![],
                is_public,
                source: Source::BucketAcl,
            });
        }
        grants
    }
}

/// One grant a principal, condition and source: the actions of several statements belong to one finding.
fn merge(grants: Vec<Grant>) -> Vec<Grant> {
    let mut merged: Vec<Grant> = vec![];
    for grant in grants {
        let same = |other: &&mut Grant| {
            other.principal == grant.principal
                && other.condition == grant.condition
                && other.source == grant.source
                && other.is_public == grant.is_public
        };
        match merged.iter_mut().find(same) {
            Some(known) => known.actions.extend(grant.actions),
            None => merged.push(grant),
        }
    }
    for grant in &mut merged {
        grant.actions.sort();
        grant.actions.dedup();
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACCOUNT: &str = "111122223333";

    fn access(statements: Value) -> BucketAccess {
        BucketAccess {
            policy: Some(json!({"Version": "2012-10-17", "Statement": statements})),
            owner_id: "owner".into(),
            ..BucketAccess::default()
        }
    }

    fn allow(principal: Value, action: Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": action,
               "Resource": ["arn:aws:s3:::demo", "arn:aws:s3:::demo/*"]})
    }

    fn grants(access: &BucketAccess) -> Vec<(String, Vec<String>, bool)> {
        access
            .external_grants("demo", ACCOUNT)
            .into_iter()
            .map(|grant| (grant.principal.1, grant.actions, grant.is_public))
            .collect()
    }

    #[test]
    fn an_account_is_named_alike_by_number_and_by_root_arn() {
        for who in [json!("999988887777"), json!("arn:aws:iam::999988887777:root")] {
            let access = access(json!([allow(json!({"AWS": who}), json!("s3:GetObject"))]));
            assert_eq!(grants(&access), [("999988887777".into(), vec!["s3:GetObject".into()], false)]);
        }
        let role = access(json!(allow(
            json!({"AWS": "arn:aws:iam::999988887777:role/vendor"}),
            json!(["s3:GetObject"])
        )));
        assert_eq!(grants(&role)[0].0, "arn:aws:iam::999988887777:role/vendor");
    }

    #[test]
    fn the_own_account_and_aws_services_are_inside_the_zone_of_trust() {
        let access = access(json!([
            allow(json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:role/x"]}), json!("s3:*")),
            allow(json!({"Service": "logging.s3.amazonaws.com"}), json!("s3:PutObject")),
            {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::demo/*",
             "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}}
        ]));
        assert!(grants(&access).is_empty());
    }

    #[test]
    fn everyone_is_public_unless_a_fixed_condition_narrows_it() {
        let everyone = |condition: Value| {
            access(json!([{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject",
                           "Resource": "arn:aws:s3:::demo/*", "Condition": condition}]))
        };
        assert!(grants(&everyone(json!({})))[0].2);
        assert!(!grants(&everyone(json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})))[0].2);
        assert!(grants(&everyone(json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})))[0].2);
        assert!(grants(&everyone(json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}})))[0].2);
        assert!(grants(&everyone(json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}})))[0].2);
        let grant = &everyone(json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "198.51.100.7"]}}))
            .external_grants("demo", ACCOUNT)[0];
        assert_eq!(grant.condition, [("aws:SourceIp".to_owned(), "203.0.113.0/24, 198.51.100.7".to_owned())]);
    }

    #[test]
    fn not_principal_reaches_everyone_else() {
        let access = access(json!([{"Effect": "Allow", "NotPrincipal": {"AWS": "111122223333"},
                                    "Action": "s3:GetObject", "Resource": "arn:aws:s3:::demo/*"}]));
        assert_eq!(grants(&access), [("*".into(), vec!["s3:GetObject".into()], true)]);
    }

    #[test]
    fn statements_for_one_principal_make_one_grant() {
        let access = access(json!([
            allow(json!({"AWS": "999988887777"}), json!("s3:ListBucket")),
            allow(json!({"AWS": "999988887777"}), json!(["s3:GetObject", "s3:ListBucket"])),
        ]));
        assert_eq!(grants(&access).len(), 1);
        assert_eq!(grants(&access)[0].1, ["s3:GetObject", "s3:ListBucket"]);
    }

    #[test]
    fn an_unconditional_deny_takes_actions_away_and_a_conditional_one_does_not() {
        let deny = |condition: Value| {
            let mut deny = allow(json!("*"), json!("s3:Get*"));
            deny["Effect"] = json!("Deny");
            deny["Condition"] = condition;
            access(json!([
                allow(json!({"AWS": "999988887777"}), json!(["s3:GetObject", "s3:ListBucket"])),
                deny
            ]))
        };
        assert_eq!(grants(&deny(json!({})))[0].1, ["s3:ListBucket"]);
        assert_eq!(grants(&deny(json!({"Bool": {"aws:SecureTransport": "false"}})))[0].1.len(), 2);
    }

    #[test]
    fn a_restricted_public_policy_grants_nobody_outside() {
        let mut access = access(json!([
            allow(json!("*"), json!("s3:GetObject")),
            allow(json!({"AWS": "999988887777"}), json!("s3:GetObject")),
        ]));
        assert_eq!(grants(&access).len(), 2);
        access.block.restrict_public_buckets = true;
        assert!(grants(&access).is_empty());
        access.policy =
            Some(json!({"Statement": [allow(json!({"AWS": "999988887777"}), json!("s3:GetObject"))]}));
        assert_eq!(grants(&access).len(), 1, "a policy that is not public is not restricted");
    }

    #[test]
    fn acl_grants_to_the_groups_count_until_they_are_ignored() {
        let mut access = BucketAccess {
            acl: vec![
                (Grantee::Canonical("owner".into()), Permission::FullControl),
                (Grantee::Everyone, Permission::Read),
            ],
            owner_id: "owner".into(),
            ..BucketAccess::default()
        };
        assert_eq!(grants(&access).len(), 1);
        assert!(access.is_public("demo", ACCOUNT));
        assert_eq!(access.external_grants("demo", ACCOUNT)[0].source, Source::BucketAcl);
        access.block.ignore_public_acls = true;
        assert!(grants(&access).is_empty());
    }
}
