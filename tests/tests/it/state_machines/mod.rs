//! The state machines agree with the binary and with the Terraform, and hold the rules of the house.

mod alarms;
mod branches;
mod diagrams;
mod retries;
mod rules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use activity_worker::{INVALID_INPUT, WORKER_PANICKED, WORKER_SHUTDOWN};
use cordon::{
    app::activities::CATALOG,
    error::{Code, RETRYABLE},
};
use cordon_tests::Module;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every state machine, as Terraform renders it with every input at its default.
fn machines() -> &'static BTreeMap<String, Value> {
    static MACHINES: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    MACHINES.get_or_init(|| {
        let machines = Module::copied().unwrap().state_machines("installation", "installs").unwrap();
        assert!(machines.len() >= 4);
        machines
    })
}

fn pascal(stem: &str) -> String {
    stem.split('_').map(|word| format!("{}{}", word[..1].to_uppercase(), &word[1..])).collect()
}

/// Every state of a machine, those inside maps too.
fn states(machine: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, state) in machine["States"].as_object().unwrap() {
        found.push((name.clone(), state.clone()));
        if state.get("ItemProcessor").is_some() {
            found.extend(states(&state["ItemProcessor"]));
        }
    }
    found
}

fn activity_of(state: &Value) -> Option<&str> {
    state["Resource"].as_str()?.split_once(":activity:cordon-").map(|(_, stem)| stem)
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn stems() -> BTreeSet<String> {
    CATALOG.iter().map(|entry| entry.stem.to_owned()).collect()
}

#[test]
fn one_stem_names_an_activity_in_every_layer() {
    let files: BTreeSet<_> = fs::read_dir(root().join("workers/cordon/src/app/activities"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|stem| stem != "mod")
        .collect();
    assert_eq!(files, stems(), "files and registry");

    let mut used = BTreeSet::new();
    for (machine, definition) in machines() {
        for (name, state) in states(definition) {
            if let Some(stem) = activity_of(&state) {
                assert_eq!(name, pascal(stem), "state and activity in {machine}");
                used.insert(stem.to_owned());
            }
        }
    }
    assert_eq!(used, stems(), "state machines and registry");

    for stem in stems() {
        let source =
            fs::read_to_string(root().join(format!("workers/cordon/src/app/activities/{stem}.rs"))).unwrap();
        assert!(source.contains(&format!("struct {}(", pascal(&stem))), "{stem} has its type in its file");
    }

    let locals = fs::read_to_string(root().join("terraform/locals.tf")).unwrap();
    let (_, list) = locals.split_once("activities = toset([").expect("locals.tf lists the activities");
    let (list, _) = list.split_once("])").unwrap();
    let terraform: BTreeSet<_> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(terraform, stems(), "Terraform and registry");
}

#[test]
fn state_machines_and_binary_agree_on_every_error_code() {
    let mut caught = BTreeSet::new();
    for (machine, definition) in machines() {
        for (name, state) in states(definition) {
            let Some(stem) = activity_of(&state) else { continue };
            let entry = CATALOG.iter().find(|entry| entry.stem == stem).unwrap();
            let runtime = [WORKER_PANICKED, INVALID_INPUT];
            let expected: BTreeSet<_> =
                entry.terminal.iter().map(|code| code.name()).chain(runtime).map(str::to_owned).collect();
            let catches = state["Catch"].as_array().unwrap();
            let named: BTreeSet<_> = catches
                .iter()
                .flat_map(|c| names(&c["ErrorEquals"]))
                .filter(|name| name != "States.ALL")
                .collect();
            assert_eq!(named, expected, "what {machine}.{name} catches and what {stem} ends with");
            let retriers = state["Retry"].as_array().unwrap().iter();
            let retried: BTreeSet<_> = retriers.flat_map(|retrier| names(&retrier["ErrorEquals"])).collect();
            let transient =
                [RETRYABLE, WORKER_SHUTDOWN, WORKER_PANICKED, "States.Timeout", "States.HeartbeatTimeout"];
            assert_eq!(retried, transient.map(str::to_owned).into(), "what {machine}.{name} retries");
            caught.extend(named);
        }
    }
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.name().to_owned()).collect();
    caught.retain(|name| ![WORKER_PANICKED, INVALID_INPUT].contains(&name.as_str()));
    assert_eq!(caught, all, "every code is some activity's, and no other name is caught");
}

#[test]
fn the_state_machines_are_rendered_as_before() {
    for (name, machine) in machines() {
        insta::assert_json_snapshot!(name.as_str(), machine);
    }
}

#[test]
fn every_failure_of_a_response_or_restore_is_recorded_and_told_before_it_ends() {
    for machine_name in ["finding_response", "object_restore"] {
        let machine = &machines()[machine_name];
        for (name, state) in states(machine) {
            for catch in state["Catch"].as_array().into_iter().flatten() {
                if catch["ErrorEquals"] == json!(["States.ALL"]) {
                    let expected = match name.as_str() {
                        "ReportOutcome" => "RouteReportError",
                        // The worker tells it then, by the name of this end's error.
                        "TellOperators" | "TellOperatorsOfReport" => "NotTold",
                        // What operators were to be told besides: the case itself goes on.
                        "TellOperatorsOfApproval" => "AwaitDecision",
                        "TellOperatorsOfExpiry" => "RouteExpiry",
                        "TellOperatorsOfRescan" => "Done",
                        _ => "ReportOutcome",
                    };
                    assert_eq!(catch["Next"], expected, "{machine_name}.{name}");
                }
            }
        }
        let states = &machine["States"];
        // An error, and an outcome that is a failure by itself: both are told, and both fail the run.
        let routes = states["RouteOutcome"]["Choices"].as_array().unwrap();
        let to = |variable: &str| {
            let route =
                routes.iter().find(|route| route["Variable"] == variable && route["IsPresent"] == true);
            route.unwrap_or_else(|| panic!("{machine_name} asks for no {variable}"))["Next"].clone()
        };
        assert_eq!(to("$.report.failure"), "TakeFailure", "{machine_name}");
        assert_eq!(to("$.error"), "TellOperators", "{machine_name}");
        for (before, after) in [
            ("TakeFailure", "TellOperators"),
            ("TakeReportError", "TellOperatorsOfReport"),
            ("TellOperators", "Failed"),
            ("TellOperatorsOfReport", "Failed"),
        ] {
            assert_eq!(states[before]["Next"], after, "{machine_name}");
        }
    }
}

/// The first error is the one that counts: whatever fails after it has another place.
#[test]
fn no_error_takes_the_place_of_an_earlier_one() {
    for (machine_name, machine) in machines() {
        let all = states(machine);
        // States behind one that has caught an error, to which their own Catch has to leave it.
        let mut behind: BTreeSet<String> = BTreeSet::new();
        loop {
            let mut next = behind.clone();
            for (name, state) in &all {
                for catch in state["Catch"].as_array().into_iter().flatten() {
                    if catch["ResultPath"] == "$.error" {
                        next.extend(catch["Next"].as_str().map(str::to_owned));
                    }
                }
                if behind.contains(name) {
                    let targets = state["Catch"].as_array().into_iter().flatten();
                    let targets =
                        targets.chain(state["Choices"].as_array().into_iter().flatten()).chain([state]);
                    let targets = targets.flat_map(|target| [&target["Next"], &target["Default"]]);
                    next.extend(targets.filter_map(|target| target.as_str().map(str::to_owned)));
                }
            }
            if next == behind {
                break;
            }
            behind = next;
        }
        for (name, state) in all.iter().filter(|(name, _)| behind.contains(name)) {
            for catch in state["Catch"].as_array().into_iter().flatten() {
                assert_ne!(
                    catch["ResultPath"], "$.error",
                    "{machine_name}.{name} may overwrite the first error"
                );
            }
        }
    }
}

#[test]
fn a_paused_move_waits_with_its_token_in_the_case_and_is_tried_again_however_the_wait_ends() {
    for (machine_name, move_state, item) in [
        ("finding_response", "QuarantineObject", "$.triage.approval"),
        ("object_restore", "RestoreObject", "$.approval"),
    ] {
        let states = &machines()[machine_name]["States"];
        let catches = |state: &str, error: &str| {
            let catches = states[state]["Catch"].as_array().unwrap().iter();
            catches.clone().find(|catch| names(&catch["ErrorEquals"]).contains(error)).cloned().unwrap()
        };
        let paused = catches(move_state, "Paused");
        assert_eq!(paused["ErrorEquals"], json!(["Paused"]), "{machine_name}");
        // A failure is what lies under $.error.
        assert_eq!((&paused["ResultPath"], &paused["Next"]), (&json!("$.paused"), &json!("AwaitResume")));

        let wait = &states["AwaitResume"];
        assert_eq!(wait["Next"], move_state, "{machine_name}");
        for error in [
            "States.Timeout",
            "DynamoDB.ConditionalCheckFailedException",
            "DynamoDb.ConditionalCheckFailedException",
        ] {
            let ended = catches("AwaitResume", error);
            assert_eq!((&ended["ResultPath"], &ended["Next"]), (&json!("$.resumed"), &json!(move_state)));
        }
        let parameters = &wait["Parameters"];
        assert_eq!(parameters["Key"], json!({"id": {"S.$": item}}), "{machine_name}");
        assert_eq!(parameters["UpdateExpression"], "SET resume_token = :token", "{machine_name}");
        // A pause that is over is not waited for.
        assert_eq!(parameters["ConditionExpression"], "attribute_exists(paused)", "{machine_name}");
    }
}

#[test]
fn a_scan_that_takes_too_long_goes_to_the_report_which_gives_its_buckets_back() {
    let machine = &machines()["exposure_cycle"];
    let (_, wait) = states(machine).into_iter().find(|(name, _)| name == "AwaitScan").expect("a wait");
    let catchers = wait["Catch"].as_array().expect("catchers");
    let caught = catchers.iter().find(|catcher| names(&catcher["ErrorEquals"]).contains("States.Timeout"));
    assert_eq!(caught.expect("a catcher of the time-out")["Next"], "ReportExposures");
}

#[test]
fn whatever_starts_a_restore_is_read_by_its_activity_before_any_path_into_it() {
    let machine = &machines()["object_restore"];
    assert_eq!(machine["StartAt"], "RestoreObject");
    let expected = json!({"execution_arn.$": "$$.Execution.Id", "request.$": "$"});
    assert_eq!(machine["States"]["RestoreObject"]["Parameters"], expected);
    let into_the_input: BTreeSet<_> = states(machine)
        .into_iter()
        .filter(|(_, state)| {
            ["\"$.approval", "\"$.case_id", "\"$.request_id"]
                .iter()
                .any(|path| state.to_string().contains(path))
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(into_the_input, BTreeSet::from(["AwaitResume".to_owned()]));
}
