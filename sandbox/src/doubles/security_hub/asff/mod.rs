//! The AWS Security Finding Format: what BatchImportFindings refuses, and what a later import may change.

mod validation;

pub(super) use validation::{Refusal, check};

use serde_json::{Map, Value, json};

use crate::doubles::Home;

/// Owned by the customer: an import sets them when it creates a finding and never again.
const CUSTOMER_OWNED: [&str; 4] = ["Note", "UserDefinedFields", "VerificationState", "Workflow"];

/// Owned by the importer until a customer has changed them with BatchUpdateFindings.
pub(super) const SHARED: [&str; 5] = ["Confidence", "Criticality", "RelatedFindings", "Severity", "Types"];

const SEVERITY_LABELS: [(&str, u64); 5] =
    [("INFORMATIONAL", 0), ("LOW", 1), ("MEDIUM", 40), ("HIGH", 70), ("CRITICAL", 90)];

/// A finding as it is kept after it was imported for the first time.
pub(super) fn create(home: &Home, mut finding: Value) -> Value {
    finding["Workflow"] = present(&finding["Workflow"]).unwrap_or_else(|| json!({"Status": "NEW"}));
    finding["WorkflowState"] = present(&finding["WorkflowState"]).unwrap_or_else(|| json!("NEW"));
    finish(home, &mut finding, &Map::new());
    finding
}

/// A kept finding after a later import of the same id, or `None` if that import is not newer and is ignored.
pub(super) fn update(home: &Home, known: &Value, touched: &[String], import: &Value) -> Option<Value> {
    let time =
        |finding: &Value| finding["UpdatedAt"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    if time(import) <= time(known) {
        return None;
    }
    let mut finding = import.clone();
    let mut kept = Map::new();
    for name in CUSTOMER_OWNED.iter().chain(&["WorkflowState"]) {
        kept.insert((*name).to_owned(), known[*name].clone());
    }
    for name in SHARED.iter().filter(|name| touched.iter().any(|touched| touched == *name)) {
        kept.insert((*name).to_owned(), known[*name].clone());
    }
    // A finding that comes back after it was archived is new work, unless it was suppressed.
    let returns = known["RecordState"] == "ARCHIVED" && import["RecordState"] != "ARCHIVED";
    if returns && kept["Workflow"]["Status"] != "SUPPRESSED" {
        kept["Workflow"] = json!({"Status": "NEW"});
    }
    finish(home, &mut finding, &kept);
    Some(finding)
}

/// Fills in what Security Hub fills in, and puts back what an import may not change.
fn finish(home: &Home, finding: &mut Value, kept: &Map<String, Value>) {
    for name in SHARED {
        let provider = present(&finding["FindingProviderFields"][name]);
        match (provider, present(&finding[name])) {
            (Some(value), None) => finding[name] = value,
            (None, Some(value)) if name != "Severity" => finding["FindingProviderFields"][name] = value,
            (None, Some(severity)) => {
                let mut provided = json!({"Label": label_of(&severity)});
                if let Some(original) = present(&severity["Original"]) {
                    provided["Original"] = original;
                }
                finding["FindingProviderFields"][name] = provided;
            }
            _ => {}
        }
    }
    let label = label_of(&finding["Severity"]);
    finding["Severity"]["Label"] = json!(label);
    if finding["Severity"]["Normalized"].is_null() {
        finding["Severity"]["Normalized"] = json!(normalized(label));
    }
    for (name, value) in [
        ("RecordState", json!("ACTIVE")),
        ("Region", json!(home.region)),
        ("CompanyName", json!("Personal")),
        ("ProductName", json!("Default")),
    ] {
        finding[name] = present(&finding[name]).unwrap_or(value);
    }
    let id = format!("{}/{}", text(&finding["ProductArn"]), text(&finding["Id"]));
    finding["ProductFields"]["aws/securityhub/FindingId"] = json!(id);
    finding["ProductFields"]["aws/securityhub/ProductName"] = finding["ProductName"].clone();
    finding["ProductFields"]["aws/securityhub/CompanyName"] = finding["CompanyName"].clone();
    for (name, value) in kept {
        match value {
            Value::Null => drop(finding.as_object_mut().and_then(|members| members.remove(name))),
            value => finding[name.as_str()] = value.clone(),
        }
    }
    finding["ProcessedAt"] = json!(crate::doubles::now());
}

fn present(value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| value.clone())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn label_of(severity: &Value) -> &'static str {
    let by_label = SEVERITY_LABELS.iter().find(|(label, _)| severity["Label"] == *label);
    let normalized = severity["Normalized"].as_u64().unwrap_or(0);
    let by_number = || SEVERITY_LABELS.iter().rev().find(|(_, least)| normalized >= *least);
    by_label.or_else(by_number).map_or("INFORMATIONAL", |(label, _)| label)
}

