//! What a valid job is, and what it looks for.

use serde_json::Value;

use super::super::{detection::Identifier, scope};
use crate::doubles::{ApiError, required, strings};

/// Buckets that one job may name.
const MAX_BUCKETS: usize = 1000;

/// Refuses what CreateClassificationJob refuses, and what this double would otherwise ignore.
pub(in crate::doubles::macie) fn check(request: &Value) -> Result<(), ApiError> {
    for name in ["clientToken", "name", "jobType"] {
        required(request, name)?;
    }
    for (name, most) in [("clientToken", 64), ("name", 500), ("description", 200)] {
        if request[name].as_str().is_some_and(|text| text.chars().count() > most) {
            return Err(ApiError::validation(format!("{name} must have at most {most} characters")));
        }
    }
    match request["jobType"].as_str() {
        Some("ONE_TIME") if request["scheduleFrequency"].is_null() => {}
        Some("ONE_TIME") => return Err(ApiError::validation("a ONE_TIME job has no scheduleFrequency")),
        Some("SCHEDULED") => return Err(ApiError::lacking("SCHEDULED Macie jobs")),
        _ => return Err(ApiError::validation("jobType must be ONE_TIME or SCHEDULED")),
    }
    let definition = &request["s3JobDefinition"];
    if !definition["bucketCriteria"].is_null() {
        return Err(ApiError::lacking("Macie jobs that choose buckets by criteria"));
    }
    scope::of(definition)?;
    let ids = |name: &str| strings(&request[name]).len();
    let selector = request["managedDataIdentifierSelector"].as_str().unwrap_or("RECOMMENDED");
    match (selector, ids("managedDataIdentifierIds"), ids("customDataIdentifierIds")) {
        ("RECOMMENDED" | "ALL", 0, _) | ("INCLUDE" | "EXCLUDE", 1.., _) | ("NONE", 0, 1..) => {}
        ("RECOMMENDED" | "ALL" | "INCLUDE" | "EXCLUDE" | "NONE", ..) => {
            let message = format!("the identifiers do not go with managedDataIdentifierSelector {selector}");
            return Err(ApiError::validation(message));
        }
        _ => return Err(ApiError::validation("managedDataIdentifierSelector is not one that Macie has")),
    }
    if !matches!(request["samplingPercentage"].as_u64(), None | Some(100)) {
        return Err(ApiError::lacking("Macie jobs that look at a sample of the objects"));
    }
    let Some(accounts) = definition["bucketDefinitions"].as_array().filter(|accounts| !accounts.is_empty())
    else {
        return Err(ApiError::validation("s3JobDefinition needs bucketDefinitions"));
    };
    let mut buckets = 0;
    for in_account in accounts {
        required(in_account, "accountId")?;
        let named = strings(&in_account["buckets"]);
        if named.is_empty() || named.iter().any(String::is_empty) {
            return Err(ApiError::validation("every bucket definition needs buckets"));
        }
        buckets += named.len();
    }
    if buckets > MAX_BUCKETS {
        return Err(ApiError::validation(format!(
            "a job can have at most {MAX_BUCKETS} buckets, this has {buckets}"
        )));
    }
    Ok(())
}

/// Whether a job looks for what one of Macie's own identifiers finds.
pub(super) fn looks_for(request: &Value, identifier: Identifier) -> bool {
    let named = strings(&request["managedDataIdentifierIds"]).iter().any(|id| id == identifier.name());
    match request["managedDataIdentifierSelector"].as_str() {
        Some("INCLUDE") => named,
        Some("EXCLUDE") => !named,
        Some("NONE") => false,
        _ => true,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn request() -> Value {
        json!({"clientToken": "t", "name": "n", "jobType": "ONE_TIME",
               "s3JobDefinition": {"bucketDefinitions": [{"accountId": "111122223333", "buckets": ["b"]}]}})
    }

    #[test]
    fn a_job_needs_its_token_name_type_account_and_buckets() {
        assert!(check(&request()).is_ok());
        for pointer in ["/clientToken", "/name", "/jobType", "/s3JobDefinition/bucketDefinitions/0/accountId"]
        {
            let mut request = request();
            *request.pointer_mut(pointer).expect("a member") = Value::Null;
            assert_eq!(check(&request).expect_err(pointer).code, "ValidationException");
        }
        let with_buckets = |buckets: Vec<String>| {
            let mut request = request();
            request["s3JobDefinition"]["bucketDefinitions"][0]["buckets"] = json!(buckets);
            check(&request)
        };
        assert!(with_buckets(vec![]).is_err());
        assert!(with_buckets((0..1000).map(|n| format!("b{n}")).collect()).is_ok());
        assert!(with_buckets((0..1001).map(|n| format!("b{n}")).collect()).is_err());
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (name, value) in [
            ("jobType", json!("SCHEDULED")),
            ("samplingPercentage", json!(10)),
            ("s3JobDefinition", json!({"scoping": {"excludes": {}}})),
        ] {
            let mut request = request();
            request[name] = value;
            assert_eq!(check(&request).expect_err(name).status, 501);
        }
    }

    #[test]
    fn identifiers_go_with_their_selector() {
        for (selector, managed, custom, fits) in [
            (json!("RECOMMENDED"), json!([]), json!(["c"]), true),
            (json!("INCLUDE"), json!(["CREDIT_CARD_NUMBER"]), json!([]), true),
            (json!("NONE"), json!([]), json!(["c"]), true),
            (json!("NONE"), json!([]), json!([]), false),
            (json!("EXCLUDE"), json!([]), json!([]), false),
            (json!("ALL"), json!(["CREDIT_CARD_NUMBER"]), json!([]), false),
            (json!("SOME"), json!([]), json!([]), false),
        ] {
            let mut request = request();
            request["managedDataIdentifierSelector"] = selector;
            request["managedDataIdentifierIds"] = managed;
            request["customDataIdentifierIds"] = custom;
            assert_eq!(check(&request).is_ok(), fits, "{request}");
        }
    }

    #[test]
    fn a_client_token_has_at_most_64_characters() {
        let mut request = request();
        request["clientToken"] = json!("t".repeat(64));
        assert!(check(&request).is_ok());
        request["clientToken"] = json!("t".repeat(65));
        assert_eq!(check(&request).expect_err("too long").code, "ValidationException");
    }
}
