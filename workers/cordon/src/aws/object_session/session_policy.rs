//! What a session of the mover's or the restorer's role may do: one bucket, one key, one case.

use serde_json::json;

use super::Place;
use crate::aws::sts::{POLICY_LIMIT, key_pattern};

/// What a key may take of a policy that STS packs to too much.
const SHORT: usize = 64;

/// The session policy, within what STS takes whatever the key, and a shorter one: STS packs policies too, to a size that
/// has a limit of its own and that nobody can foresee (PackedPolicyTooLarge). `role_arn` says in which partition
/// everything is.
///
/// They name the key exactly where STS lets them, or else by a pattern that matches further keys of the same bucket, and
/// never fewer: what is narrowed to one bucket and one case stays so.
pub(super) fn session_policies(
    role_arn: &str,
    place: &Place,
    quarantine_bucket: &str,
    case_id: &str,
) -> [String; 2] {
    let bucket = &place.bucket;
    let s3 = format!("arn:{}:s3:::", role_arn.split(':').nth(1).unwrap_or("aws"));
    let statement = |actions: &[&str], resources: &[String]| json!({"Effect": "Allow", "Action": actions, "Resource": resources});
    let policy = |key: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            statement(&["s3:*"], &[
                format!("{s3}{bucket}"),
                format!("{s3}{bucket}/{key}"),
                format!("{s3}{quarantine_bucket}/{}/{bucket}/{case_id}/*", place.owner),
            ]),
            // A missing copy or manifest must read as 404: without s3:ListBucket S3 answers 403.
            statement(&["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"], &[format!("{s3}{quarantine_bucket}")]),
            statement(&["kms:*"], &["*".to_owned()]),
        ]})
        .to_string()
    };
    let room = POLICY_LIMIT.saturating_sub(policy("").len());
    [room, room.min(SHORT)].map(|room| policy(&key_pattern(&place.key, room)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::aws::sts::matches_key;

    /// Beside the longest names that everything else can have.
    fn policies(key: &str) -> [String; 2] {
        let place = Place { owner: "111122223333".into(), bucket: "b".repeat(63), key: key.into() };
        let role = format!("arn:aws-us-gov:iam::111122223333:role/{}", "m".repeat(64));
        session_policies(&role, &place, &"q".repeat(63), &"c".repeat(64))
    }

    /// Whether STS takes the policy, and it allows the key.
    fn serves(key: &str) -> Result<(), String> {
        policies(key).iter().try_for_each(|policy| allows(policy, key))
    }

    fn allows(policy: &str, key: &str) -> Result<(), String> {
        if policy.len() > POLICY_LIMIT || !policy.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!("STS refuses {} characters: {policy}", policy.len()));
        }
        let parsed: Value = serde_json::from_str(policy).map_err(|error| error.to_string())?;
        let resource = parsed["Statement"][0]["Resource"][1].as_str().unwrap_or_default();
        let pattern = resource.split_once('/').map_or("", |(_, pattern)| pattern);
        matches_key(pattern, key).then_some(()).ok_or_else(|| format!("{pattern} does not match {key:?}"))
    }

    #[test]
    fn whoever_names_an_object_cannot_keep_it_by_its_name() {
        for text in ["*", "?", "$", "\u{1}", "\n", "\u{7f}", "\"", "\\", "a", "é", "語", "😀", "${*}", "a*"]
        {
            for bytes in [1, 250, 400, 1_024] {
                let key = text.repeat(bytes / text.len().min(bytes));
                assert_eq!(serves(&key), Ok(()), "{text:?} over {bytes} bytes");
            }
        }
    }

    proptest! {
        #[test]
        fn the_session_policy_fits_any_key_and_allows_it(key in r#"(?s)([ -~]|[*?$"\\]|[\x00-\x1f\x7f]|.){1,300}"#) {
            prop_assert_eq!(serves(&key), Ok(()));
        }
    }
}
