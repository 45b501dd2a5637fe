//! What ASL validators check, what they miss, and the rules of the house.

use serde_json::{Value, json};

use super::{activity_of, machines, names, states};

const STATES_ERRORS: &[&str] = &[
    "States.ALL",
    "States.Timeout",
    "States.HeartbeatTimeout",
    "States.TaskFailed",
    "States.ItemReaderFailed",
];
const INTEGRATIONS: &[&str] = &[
    "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken",
    "arn:aws:states:::dynamodb:getItem",
    "arn:aws:states:::sns:publish",
];

/// What is wrong with a machine, a line each: what ASL validators check, what they miss, and the rules of the house.
fn problems(machine: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if machine["Comment"].as_str().is_none() {
        problems.push("the machine has no Comment".into());
    }
    if machine["TimeoutSeconds"].as_u64().is_none() {
        problems.push("the machine has no TimeoutSeconds: an activity that nobody polls waits a year".into());
    }
    let mut names: Vec<_> = states(machine).into_iter().map(|(name, _)| name).collect();
    names.sort();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        problems.push(format!("{} is the name of two states; names are unique in a whole machine", pair[0]));
    }
    check(machine, &mut problems);
    problems
}

fn check(machine: &Value, problems: &mut Vec<String>) {
    let all = machine["States"].as_object().unwrap();
    let mut targets = vec![machine["StartAt"].as_str().unwrap_or("nothing").to_owned()];
    for (name, state) in all {
        let mut say = |what: String| problems.push(format!("{name}: {what}"));
        let kind = state["Type"].as_str().unwrap_or("none");
        if !["Task", "Choice", "Pass", "Wait", "Map", "Succeed", "Fail"].contains(&kind) {
            say(format!("type {kind} is outside the portable subset"));
        }
        let ends = state["End"] == true || ["Succeed", "Fail", "Choice"].contains(&kind);
        if state.get("Next").is_some() == ends {
            say("it has both an end and a next state, or neither".into());
        }
        for field in ["Next", "Default"] {
            targets.extend(state[field].as_str().map(str::to_owned));
        }
        for choice in state["Choices"].as_array().into_iter().flatten() {
            targets.push(choice["Next"].as_str().unwrap_or("nothing").to_owned());
        }
        if kind == "Choice" && state.get("Default").is_none() {
            say("a Choice without Default can end in States.NoChoiceMatched".into());
        }
        if kind == "Task" {
            task(state, &mut say);
        }
        for field in ["Retry", "Catch"] {
            let handlers = state[field].as_array().cloned().unwrap_or_default();
            for (index, handler) in handlers.iter().enumerate() {
                targets.extend(handler["Next"].as_str().map(str::to_owned));
                let errors = names(&handler["ErrorEquals"]);
                if errors.is_empty() {
                    say(format!("{field} {index} names no error"));
                }
                if errors.contains("States.ALL") && (errors.len() > 1 || index + 1 != handlers.len()) {
                    say(format!("States.ALL does not stand alone and last in {field}"));
                }
                for error in errors.iter().filter(|error| error.starts_with("States.")) {
                    if !STATES_ERRORS.contains(&error.as_str()) {
                        say(format!("{error} is not a name that Step Functions uses"));
                    }
                }
                if field == "Retry"
                    && handler["MaxAttempts"] != 0
                    && (handler["MaxDelaySeconds"].is_null() || handler["JitterStrategy"] != "FULL")
                {
                    say("a Retry without limit or jitter".into());
                }
                if field == "Catch" && !handler.as_object().unwrap().contains_key("ResultPath") {
                    say("a Catch without ResultPath overwrites the input".into());
                }
            }
        }
        if state.get("ItemProcessor").is_some() {
            check(&state["ItemProcessor"], problems);
        }
    }
    for target in &targets {
        if !all.contains_key(target) {
            problems.push(format!("{target} is the target of a transition and not a state"));
        }
    }
    for name in all.keys() {
        if !targets.contains(name) {
            problems.push(format!("{name} cannot be reached"));
        }
    }
}

