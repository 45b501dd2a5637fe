//! Every call that a state of the rendered state machines makes of AWS by itself is one that the suite has seen it make, with the
//! same members and the same fixed texts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{lines, rendered};

/// Members whose texts tell two states of one machine apart; the others hold what differs between installations.
const FIXED: [&str; 3] = ["ConditionExpression", "Subject", "UpdateExpression"];

/// A call of AWS by a state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Integration {
    machine: String,
    operation: String,
    members: BTreeSet<String>,
    texts: BTreeMap<String, String>,
}

/// A request, as the sandbox has written it down.
#[derive(Debug, Deserialize)]
struct Request {
    principal: String,
    service: String,
    operation: String,
    body: Option<String>,
}

#[test]
fn the_suite_has_seen_every_integration_of_the_state_machines() -> Result<()> {
    let mut declared = BTreeMap::new();
    for resource in rendered()?.iter().filter(|one| one["type"] == "aws_sfn_state_machine") {
        let machine = resource["index"].as_str().context("a stem")?;
        let definition = resource["values"]["definition"].as_str().context("a definition")?;
        of_states(machine, &serde_json::from_str(definition)?, &mut declared)?;
    }
    let distinct: BTreeSet<_> = declared.values().collect();
    ensure!(distinct.len() == declared.len(), "two states make the same call, so that one stands for both");
    ensure!(declared.len() > 10, "only {} integrations are declared", declared.len());
    let seen: BTreeSet<_> = lines::<Request>("requests-")?.iter().filter_map(of_request).collect();
    let unseen: Vec<_> = declared.iter().filter(|(_, call)| !seen.contains(call)).collect();
    println!("PROOF integrations declared={} unseen={}", declared.len(), unseen.len());
    ensure!(unseen.is_empty(), "{unseen:#?}");
    Ok(())
}

/// Adds the calls of all states, by machine and state.
fn of_states(machine: &str, definition: &Value, found: &mut BTreeMap<String, Integration>) -> Result<()> {
    for (name, state) in definition["States"].as_object().context("states")? {
        // What a Map reads its items from, the emulator reads without a request; `service_roles` compares that.
        if let Some(resource) = state["Resource"].as_str()
            && let Some(service) = resource.strip_prefix("arn:aws:states:::")
        {
            let service = service.trim_start_matches("aws-sdk:").trim_end_matches(".waitForTaskToken");
            let (service, operation) = service.split_once(':').context("an operation")?;
            let parameters = state["Parameters"].as_object().context("parameters")?;
            let call = Integration {
                machine: machine.to_owned(),
                operation: format!("{service}:{operation}"),
                members: parameters.keys().map(|name| name.trim_end_matches(".$").to_owned()).collect(),
                texts: fixed(
                    |name| parameters.get(name)?.as_str().map(str::to_owned),
                    parameters.get("Message"),
                ),
            };
            found.insert(format!("{machine}.{name}"), call);
        }
        if let Some(inner) = state.get("ItemProcessor") {
            of_states(machine, inner, found)?;
        }
    }
    Ok(())
}

fn fixed(text: impl Fn(&str) -> Option<String>, message: Option<&Value>) -> BTreeMap<String, String> {
    let mut fixed: BTreeMap<_, _> =
        FIXED.into_iter().filter_map(|name| Some((name.to_owned(), text(name)?))).collect();
    if let Some(message) = message.and_then(Value::as_object) {
        let names: BTreeSet<_> = message.keys().map(|name| name.trim_end_matches(".$")).collect();
        fixed.insert("names in Message".into(), names.into_iter().collect::<Vec<_>>().join(" "));
    }
    fixed
}

/// What a request of a state machine's role asks for, if it is one.
fn of_request(request: &Request) -> Option<Integration> {
    let role = request.principal.split('/').nth(1)?.trim_end_matches("-us-east-1");
    let (_, machine) = role.rsplit_once('-')?;
    if !machine.contains('_') {
        return None;
    }
    let mut operation = request.operation.clone();
    operation.get_mut(..1)?.make_ascii_lowercase();
    let members: BTreeMap<String, Value> = serde_json::from_str(request.body.as_deref()?).ok()?;
    Some(Integration {
        machine: machine.to_owned(),
        operation: format!("{}:{operation}", request.service),
        texts: fixed(
            |name| members.get(name)?.as_str().map(str::to_owned),
            members.get("Message").and_then(|text| serde_json::from_str(text.as_str()?).ok()).as_ref(),
        ),
        members: members.into_keys().collect(),
    })
}

/// That a call which differs in one text, or in a member, is told from another.
#[test]
fn a_call_that_is_not_the_declared_one_is_not_taken_for_it() -> Result<()> {
    let publish = |subject: &str, more: &str| Request {
        principal: "arn:aws:sts::111122223333:assumed-role/cordon-object_restore-us-east-1/s".into(),
        service: "sns".into(),
        operation: "Publish".into(),
        body: Some(format!(
            r#"{{"TopicArn": "a", "Message": "{{\"what\": \"c\"}}", "Subject": "{subject}"{more}}}"#
        )),
    };
    let definition = json!({"States": {"Tell": {"Type": "Task", "Resource": "arn:aws:states:::sns:publish",
        "Parameters": {"TopicArn": "another", "Subject": "A B", "Message": {"what": "c"}}}}});
    let mut declared = BTreeMap::new();
    of_states("object_restore", &definition, &mut declared)?;
    let declared = declared.into_values().next();
    ensure!(of_request(&publish("A B", "")) == declared);
    ensure!(of_request(&publish("A", "")) != declared);
    ensure!(of_request(&publish("A B", r#", "MessageStructure": "json""#)) != declared);
    Ok(())
}
