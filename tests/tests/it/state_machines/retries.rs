//! How long the states go on trying: the numbers of the shapes in `terraform/retries.tf`, read from the rendered ASL.

use std::{collections::BTreeSet, fs};

use cordon_tests::Module;
use serde_json::{Value, json};

use super::{activity_of, machines, names, root, states};

const MINUTE: f64 = 60.0;
/// What every state has to outlast.
const DISTURBANCE: f64 = 5.0 * MINUTE;
const JOB_CREATORS: [&str; 2] = ["StartScan", "RescanObject"];

/// The longest that each pause of a retrier may be, in seconds.
fn pauses(retrier: &Value) -> Vec<f64> {
    let number = |field: &str| retrier[field].as_f64().unwrap_or_else(|| panic!("no {field} in {retrier}"));
    let attempts = retrier["MaxAttempts"].as_i64().expect("a number of attempts") as i32;
    let pause = |n| number("IntervalSeconds") * number("BackoffRate").powi(n);
    (0..attempts).map(|n| pause(n).min(number("MaxDelaySeconds"))).collect()
}

/// Full jitter draws each pause between nothing and its length.
fn mean(retrier: &Value) -> f64 {
    pauses(retrier).iter().sum::<f64>() / 2.0
}

/// The standard deviation of the sum of the pauses.
fn spread(retrier: &Value) -> f64 {
    pauses(retrier).iter().map(|pause| pause * pause / 12.0).sum::<f64>().sqrt()
}

fn retriers(state: &Value) -> &[Value] {
    state["Retry"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The first retrier that matches an error decides, as in Step Functions.
fn retrier_of<'a>(state: &'a Value, error: &str) -> Option<&'a Value> {
    retriers(state).iter().find(|retrier| {
        let named = names(&retrier["ErrorEquals"]);
        named.contains(error) || (named.contains("States.TaskFailed") && error != "States.Timeout")
    })
}

fn is_wait(state: &Value) -> bool {
    state["Resource"].as_str().is_some_and(|resource| resource.ends_with(".waitForTaskToken"))
}

/// Every state that can be tried again, with the machine it is in.
fn retried_states() -> Vec<(String, String, Value)> {
    let all = machines().iter().flat_map(|(machine, definition)| {
        states(definition).into_iter().map(move |(name, state)| (machine.clone(), name, state))
    });
    all.filter(|(_, _, state)| state.get("Retry").is_some()).collect()
}

/// The error that each state is to outlast: what its own kind of call ends with while a service is away.
fn disturbance_of(state: &Value) -> &'static str {
    match state["Type"].as_str() {
        Some("Map") => "States.ItemReaderFailed",
        _ if activity_of(state).is_some() => "Retryable",
        // What Step Functions calls an error of DynamoDB that has no class of its own, a 503 for one.
        _ => "DynamoDb.DynamoDbException",
    }
}

#[test]
fn no_state_gives_up_within_a_disturbance_of_five_minutes() {
    let mut hasty = Vec::new();
    for (machine, name, state) in retried_states() {
        let error = disturbance_of(&state);
        match retrier_of(&state, error) {
            None => hasty.push(format!("{machine}.{name} does not repeat {error}")),
            // Five deviations: once in millions of disturbances.
            Some(retrier) if mean(retrier) - 5.0 * spread(retrier) < DISTURBANCE => {
                hasty.push(format!("{machine}.{name} pauses {:.1} s in all on average", mean(retrier)));
            }
            Some(_) => {}
        }
    }
    assert_eq!(hasty, Vec::<String>::new());
}

#[test]
fn activities_and_waits_go_on_for_about_fifty_minutes_and_notices_for_a_quarter_of_an_hour() {
    for (machine, name, state) in retried_states() {
        let pause = mean(retrier_of(&state, disturbance_of(&state)).expect("a retrier")) / MINUTE;
        let expected = match state["Resource"].as_str() {
            // What comes after a notice waits for it, and people wait for that.
            Some("arn:aws:states:::sns:publish") => 12.0..20.0,
            _ => 45.0..60.0,
        };
        assert!(expected.contains(&pause), "{machine}.{name} pauses {pause:.1} minutes in all on average");
    }
}

