//! Doubles for the AWS services that no emulator has: Macie, Access Analyzer and Security Hub.
//!
//! Each double is asked twice for a request: [`operation`](Macie::operation) names what is asked for (so that
//! the front door can authorize it), then `call` does it. A request that `operation` does not know is answered
//! 501 by the front door; within a known operation, a feature that the double lacks is answered 501 here.
//! Nothing that would change the outcome is ignored in silence.
//!
//! State lives in memory behind a mutex that is never held across an await.

pub mod access_analyzer;
mod bucket_access;
pub mod macie;
pub mod security_hub;

pub use access_analyzer::AccessAnalyzer;
pub use macie::Macie;
pub use security_hub::SecurityHub;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// What a request asks for, before anybody has decided whether the caller may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The API name, such as `GetFindings`.
    pub name: &'static str,
    /// The IAM action, such as `macie2:GetFindings`; V2 variants may share the action of the first version.
    pub action: &'static str,
    /// The ARN that the action is authorized on, or `*` where the service knows no resource type.
    pub resource: String,
}

impl Operation {
    fn new(name: &'static str, action: &'static str, resource: impl Into<String>) -> Option<Self> {
        Some(Self { name, action, resource: resource.into() })
    }
}

/// One authorized request to a double.
#[derive(Debug, Clone)]
pub struct Call {
    /// Account of the caller.
    pub account: String,
    /// Region of the credential scope.
    pub region: String,
    /// ARN of the caller.
    pub principal: String,
    /// Path segments, percent-decoded, without the empty one in front.
    pub path: Vec<String>,
    /// Query parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The JSON body, `{}` or null if there was none.
    pub body: Value,
}

impl Call {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn segment(&self, index: usize) -> &str {
        self.path.get(index).map_or("", String::as_str)
    }
}

/// An error answer as an AWS service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Error type, for the header `x-amzn-errortype`.
    pub code: &'static str,
    /// One sentence for the caller.
    pub message: String,
}

impl ApiError {
    /// An error with this HTTP status, type and message.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFoundException", message)
    }

    fn lacking(what: &str) -> Self {
        Self::new(501, "NotImplementedException", format!("the sandbox does not have this: {what}"))
    }
}

type Answer = Result<Value, ApiError>;

/// The one account and Region that the doubles live in.
#[derive(Debug, Clone)]
struct Home {
    account: String,
    region: String,
}

