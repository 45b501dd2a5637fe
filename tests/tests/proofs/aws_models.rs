//! Every recorded request of worker, gateway, command line and state machines, and every answer of our doubles, is as AWS's own service models say.

use std::{collections::BTreeMap, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::records;

/// Sessions of Cordon's roles, of its test installations and of the operator.
const ROLES: &str = ":assumed-role/([a-z0-9-]+-(worker|gateway|mover|restorer|investigator|purger|finding_response|access_finding_intake|exposure_cycle|object_restore)(-us-east-1)?|sandbox-(operator|administrator))/";

#[derive(Debug, Deserialize)]
struct Report {
    requests: usize,
    /// How many of them state machines have made.
    integrations: usize,
    /// How many were answered by our doubles.
    answers: usize,
    operations: BTreeMap<String, usize>,
    violations: BTreeMap<String, usize>,
}

async fn report(directory: &Path) -> Result<Report> {
    let python = cordon_sandbox::emulator_python().await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/aws_models.py");
    let output =
        Command::new(python).arg(script).arg(directory).arg(ROLES).stdin(Stdio::null()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("a report")
}

#[tokio::test]
async fn every_request_is_one_that_awss_models_allow() -> Result<()> {
    let report = report(&records()?).await?;
    println!(
        "PROOF aws_models operations={} requests={} integrations={} answers={} violations={}",
        report.operations.len(),
        report.requests,
        report.integrations,
        report.answers,
        report.violations.len()
    );
    ensure!(
        report.operations.len() > 40
            && report.requests > 5_000
            && report.integrations > 100
            && report.answers > 500,
        "too little was recorded: {:?}",
        report.operations
    );
    ensure!(report.violations.is_empty(), "{:#?}", report.violations);
    Ok(())
}

/// That the checker sees anything: requests with one thing wrong each.
#[tokio::test]
async fn what_a_model_does_not_allow_is_found() -> Result<()> {
    let put = |body: Value| line("dynamodb", "PutItem", "/", "DynamoDB_20120810.PutItem", &body);
    let update = |expression: &str, values: Value| {
        let body = serde_json::json!({"TableName": "cases", "Key": {"id": {"S": "a"}}, "UpdateExpression": expression,
            "ExpressionAttributeValues": values});
        line("dynamodb", "UpdateItem", "/", "DynamoDB_20120810.UpdateItem", &body)
    };
    let start = |name: &str| {
        let machine = "arn:aws:states:us-east-1:111122223333:stateMachine:cordon-object_restore";
        let body = serde_json::json!({"stateMachineArn": machine, "name": name});
        line("states", "StartExecution", "/", "AWSStepFunctions.StartExecution", &body)
    };
    let import = |code: &str| {
        let body = serde_json::json!({"Findings": [{"SchemaVersion": "a", "Id": "a", "ProductArn": "a", "GeneratorId": "a",
            "AwsAccountId": "111122223333", "CreatedAt": "a", "UpdatedAt": "a", "Title": "a", "Description": "a",
            "Resources": [{"Type": "AwsS3Bucket", "Id": "b"}]}]});
        let mut line = line("securityhub", "BatchImportFindings", "/findings/import", "", &body);
        line["answer"] = serde_json::json!({"SuccessCount": 0, "FailedCount": 1,
            "FailedFindings": [{"Id": "a", "ErrorCode": code, "ErrorMessage": "data.Title is too long"}]});
        line
    };
    let publish = |subject: &str| {
        let body = serde_json::json!({"TopicArn": "arn:aws:sns:us-east-1:111122223333:t", "Message": "m", "Subject": subject});
        line("sns", "Publish", "/", "Publish", &body)
    };
    let session = |name: &str, policy: &str| {
        let fields = [
            ("RoleArn", "arn:aws:iam::111122223333:role/mover"),
            ("RoleSessionName", name),
            ("Policy", policy),
        ];
        let mut line = line("sts", "AssumeRole", "/", "", &Value::Null);
        line["headers"] = serde_json::json!({});
        line["body"] =
            Value::from(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
        line
    };
    let s3 = |operation: &str, target: &str, headers: Value| {
        let mut line = line("s3", operation, target, "", &Value::Null);
        (line["headers"], line["body"]) = (headers, Value::from(""));
        line
    };
    let answered = |answer: Value| {
        let mut line = line("macie2", "DescribeBuckets", "/datasources/s3", "", &serde_json::json!({}));
        line["answer"] = answer;
        line
    };
    let no_one = serde_json::json!({});
    let one = serde_json::json!({":a": {"S": "x"}});
    for (line, finds) in [
        (publish("Cordon: a restore failed"), None),
        (publish("two\nlines"), Some("is no subject")),
        (publish(&"a".repeat(101)), Some("is no subject")),
        (session("name", "{}"), None),
        (session("name", &"a".repeat(2_049)), Some("has 2049 characters")),
        (s3("GetObject", "/bucket/key?versionId=a", no_one.clone()), None),
        (s3("GetObject", "/bucket/key?version=a", no_one.clone()), Some("has the unknown parameter version")),
        (s3("GetObject", "/bucket", no_one.clone()), Some("lacks Key")),
        (
            s3("PutObject", "/bucket/key", serde_json::json!({"x-amz-meta-a": "a".repeat(2_100)})),
            Some("bytes of user metadata"),
        ),
        (
            s3("PutObject", "/bucket/key", serde_json::json!({"x-amz-tagging": "a".repeat(8_200)})),
            Some("are 82"),
        ),
        (session("a name", "{}"), Some("does not match")),
        (answered(serde_json::json!({"buckets": []})), None),
        (answered(serde_json::json!({"bucket": []})), Some("answer DescribeBuckets: has the unknown member")),
        (put(serde_json::json!({"TableName": "cases", "Item": {"id": {"S": "a"}}})), None),
        (put(serde_json::json!({"TableName": "cases"})), Some("lacks Item")),
        (
            put(serde_json::json!({"TableName": "cases", "Item": {}, "Another": {}})),
            Some("unknown member Another"),
        ),
        (
            put(serde_json::json!({"TableName": "cases", "Item": {}, "ReturnValues": "SOME"})),
            Some("is none of"),
        ),
        (put(serde_json::json!({"TableName": "cases", "Item": {"id": {"S": 7}}})), Some("is no text")),
        (update("SET state = :a", one.clone()), Some("the reserved word state")),
        (update("SET mine = :b", one.clone()), Some("does not use :a")),
        (update("SET mine = :a", one), None),
        (import("InternalException"), None),
        (import("InvalidInput"), Some("was refused: data.Title")),
        (start("case-1"), None),
        (start("case 1"), Some("which CloudWatch does not take")),
        (
            line(
                "kms",
                "GenerateMac",
                "/",
                "TrentService.GenerateMac",
                &serde_json::json!({"KeyId": "k", "Message": "no base64!",
                "MacAlgorithm": "HMAC_SHA_256"}),
            ),
            Some("is not base64"),
        ),
    ] {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("requests-1.jsonl"), format!("{line}\n"))?;
        let found = report(directory.path()).await?;
        let all = format!("{:?}", found.violations);
        assert_eq!(found.requests, 1);
        match finds {
            None => assert!(found.violations.is_empty(), "{line}: {all}"),
            Some(finds) => assert!(all.contains(finds), "{line}: {all}"),
        }
    }
    Ok(())
}

fn line(service: &str, operation: &str, target: &str, action: &str, body: &Value) -> Value {
    serde_json::json!({"service": service, "operation": operation, "method": "POST", "target": target, "status": 200,
        "headers": {"x-amz-target": action}, "body": body.to_string(), "answer": null,
        "principal": "arn:aws:sts::111122223333:assumed-role/cordon-worker-us-east-1/s"})
}
