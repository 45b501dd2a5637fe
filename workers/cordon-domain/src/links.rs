//! Deep links into the AWS console.

use std::fmt::Write;

/// The Macie finding.
pub fn macie_finding(region: &str, finding_id: &str) -> String {
    format!(
        "https://{region}.console.aws.amazon.com/macie/home?region={region}#findings?search=id%3D{finding_id}&itemId={finding_id}"
    )
}

/// The object in S3.
pub fn object(region: &str, bucket: &str, key: &str) -> String {
    format!(
        "https://{region}.console.aws.amazon.com/s3/object/{}?region={region}&prefix={}",
        encoded(bucket),
        encoded(key)
    )
}

/// The bucket in S3.
pub fn bucket(region: &str, bucket: &str) -> String {
    format!("https://{region}.console.aws.amazon.com/s3/buckets/{}?region={region}", encoded(bucket))
}

/// The run.
pub fn execution(region: &str, execution_arn: &str) -> String {
    format!(
        "https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{}",
        encoded(execution_arn)
    )
}

/// Access Analyzer's findings on a bucket.
pub fn access_analyzer(region: &str) -> String {
    format!("https://{region}.console.aws.amazon.com/access-analyzer/home?region={region}#/findings")
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
