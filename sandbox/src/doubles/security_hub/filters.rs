//! The filters of GetFindings.

use serde_json::Value;

use crate::doubles::{ApiError, text, values_at};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Date,
    Map,
}

/// Filters that the double has, each with the place in the finding that it looks at.
const FILTERS: [(&str, &str, Kind); 36] = [
    ("AwsAccountId", "AwsAccountId", Kind::Text),
    ("CompanyName", "CompanyName", Kind::Text),
    ("ComplianceStatus", "Compliance.Status", Kind::Text),
    ("Confidence", "Confidence", Kind::Number),
    ("CreatedAt", "CreatedAt", Kind::Date),
    ("Criticality", "Criticality", Kind::Number),
    ("Description", "Description", Kind::Text),
    ("FindingProviderFieldsSeverityLabel", "FindingProviderFields.Severity.Label", Kind::Text),
    ("FindingProviderFieldsSeverityOriginal", "FindingProviderFields.Severity.Original", Kind::Text),
    ("FindingProviderFieldsTypes", "FindingProviderFields.Types", Kind::Text),
    ("FirstObservedAt", "FirstObservedAt", Kind::Date),
    ("GeneratorId", "GeneratorId", Kind::Text),
    ("Id", "Id", Kind::Text),
    ("LastObservedAt", "LastObservedAt", Kind::Date),
    ("NoteText", "Note.Text", Kind::Text),
    ("NoteUpdatedBy", "Note.UpdatedBy", Kind::Text),
    ("ProductArn", "ProductArn", Kind::Text),
    ("ProductFields", "ProductFields", Kind::Map),
    ("ProductName", "ProductName", Kind::Text),
    ("RecordState", "RecordState", Kind::Text),
    ("Region", "Region", Kind::Text),
    ("RelatedFindingsId", "RelatedFindings.Id", Kind::Text),
    ("RelatedFindingsProductArn", "RelatedFindings.ProductArn", Kind::Text),
    ("ResourceId", "Resources.Id", Kind::Text),
    ("ResourceRegion", "Resources.Region", Kind::Text),
    ("ResourceType", "Resources.Type", Kind::Text),
    ("SeverityLabel", "Severity.Label", Kind::Text),
    ("SeverityNormalized", "Severity.Normalized", Kind::Number),
    ("SourceUrl", "SourceUrl", Kind::Text),
    ("Title", "Title", Kind::Text),
    ("Type", "Types", Kind::Text),
    ("UpdatedAt", "UpdatedAt", Kind::Date),
    ("UserDefinedFields", "UserDefinedFields", Kind::Map),
    ("VerificationState", "VerificationState", Kind::Text),
    ("WorkflowState", "WorkflowState", Kind::Text),
    ("WorkflowStatus", "Workflow.Status", Kind::Text),
];

/// The place in a finding that a filter or a sort field of this name looks at.
pub(super) fn place(name: &str) -> Option<&'static str> {
    FILTERS.iter().find(|(known, ..)| *known == name).map(|(_, place, _)| *place)
}

/// Refuses filters that the double lacks, so that they never quietly match everything.
pub(super) fn check(filters: &Value) -> Result<(), ApiError> {
    for (name, conditions) in filters.as_object().into_iter().flatten() {
        let Some((.., kind)) = FILTERS.iter().find(|(known, ..)| known == name) else {
            return Err(ApiError::lacking(&format!("the Security Hub filter {name}")));
        };
        let conditions = conditions.as_array().map_or(&[][..], Vec::as_slice);
        if conditions.len() > 20 {
            return Err(invalid(format!("{name} has more than 20 conditions")));
        }
        for condition in conditions {
            let right = match kind {
                Kind::Text => condition["Value"].is_string() && condition["Comparison"].is_string(),
                Kind::Map => condition["Key"].is_string() && condition["Comparison"].is_string(),
                Kind::Number => {
                    ["Eq", "Gte", "Lte", "Gt", "Lt"].iter().any(|name| condition[name].is_number())
                }
                Kind::Date => ["Start", "End", "DateRange"].iter().any(|name| !condition[name].is_null()),
            };
            if !right {
                return Err(invalid(format!("a condition of {name} has the wrong form")));
            }
        }
    }
    Ok(())
}

fn invalid(message: String) -> ApiError {
    ApiError::new(400, "InvalidInputException", message)
}