/// The number that stands for a label.
pub(super) fn normalized(label: &str) -> u64 {
    SEVERITY_LABELS.iter().find(|(known, _)| *known == label).map_or(0, |(_, normalized)| *normalized)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn home() -> Home {
        Home { account: "111122223333".into(), region: "us-east-1".into() }
    }

    pub(super) fn finding() -> Value {
        json!({
            "SchemaVersion": "2018-10-08",
            "Id": "us-east-1/111122223333/exposed-sensitive-bucket/amzn-s3-demo-bucket1",
            "ProductArn": "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default",
            "GeneratorId": "exposed-sensitive-bucket",
            "AwsAccountId": "111122223333",
            "Types": ["Effects/Data Exposure"],
            "CreatedAt": "2026-03-11T10:00:00.000Z",
            "UpdatedAt": "2026-03-11T10:00:00.000Z",
            "Severity": {"Label": "HIGH"},
            "Title": "Externally accessible S3 bucket holds sensitive data",
            "Description": "It does.",
            "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::amzn-s3-demo-bucket1"}],
        })
    }

    pub(super) fn with(pointer: &str, value: Value) -> Value {
        let mut finding = finding();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        finding.pointer_mut(parent).expect("a parent")[name] = value;
        finding
    }

    #[test]
    fn an_import_that_is_not_newer_is_ignored() {
        let known = create(&home(), finding());
        assert!(update(&home(), &known, &[], &finding()).is_none());
        let newer = with("/UpdatedAt", json!("2026-03-11T10:00:00.001Z"));
        assert!(update(&home(), &known, &[], &newer).is_some());
    }

    #[test]
    fn an_import_leaves_to_the_customer_what_is_the_customers() {
        let mut known = create(&home(), finding());
        known["Workflow"] = json!({"Status": "NOTIFIED"});
        known["Severity"] = json!({"Label": "LOW", "Normalized": 1});
        let mut import = with("/UpdatedAt", json!("2026-03-12T10:00:00Z"));
        import["Workflow"] = json!({"Status": "RESOLVED"});
        import["Note"] = json!({"Text": "t", "UpdatedBy": "u", "UpdatedAt": "2026-03-12T10:00:00Z"});
        let updated = update(&home(), &known, &["Severity".to_owned()], &import).expect("newer");
        assert_eq!(updated["Workflow"]["Status"], "NOTIFIED");
        assert_eq!(updated["Severity"]["Label"], "LOW");
        assert!(updated["Note"].is_null());
        assert_eq!(updated["FindingProviderFields"]["Severity"]["Label"], "HIGH");
        let untouched = update(&home(), &known, &[], &import).expect("newer");
        assert_eq!(untouched["Severity"]["Label"], "HIGH");
    }

    #[test]
    fn a_finding_that_returns_from_the_archive_is_new_again() {
        let mut known = create(&home(), with("/RecordState", json!("ARCHIVED")));
        known["Workflow"] = json!({"Status": "RESOLVED"});
        let import = with("/UpdatedAt", json!("2026-03-12T10:00:00Z"));
        let updated = update(&home(), &known, &[], &import).expect("newer");
        assert_eq!(
            (&updated["RecordState"], &updated["Workflow"]["Status"]),
            (&json!("ACTIVE"), &json!("NEW"))
        );
    }

    #[test]
    fn defaults_are_filled_in() {
        let finding = create(&home(), finding());
        assert_eq!(finding["Severity"], json!({"Label": "HIGH", "Normalized": 70}));
        assert_eq!(finding["Workflow"], json!({"Status": "NEW"}));
        assert_eq!((&finding["RecordState"], &finding["Region"]), (&json!("ACTIVE"), &json!("us-east-1")));
        assert_eq!(
            (&finding["CompanyName"], &finding["ProductName"]),
            (&json!("Personal"), &json!("Default"))
        );
        assert_eq!(finding["FindingProviderFields"]["Types"], json!(["Effects/Data Exposure"]));
    }
}
