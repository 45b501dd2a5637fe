//! What a Choice compares with is what an activity answers with.

use std::collections::{BTreeMap, BTreeSet};

use cordon_domain::{
    case::Decision,
    exposure::BatchKind,
    routes::{MoveResult, RoundRoute, TriageRoute},
};
use serde::Serialize;
use serde_json::Value;

use super::{machines, states};

/// Every text that a Choice of any machine compares each variable with.
fn compared() -> BTreeMap<String, BTreeSet<String>> {
    let mut compared: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for machine in machines().values() {
        for (name, state) in states(machine) {
            for choice in state["Choices"].as_array().into_iter().flatten() {
                for (operator, value) in choice.as_object().expect("a rule").iter() {
                    let is_text = operator.starts_with("String");
                    assert!(!is_text || operator == "StringEquals", "{name} compares by {operator}");
                    if is_text {
                        let variable = choice["Variable"].as_str().expect("a variable").to_owned();
                        compared
                            .entry(variable)
                            .or_default()
                            .insert(value.as_str().expect("a text").to_owned());
                    }
                }
            }
        }
    }
    compared
}

fn written(variants: &[impl Serialize]) -> BTreeSet<String> {
    let text = |variant| match serde_json::to_value(variant) {
        Ok(Value::String(text)) => text,
        other => panic!("no text: {other:?}"),
    };
    variants.iter().map(text).collect()
}

#[test]
fn every_choice_names_exactly_the_variants_of_its_enum() {
    let expected = BTreeMap::from([
        ("$.triage.disposition", written(TriageRoute::ALL)),
        ("$.case.Item.decided.M.what.S", written(Decision::ALL)),
        ("$.round.next", written(RoundRoute::ALL)),
        ("$.move.result", written(MoveResult::ALL)),
        ("$.batch.kind", written(BatchKind::ALL)),
    ]);
    let expected = expected.into_iter().map(|(variable, variants)| (variable.to_owned(), variants));
    assert_eq!(compared(), expected.collect());
}

/// A value that nobody has thought of is never taken for one that lets an object be.
#[test]
fn what_no_branch_names_is_asked_or_reported_as_a_failure() {
    for (choice, otherwise) in [
        ("RouteDisposition", "PostApproval"),
        ("RouteDecision", "ReportOutcome"),
        ("RouteRound", "ReportOutcome"),
        ("RouteExpiry", "ReportOutcome"),
        ("RouteMove", "ReportOutcome"),
    ] {
        assert_eq!(machines()["finding_response"]["States"][choice]["Default"], otherwise, "{choice}");
    }
}