/// Whether a finding passes all filters. Within one filter, positive conditions are joined by OR and negative ones
/// by AND.
pub(super) fn matches(finding: &Value, filters: &Value) -> bool {
    filters.as_object().into_iter().flatten().all(|(name, conditions)| {
        let Some((_, place, kind)) = FILTERS.iter().find(|(known, ..)| known == name) else { return false };
        let conditions = conditions.as_array().map_or(&[][..], Vec::as_slice);
        let (negative, positive): (Vec<&Value>, Vec<&Value>) =
            conditions.iter().partition(|condition| text(&condition["Comparison"]).contains("NOT_"));
        let holds = |condition: &&Value| match kind {
            Kind::Map => {
                let values = condition["Key"].as_str().and_then(|key| finding[*place].get(key));
                holds_text(&values.into_iter().collect::<Vec<_>>(), condition)
            }
            Kind::Text => holds_text(&values_at(finding, place), condition),
            Kind::Number => values_at(finding, place).iter().any(|value| holds_number(value, condition)),
            Kind::Date => values_at(finding, place).iter().any(|value| holds_date(value, condition)),
        };
        (positive.is_empty() || positive.iter().any(holds)) && negative.iter().all(holds)
    })
}

fn holds_text(values: &[&Value], condition: &Value) -> bool {
    let wanted = text(&condition["Value"]);
    let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(&text(value)));
    match condition["Comparison"].as_str().unwrap_or("EQUALS") {
        "PREFIX" => any(&|value| value.starts_with(&wanted)),
        "CONTAINS" => any(&|value| value.contains(&wanted)),
        "CONTAINS_WORD" => {
            any(&|value| value.split(|c: char| !c.is_alphanumeric()).any(|word| word == wanted))
        }
        "NOT_EQUALS" => !any(&|value| value == wanted),
        "PREFIX_NOT_EQUALS" => !any(&|value| value.starts_with(&wanted)),
        "NOT_CONTAINS" => !any(&|value| value.contains(&wanted)),
        _ => any(&|value| value == wanted),
    }
}

fn holds_number(value: &Value, condition: &Value) -> bool {
    let Some(value) = value.as_f64() else { return false };
    let bound = |name: &str| condition[name].as_f64();
    bound("Eq").is_none_or(|wanted| value == wanted)
        && bound("Gte").is_none_or(|least| value >= least)
        && bound("Lte").is_none_or(|most| value <= most)
        && bound("Gt").is_none_or(|least| value > least)
        && bound("Lt").is_none_or(|most| value < most)
}

fn holds_date(value: &Value, condition: &Value) -> bool {
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let Some(at) = time(value) else { return false };
    let days = condition["DateRange"]["Value"].as_i64();
    let since = days.map(|days| jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days));
    time(&condition["Start"]).is_none_or(|start| at >= start)
        && time(&condition["End"]).is_none_or(|end| at <= end)
        && since.is_none_or(|since| at >= since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(filters: Value) -> bool {
        let finding = json!({
            "Id": "a/b", "Severity": {"Label": "HIGH", "Normalized": 70}, "RecordState": "ACTIVE",
            "UpdatedAt": "2026-03-11T10:00:00Z", "ProductFields": {"cordon/cycle": "c1"},
            "Resources": [{"Id": "arn:aws:s3:::one"}, {"Id": "arn:aws:s3:::two"}],
        });
        check(&filters).expect("valid filters");
        matches(&finding, &filters)
    }

    #[test]
    fn positive_conditions_are_alternatives_and_negative_ones_all_hold() {
        let of = |comparison: &str, value: &str| json!({"Comparison": comparison, "Value": value});
        assert!(holds(json!({"Id": [of("EQUALS", "x"), of("PREFIX", "a/")]})));
        assert!(holds(json!({"ResourceId": [of("EQUALS", "arn:aws:s3:::two")]})));
        assert!(!holds(json!({"ResourceId": [of("NOT_EQUALS", "arn:aws:s3:::two")]})));
        assert!(!holds(json!({"Id": [of("EQUALS", "a/b")], "RecordState": [of("NOT_EQUALS", "ACTIVE")]})));
        assert!(holds(json!({"RecordState": [of("NOT_EQUALS", "ARCHIVED"), of("NOT_EQUALS", "GONE")]})));
        assert!(holds(
            json!({"ProductFields": [{"Key": "cordon/cycle", "Value": "c1", "Comparison": "EQUALS"}]})
        ));
    }

    #[test]
    fn numbers_and_dates_have_bounds() {
        assert!(holds(json!({"SeverityNormalized": [{"Gte": 70, "Lt": 90}]})));
        assert!(!holds(json!({"SeverityNormalized": [{"Gt": 70}]})));
        assert!(holds(
            json!({"UpdatedAt": [{"Start": "2026-03-11T09:00:00Z", "End": "2026-03-11T10:00:00.000Z"}]})
        ));
        assert!(!holds(json!({"UpdatedAt": [{"Start": "2026-03-11T10:00:01Z"}]})));
    }

    #[test]
    fn a_filter_that_is_not_there_is_refused() {
        assert_eq!(
            check(&json!({"MalwareName": [{"Value": "x", "Comparison": "EQUALS"}]})).expect_err("x").status,
            501
        );
        assert_eq!(check(&json!({"Id": [{"Value": "x"}]})).expect_err("no comparison").status, 400);
    }
}
