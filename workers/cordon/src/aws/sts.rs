//! Who somebody is, and the roles that they may take.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;

use super::error::classify;
use crate::error::{Error, Result};

/// The most characters of a session policy that STS takes
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
pub(super) const POLICY_LIMIT: usize = 2_048;

/// Whose credentials are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Their account.
    pub account: String,
    /// Their ARN: a user, or a session of a role with its name.
    pub arn: String,
}

/// Asks AWS who is calling.
///
/// # Errors
/// As classified.
pub async fn caller(config: &SdkConfig) -> Result<Caller> {
    let call = aws_sdk_sts::Client::new(config).get_caller_identity();
    let answer = call.send().await.map_err(|error| classify("sts:GetCallerIdentity", error))?;
    Ok(Caller {
        account: answer.account.unwrap_or_default(),
        arn: answer.arn.unwrap_or_else(|| "unknown".into()),
    })
}

/// Takes a role for an hour, narrowed by `policy`, in the name of `caller`.
///
/// # Errors
/// As classified.
pub async fn assume(config: &SdkConfig, role_arn: &str, caller: &str, policy: String) -> Result<Credentials> {
    let call = aws_sdk_sts::Client::new(config)
        .assume_role()
        .role_arn(role_arn)
        .role_session_name(session_name(caller))
        .duration_seconds(3_600)
        .policy(policy);
    let answer =
        call.send().await.map_err(|error| classify(&format!("sts:AssumeRole of {role_arn}"), error))?;
    let keys = answer.credentials.ok_or_else(|| {
        Error::Retryable(format!("sts:AssumeRole of {role_arn} answered without credentials"))
    })?;
    Ok(Credentials::new(
        keys.access_key_id,
        keys.secret_access_key,
        Some(keys.session_token),
        std::time::SystemTime::try_from(keys.expiration).ok(),
        "assumed role",
    ))
}

/// A key as the resource of a session policy, in at most `room` characters of its JSON.
///
/// STS counts characters as they are written, and whether it takes all that a key may hold is not documented. So a
/// pattern is of printable ASCII only: a control character is `?`, and others are `*`, however IAM counts them. Where
/// there is not enough room, characters that take more than one are `?` too, and the rest of the key is `*`. Whatever
/// happens, the pattern matches the key.
pub(super) fn key_pattern(key: &str, room: usize) -> String {
    let exact = pattern(key, |c| match c {
        '*' | '?' | '$' => format!("${{{c}}}"),
        c => c.to_string(),
    });
    if written(&exact) <= room {
        return exact;
    }
    let shorter = pattern(key, |c| match c {
        '*' | '?' | '$' | '"' | '\\' => "?".into(),
        c => c.to_string(),
    });
    if shorter.len() <= room {
        return shorter;
    }
    format!("{}*", &shorter[..room.saturating_sub(1)])
}

fn pattern(key: &str, printable: impl Fn(char) -> String) -> String {
    let mut pattern = String::new();
    for c in key.chars() {
        match c {
            ' '..='~' => pattern.push_str(&printable(c)),
            c if c.is_ascii() => pattern.push('?'),
            _ if pattern.ends_with('*') => {}
            _ => pattern.push('*'),
        }
    }
    pattern
}

/// How many characters a string of printable ASCII takes in JSON.
fn written(text: &str) -> usize {
    text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count()
}

/// The last part of an ARN as the name of a session, so that CloudTrail tells whose it is: at most 64 letters, digits
/// and some signs (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
fn session_name(arn: &str) -> String {
    let name = arn.rsplit(['/', ':']).next().unwrap_or_default();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("cordon-{name}").chars().map(allowed).take(64).collect()
}

/// Whether an IAM pattern matches a key, as IAM documents patterns.
#[cfg(test)]
pub(super) fn matches_key(pattern: &str, key: &str) -> bool {
    enum Part {
        Exactly(char),
        Any,
        Run,
    }
    let (mut parts, mut rest) = (Vec::new(), pattern.chars());
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Run,
            '?' => Part::Any,
            '$' => {
                let (open, literal, close) = (rest.next(), rest.next(), rest.next());
                assert!(open == Some('{') && close == Some('}'), "{pattern} is no pattern");
                Part::Exactly(literal.expect("a character"))
            }
            c => Part::Exactly(c),
        });
    }
    let key: Vec<char> = key.chars().collect();
    // Which beginnings of the key the parts so far match.
    let mut reached = vec![false; key.len() + 1];
    reached[0] = true;
    for part in parts {
        let before = std::mem::take(&mut reached);
        let mut any = false;
        reached = (0..=key.len())
            .map(|at| {
                any |= before[at];
                match part {
                    Part::Run => any,
                    Part::Any => at > 0 && before[at - 1],
                    Part::Exactly(c) => at > 0 && before[at - 1] && key[at - 1] == c,
                }
            })
            .collect();
    }
    reached[key.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_exactly_where_there_is_room() {
        for (key, room, expected) in [
            ("a*b?c$d", 100, "a${*}b${?}c${$}d"),
            ("a*b?c$d", 10, "a?b?c?d"),
            ("a*b?c$d", 4, "a?b*"),
            ("say \"no\"", 10, "say \"no\""),
            ("say \"no\"", 9, "say ?no?"),
            ("one\ntwo", 100, "one?two"),
            ("reports/über/語語語.txt", 100, "reports/*ber/*.txt"),
        ] {
            assert_eq!(key_pattern(key, room), expected);
            assert!(matches_key(expected, key));
        }
        assert!(!matches_key("a${*}b", "aab") && !matches_key("a?b", "ab") && !matches_key("*b", "ba"));
    }

    #[test]
    fn a_session_is_named_after_who_took_it() {
        for (arn, name) in [
            ("arn:aws:sts::111122223333:assumed-role/Admin/alice@example.org", "cordon-alice@example.org"),
            ("arn:aws:iam::111122223333:user/team/bob b", "cordon-bob-b"),
            ("arn:aws:iam::111122223333:root", "cordon-root"),
        ] {
            assert_eq!(session_name(arn), name);
        }
        assert_eq!(session_name(&format!("arn:aws:iam::1:user/{}", "x".repeat(64))).len(), 64);
    }
}