#[test]
fn a_wait_repeats_whatever_keeps_its_token_from_being_stored_but_not_a_condition_that_failed() {
    for (machine, name, state) in retried_states().into_iter().filter(|(_, _, state)| is_wait(state)) {
        for error in [
            "DynamoDb.DynamoDbException",
            "DynamoDb.InternalServerErrorException",
            "DynamoDb.ThrottlingException",
            "DynamoDb.SdkClientException",
            "States.Permissions",
            // Whoever holds a token may answer with any error: that ends no review either.
            "Whatever",
        ] {
            let retrier = retrier_of(&state, error).unwrap_or_else(|| panic!("{machine}.{name}: {error}"));
            assert!(retrier["MaxAttempts"].as_u64() > Some(0), "{machine}.{name} does not repeat {error}");
        }
        for error in ["DynamoDB.ConditionalCheckFailedException", "DynamoDb.ConditionalCheckFailedException"]
        {
            let retrier = retrier_of(&state, error).unwrap_or_else(|| panic!("{machine}.{name}: {error}"));
            assert_eq!(retrier["MaxAttempts"], 0, "{machine}.{name} repeats {error}");
        }
        // How long people are waited for is not a failure.
        assert_eq!(retrier_of(&state, "States.Timeout"), None, "{machine}.{name}");
    }
}

#[test]
fn a_job_is_asked_for_again_after_longer_than_macie_takes_for_one() {
    for (machine, name, state) in retried_states() {
        if !JOB_CREATORS.contains(&name.as_str()) {
            continue;
        }
        let retrier = retrier_of(&state, "Retryable").expect("a retrier");
        // One job in ten seconds.
        assert!(retrier["IntervalSeconds"].as_f64() > Some(10.0), "{machine}.{name}: {retrier}");
    }
}

#[test]
fn a_panic_is_repeated_twice_as_a_crash_is_and_then_told() {
    for (machine, name, state) in retried_states().iter().filter(|(_, _, state)| activity_of(state).is_some())
    {
        let retrier = retrier_of(state, "WorkerPanicked").unwrap_or_else(|| panic!("{machine}.{name}"));
        assert_eq!(retrier["MaxAttempts"], 2, "{machine}.{name}");
        assert!(mean(retrier) < MINUTE, "{machine}.{name}");
    }
}

/// A state that tries for longer than its machine may run would end in a way that nothing catches.
#[test]
fn a_state_has_given_up_long_before_its_machine_times_out() {
    for (machine, name, state) in retried_states() {
        let limit = machines()[&machine]["TimeoutSeconds"].as_f64().expect("a machine has a timeout");
        // A wait that was answered with a failure begins again; how long it may take is the wait's own matter.
        let attempt = if is_wait(&state) { 0.0 } else { state["TimeoutSeconds"].as_f64().unwrap_or(0.0) };
        let longest: f64 = retriers(&state)
            .iter()
            .filter(|retrier| retrier["MaxAttempts"] != 0)
            .map(|retrier| pauses(retrier).iter().map(|pause| pause + attempt).sum::<f64>())
            .sum();
        assert!(longest + attempt < limit / 2.0, "{machine}.{name} may try for {longest} s of {limit} s");
    }
}

#[test]
fn every_retry_is_one_of_the_named_shapes() {
    let mut shapes = BTreeSet::new();
    for entry in fs::read_dir(root().join("statemachines")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for retry in text.split("\"Retry\": ").skip(1) {
            let shape = retry.strip_prefix("${retry_").and_then(|rest| rest.split_once('}'));
            let (shape, _) = shape.unwrap_or_else(|| {
                panic!("{} spells a Retry out: {}", path.display(), retry.lines().next().unwrap_or_default())
            });
            shapes.insert(shape.to_owned());
        }
    }
    let expected = ["activity", "item_reader", "macie_job", "notice", "service_call", "token_wait"];
    assert_eq!(shapes, expected.map(str::to_owned).into());
}

#[test]
fn a_scale_shortens_the_pauses_and_leaves_the_shape() {
    let scaled = Module::copied().unwrap().state_machines("retries", "scaled_down").unwrap();
    for (machine, definition) in &scaled {
        let full = states(&machines()[machine]);
        for ((name, state), (_, full)) in states(definition).iter().zip(&full) {
            for (retrier, full) in retriers(state).iter().zip(retriers(full)) {
                for field in ["ErrorEquals", "MaxAttempts", "BackoffRate", "JitterStrategy"] {
                    assert_eq!(retrier[field], full[field], "{machine}.{name}");
                }
                if retrier["MaxAttempts"] == 0 {
                    continue;
                }
                // A hundredth; Step Functions takes whole seconds, one at least.
                for field in ["IntervalSeconds", "MaxDelaySeconds"] {
                    let hundredth = (full[field].as_f64().unwrap() / 100.0).ceil();
                    assert_eq!(retrier[field], json!(hundredth as u64), "{machine}.{name}");
                }
            }
        }
    }
}
