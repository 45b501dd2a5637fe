//! Names the API operation of a request, for the record of calls and for faults.

use axum::http::request::Parts;

use super::encoding::{decode, query_pairs};

/// What of a request's body is needed to name its operation.
pub(super) enum Named {
    /// The operation.
    As(String),
    /// A form: the operation is its `Action`.
    InForm,
}

/// Names the operation of a request to an emulated service.
pub(super) fn name(service: &str, parts: &Parts) -> Named {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    if service == "s3" {
        return Named::As(s3(parts, path, query).to_owned());
    }
    if let Some(target) = header(parts, "x-amz-target") {
        return Named::As(target.rsplit('.').next().unwrap_or(target).to_owned());
    }
    // Smithy RPC v2: /service/<shape>/operation/<name>
    if let Some((_, operation)) =
        path.strip_prefix("/service/").and_then(|rest| rest.split_once("/operation/"))
    {
        return Named::As(operation.to_owned());
    }
    if let Some(action) = action(query) {
        return Named::As(action);
    }
    if header(parts, "content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
    {
        return Named::InForm;
    }
    let known = (service == "scheduler").then(|| scheduler(parts.method.as_str(), path)).flatten();
    Named::As(known.map_or_else(|| format!("{} {path}", parts.method), str::to_owned))
}

/// The `Action` of a query or form.
pub(super) fn action(form: &str) -> Option<String> {
    query_pairs(form).find(|(name, _)| *name == "Action").map(|(_, value)| decode(value))
}

/// How many characters the session policy of a form has that asks STS for a role.
pub(super) fn session_policy(form: &str) -> Option<usize> {
    let policy = query_pairs(form).find(|(name, _)| *name == "Policy");
    policy.map(|(_, value)| decode(value).chars().count())
}

/// The bucket of a path-style S3 request, decoded.
pub(super) fn bucket(path: &str) -> String {
    decode(path.strip_prefix('/').unwrap_or(path).split('/').next().unwrap_or_default())
}

/// Whether an S3 operation, when it succeeds, changes who can reach its bucket.
pub(super) fn changes_access(operation: &str) -> bool {
    matches!(
        operation,
        "PutBucketPolicy"
            | "DeleteBucketPolicy"
            | "PutBucketAcl"
            | "PutBucketOwnershipControls"
            | "DeleteBucketOwnershipControls"
            | "PutPublicAccessBlock"
            | "DeletePublicAccessBlock"
            | "CreateBucket"
            | "DeleteBucket"
    )
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name).and_then(|value| value.to_str().ok())
}

fn scheduler(method: &str, path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    Some(match (method, segments.as_slice()) {
        ("GET", ["schedules"]) => "ListSchedules",
        ("POST", ["schedules", _]) => "CreateSchedule",
        ("GET", ["schedules", _]) => "GetSchedule",
        ("PUT", ["schedules", _]) => "UpdateSchedule",
        ("DELETE", ["schedules", _]) => "DeleteSchedule",
        _ => return None,
    })
}

