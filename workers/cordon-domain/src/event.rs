//! Events as EventBridge brings them: from which service they are, and whether it is the one that is asked for.

use serde_json::Value;

use super::quoted::quoted;

/// Services whose events people take for others, by their source.
const SERVICES: [(&str, &str); 11] = [
    ("aws.access-analyzer", "IAM Access Analyzer"),
    ("aws.cloudtrail", "CloudTrail"),
    ("aws.config", "AWS Config"),
    ("aws.guardduty", "GuardDuty"),
    ("aws.health", "AWS Health"),
    ("aws.inspector2", "Inspector"),
    ("aws.macie", "Macie"),
    ("aws.s3", "Amazon S3"),
    ("aws.securityhub", "Security Hub"),
    ("aws.states", "Step Functions"),
    ("cordon", "Cordon"),
];

/// Why this is not an event of this source and kind, if so.
pub(super) fn other_than(event: &Value, source: &str, detail_type: &str) -> Option<String> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let name = |of: &str| SERVICES.iter().find(|(source, _)| *source == of).map(|(_, name)| *name);
    match text("source") {
        Some(is) if is == source => {}
        Some(is) => {
            let of = match (name(is), name(source)) {
                (Some(is), Some(expected)) => format!("it is an event of {is}, not of {expected}: "),
                _ => String::new(),
            };
            return Some(format!("{of}its source is {}, not {}", quoted(is), quoted(source)));
        }
        None => return Some(lacks(event, "source")),
    }
    match text("detail-type") {
        Some(is) if is == detail_type => None,
        Some(is) => Some(format!("its detail-type is {}, not {}", quoted(is), quoted(detail_type))),
        None => Some(lacks(event, "detail-type")),
    }
}

fn lacks(event: &Value, field: &str) -> String {
    if event.get(field).is_some() { format!("its {field} is not text") } else { format!("it has no {field}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_another_service_is_named() {
        let macie = |event: Value| other_than(&event, "aws.macie", "Macie Finding");
        assert_eq!(macie(json!({"source": "aws.macie", "detail-type": "Macie Finding"})), None);
        for (event, says) in [
            (
                json!({"source": "aws.guardduty", "detail-type": "GuardDuty Finding"}),
                r#"it is an event of GuardDuty, not of Macie: its source is "aws.guardduty", not "aws.macie""#,
            ),
            (
                json!({"source": "aws.macie2", "detail-type": "Macie Finding"}),
                r#"its source is "aws.macie2", not "aws.macie""#,
            ),
            (
                json!({"source": "aws.macie", "detail-type": "AWS API Call via CloudTrail"}),
                r#"its detail-type is "AWS API Call via CloudTrail", not "Macie Finding""#,
            ),
            (json!({"source": "aws.macie"}), "it has no detail-type"),
            (json!({"source": 7}), "its source is not text"),
            (json!([]), "it has no source"),
        ] {
            assert_eq!(macie(event).as_deref(), Some(says));
        }
    }
}
