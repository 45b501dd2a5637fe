//! Slack's request signatures
//! (<https://docs.slack.dev/authentication/verifying-requests-from-slack>).

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    aws::slack_secret::{SlackCredentials, SlackSecret},
    error::Error,
};

/// How far a request's time may be from ours, in seconds.
pub const WINDOW: i64 = 300;

/// Why a request is refused; never shown to whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing or malformed.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// Too old, or from the future.
    #[error("the time stamp is out of the window")]
    Stale,
    /// Not signed with a secret of ours.
    #[error("the signature does not match")]
    Mismatch,
}

/// A request by which an installation asks its own gateway, signed as Slack signs, whether it would take Slack's.
pub const SELF_TEST: &[u8] = b"self_test=1";

/// Bytes that Slack has signed. Only [`verify`] makes them, and only they are parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified<'body>(&'body [u8]);

impl<'body> Verified<'body> {
    /// The bytes.
    pub fn bytes(self) -> &'body [u8] {
        self.0
    }

    /// Whether it is nobody's click but a [`SELF_TEST`].
    pub fn is_self_test(self) -> bool {
        self.0 == SELF_TEST
    }
}

fn mac(secret: &SecretString, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("any length will do");
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    mac
}

/// The signature of a request, as Slack makes it: `v0=hex(HMAC-SHA256(secret, "v0:" timestamp ":" body))`.
pub fn sign(secret: &SecretString, timestamp: &str, body: &[u8]) -> String {
    format!("v0={}", hex::encode(mac(secret, timestamp, body).finalize().into_bytes()))
}

/// Verifies the [signature](sign) of a body against each secret, in constant time.
///
/// `now` is seconds since the epoch. Slack may rotate its secret: any of `secrets` will do.
///
/// # Errors
/// The reason, for the log.
pub fn verify<'body>(
    secrets: &[SecretString],
    now: i64,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &'body [u8],
) -> Result<Verified<'body>, Refusal> {
    let timestamp = timestamp.ok_or(Refusal::Malformed)?;
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(Refusal::Malformed)?;
    if now.abs_diff(seconds) > WINDOW.unsigned_abs() {
        return Err(Refusal::Stale);
    }
    let given = signature.and_then(|text| text.strip_prefix("v0=")).ok_or(Refusal::Malformed)?;
    let given = hex::decode(given).map_err(|_| Refusal::Malformed)?;
    let matched = secrets.iter().fold(subtle::Choice::from(0), |matched, secret| {
        let expected = mac(secret, timestamp, body).finalize().into_bytes();
        matched | expected.as_slice().ct_eq(&given)
    });
    if bool::from(matched) { Ok(Verified(body)) } else { Err(Refusal::Mismatch) }
}

/// Verifies with the secret as it is stored, which may have been replaced since it was read.
///
/// # Errors
/// When the secret cannot be read; as classified.
pub(crate) async fn verify_with<'body>(
    secret: &SlackSecret,
    now: i64,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &'body [u8],
) -> Result<Result<Verified<'body>, Refusal>, Error> {
    let verify = |credentials: &SlackCredentials| {
        verify(&credentials.signing_secrets(), now, timestamp, signature, body)
    };
    let credentials = secret.get().await?;
    match verify(&credentials) {
        Err(Refusal::Mismatch) => Ok(match secret.newer_than(&credentials).await {
            Some(newer) => verify(&newer),
            None => Err(Refusal::Mismatch),
        }),
        verified => Ok(verified),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const TIMESTAMP: &str = "1531420618";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const BODY: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";

    fn verify_at(now: i64, secrets: &[&str], body: &[u8]) -> Result<(), Refusal> {
        let secrets: Vec<_> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        verify(&secrets, now, Some(TIMESTAMP), Some(SIGNATURE), body)
            .map(|verified| assert_eq!(verified.bytes(), body))
    }

    #[test]
    fn the_request_that_slack_documents_is_accepted() {
        assert_eq!(verify_at(1_531_420_618, &[SECRET], BODY), Ok(()));
        assert_eq!(sign(&SecretString::from(SECRET), TIMESTAMP, BODY), SIGNATURE);
    }

    #[test]
    fn the_previous_secret_is_accepted_beside_the_current_one() {
        assert_eq!(verify_at(1_531_420_618, &["another", SECRET], BODY), Ok(()));
        assert_eq!(verify_at(1_531_420_618, &["another"], BODY), Err(Refusal::Mismatch));
        assert_eq!(verify_at(1_531_420_618, &[], BODY), Err(Refusal::Mismatch));
    }

    #[test]
    fn the_window_is_five_minutes_to_either_side() {
        for (offset, expected) in
            [(300, Ok(())), (-300, Ok(())), (301, Err(Refusal::Stale)), (-301, Err(Refusal::Stale))]
        {
            assert_eq!(verify_at(1_531_420_618 + offset, &[SECRET], BODY), expected);
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused(at in 0..BODY.len(), flip in 1u8..=255) {
            let mut body = BODY.to_vec();
            body[at] ^= flip;
            prop_assert_eq!(verify_at(1_531_420_618, &[SECRET], &body), Err(Refusal::Mismatch));
        }

        #[test]
        fn any_header_is_refused_without_panic(timestamp in "\\PC{0,30}", signature in "\\PC{0,80}") {
            let secrets = [SecretString::from(SECRET)];
            prop_assert!(verify(&secrets, 1_531_420_618, Some(&timestamp), Some(&signature), BODY).is_err());
        }
    }
}