impl Home {
    /// Refuses what is meant for another Region: the services are Regional, and an empty list from the wrong
    /// Region looks like good news.
    fn check(&self, call: &Call) -> Result<(), ApiError> {
        if call.region == self.region && call.account == self.account {
            return Ok(());
        }
        Err(ApiError::new(
            403,
            "AccessDeniedException",
            format!(
                "the sandbox has this service for account {} in {} only; the request came for account {} in {}",
                self.account, self.region, call.account, call.region
            ),
        ))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

/// Tags by resource ARN; the three services share the shape of `/tags/{arn}`.
#[derive(Debug, Default)]
struct Tags(BTreeMap<String, Map<String, Value>>);

impl Tags {
    fn of(&self, arn: &str) -> Value {
        Value::Object(self.0.get(arn).cloned().unwrap_or_default())
    }

    fn set(&mut self, arn: &str, tags: &Value) {
        self.0.insert(arn.to_owned(), tags.as_object().cloned().unwrap_or_default());
    }

    fn remove(&mut self, arn: &str) {
        self.0.remove(arn);
    }

    fn add(&mut self, arn: &str, tags: &Value) -> Result<(), ApiError> {
        let known = self.0.get_mut(arn).ok_or_else(|| ApiError::not_found(format!("no resource {arn}")))?;
        known.extend(tags.as_object().cloned().unwrap_or_default());
        Ok(())
    }

    fn untag(&mut self, arn: &str, call: &Call) -> Result<(), ApiError> {
        let known = self.0.get_mut(arn).ok_or_else(|| ApiError::not_found(format!("no resource {arn}")))?;
        for (name, key) in &call.query {
            if name == "tagKeys" {
                known.remove(key);
            }
        }
        Ok(())
    }

    fn list(&self, arn: &str) -> Result<Value, ApiError> {
        self.0
            .get(arn)
            .map(|tags| json!(tags))
            .ok_or_else(|| ApiError::not_found(format!("no resource {arn}")))
    }
}

/// The ARN in a `/tags/{arn}` path: clients may or may not encode the slashes in it.
fn tagged_arn(path: &[String]) -> String {
    path[1..].join("/")
}

/// Now, as the services write it: RFC 3339 in UTC with milliseconds.
fn now() -> String {
    timestamp(jiff::Timestamp::now())
}

fn timestamp(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// 32 random hex digits, the form of Macie's ids.
fn hex_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// A random UUID (version 4), the form of Access Analyzer's ids.
fn uuid() -> String {
    let mut bytes = rand::random::<[u8; 16]>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// All values at a dotted path, looking through arrays: `Resources.Id` gives the id of every resource.
fn values_at<'a>(document: &'a Value, path: &str) -> Vec<&'a Value> {
    fn elements(value: &Value) -> &[Value] {
        match value {
            Value::Array(items) => items,
            other => std::slice::from_ref(other),
        }
    }
    let mut found: Vec<&Value> = vec![document];
    for name in path.split('.') {
        found = found.into_iter().flat_map(elements).filter_map(|value| value.get(name)).collect();
    }
    found.into_iter().flat_map(elements).filter(|value| !value.is_null()).collect()
}

/// A scalar as the text that filters compare with.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// A non-empty string member of a request.
fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    body[name]
        .as_str()
        .filter(|value| !value.is_empty())
        .ok_or_else(|| ApiError::validation(format!("{name} is required")))
}

/// Removes null members of an object: the APIs omit what is absent.
fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// One page of a list. The lists only ever grow at their end, so an offset stays true between pages.
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

fn page(items: Vec<Value>, size: Option<u64>, token: Option<&str>, largest: usize) -> Result<Page, ApiError> {
    let invalid = || ApiError::validation("the pagination token is not valid");
    let from: usize = match token.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => {
            let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
            let offset = String::from_utf8(bytes).map_err(|_| invalid())?;
            offset.strip_prefix("offset:").and_then(|n| n.parse().ok()).ok_or_else(invalid)?
        }
    };
    let size = size.map_or(largest, |size| usize::try_from(size).unwrap_or(largest));
    if size == 0 || size > largest {
        return Err(ApiError::validation(format!("the page size must be between 1 and {largest}")));
    }
    let end = from.saturating_add(size);
    let next = (end < items.len()).then(|| URL_SAFE_NO_PAD.encode(format!("offset:{end}")));
    Ok(Page { items: items.into_iter().skip(from).take(size).collect(), next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_the_last_has_no_token() {
        let items: Vec<Value> = (0..5).map(|n| json!(n)).collect();
        let mut seen = vec![];
        let mut token = None;
        loop {
            let page = page(items.clone(), Some(2), token.as_deref(), 50).expect("a valid page");
            seen.extend(page.items);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
        assert!(page(items.clone(), Some(2), Some("made-up"), 50).is_err());
        assert!(page(items, Some(51), None, 50).is_err());
    }

    #[test]
    fn a_dotted_path_looks_through_arrays() {
        let document = json!({"Resources": [{"Id": "a"}, {"Id": "b", "Tags": ["x", "y"]}, {"Id": null}]});
        assert_eq!(values_at(&document, "Resources.Id"), [&json!("a"), &json!("b")]);
        assert_eq!(values_at(&document, "Resources.Tags"), [&json!("x"), &json!("y")]);
        assert!(values_at(&document, "Nothing.Here").is_empty());
    }

    #[test]
    fn another_region_is_refused_and_not_answered_empty() {
        let home = Home { account: "111122223333".into(), region: "us-east-1".into() };
        let mut call = Call {
            account: "111122223333".into(),
            region: "us-east-1".into(),
            principal: "arn:aws:iam::111122223333:root".into(),
            path: vec![],
            query: vec![],
            body: Value::Null,
        };
        assert!(home.check(&call).is_ok());
        call.region = "eu-west-1".into();
        assert_eq!(home.check(&call).expect_err("refused").status, 403);
    }
}
