//! Step Functions, past the activity runtime: runs, and the waits of people and jobs.

use std::{borrow::Cow, collections::HashSet};

use aws_sdk_sfn::{
    Client,
    operation::{
        describe_execution::DescribeExecutionError, send_task_success::SendTaskSuccessError,
        start_execution::StartExecutionError,
    },
    types::ExecutionStatus,
};
use cordon_domain::time::Time;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::error::classify;
use crate::{clock, error::Result};

/// `DescribeExecution` is eventually consistent.
const LAG: SignedDuration = SignedDuration::from_hours(1);

/// Step Functions in one Region.
#[derive(Clone, Debug)]
pub struct StepFunctions {
    client: Client,
}

/// What became of an attempt to end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The run goes on.
    Yes,
    /// Nobody waits with this token.
    Gone,
}

/// How a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Run {
    /// At work.
    Running,
    /// Ended.
    Ended(Ended),
}

/// An execution that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failed {
    /// Which.
    pub execution_arn: String,
    /// When.
    pub ended_at: Time,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Step Functions' word for it; `FORGOTTEN` for a run that it no longer knows.
    pub status: String,
    /// The error's name, if that is known.
    pub error: Option<String>,
    /// Why, if that is known.
    pub cause: Option<String>,
    /// When, if that is known.
    pub at: Option<Time>,
}

impl StepFunctions {
    /// Step Functions behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Ends the wait that holds this token. The answer carries nothing: what counts is in the record.
    ///
    /// # Errors
    /// As classified.
    pub async fn wake(&self, token: &str) -> Result<Woken> {
        match self.client.send_task_success().task_token(token).output("{}").send().await {
            Ok(_) => Ok(Woken::Yes),
            Err(error) => match error.as_service_error() {
                Some(
                    SendTaskSuccessError::TaskTimedOut(_)
                    | SendTaskSuccessError::TaskDoesNotExist(_)
                    | SendTaskSuccessError::InvalidToken(_),
                ) => Ok(Woken::Gone),
                _ => Err(classify("states:SendTaskSuccess", error)),
            },
        }
    }

    /// How a run stands that began at `began_at` or before. One that Step Functions does not know has ended, unless it
    /// is so young that the answer may lag behind.
    ///
    /// # Errors
    /// As classified.
    pub async fn run(&self, execution_arn: &str, began_at: Time) -> Result<Run> {
        match self.client.describe_execution().execution_arn(execution_arn).send().await {
            Ok(answer) if answer.status == ExecutionStatus::Running => Ok(Run::Running),
            // A redriven run is about to go on.
            Ok(answer) if answer.status == ExecutionStatus::PendingRedrive => Ok(Run::Running),
            Ok(answer) => Ok(Run::Ended(Ended {
                status: answer.status.as_str().to_owned(),
                at: answer.stop_date.as_ref().and_then(super::time),
                error: answer.error.filter(|error| !error.is_empty()),
                cause: answer.cause.filter(|cause| !cause.is_empty()),
            })),
            Err(error) => match error.as_service_error() {
                Some(DescribeExecutionError::ExecutionDoesNotExist(_)) => {
                    let young = began_at > clock::now() - LAG;
                    let forgotten = Ended { status: "FORGOTTEN".into(), error: None, cause: None, at: None };
                    Ok(if young { Run::Running } else { Run::Ended(forgotten) })
                }
                _ => Err(classify("states:DescribeExecution", error)),
            },
        }
    }

    /// The runs of a state machine that are running, with all pages.
    ///
    /// # Errors
    /// As classified.
    pub async fn running(&self, state_machine_arn: &str) -> Result<HashSet<String>> {
        let mut pages = self
            .client
            .list_executions()
            .state_machine_arn(state_machine_arn)
            .status_filter(ExecutionStatus::Running)
            .max_results(1_000)
            .into_paginator()
            .items()
            .send();
        let mut running = HashSet::new();
        while let Some(run) = pages.next().await {
            running.insert(run.map_err(|error| classify("states:ListExecutions", error))?.execution_arn);
        }
        Ok(running)
    }

    /// The executions of a state machine that failed at `since` or later, with all pages.
    ///
    /// # Errors
    /// As classified.
    pub async fn failed(&self, state_machine_arn: &str, since: Time) -> Result<Vec<Failed>> {
        let mut pages = self
            .client
            .list_executions()
            .state_machine_arn(state_machine_arn)
            .status_filter(ExecutionStatus::Failed)
            .max_results(1_000)
            .into_paginator()
            .items()
            .send();
        let mut failed = Vec::new();
        while let Some(run) = pages.next().await {
            let run = run.map_err(|error| classify("states:ListExecutions", error))?;
            if let Some(ended_at) = run.stop_date.as_ref().and_then(super::time).filter(|end| *end >= since) {
                failed.push(Failed { execution_arn: run.execution_arn, ended_at });
            }
        }
        Ok(failed)
    }

    /// Ends an execution from outside, where it has not ended; whoever looks at it later reads why.
    ///
    /// # Errors
    /// As classified.
    pub async fn stop(&self, execution_arn: &str, why: &str) -> Result<()> {
        let call =
            self.client.stop_execution().execution_arn(execution_arn).error("StoppedByOperator").cause(why);
        call.send().await.map(|_| ()).map_err(|error| classify("states:StopExecution", error))
    }

    /// Starts a run under a name that makes it happen once; one that Step Functions would not take is hashed.
    ///
    /// # Errors
    /// As classified; a run of that name that was there before is none.
    pub async fn start(&self, state_machine_arn: &str, name: &str, input: &serde_json::Value) -> Result<()> {
        let call = self
            .client
            .start_execution()
            .state_machine_arn(state_machine_arn)
            .name(execution_name(name))
            .input(input.to_string());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(()),
                _ => Err(classify("states:StartExecution", error)),
            },
        }
    }
}

/// At most 80 characters, of which these are allowed in any case
/// (<https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html>).
fn execution_name(text: &str) -> Cow<'_, str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=80).contains(&text.len()) && text.bytes().all(allowed) {
        return text.into();
    }
    hex::encode(Sha256::digest(text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_step_functions_would_refuse_is_hashed() {
        let longest = format!("sweep-{}", "f".repeat(74));
        assert_eq!(execution_name(&longest), longest);
        let finding = format!("sweep-{}", "f".repeat(128));
        for name in [finding.as_str(), "a b", "a/b", "", "über"] {
            let hashed = execution_name(name);
            assert!(hashed.len() == 64 && hashed.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hashed}");
            assert_eq!(hashed, execution_name(name));
        }
        assert_ne!(execution_name("a b"), execution_name("a/b"));
    }
}