fn task(state: &Value, say: &mut impl FnMut(String)) {
    let resource = state["Resource"].as_str().unwrap_or_default();
    let activity = activity_of(state).is_some();
    if !activity && !INTEGRATIONS.contains(&resource) {
        say(format!("{resource} is not an integration that this system uses"));
    }
    // How long a snooze lasts is the policy's, and no other time comes from the input.
    let wait = resource.ends_with(".waitForTaskToken") && state["TimeoutSecondsPath"] == "$.round.seconds";
    let timeout = state["TimeoutSeconds"].as_u64();
    if timeout.is_none() && !wait {
        return say("a Task without a literal TimeoutSeconds".into());
    }
    if activity && state["HeartbeatSeconds"].as_u64().is_none_or(|heartbeat| Some(heartbeat) >= timeout) {
        say("an activity without a heartbeat shorter than its timeout".into());
    }
    if !state.as_object().unwrap().contains_key("ResultPath") {
        say("a Task without ResultPath overwrites the input".into());
    }
    for field in ["Retry", "Catch"] {
        if state[field].as_array().is_none_or(Vec::is_empty) {
            say(format!("a Task without {field}"));
        }
    }
    let catches = state["Catch"].as_array().cloned().unwrap_or_default();
    if catches.last().is_none_or(|last| last["ErrorEquals"] != json!(["States.ALL"])) {
        say("its last Catch does not catch everything else".into());
    }
    let retries_timeout = state["Retry"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|r| names(&r["ErrorEquals"]).contains("States.Timeout"));
    if resource.ends_with(".waitForTaskToken") && retries_timeout {
        say("a wait for a person or a job is not repeated because it was long".into());
    }
}

#[test]
fn the_rendered_state_machines_are_valid_and_hold_the_rules() {
    for (name, machine) in machines() {
        assert_eq!(problems(machine), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_check_finds_every_planted_fault() {
    type Fault = (&'static str, fn(&mut Value));
    let faults: &[Fault] = &[
        ("cannot be reached", |m| m["States"]["Orphan"] = json!({"Type": "Succeed"})),
        ("not a state", |m| m["States"]["TriageFinding"]["Next"] = json!("RouteDispositon")),
        ("TimeoutSeconds", |m| drop(m.as_object_mut().unwrap().remove("TimeoutSeconds"))),
        ("heartbeat", |m| m["States"]["TriageFinding"]["HeartbeatSeconds"] = json!(60)),
        ("alone and last", |m| m["States"]["TriageFinding"]["Catch"].as_array_mut().unwrap().reverse()),
        ("not a name", |m| {
            m["States"]["AwaitDecision"]["Catch"][1]["ErrorEquals"] = json!(["States.TimeOut"])
        }),
        ("not an integration", |m| {
            m["States"]["TellOperators"]["Resource"] = json!("arn:aws:states:::sns:publsh")
        }),
        ("overwrites the input", |m| {
            drop(m["States"]["TriageFinding"].as_object_mut().unwrap().remove("ResultPath"))
        }),
        ("without Catch", |m| drop(m["States"]["ReadDecision"].as_object_mut().unwrap().remove("Catch"))),
        ("not repeated", |m| {
            m["States"]["AwaitDecision"]["Retry"][1]["ErrorEquals"] = json!(["States.Timeout"])
        }),
        ("without Default", |m| drop(m["States"]["RouteRound"].as_object_mut().unwrap().remove("Default"))),
        ("portable subset", |m| m["States"]["RouteRound"]["Type"] = json!("Parallel")),
        ("limit or jitter", |m| m["States"]["TriageFinding"]["Retry"][0]["JitterStrategy"] = json!("NONE")),
    ];
    for (says, plant) in faults {
        let mut machine = machines()["finding_response"].clone();
        plant(&mut machine);
        let found = problems(&machine);
        assert!(found.iter().any(|problem| problem.contains(says)), "{says:?} is not among {found:?}");
    }
}
