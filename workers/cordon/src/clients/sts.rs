//! Who somebody is, and the roles that they may take.

use aws_config::SdkConfig;
use aws_credential_types::Credentials;

use super::error::classify;
use crate::error::{Error, Result};

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

/// The last part of an ARN as the name of a session, so that CloudTrail tells whose it is: at most 64 letters, digits
/// and some signs (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
fn session_name(arn: &str) -> String {
    let name = arn.rsplit(['/', ':']).next().unwrap_or_default();
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("cordon-{name}").chars().map(allowed).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
