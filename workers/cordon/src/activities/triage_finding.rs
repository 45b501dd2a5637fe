//! Decides what happens to one finding, and opens its case.
//!
//! Input / output: the run and the event → case id, disposition, plan hash.  Effects: macie2:GetFindings, policy
//! object read, case claimed, finding marked as triaged.
//! Idempotency: the case holds the run's ARN; a second run of the task recognises its own claim and answers the same.
//! Errors: `InvalidFinding`, `AccessDenied`, `RequestRejected`; a lost race is retryable.  Undo: none; a case that
//! was opened in error is closed by the run.

use std::{sync::Arc, time::Duration};

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    clients::{Clients, macie::Known, mover::Versioning, sfn::Run, store::Claimed},
    domain::{
        case::{Case, OutcomeResult, Status},
        finding::{Finding, FindingEvent},
        plan::Plan,
        policy::{self, Disposition, Policy},
        time,
    },
    error::{Code, Error, Result},
};

pub(super) const TERMINAL: &[Code] = &[Code::InvalidFinding, Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct TriageFinding(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    event: Value,
}

#[derive(Serialize)]
pub(super) struct Output {
    /// `quarantine`, `review`, `ignore`, or `joined` for a finding that another case answers.
    disposition: &'static str,
    case_id: Option<String>,
    plan_hash: Option<String>,
    reason: String,
}

impl Output {
    fn without_case(reason: &str) -> Self {
        Self { disposition: "ignore", case_id: None, plan_hash: None, reason: reason.into() }
    }

    fn of(case: &Case, disposition: &'static str) -> Self {
        Self {
            disposition,
            case_id: Some(case.case_id.clone()),
            plan_hash: Some(case.plan_hash.clone()),
            reason: case.plan.rule.clone(),
        }
    }
}

/// How often, and how long apart, Macie is asked for a finding whose event has just come.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(400);

impl Activity for TriageFinding {
    const NAME: &'static str = "triage_finding";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let event = FindingEvent::parse(&input.event)?;
        let output = self.triage(&event.finding_id, &input.execution_arn).await?;
        self.0.cases.mark_triaged(&event.finding_id).await?;
        Ok(output)
    }
}

impl TriageFinding {
    async fn triage(&self, finding_id: &str, execution_arn: &str) -> Result<Output> {
        let Some(finding) = self.read(finding_id).await? else {
            return Ok(Output::without_case("a policy finding: Cordon answers findings about objects"));
        };
        let config = &self.0.config;
        if [&config.quarantine_bucket, &config.state_bucket].contains(&&finding.object.bucket) {
            return Ok(Output::without_case("about a bucket of Cordon's own"));
        }
        let (policy, policy_version) = self.policy().await?;
        let policy = policy.as_ref().map_err(String::as_str);
        let decided = policy::decide(policy, &finding, &config.common.fallback);
        if decided.disposition == Disposition::Ignore {
            return Ok(Output::without_case(&format!("policy rule {:?}", decided.rule)));
        }
        let plan = Plan::new(finding.object.clone(), &decided, policy_version);
        let case = Case::open(finding, decided.disposition, plan, execution_arn, approval_id(), &time::now());
        self.claim(case).await
    }

    /// The finding as Macie knows it; `None` for a policy finding.
    async fn read(&self, finding_id: &str) -> Result<Option<Finding>> {
        for attempt in 1.. {
            match self.0.macie.finding(finding_id).await? {
                Known::SensitiveData(finding) => return Ok(Some(*finding)),
                Known::Policy => return Ok(None),
                Known::Unknown if attempt == ATTEMPTS => break,
                Known::Unknown => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(Error::terminal(
            Code::InvalidFinding,
            format!(
                "Macie does not know the finding {finding_id} in this account and Region, so nothing was done. If the \
                 event was not made by hand, look for the finding in Macie's console."
            ),
        ))
    }

    /// The policy, or why it cannot be read, and the version of its object.
    async fn policy(&self) -> Result<(std::result::Result<Policy, String>, Option<String>)> {
        let key = &self.0.config.policy_key;
        let read = match self.0.state.get(key).await {
            Ok(Some((bytes, version))) => (Policy::parse(&bytes), version),
            Ok(None) => (Err(format!("there is no object {key} in the state bucket")), None),
            Err(error @ Error::Retryable(_)) => return Err(error),
            Err(error) => (Err(error.to_string()), None),
        };
        if let Err(why) = &read.0 {
            tracing::error!(error.message = %why, "the policy cannot be read: every finding is reviewed by the fallback approvers");
        }
        Ok(read)
    }

    async fn claim(&self, case: Case) -> Result<Output> {
        let Some(existing) = self.0.cases.get(&case.case_id).await? else {
            return self.open(&case, None).await;
        };
        if existing.execution_arn == case.execution_arn {
            return Ok(Output::of(&existing, name(existing.disposition)));
        }
        // A closed case no longer answers anything, though its run may still be telling operators.
        let running = existing.status == Status::Open
            && self.0.step_functions.run(&existing.execution_arn, &existing.opened_at).await? == Run::Running;
        let there = !running && self.object_is_there(&case, &existing).await?;
        if existing.answers(case.disposition, running, there) {
            self.0.cases.join(&existing.case_id, &case.finding.id).await?;
            return Ok(Output::of(&existing, "joined"));
        }
        let next = case.after(existing.clone());
        self.open(&next, Some(&existing)).await
    }

    async fn open(&self, case: &Case, replaces: Option<&Case>) -> Result<Output> {
        match self.0.cases.open(case, replaces).await? {
            Claimed::Yes => Ok(Output::of(case, name(case.disposition))),
            Claimed::No => Err(Error::Retryable("another run opened the case at the same moment".into())),
        }
    }

    /// Whether the object of an ended case is at its place (again). Only asked where it matters: a finding that the
    /// case has seen, or that is older than its end, speaks of the time before.
    async fn object_is_there(&self, case: &Case, existing: &Case) -> Result<bool> {
        let moved = matches!(
            existing.outcome.as_ref().map(|outcome| outcome.result),
            Some(OutcomeResult::Quarantined | OutcomeResult::ObjectMissing)
        );
        let seen = existing.finding_ids.contains(&case.finding.id)
            || existing.closed_at.as_ref().is_some_and(|closed| *closed > case.finding.created_at);
        if !moved || seen || case.finding.sample {
            return Ok(false);
        }
        let object = case.object();
        let mover = self.0.movers.open(object, &case.case_id).await?;
        let version = match (&object.version_id, mover.versioning(object).await) {
            (Some(id), Ok(_)) => Some(id.as_str()),
            (None, Ok(Versioning::Never)) => None,
            (None, Ok(_)) => Some("null"),
            (_, Err(error)) if error.code() == Some(Code::ObjectMissing) => return Ok(false),
            (_, Err(error)) => return Err(error),
        };
        Ok(mover.head_source(object, version).await?.is_some_and(|source| source.etag == object.etag))
    }
}

fn name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Ignore => "ignore",
        Disposition::Review => "review",
        Disposition::Quarantine => "quarantine",
    }
}

/// 128 random bits: an action id that cannot be guessed.
fn approval_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
