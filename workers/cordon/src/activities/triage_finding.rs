//! Decides what happens to one finding, and opens its case.
//!
//! Input / output: the run and the event → case id, disposition, plan hash.  Effects: macie2:GetFindings, policy
//! object read, access findings of the bucket read where policy asks, case claimed, finding marked as triaged.
//! Idempotency: the case holds the run's ARN; a second run of the task recognises its own claim and answers the same.
//! Errors: `InvalidFinding`, `AccessDenied`, `RequestRejected`; a lost race is retryable.  Undo: none; a case that
//! was opened in error is closed by the run.

use std::{sync::Arc, time::Duration};

use activity_worker::{Activity, TaskContext};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    clients::{Clients, macie::Known, mover::Place, sfn::Run},
    domain::{
        case::{Case, OutcomeResult, Status},
        finding::{Finding, FindingEvent},
        plan::Plan,
        policy::{self, AfterRestore, Disposition, Policy},
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
    /// `quarantine`, `review`, `ignore`, `shadow` where policy only tells what it would do, or `joined` for a finding
    /// that another case answers.
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
/// How much of a stored time names the second.
const SECOND: usize = "2026-03-11T09:47:00".len();

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
        let in_force = self.0.state.policy(&config.policy_key).await?;
        let policy = in_force.policy.as_ref().map_err(String::as_str);
        let exposed = self.exposed(policy, &finding).await?;
        let decided = policy::decide(policy, &finding, exposed, &config.common.fallback);
        if decided.disposition == Disposition::Ignore {
            return Ok(Output::without_case(&format!("policy rule {:?}", decided.rule)));
        }
        let plan = Plan::new(finding.object.clone(), &decided, in_force.version.clone());
        let case = Case::open(finding, decided.disposition, plan, execution_arn, approval_id(), &time::now());
        let limits = policy.map_or((None, None), |policy| {
            (policy.max_automatic_per_hour, policy.max_automatic_per_bucket_per_hour)
        });
        Claim { clients: &self.0, case, after_restore: decided.after_restore, limits }.make().await
    }

    /// Whether the object's bucket is exposed, as far as that is known and some rule asks.
    async fn exposed(
        &self,
        policy: std::result::Result<&Policy, &str>,
        finding: &Finding,
    ) -> Result<Option<bool>> {
        if !policy.is_ok_and(Policy::asks_about_exposure) {
            return Ok(None);
        }
        let (config, object) = (&self.0.config, &finding.object);
        // An analyzer of the account sees no bucket of another one; of an organization's that cannot be told.
        let watched = object.account == config.common.account;
        self.0.exposures.exposed(&config.bucket_arn(&object.bucket), watched).await
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
}

/// A case about to be opened, unless another answers the finding.
struct Claim<'a> {
    clients: &'a Clients,
    case: Case,
    after_restore: AfterRestore,
    /// The most automatic moves in an hour, in all and in the bucket.
    limits: (Option<u32>, Option<u32>),
}

impl Claim<'_> {
    async fn make(self) -> Result<Output> {
        let Some(existing) = self.clients.cases.get(&self.case.case_id).await? else {
            return match self.clients.cases.story_of_restored(&self.case.case_id).await? {
                Some(story) => self.after_restore(&story, None).await,
                None => self.open(self.case.clone(), None).await,
            };
        };
        if existing.execution_arn == self.case.execution_arn {
            return Ok(Output::of(&existing, route(&existing)));
        }
        // A closed case no longer answers anything, though its run may still be telling operators.
        let running = existing.status == Status::Open
            && self.clients.step_functions.run(&existing.execution_arn, &existing.opened_at).await?
                == Run::Running;
        let there = !running && self.object_is_there(&existing).await?;
        if there && existing.has_restored(self.case.object()) {
            return self.after_restore(&existing, Some(&existing)).await;
        }
        // What was only told is no answer where policy acts, not even while it is being told.
        let only_told = existing.plan.shadow && !self.case.plan.shadow;
        if !only_told && existing.answers(self.case.disposition, running, there) {
            return self.join(&existing).await;
        }
        self.open(self.case.clone(), Some(&existing)).await
    }

    /// The object was put back from quarantine by somebody who knew what it holds: nothing happens to it without a
    /// person.
    async fn after_restore(&self, story: &Case, replaces: Option<&Case>) -> Result<Output> {
        match self.after_restore {
            AfterRestore::Join => self.join(story).await,
            AfterRestore::Ask => {
                self.open(self.case.clone().reviewed_instead("put back from quarantine before"), replaces)
                    .await
            }
        }
    }

    async fn join(&self, existing: &Case) -> Result<Output> {
        self.clients.cases.join(&existing.case_id, &self.case.finding.id).await?;
        Ok(Output::of(existing, "joined"))
    }

    async fn open(&self, case: Case, replaces: Option<&Case>) -> Result<Output> {
        let case = self.within_limits(case).await?;
        let case = match replaces {
            Some(earlier) => case.after(earlier.clone()),
            None => case,
        };
        match self.clients.cases.open(&case, replaces).await?.stands() {
            Some(case) => Ok(Output::of(&case, route(&case))),
            None => Err(Error::Retryable("another run opened the case at the same moment".into())),
        }
    }

    /// Too many automatic moves look like a mistake in policy: from there on, people decide.
    async fn within_limits(&self, case: Case) -> Result<Case> {
        if case.disposition != Disposition::Quarantine || case.finding.sample || case.plan.shadow {
            return Ok(case);
        }
        let (per_hour, per_bucket) = self.limits;
        let cases = &self.clients.cases;
        match cases.count_automatic(&case.object().bucket, per_hour, per_bucket).await? {
            Some(limit) => Ok(case.reviewed_instead(&limit)),
            None => Ok(case),
        }
    }

    /// Whether the object of an ended case is at its place (again). Only asked where it matters: a finding that the
    /// case has seen, or that is older than its end, speaks of the time before.
    async fn object_is_there(&self, existing: &Case) -> Result<bool> {
        let moved = matches!(
            existing.outcome.as_ref().map(|outcome| outcome.result),
            Some(OutcomeResult::Quarantined | OutcomeResult::ObjectMissing)
        );
        let case = &self.case;
        let seen = existing.finding_ids.contains(&case.finding.id)
            // To the second, as Macie tells times.
            || existing.closed_at.as_ref().is_some_and(|closed| closed.get(..SECOND) > case.finding.created_at.get(..SECOND));
        if !moved || seen || case.finding.sample {
            return Ok(false);
        }
        let object = case.object();
        let place = Place::of(object);
        let mover = self.clients.movers.open(&place, &case.case_id).await?;
        let versioning = match mover.versioning(&place).await {
            Ok(versioning) => versioning,
            Err(error) if error.code() == Some(Code::ObjectMissing) => return Ok(false),
            Err(error) => return Err(error),
        };
        let there = mover.look(&place, versioning.requested(object.version_id.as_deref())).await?;
        Ok(there.is_some_and(|there| there.etag == object.etag))
    }
}

/// Which way the run goes.
fn route(case: &Case) -> &'static str {
    match case.disposition {
        _ if case.plan.shadow => "shadow",
        Disposition::Ignore => "ignore",
        Disposition::Review => "review",
        Disposition::Quarantine => "quarantine",
    }
}

/// 128 random bits: an action id that cannot be guessed.
fn approval_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
