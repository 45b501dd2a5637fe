//! Which KMS keys Macie may use: the key's policy has to let its service-linked role, or everybody, decrypt. That the
//! account may is not enough, because the role has no permissions for KMS of its own.
//! [docs.aws.amazon.com/macie/latest/user/discovery-supported-encryption-types.html]

use serde_json::Value;

use super::Macie;
use crate::doubles::strings;

/// The service-linked role as which Macie reads objects.
pub(super) fn service_role(account: &str) -> String {
    format!("arn:aws:iam::{account}:role/aws-service-role/macie.amazonaws.com/AWSServiceRoleForAmazonMacie")
}

/// Whether Macie can read what is encrypted with a key.
pub(super) async fn may_use(macie: &Macie, key: &str) -> anyhow::Result<bool> {
    let policy = macie.emulator.key_policy(key).await?;
    Ok(policy.is_some_and(|policy| allows(&policy, &service_role(&macie.home.account))))
}

fn allows(policy: &Value, role: &str) -> bool {
    let about = |effect: &str| {
        policy["Statement"].as_array().into_iter().flatten().any(|statement| {
            statement["Effect"] == effect && names(&statement["Principal"], role) && decrypts(statement)
        })
    };
    about("Allow") && !about("Deny")
}

fn names(principal: &Value, role: &str) -> bool {
    let named = |value: &Value| one_or_many(value).iter().any(|one| one == "*" || one == role);
    named(principal) || named(&principal["AWS"])
}

fn decrypts(statement: &Value) -> bool {
    // The AWS managed key opens by way of S3, as Macie comes; any other condition counts as not met.
    let met =
        statement["Condition"].as_object().into_iter().flat_map(|operators| operators.values()).all(|keys| {
            keys.as_object().is_some_and(|keys| {
                keys.keys().all(|key| ["kms:ViaService", "kms:CallerAccount"].contains(&key.as_str()))
            })
        });
    let actions = one_or_many(&statement["Action"]);
    (met || statement["Effect"] == "Deny")
        && actions.iter().any(|action| ["*", "kms:*", "kms:Decrypt"].contains(&action.as_str()))
}

fn one_or_many(value: &Value) -> Vec<String> {
    value.as_str().map_or_else(|| strings(value), |one| vec![one.to_owned()])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(principal: Value, action: Value) -> Value {
        json!({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}]})
    }

    #[test]
    fn a_key_opens_to_macie_only_where_its_policy_names_the_service_linked_role() {
        let role = service_role("111122223333");
        let account = json!({"AWS": "arn:aws:iam::111122223333:root"});
        assert!(!allows(&policy(account, json!("kms:*")), &role));
        assert!(allows(&policy(json!({"AWS": [role]}), json!(["kms:Decrypt"])), &role));
        assert!(allows(&policy(json!("*"), json!("kms:*")), &role));
        assert!(!allows(&policy(json!({"AWS": role}), json!("kms:Encrypt")), &role));
        let mut denied = policy(json!({"AWS": role}), json!("kms:Decrypt"));
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"});
        denied["Statement"].as_array_mut().unwrap().push(deny);
        assert!(!allows(&denied, &role));
    }
}
