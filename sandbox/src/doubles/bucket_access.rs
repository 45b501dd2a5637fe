//! Who outside the account can reach a bucket, read from its policy, ACL and public-access block.
//!
//! [`read`] fetches the configuration through S3; the analysis itself is pure. It follows what S3 documents as
//! "public" and what Access Analyzer reports as external: an Allow to another account's principal or to
//! everyone, less what an unconditional Deny takes away, as far as the public-access block lets it through.

use aws_sdk_s3::{Client, error::SdkError, types::Permission};
use serde_json::{Map, Value};

/// Conditions that, with a fixed value, keep a grant to everyone from being public.
const NARROWING: [&str; 14] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:userid",
    "aws:vpcsourceip",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];

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

/// Reads the bucket's access configuration; `None` if there is no such bucket in this account.
pub(super) async fn read(s3: &Client, bucket: &str) -> anyhow::Result<Option<BucketAccess>> {
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
pub(super) fn has_code<E, R>(error: &SdkError<E, R>, codes: &[&str]) -> bool
where
    E: aws_sdk_s3::error::ProvideErrorMetadata,
{
    error.as_service_error().and_then(|error| error.code()).is_some_and(|code| codes.contains(&code))
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

struct Condition {
    operator: String,
    /// As written, for the finding.
    name: String,
    /// Lower case, for comparison: condition keys are case-insensitive.
    key: String,
    values: Vec<String>,
}

impl Condition {
    fn is_positive(&self) -> bool {
        let operator = self.operator.to_lowercase();
        !operator.contains("not") && !operator.ends_with("ifexists") && operator != "null"
    }

    /// Whether it makes a grant to everyone something less than public.
    fn narrows(&self) -> bool {
        self.is_positive()
            && NARROWING.contains(&self.key.as_str())
            && !self.values.is_empty()
            && self.values.iter().all(|value| is_fixed(&self.key, value))
    }

    /// Whether it lets through only principals or sources of this account: the zone of trust.
    fn confines_to(&self, account: &str) -> bool {
        let account_in = |value: &String| {
            value == account || value.split(':').nth(4).is_some_and(|in_arn| in_arn == account)
        };
        self.is_positive()
            && ["aws:principalaccount", "aws:sourceaccount", "aws:principalarn", "s3:dataaccesspointaccount"]
                .contains(&self.key.as_str())
            && !self.values.is_empty()
            && self.values.iter().all(account_in)
    }
}

fn is_fixed(key: &str, value: &str) -> bool {
    match key {
        // S3 counts ranges wider than /8 (IPv4) and /32 (IPv6) as everyone.
        "aws:sourceip" | "aws:vpcsourceip" => {
            let width: u8 =
                value.split_once('/').map_or(Some(128), |(_, bits)| bits.parse().ok()).unwrap_or(0);
            width >= if value.contains(':') { 32 } else { 8 }
        }
        // An ARN pattern is fixed when at least the account in it is.
        "aws:sourcearn" | "aws:principalarn" | "s3:dataaccesspointarn" => {
            value.split(':').nth(4).is_some_and(|account| !account.contains(['*', '?']))
        }
        _ => !value.contains(['*', '?']),
    }
}

fn condition_of(statement: &Value) -> Vec<Condition> {
    let empty = Map::new();
    let mut found = vec![];
    for (operator, keys) in statement["Condition"].as_object().unwrap_or(&empty) {
        for (name, values) in keys.as_object().unwrap_or(&empty) {
            found.push(Condition {
                operator: operator.clone(),
                name: name.clone(),
                key: name.to_lowercase(),
                values: one_or_many(values).into_iter().map(super::text).collect(),
            });
        }
    }
    found
}

/// Every principal of a statement as kind and identity; an Allow with NotPrincipal reaches everyone else.
fn principals_of(statement: &Value) -> Vec<(String, String)> {
    if !statement["NotPrincipal"].is_null() {
        return vec![("AWS".to_owned(), "*".to_owned())];
    }
    match &statement["Principal"] {
        Value::String(all) => vec![("AWS".to_owned(), all.clone())],
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, who)| one_or_many(who).into_iter().map(|who| (kind.clone(), super::text(who))))
            .collect(),
        _ => vec![],
    }
}

/// The principal as a finding names it, or `None` when it is inside the zone of trust.
fn external((kind, who): (String, String), account: &str, owner_id: &str) -> Option<(String, String)> {
    match kind.as_str() {
        "AWS" if who == "*" => Some((kind, who)),
        "AWS" => {
            let in_arn = who.split(':').nth(4).unwrap_or(&who);
            if in_arn == account {
                return None;
            }
            let whole_account = !who.contains(':') || who.ends_with(":root");
            let named = if whole_account { in_arn.to_owned() } else { who.clone() };
            Some((kind, named))
        }
        "CanonicalUser" if who == owner_id => None,
        "CanonicalUser" | "Federated" => Some((kind, who)),
        // AWS services act for the account that owns the bucket.
        _ => None,
    }
}

fn stated_actions(statement: &Value) -> Vec<String> {
    if statement["NotAction"].is_null() {
        one_or_many(&statement["Action"]).into_iter().map(super::text).collect()
    } else {
        vec!["s3:*".to_owned()]
    }
}

fn actions_of(statement: &Value) -> Vec<String> {
    stated_actions(statement).into_iter().map(|action| action.to_lowercase()).collect()
}

fn concerns(statement: &Value, bucket: &str) -> bool {
    let arn = format!("arn:aws:s3:::{bucket}");
    let resources = one_or_many(&statement["Resource"]);
    resources.is_empty()
        || resources.iter().map(|resource| super::text(resource)).any(|resource| {
            let of_bucket = resource.split('/').next().unwrap_or_default();
            matches_pattern(of_bucket, &arn)
        })
}

/// Whether an unconditional Deny takes this action from this principal on all that the Allow names.
fn denies(deny: &Value, principal: &(String, String), action: &str, allow: &Value) -> bool {
    deny["Effect"] == "Deny"
        && condition_of(deny).is_empty()
        && deny["NotPrincipal"].is_null()
        && deny["NotAction"].is_null()
        && principals_of(deny).iter().any(|denied| denied.1 == "*" || denied == principal)
        && actions_of(deny).iter().any(|pattern| matches_pattern(pattern, &action.to_lowercase()))
        && one_or_many(&allow["Resource"]).into_iter().all(|allowed| {
            one_or_many(&deny["Resource"])
                .into_iter()
                .any(|denied| matches_pattern(&super::text(denied), &super::text(allowed)))
        })
}

fn one_or_many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => vec![],
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    }
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            p = at + 1;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
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

    #[test]
    fn wildcards_match_as_iam_matches_them() {
        assert!(matches_pattern("s3:*", "s3:getobject"));
        assert!(matches_pattern("arn:aws:s3:::demo*", "arn:aws:s3:::demo"));
        assert!(matches_pattern("s3:get?bject", "s3:getobject"));
        assert!(!matches_pattern("s3:put*", "s3:getobject"));
        assert!(!matches_pattern("arn:aws:s3:::demo", "arn:aws:s3:::demo2"));
    }
}
