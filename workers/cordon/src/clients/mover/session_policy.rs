//! What a session of the mover's or the restorer's role may do: one bucket, one key, one case.

use std::fmt::Write;

use serde_json::json;

use super::Place;

/// The longest part of a key that the session policy spells out, as it is written there: STS takes 2,048 characters of
/// policy, none above U+00FF (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const POLICY_KEY_LIMIT: usize = 500;

/// The session policy, whatever the key within the limit of STS. `role_arn` says in which partition everything is.
pub(super) fn session_policy(
    role_arn: &str,
    place: &Place,
    quarantine_bucket: &str,
    case_id: &str,
) -> String {
    let bucket = &place.bucket;
    let s3 = format!("arn:{}:s3:::", role_arn.split(':').nth(1).unwrap_or("aws"));
    let statement = |actions: &[&str], resources: &[String]| json!({"Effect": "Allow", "Action": actions, "Resource": resources});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        statement(&["s3:*"], &[
            format!("{s3}{bucket}"),
            format!("{s3}{bucket}/{}", literal(&place.key)),
            format!("{s3}{quarantine_bucket}/{}/{bucket}/{case_id}/*", place.owner),
        ]),
        // A missing copy or manifest must read as 404: without s3:ListBucket S3 answers 403.
        statement(&["s3:ListBucket", "s3:ListBucketMultipartUploads"], &[format!("{s3}{quarantine_bucket}")]),
        statement(&["kms:*"], &["*".to_owned()]),
    ]});
    in_ascii(&policy.to_string())
}

/// JSON with every character outside ASCII as `\u` escapes.
fn in_ascii(json: &str) -> String {
    let mut text = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// A key as an IAM resource pattern that matches itself only; one too long for the policy ends in `*`.
fn literal(key: &str) -> String {
    let mut pattern = String::new();
    let mut written = 0;
    for c in key.chars() {
        written += if c.is_ascii() { 1 } else { 6 * c.len_utf16() };
        if written > POLICY_KEY_LIMIT {
            pattern.push('*');
            break;
        }
        match c {
            '*' | '?' | '$' => {
                let _ = write!(pattern, "${{{c}}}");
            }
            c => pattern.push(c),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_with_pattern_characters_matches_only_itself() {
        assert_eq!(literal("a*b?c$d"), "a${*}b${?}c${$}d");
    }

    proptest! {
        #[test]
        fn the_session_policy_fits_for_any_key(key in "[\\PC*?$\"]{1,1024}") {
            let place = Place { owner: "111122223333".into(), bucket: "b".repeat(63), key };
            let policy = session_policy("arn:aws-us-gov:iam::111122223333:role/mover", &place, &"q".repeat(63), &"c".repeat(64));
            prop_assert!(policy.is_ascii() && policy.len() <= 2_048, "{}", policy.len());
            prop_assert!(serde_json::from_str::<serde_json::Value>(&policy).is_ok());
        }
    }
}
