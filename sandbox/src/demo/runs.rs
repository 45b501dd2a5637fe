//! The runs of the state machines, watched as the console would show them.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent, HistoryEventType};
use serde_json::Value;

use crate::deployment::Deployment;
use crate::sandbox::Sandbox;

/// Every run of every state machine.
pub(super) struct Runs {
    client: Client,
    machines: Vec<(String, String)>,
    began: Instant,
    runs: BTreeMap<String, Run>,
}

struct Run {
    machine: String,
    name: String,
    subject: String,
    status: ExecutionStatus,
    printed: usize,
    states: Vec<(String, f64)>,
    seconds: f64,
}

impl Runs {
    pub(super) async fn new(
        sandbox: &Sandbox,
        deployment: &Deployment,
        began: Instant,
    ) -> anyhow::Result<Self> {
        let machines = deployment.outputs().get("state_machine_arns").and_then(Value::as_object);
        let machines = machines.context("the Terraform has no output state_machine_arns")?;
        Ok(Self {
            client: Client::new(&sandbox.sdk_config().await),
            machines: machines
                .iter()
                .filter_map(|(stem, arn)| Some((stem.clone(), arn.as_str()?.to_owned())))
                .collect(),
            began,
            runs: BTreeMap::new(),
        })
    }

    /// Prints what has happened since the last look.
    pub(super) async fn look(&mut self) -> anyhow::Result<()> {
        for (machine, arn) in self.machines.clone() {
            let listed = self.client.list_executions().state_machine_arn(&arn).max_results(100).send().await;
            for execution in listed.context("cannot list the runs")?.executions {
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
        let run = self.runs.entry(arn.to_owned()).or_insert_with(|| Run {
            machine: machine.to_owned(),
            name: name.chars().take(8).collect(),
            subject: String::new(),
            status: ExecutionStatus::Running,
            printed: 0,
            states: Vec::new(),
            seconds: 0.0,
        });
        if run.status != ExecutionStatus::Running {
            return Ok(());
        }
        let mut pages =
            self.client.get_execution_history().execution_arn(arn).into_paginator().items().send();
        let mut events = Vec::new();
        while let Some(event) = pages.next().await {
            events.push(event.context("cannot read the history of a run")?);
        }
        run.read(&events);
        let elapsed = self.began.elapsed().as_secs_f32();
        let label = format!("{} {}", run.machine, run.name);
        let tell = |what: &str| {
            let line = format!("{elapsed:6.1} s  {label:<32} {what:<19}  {}", run.subject);
            println!("{}", line.trim_end());
        };
        for (state, _) in &run.states[run.printed..] {
            tell(state);
        }
        if status != ExecutionStatus::Running {
            tell(status.as_str());
        }
        run.printed = run.states.len();
        run.status = status;
        Ok(())
    }

    /// The runs that have not ended.
    pub(super) fn running(&self) -> Vec<String> {
        self.names(|status| *status == ExecutionStatus::Running)
    }

    /// The runs that ended and did not succeed.
    pub(super) fn failed(&self) -> Vec<String> {
        self.names(|status| ![ExecutionStatus::Running, ExecutionStatus::Succeeded].contains(status))
    }

    fn names(&self, wanted: impl Fn(&ExecutionStatus) -> bool) -> Vec<String> {
        let wanted = self.runs.values().filter(|run| wanted(&run.status));
        wanted.map(|run| format!("{} {}", run.machine, run.name)).collect()
    }

    pub(super) fn print_summary(&self) {
        for run in self.runs.values() {
            let line = format!(
                "  {:<24} {:<10} {:<10} {:6.2} s  {}",
                run.machine,
                run.name,
                run.status.as_str(),
                run.seconds,
                run.subject
            );
            println!("{}", line.trim_end());
            for (state, seconds) in &run.states {
                println!("      {state:<22} {seconds:6.2} s");
            }
        }
    }
}

impl Run {
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

/// What a run is about, by its input: the object of a Macie finding, the bucket of an access finding or of a batch. A
/// cycle is about nothing in particular.
fn subject(input: &str) -> String {
    let input: Value = serde_json::from_str(input).unwrap_or_default();
    let places = ["/detail/resourcesAffected/s3Object/path", "/detail/resource", "/batch/buckets/0/name"];
    places.iter().find_map(|place| input.pointer(place)?.as_str()).unwrap_or_default().to_owned()
}
