//! The executions of the state machines, watched as the console would show them.

use std::collections::BTreeMap;

use anyhow::Context;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use super::output::Output;
use crate::deployment::Deployment;
use crate::sandbox::Sandbox;

/// Every execution of every state machine.
pub(super) struct Executions {
    client: Client,
    machines: Vec<(String, String)>,
    output: Output,
    by_arn: BTreeMap<String, Execution>,
}

struct Execution {
    machine: String,
    name: String,
    subject: String,
    status: ExecutionStatus,
    printed: usize,
    states: Vec<(String, f64)>,
    seconds: f64,
}

impl Executions {
    pub(super) async fn new(
        sandbox: &Sandbox,
        deployment: &Deployment,
        output: Output,
    ) -> anyhow::Result<Self> {
        let machines = deployment.outputs().get("state_machine_arns").and_then(Value::as_object);
        let machines = machines.context("the Terraform has no output state_machine_arns")?;
        Ok(Self {
            client: Client::new(&sandbox.sdk_config().await),
            machines: machines
                .iter()
                .filter_map(|(stem, arn)| Some((stem.clone(), arn.as_str()?.to_owned())))
                .collect(),
            output,
            by_arn: BTreeMap::new(),
        })
    }

    /// Prints what has happened since the last update.
    pub(super) async fn update(&mut self) -> anyhow::Result<()> {
        for (machine, arn) in self.machines.clone() {
            let listed = self.client.list_executions().state_machine_arn(&arn).max_results(100).send().await;
            for execution in listed.context("cannot list the executions")?.executions {
                self.follow(&machine, &execution.execution_arn, &execution.name, execution.status).await?;
                if machine == "exposure_cycle" {
                    self.follow_batches(&execution.execution_arn).await?;
                }
            }
        }
        Ok(())
    }

    async fn follow_batches(&mut self, cycle: &str) -> anyhow::Result<()> {
        let map_runs = self.client.list_map_runs().execution_arn(cycle).send().await;
        for map_run in map_runs.context("cannot list the map runs")?.map_runs {
            let listed = self.client.list_executions().map_run_arn(&map_run.map_run_arn).send().await;
            for execution in listed.context("cannot list the batches")?.executions {
                self.follow(
                    "exposure_cycle batch",
                    &execution.execution_arn,
                    &execution.name,
                    execution.status,
                )
                .await?;
            }
        }
        Ok(())
    }

    async fn follow(
        &mut self,
        machine: &str,
        arn: &str,
        name: &str,
        status: ExecutionStatus,
    ) -> anyhow::Result<()> {
        let known = self.by_arn.entry(arn.to_owned()).or_insert_with(|| Execution {
            machine: machine.to_owned(),
            name: name.chars().take(8).collect(),
            subject: String::new(),
            status: ExecutionStatus::Running,
            printed: 0,
            states: Vec::new(),
            seconds: 0.0,
        });
        if known.status != ExecutionStatus::Running {
            return Ok(());
        }
        let mut pages =
            self.client.get_execution_history().execution_arn(arn).into_paginator().items().send();
        let mut events = Vec::new();
        while let Some(event) = pages.next().await {
            events.push(event.context("cannot read the history of an execution")?);
        }
        known.read(&events);
        let label = format!("{} {}", known.machine, known.name);
        let output = self.output;
        let print = |what: &str| {
            let line = format!("{label:<32} {what:<19}  {}", known.subject);
            output.event(line.trim_end());
        };
        for (state, _) in &known.states[known.printed..] {
            print(state);
        }
        if status != ExecutionStatus::Running {
            print(status.as_str());
        }
        known.printed = known.states.len();
        known.status = status;
        Ok(())
    }

    /// The executions that have not ended.
    pub(super) fn running(&self) -> Vec<String> {
        self.names(|status| *status == ExecutionStatus::Running)
    }

    /// The executions that ended and did not succeed.
    pub(super) fn failed(&self) -> Vec<String> {
        self.names(|status| ![ExecutionStatus::Running, ExecutionStatus::Succeeded].contains(status))
    }

    fn names(&self, wanted: impl Fn(&ExecutionStatus) -> bool) -> Vec<String> {
        let wanted = self.by_arn.values().filter(|execution| wanted(&execution.status));
        wanted.map(|execution| format!("{} {}", execution.machine, execution.name)).collect()
    }

    pub(super) fn print_summary(&self) {
        for execution in self.by_arn.values() {
            let line = format!(
                "  {:<24} {:<10} {:<10} {:6.2} s  {}",
                execution.machine,
                execution.name,
                execution.status.as_str(),
                execution.seconds,
                execution.subject
            );
            self.output.line(line.trim_end());
            for (state, seconds) in &execution.states {
                self.output.line(format_args!("      {state:<22} {seconds:6.2} s"));
            }
        }
    }
}

impl Execution {
    fn read(&mut self, events: &[HistoryEvent]) {
        self.states.clear();
        let mut entered = 0.0;
        for event in events {
            let at = event.timestamp.as_secs_f64();
            if let Some(started) = &event.execution_started_event_details {
                self.subject = subject(started.input().unwrap_or_default());
            }
            if let Some(details) = &event.state_entered_event_details {
                self.states.push((details.name.clone(), 0.0));
                entered = at;
            } else if (event.state_exited_event_details.is_some()
                || event.r#type == HistoryEventType::ExecutionFailed)
                && let Some((_, seconds)) = self.states.last_mut()
            {
                *seconds = at - entered;
            }
        }
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            self.seconds = last.timestamp.as_secs_f64() - first.timestamp.as_secs_f64();
        }
    }
}

/// What an execution is about, by its input: the object of a Macie finding, the bucket of an access finding or of a batch. A
/// cycle is about nothing in particular.
fn subject(input: &str) -> String {
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    let places = ["/detail/resourcesAffected/s3Object/path", "/detail/resource", "/batch/buckets/0/name"];
    places.iter().find_map(|place| input.pointer(place)?.as_str()).unwrap_or_default().to_owned()
}
