//! What BatchImportFindings refuses.

use serde_json::Value;

use super::SEVERITY_LABELS;
use crate::doubles::{Home, values_at};

/// Largest finding, in bytes of JSON.
const MAX_FINDING_BYTES: usize = 240 * 1024;

/// Members that have to be there, with their largest length.
const REQUIRED: [(&str, usize); 9] = [
    ("SchemaVersion", 512),
    ("Id", 512),
    ("ProductArn", 512),
    ("GeneratorId", 512),
    ("AwsAccountId", 12),
    ("CreatedAt", 64),
    ("UpdatedAt", 64),
    ("Title", 256),
    ("Description", 1024),
];

/// Why a finding was not imported: the error code and the message of FailedFindings.
pub(in crate::doubles::security_hub) type Refusal = (&'static str, String);

/// Checks a finding as BatchImportFindings does.
pub(in crate::doubles::security_hub) fn check(home: &Home, finding: &Value) -> Result<(), Refusal> {
    invalid(|| {
        check_required(finding)?;
        check_strings(finding, "data")?;
        check_times(finding)?;
        check_sizes(finding)?;
        check_resources(finding)?;
        check_severity(finding)?;
        check_values(finding)
    })?;
    if finding.to_string().len() > MAX_FINDING_BYTES {
        return Err(("InvalidInput", format!("the finding is larger than {MAX_FINDING_BYTES} bytes")));
    }
    let product = finding["ProductArn"].as_str().unwrap_or_default();
    if product != home.arn("securityhub", &format!("product/{}/default", home.account)) {
        return Err(("InvalidAccess", format!("the account has no product {product} enabled")));
    }
    if finding["AwsAccountId"] != home.account {
        return Err(("InvalidInput", "AwsAccountId must be the account of the default product".to_owned()));
    }
    Ok(())
}

fn invalid(check: impl FnOnce() -> Result<(), String>) -> Result<(), Refusal> {
    check().map_err(|reason| {
        ("InvalidInput", format!("Finding does not adhere to Amazon Finding Format. {reason}"))
    })
}

fn check_required(finding: &Value) -> Result<(), String> {
    for (name, longest) in REQUIRED {
        match finding[name].as_str() {
            None if finding[name].is_null() => {
                return Err(format!("data should have required property '{name}'."));
            }
            None => return Err(format!("data.{name} should be string.")),
            Some(text) => check_length(&format!("data.{name}"), text, longest)?,
        }
    }
    if finding["SchemaVersion"] != "2018-10-08" {
        return Err("data.SchemaVersion should be '2018-10-08'.".to_owned());
    }
    for name in ["Severity", "Types"] {
        if finding[name].is_null() && finding["FindingProviderFields"][name].is_null() {
            return Err(format!("data should have required property '{name}'."));
        }
    }
    Ok(())
}

/// Every string has to have something other than blanks in it.
fn check_strings(value: &Value, at: &str) -> Result<(), String> {
    match value {
        Value::String(text) if text.trim().is_empty() => {
            Err(format!("{at} should match pattern \".*\\S.*\"."))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| check_strings(item, &format!("{at}[{index}]"))),
        Value::Object(members) => {
            members.iter().try_for_each(|(name, member)| check_strings(member, &format!("{at}.{name}")))
        }
        _ => Ok(()),
    }
}

fn check_times(finding: &Value) -> Result<(), String> {
    for name in ["CreatedAt", "UpdatedAt", "FirstObservedAt", "LastObservedAt"] {
        if let Some(text) = finding[name].as_str() {
            let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 9 || text.parse::<jiff::Timestamp>().is_err() {
                return Err(format!("data.{name} should match format \"date-time\"."));
            }
        }
    }
    Ok(())
}

fn check_length(at: &str, text: &str, longest: usize) -> Result<(), String> {
    match text.chars().count() {
        length if length > longest => Err(format!("{at} should NOT be longer than {longest} characters.")),
        _ => Ok(()),
    }
}

fn check_sizes(finding: &Value) -> Result<(), String> {
    for (pointer, longest) in [
        ("/Remediation/Recommendation/Text", 512),
        ("/Remediation/Recommendation/Url", 512),
        ("/Note/Text", 512),
        ("/Severity/Original", 64),
        ("/FindingProviderFields/Severity/Original", 64),
        ("/CompanyName", 128),
        ("/ProductName", 128),
        ("/SourceUrl", 2048),
    ] {
        if let Some(text) = finding.pointer(pointer).and_then(Value::as_str) {
            check_length(&format!("data{}", pointer.replace('/', ".")), text, longest)?;
        }
    }
    for (pointer, most) in [
        ("/Types", 50),
        ("/FindingProviderFields/Types", 50),
        ("/RelatedFindings", 10),
        ("/FindingProviderFields/RelatedFindings", 10),
    ] {
        if finding.pointer(pointer).and_then(Value::as_array).is_some_and(|items| items.len() > most) {
            return Err(format!("data{} should NOT have more than {most} items.", pointer.replace('/', ".")));
        }
    }
    for (name, longest) in [("ProductFields", 2048), ("UserDefinedFields", 1024)] {
        let Some(fields) = finding[name].as_object() else { continue };
        if fields.len() > 50 {
            return Err(format!("data.{name} should NOT have more than 50 properties."));
        }
        for (key, value) in fields {
            check_length(&format!("a key of data.{name}"), key, 128)?;
            let text = value.as_str().ok_or_else(|| format!("data.{name}.{key} should be string."))?;
            check_length(&format!("data.{name}.{key}"), text, longest)?;
        }
    }
    Ok(())
}

fn check_resources(finding: &Value) -> Result<(), String> {
    let Some(resources) = finding["Resources"].as_array() else {
        return Err("data should have required property 'Resources'.".to_owned());
    };
    if resources.is_empty() || resources.len() > 32 {
        return Err("data.Resources should have between 1 and 32 items.".to_owned());
    }
    for (index, resource) in resources.iter().enumerate() {
        for name in ["Type", "Id"] {
            let text = resource[name]
                .as_str()
                .ok_or_else(|| format!("data.Resources[{index}] should have required property '{name}'."))?;
            check_length(
                &format!("data.Resources[{index}].{name}"),
                text,
                if name == "Type" { 256 } else { 512 },
            )?;
        }
    }
    Ok(())
}

fn check_severity(finding: &Value) -> Result<(), String> {
    let provider = &finding["FindingProviderFields"]["Severity"];
    for (at, severity) in
        [("data.Severity", &finding["Severity"]), ("data.FindingProviderFields.Severity", provider)]
    {
        if severity.is_null() {
            continue;
        }
        match severity["Label"].as_str() {
            Some(label) if SEVERITY_LABELS.iter().all(|(known, _)| *known != label) => {
                return Err(format!("{at}.Label should be equal to one of the allowed values."));
            }
            None if severity["Normalized"].is_null() => {
                return Err(format!("{at} should have required property 'Label'."));
            }
            _ => {}
        }
    }
    if !provider["Normalized"].is_null() {
        return Err(
            "data.FindingProviderFields.Severity should NOT have the property 'Normalized'.".to_owned()
        );
    }
    Ok(())
}

fn check_values(finding: &Value) -> Result<(), String> {
    for (pointer, allowed) in [
        ("/RecordState", &["ACTIVE", "ARCHIVED"][..]),
        ("/Workflow/Status", &["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"][..]),
        ("/VerificationState", &["UNKNOWN", "TRUE_POSITIVE", "FALSE_POSITIVE", "BENIGN_POSITIVE"][..]),
    ] {
        if let Some(value) = finding.pointer(pointer).filter(|value| !value.is_null())
            && !value.as_str().is_some_and(|value| allowed.contains(&value))
        {
            let at = pointer.replace('/', ".");
            return Err(format!("data{at} should be equal to one of the allowed values."));
        }
    }
    for related in ["RelatedFindings", "FindingProviderFields.RelatedFindings"] {
        for finding in values_at(finding, related) {
            for name in ["ProductArn", "Id"] {
                if finding[name].is_null() {
                    return Err(format!("data.{related} should have required property '{name}'."));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{finding, home, with};
    use super::*;

    #[test]
    fn the_twelve_required_members_are_required() {
        assert_eq!(check(&home(), &finding()), Ok(()));
        for name in REQUIRED.map(|(name, _)| name).iter().chain(&["Severity", "Types", "Resources"]) {
            let mut finding = finding();
            finding.as_object_mut().expect("an object").remove(*name);
            let (code, message) = check(&home(), &finding).expect_err(name);
            assert_eq!(code, "InvalidInput");
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn sizes_blanks_times_and_values_are_checked() {
        for (pointer, value) in [
            ("/Title", json!("t".repeat(257))),
            ("/Description", json!("d".repeat(1025))),
            ("/Id", json!(" ")),
            ("/Resources/0/Details", json!({"AwsS3Object": {"VersionId": ""}})),
            ("/Resources", json!([])),
            ("/Resources", json!(vec![json!({"Type": "AwsS3Object", "Id": "x"}); 33])),
            ("/Resources/0/Type", Value::Null),
            ("/CreatedAt", json!("2026-03-11 at ten")),
            ("/UpdatedAt", json!("2026-03-11T10:00:00.1234567891Z")),
            ("/Severity/Label", json!("High")),
            ("/RecordState", json!("OPEN")),
            ("/SchemaVersion", json!("2020-01-01")),
            ("/ProductFields", json!({"n": 1})),
            ("/AwsAccountId", json!("444455556666")),
            ("/Types", json!(vec!["a/b"; 51])),
        ] {
            let (code, _) = check(&home(), &with(pointer, value)).expect_err(pointer);
            assert_eq!(code, "InvalidInput", "{pointer}");
        }
        let other = json!("arn:aws:securityhub:us-east-1::product/aws/macie");
        assert_eq!(check(&home(), &with("/ProductArn", other)).expect_err("refused").0, "InvalidAccess");
    }
}
