//! What a request's signature says about it, without verifying it.

use axum::http::{HeaderMap, header};

use super::encoding::{decode, query_pairs};

/// The credential of a SigV4 (or SigV4A) signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Credential {
    pub(super) access_key: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Credential {
    /// From the Authorization header, else from a presigned query. `None` for an unsigned request.
    pub(super) fn of(headers: &HeaderMap, query: &str) -> Option<Credential> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let value = value.to_str().ok()?;
            let regional = !value.starts_with("AWS4-ECDSA-P256-SHA256");
            let scope = value.split_once("Credential=")?.1;
            return Credential::parse(scope.split([',', ' ']).next()?, regional);
        }
        let of = |wanted: &str| {
            query_pairs(query).find(|(name, _)| *name == wanted).map(|(_, value)| decode(value))
        };
        let regional = of("X-Amz-Algorithm").as_deref() != Some("AWS4-ECDSA-P256-SHA256");
        Credential::parse(&of("X-Amz-Credential")?, regional)
    }

    /// `AKIA…/20260101/us-east-1/states/aws4_request`; SigV4A names no Region.
    fn parse(scope: &str, regional: bool) -> Option<Credential> {
        let mut parts = scope.rsplit('/');
        let _terminator = parts.next()?;
        let service = parts.next()?.to_owned();
        let region = if regional { parts.next()?.to_owned() } else { String::new() };
        let _date = parts.next()?;
        let access_key = parts.next()?.to_owned();
        Some(Credential { access_key, region, service })
    }

    /// The root user's keys in the emulator, which are not verified and have no principal to look up.
    pub(super) fn is_root(&self) -> bool {
        let key = &self.access_key;
        key == "test" || (key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_scope_is_found_in_the_header_and_in_a_presigned_query() {
        let expected =
            Credential { access_key: "ASIA1".into(), region: "us-east-1".into(), service: "s3".into() };
        let mut headers = HeaderMap::new();
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIA1%2F20260101%2Fus-east-1%2Fs3%2Faws4_request";
        assert_eq!(Credential::of(&headers, query), Some(expected.clone()));
        assert_eq!(Credential::of(&headers, "list-type=2"), None);
        let value = "AWS4-HMAC-SHA256 Credential=ASIA1/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        assert_eq!(Credential::of(&headers, ""), Some(expected));
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert_eq!(Credential::of(&headers, query), None);
    }

    #[test]
    fn only_account_numbers_and_test_are_root() {
        let root = |key: &str| {
            Credential { access_key: key.into(), region: String::new(), service: String::new() }.is_root()
        };
        assert!(root("111122223333") && root("test"));
        assert!(!root("AKIAIOSFODNN7EXAMPLE") && !root("11112222333"));
    }
}
