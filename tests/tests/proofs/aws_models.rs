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
        "PROOF aws_models operations={} requests={} integrations={} violations={}",
        report.operations.len(),
        report.requests,
        report.integrations,
        report.violations.len()
    );
    ensure!(
        report.operations.len() > 40 && report.requests > 5_000 && report.integrations > 100,
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
    let one = serde_json::json!({":a": {"S": "x"}});
    for (line, finds) in [
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
