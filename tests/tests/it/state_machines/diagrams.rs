//! `statemachines/DIAGRAMS.md`, which is made from the state machines: `INSTA_UPDATE=always` writes it anew.

use std::{env, fmt::Write, fs, path::Path};

use serde_json::Value;

const HEAD: &str = "# Diagrams\n\nMade from the state machines, and held to them by a test \
    (`state_machines::diagrams`).\nA way that is marked with an error is a Catch. [README.md](README.md) says what each state \
    is for.\n";

/// A definition with its placeholders, which are no JSON, as nulls and texts.
fn parsed(template: &str) -> Value {
    let mut text = String::new();
    let mut rest = template;
    let mut quoted = false;
    while let Some(at) = rest.find("${") {
        let (before, after) = rest.split_at(at);
        quoted ^= before.matches('"').count() % 2 == 1;
        let end = after.find('}').expect("a placeholder ends");
        text.push_str(before);
        text.push_str(if quoted { "x" } else { "null" });
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    serde_json::from_str(&text).expect("a state machine is JSON")
}

/// What a rule of a Choice asks, in few words: the value where it compares, the member where it asks whether there is one.
fn asked(rule: &Value) -> String {
    let member = |rule: &Value| {
        let path = rule["Variable"].as_str().unwrap_or_default();
        path.rsplit('.').next().unwrap_or_default().to_owned()
    };
    let joined = |rules: &Value, word: &str| {
        rules.as_array().into_iter().flatten().map(asked).collect::<Vec<_>>().join(word)
    };
    let members = rule.as_object().expect("a rule");
    for (operator, value) in members {
        match (operator.as_str(), value) {
            ("And", rules) => return joined(rules, " and "),
            ("Or", rules) => return joined(rules, " or "),
            ("Not", inner) => return format!("not {}", asked(inner)),
            ("IsPresent" | "IsNull", Value::Bool(is)) => {
                let there = *is == (operator == "IsPresent");
                return format!("{}{}", if there { "" } else { "no " }, member(rule));
            }
            ("StringEquals", Value::String(text)) => return text.clone(),
            ("BooleanEquals", value) => return format!("{} is {value}", member(rule)),
            (operator, value) if operator.starts_with("Numeric") => {
                return format!(
                    "{} {} {value}",
                    member(rule),
                    operator.trim_start_matches("Numeric").to_lowercase()
                );
            }
            _ => {}
        }
    }
    member(rule)
}

/// Where a state leads, and why, in the order in which it is written.
fn ways(state: &Value) -> Vec<(String, String)> {
    let mut ways: Vec<(String, String)> = Vec::new();
    let mut add = |target: &Value, label: String| {
        let way = (target.as_str().expect("a state").to_owned(), label);
        if !ways.contains(&way) {
            ways.push(way);
        }
    };
    for rule in state["Choices"].as_array().into_iter().flatten() {
        add(&rule["Next"], asked(rule));
    }
    if !state["Default"].is_null() {
        add(&state["Default"], "otherwise".into());
    }
    if !state["Next"].is_null() {
        add(&state["Next"], String::new());
    }
    for caught in state["Catch"].as_array().into_iter().flatten() {
        let names: Vec<_> =
            caught["ErrorEquals"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let label = match names.as_slice() {
            ["States.ALL"] => "any other error".into(),
            [one] => (*one).into(),
            [..] => "an error".into(),
        };
        add(&caught["Next"], label);
    }
    ways
}

/// The states from the first on, each where it is met first.
fn in_order(machine: &Value) -> Vec<String> {
    let mut order = vec![machine["StartAt"].as_str().expect("a beginning").to_owned()];
    let mut at = 0;
    while let Some(name) = order.get(at) {
        for (target, _) in ways(&machine["States"][name]) {
            if !order.contains(&target) {
                order.push(target);
            }
        }
        at += 1;
    }
    order
}

fn draw(machine: &Value, indent: usize, out: &mut String) {
    let pad = "    ".repeat(indent);
    let order = in_order(machine);
    writeln!(out, "{pad}[*] --> {}", order[0]).unwrap();
    assert_eq!(
        order.len(),
        machine["States"].as_object().expect("states").len(),
        "a state is reached by none"
    );
    for name in order {
        let state = &machine["States"][&name];
        for (target, label) in ways(state) {
            let label = if label.is_empty() { String::new() } else { format!(": {label}") };
            writeln!(out, "{pad}{name} --> {target}{label}").unwrap();
        }
        let inner =
            if state["ItemProcessor"].is_null() { &state["Iterator"] } else { &state["ItemProcessor"] };
        if !inner.is_null() {
            writeln!(out, "{pad}state {name} {{").unwrap();
            draw(inner, indent + 1, out);
            writeln!(out, "{pad}}}").unwrap();
        }
        if state["End"] == true || state["Type"] == "Succeed" || state["Type"] == "Fail" {
            writeln!(out, "{pad}{name} --> [*]").unwrap();
        }
    }
}

#[test]
fn the_diagrams_are_those_of_the_state_machines() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../statemachines");
    let mut text = HEAD.to_owned();
    for stem in ["finding_response", "object_restore", "access_finding_intake", "exposure_cycle"] {
        let machine = parsed(&fs::read_to_string(directory.join(format!("{stem}.asl.json"))).unwrap());
        write!(text, "\n## {stem}\n\n```mermaid\nstateDiagram-v2\n").unwrap();
        draw(&machine, 1, &mut text);
        text.push_str("```\n");
    }
    let file = directory.join("DIAGRAMS.md");
    if env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == text,
        "DIAGRAMS.md is not of these state machines: run this test with INSTA_UPDATE=always"
    );
}

#[test]
fn every_state_is_in_its_diagram_and_a_placeholder_is_no_obstacle() {
    let machine = parsed(
        r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${a_arn}", "Retry": ${retry},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "Next": "B"},
        "B": {"Type": "Choice", "Choices": [{"Variable": "$.x.y", "StringEquals": "yes", "Next": "C"}], "Default": "A"},
        "C": {"Type": "Succeed"}}}"#,
    );
    let mut drawn = String::new();
    draw(&machine, 0, &mut drawn);
    assert_eq!(
        drawn,
        "[*] --> A\nA --> B\nA --> C: any other error\nB --> C: yes\nB --> A: otherwise\nC --> [*]\n"
    );
}
