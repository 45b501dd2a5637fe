//! Executions of the state machines, and the cases that they are about.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::{
    operation::describe_execution::DescribeExecutionOutput,
    types::{ExecutionStatus, HistoryEvent},
};
use cordon::store::Cases;
use cordon_domain::{case::Case, slack_message::SlackMessage};

use super::{Placed, TestEnv};
use crate::eventually;

impl TestEnv {
    /// A finding about an object, published. Gives back the run that responds to it.
    pub async fn respond(&self, kind: &str, object: &Placed) -> Result<String> {
        let id = self.finding(kind, object);
        self.sandbox.macie().publish_finding(&id).await?;
        self.run_for(&id).await
    }

    /// The run whose input holds `text`.
    pub async fn run_for(&self, text: &str) -> Result<String> {
        eventually(&format!("a run for {text}"), async || Ok(self.runs_for(text).await?.into_iter().next()))
            .await
    }

    /// Every run of `finding_response` whose input holds `text`.
    pub async fn runs_for(&self, text: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        let machine = self.machine("finding_response")?;
        let mut pages = self.sfn.list_executions().state_machine_arn(machine).into_paginator().items().send();
        while let Some(run) = pages.next().await {
            let arn = run?.execution_arn;
            if self.input(&arn).await?.contains(text) {
                found.push(arn);
            }
        }
        Ok(found)
    }

    /// The input of a run, which never changes.
    async fn input(&self, run: &str) -> Result<Arc<str>> {
        let known = self.inputs.lock().expect("no panic").get(run).cloned();
        if let Some(input) = known {
            return Ok(input);
        }
        let described = self.sfn.describe_execution().execution_arn(run).send().await?;
        let input: Arc<str> = described.input().unwrap_or_default().into();
        self.inputs.lock().expect("no panic").insert(run.to_owned(), input.clone());
        Ok(input)
    }

    /// The ARN of a state machine.
    pub fn machine(&self, stem: &str) -> Result<&str> {
        let machines = self.deployment.outputs().get("state_machine_arns").context("an output")?;
        machines[stem].as_str().context("a state machine")
    }

    /// Waits until a run has ended.
    pub async fn ended(&self, run: &str) -> Result<DescribeExecutionOutput> {
        eventually(&format!("the end of {run}"), async || {
            let described = self.sfn.describe_execution().execution_arn(run).send().await?;
            Ok((described.status != ExecutionStatus::Running).then_some(described))
        })
        .await
    }

    /// Waits until a run has ended well.
    pub async fn succeeded(&self, run: &str) -> Result<()> {
        let ended = self.ended(run).await?;
        if ended.status != ExecutionStatus::Succeeded {
            bail!("{run} ended as {}: {:?} {:?}", ended.status.as_str(), ended.error(), ended.cause());
        }
        Ok(())
    }

    /// Waits until a run is in a state.
    pub async fn reaches(&self, run: &str, state: &str) -> Result<()> {
        eventually(&format!("{state} in {run}"), async || {
            Ok(self.states(run).await?.last().is_some_and(|last| last == state).then_some(()))
        })
        .await
    }

    /// The states that a run has entered, in order.
    pub async fn states(&self, run: &str) -> Result<Vec<String>> {
        let events = self.history(run).await?;
        Ok(events.into_iter().filter_map(|event| Some(event.state_entered_event_details?.name)).collect())
    }

    /// The history of a run.
    pub async fn history(&self, run: &str) -> Result<Vec<HistoryEvent>> {
        let mut pages = self.sfn.get_execution_history().execution_arn(run).into_paginator().items().send();
        let mut events = Vec::new();
        while let Some(event) = pages.next().await {
            events.push(event?);
        }
        Ok(events)
    }

    /// Starts an exposure cycle and waits until it has ended well.
    pub async fn cycle(&self) -> Result<String> {
        let started =
            self.sfn.start_execution().state_machine_arn(self.machine("exposure_cycle")?).send().await?;
        self.succeeded(&started.execution_arn).await?;
        Ok(started.execution_arn)
    }

    /// The records of cases.
    pub fn cases(&self) -> Result<Cases> {
        let client = aws_sdk_dynamodb::Client::new(&self.root);
        Ok(Cases::new(client, self.deployment.output("cases_table")?.to_owned()))
    }

    /// The case about an object, as it is on record.
    pub async fn case(&self, object: &Placed) -> Result<Case> {
        self.cases()?.get(&object.version.case_id()).await?.context("there is no case")
    }

    /// Where Slack shows the case of an object.
    ///
    /// # Errors
    /// When nobody has begun to show it.
    pub async fn message_of(&self, object: &Placed) -> Result<SlackMessage> {
        self.cases()?.message(&object.version.case_id()).await?.context("there is no message")
    }
}