/// Sub-resources of a bucket: query parameter, then the operations for GET, PUT and DELETE.
const BUCKET: [(&str, &str, &str, &str); 18] = [
    ("policy", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"),
    ("policyStatus", "GetBucketPolicyStatus", "", ""),
    ("acl", "GetBucketAcl", "PutBucketAcl", ""),
    ("publicAccessBlock", "GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"),
    (
        "ownershipControls",
        "GetBucketOwnershipControls",
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
    ),
    ("tagging", "GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"),
    ("versioning", "GetBucketVersioning", "PutBucketVersioning", ""),
    ("encryption", "GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"),
    (
        "lifecycle",
        "GetBucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "DeleteBucketLifecycle",
    ),
    ("object-lock", "GetObjectLockConfiguration", "PutObjectLockConfiguration", ""),
    ("location", "GetBucketLocation", "", ""),
    ("logging", "GetBucketLogging", "PutBucketLogging", ""),
    ("notification", "GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", ""),
    ("replication", "GetBucketReplication", "PutBucketReplication", "DeleteBucketReplication"),
    ("cors", "GetBucketCors", "PutBucketCors", "DeleteBucketCors"),
    ("website", "GetBucketWebsite", "PutBucketWebsite", "DeleteBucketWebsite"),
    ("requestPayment", "GetBucketRequestPayment", "PutBucketRequestPayment", ""),
    ("accelerate", "GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", ""),
];

/// Sub-resources of an object, likewise.
const OBJECT: [(&str, &str, &str, &str); 5] = [
    ("tagging", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging"),
    ("acl", "GetObjectAcl", "PutObjectAcl", ""),
    ("legal-hold", "GetObjectLegalHold", "PutObjectLegalHold", ""),
    ("retention", "GetObjectRetention", "PutObjectRetention", ""),
    ("attributes", "GetObjectAttributes", "", ""),
];

fn s3(parts: &Parts, path: &str, query: &str) -> &'static str {
    let method = parts.method.as_str();
    let has = |wanted: &str| query_pairs(query).any(|(name, _)| name == wanted);
    let sub_resource = |table: &[(&str, &'static str, &'static str, &'static str)]| {
        let row = table.iter().find(|row| has(row.0))?;
        let name = match method {
            "GET" => row.1,
            "PUT" => row.2,
            "DELETE" => row.3,
            _ => "",
        };
        (!name.is_empty()).then_some(name)
    };
    let copies = parts.headers.contains_key("x-amz-copy-source");

    let (bucket, key) = path.strip_prefix('/').unwrap_or(path).split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() || bucket == "/" {
        return if method == "GET" { "ListBuckets" } else { "Unknown" };
    }
    if key.is_empty() {
        return sub_resource(&BUCKET).unwrap_or_else(|| match method {
            "GET" if has("versions") => "ListObjectVersions",
            "GET" if has("uploads") => "ListMultipartUploads",
            "GET" if has("list-type") => "ListObjectsV2",
            "GET" => "ListObjects",
            "HEAD" => "HeadBucket",
            "PUT" => "CreateBucket",
            "DELETE" => "DeleteBucket",
            "POST" if has("delete") => "DeleteObjects",
            "POST" => "PostObject",
            _ => "Unknown",
        });
    }
    sub_resource(&OBJECT).unwrap_or_else(|| match method {
        "GET" if has("annotationName") => "GetObjectAnnotation",
        "GET" if has("annotation") => "ListObjectAnnotations",
        "PUT" if has("annotation") => "PutObjectAnnotation",
        "DELETE" if has("annotation") => "DeleteObjectAnnotation",
        "GET" if has("uploadId") => "ListParts",
        "GET" => "GetObject",
        "HEAD" => "HeadObject",
        "PUT" if has("uploadId") && copies => "UploadPartCopy",
        "PUT" if has("uploadId") => "UploadPart",
        "PUT" if copies => "CopyObject",
        "PUT" => "PutObject",
        "DELETE" if has("uploadId") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        "POST" if has("uploads") => "CreateMultipartUpload",
        "POST" if has("uploadId") => "CompleteMultipartUpload",
        "POST" if has("restore") => "RestoreObject",
        _ => "Unknown",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn named(service: &str, method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match name(service, &request.body(()).expect("a request").into_parts().0) {
            Named::As(name) => name,
            Named::InForm => "in form".into(),
        }
    }

    #[test]
    fn s3_operations_are_named_by_method_place_and_sub_resource() {
        let s3 = |method, uri| named("s3", method, uri, &[]);
        assert_eq!(s3("GET", "/"), "ListBuckets");
        assert_eq!(s3("PUT", "/b"), "CreateBucket");
        assert_eq!(s3("PUT", "/b/"), "CreateBucket");
        assert_eq!(s3("GET", "/b?policy"), "GetBucketPolicy");
        assert_eq!(s3("PUT", "/b?publicAccessBlock="), "PutPublicAccessBlock");
        assert_eq!(s3("GET", "/b?list-type=2&prefix=policy"), "ListObjectsV2");
        assert_eq!(s3("GET", "/b/k?x-id=GetObject"), "GetObject");
        assert_eq!(s3("GET", "/b//k/"), "GetObject");
        assert_eq!(s3("GET", "/b/k?attributes"), "GetObjectAttributes");
        assert_eq!(s3("POST", "/b?delete"), "DeleteObjects");
        assert_eq!(s3("DELETE", "/b/k?versionId=1"), "DeleteObject");
        assert_eq!(s3("POST", "/b/k?uploads"), "CreateMultipartUpload");
        let copy = &[("x-amz-copy-source", "a/k")];
        assert_eq!(named("s3", "PUT", "/b/k", copy), "CopyObject");
        assert_eq!(named("s3", "PUT", "/b/k?partNumber=1&uploadId=x", copy), "UploadPartCopy");
    }

    #[test]
    fn other_protocols_carry_the_name_in_header_query_form_or_path() {
        let target = &[("x-amz-target", "AWSStepFunctions.GetActivityTask")];
        assert_eq!(named("states", "POST", "/", target), "GetActivityTask");
        assert_eq!(named("sts", "GET", "/?Action=GetCallerIdentity&Version=1", &[]), "GetCallerIdentity");
        let form = &[("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        assert_eq!(named("iam", "POST", "/", form), "in form");
        assert_eq!(action("Version=1&Action=GetRole").as_deref(), Some("GetRole"));
        assert_eq!(named("monitoring", "POST", "/service/G/operation/PutMetricAlarm", &[]), "PutMetricAlarm");
        assert_eq!(named("scheduler", "PUT", "/schedules/cycle", &[]), "UpdateSchedule");
        assert_eq!(named("lambda", "GET", "/2015-03-31/functions", &[]), "GET /2015-03-31/functions");
    }

    #[test]
    fn the_bucket_is_the_first_segment() {
        assert_eq!(bucket("/b"), "b");
        assert_eq!(bucket("/b/k/x"), "b");
    }
}
