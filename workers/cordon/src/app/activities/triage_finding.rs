//! Decides what happens to one finding, and opens its case.
//!
//! Input / output: the run and the event → case id, disposition, plan hash.  Effects: macie2:GetFindings, policy
//! object read, access findings of the bucket read where policy asks, case claimed, finding marked as triaged.
//! Idempotency: the case holds the run's ARN; a second run of the task recognizes its own claim and answers the same.
//! Errors: `InvalidFinding`, `AccessDenied`, `RequestRejected`; a lost race is retryable.  Undo: none; a case that
//! was opened in error is closed by the run.

use std::{sync::Arc, time::Duration};

use activity_worker::{Activity, TaskContext};
use cordon_domain::{
    case::{
        Case, OutcomeResult, Renewal, Status,
        known_cases::{Event, Response, Standing, is_left_by_person, response},
        plan::Plan,
    },
    finding::{Finding, FindingEvent},
    policy::{self, AfterRestore, Disposition, Policy, answer::PolicyAnswer},
    quoted::quoted,
    routes::TriageRoute,
    time::Time,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::{clients::Clients, exposure, policy_in_force::policy_in_force, rate_limits, unseen_versions},
    aws::{macie::Known, object_session::Place, step_functions::Run},
    clock,
    error::{Code, Error, Result},
    store::{RateLimits, keys},
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
    disposition: TriageRoute,
    case_id: Option<String>,
    /// The item that the state machine writes its tokens to.
    approval: Option<String>,
    plan_hash: Option<String>,
    reason: String,
}

impl Output {
    fn without_case(reason: &str) -> Self {
        Self {
            disposition: TriageRoute::Ignore,
            case_id: None,
            approval: None,
            plan_hash: None,
            reason: reason.into(),
        }
    }

    fn of(case: &Case, disposition: TriageRoute) -> Self {
        Self {
            disposition,
            case_id: Some(case.case_id.clone()),
            approval: Some(keys::approval(&case.case_id)),
            plan_hash: Some(case.approval.plan_hash.clone()),
            reason: case.plan.rule.clone(),
        }
    }
}

/// How often, and how long apart, Macie is asked for a finding whose event has just come.
const ATTEMPTS: u32 = 3;
const RETRY_DELAY: Duration = Duration::from_millis(400);

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
        if !config.scope.answers_for(&finding.object.bucket) {
            return Ok(Output::without_case("about a bucket that this installation does not answer for"));
        }
        let in_force = policy_in_force(&self.0.state, &config.policy_key).await?;
        let policy = in_force.policy.as_ref().map_err(String::as_str);
        let exposed = self.exposed(policy, &finding).await?;
        let decided = policy::decide(policy, &finding, exposed, &config.common.fallback);
        if decided.effect.disposition == Disposition::Ignore {
            return Ok(Output::without_case(&format!("policy rule {}", quoted(&decided.rule))));
        }
        let plan = Plan::new(&finding, &decided, in_force.version.clone()).within(&config.scope);
        let answer = PolicyAnswer::new(&finding, &decided, exposed);
        let case = Case::open(finding, answer, plan, execution_arn, approval_id(), clock::now());
        let limits = policy.map_or(RateLimits::default(), rate_limits::limits);
        Claim { clients: &self.0, case, after_restore: decided.effect.after_restore, limits }.make().await
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
        exposure::is_exposed(&self.0.exposures, &config.bucket_arn(&object.bucket), watched).await
    }

    /// The finding as Macie knows it; `None` for a policy finding.
    async fn read(&self, finding_id: &str) -> Result<Option<Finding>> {
        for attempt in 1.. {
            match self.0.macie.finding(finding_id).await? {
                Known::SensitiveData(finding) => return Ok(Some(*finding)),
                Known::Policy => return Ok(None),
                Known::Unknown if attempt == ATTEMPTS => break,
                Known::Unknown => tokio::time::sleep(RETRY_DELAY).await,
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
    limits: RateLimits,
}

impl Claim<'_> {
    async fn make(self) -> Result<Output> {
        let Some(existing) = self.clients.cases.get(&self.case.case_id).await? else {
            return match self.clients.cases.original_of_restored(&self.case.case_id).await? {
                Some(original) => self.restored_elsewhere(&original).await,
                None => self.open(self.case.clone(), None).await,
            };
        };
        if existing.execution_arn == self.case.execution_arn {
            return Ok(Output::of(&existing, route(&existing)));
        }
        if existing.status == Status::Restoring {
            return Err(Error::Retryable("the object is being put back from quarantine".into()));
        }
        // What was only told is no answer where policy acts, not even while it is being told.
        if existing.plan.shadow && !self.case.plan.shadow {
            return self.open(self.case.clone(), Some(&existing)).await;
        }
        // A closed case no longer answers anything, though its run may still be telling operators.
        let running = existing.status == Status::Open
            && self.clients.step_functions.run(&existing.execution_arn, existing.opened_at).await?
                == Run::Running;
        let there = !running && self.object_is_there(&existing).await?;
        let standing = Standing::of(&existing, running, there);
        let event = Event::of(&existing.policy_answer, &self.case.policy_answer);
        let made_by_restore = self.clients.cases.original_of_restored(&existing.case_id).await?.is_some();
        let left_by_person = is_left_by_person(&existing, made_by_restore);
        match (response(standing, event, left_by_person), standing) {
            (Response::Join, _) => self.join(&existing).await,
            (Response::AfterRestore, _) => self.after_restore(&existing, Some(&existing)).await,
            (Response::Ask, Standing::Open) => self.renew(self.ask_only(left_by_person), &existing).await,
            (Response::AsPolicySays, Standing::Open) => self.renew(self.case.clone(), &existing).await,
            (Response::Ask, _) => self.open(self.ask_only(left_by_person), Some(&existing)).await,
            (Response::AsPolicySays, _) => self.open(self.case.clone(), Some(&existing)).await,
        }
    }

    /// The case, with nothing happening to the object unless people decide so.
    fn ask_only(&self, left_by_person: bool) -> Case {
        let case = self.case.clone();
        match case.disposition {
            _ if left_by_person => case.only_by_people("a person left the object where it is before"),
            Disposition::Quarantine => case.reviewed_instead("people were asked before, and nobody decided"),
            Disposition::Review | Disposition::Ignore => case,
        }
    }

    /// The object version was made by a restore of another case: somebody had it put back who knew what it holds.
    async fn restored_elsewhere(&self, original: &Case) -> Result<Output> {
        let event = Event::of(&original.policy_answer, &self.case.policy_answer);
        match response(Standing::Restored, event, true) {
            Response::AfterRestore => self.after_restore(original, None).await,
            _ => self.open(self.ask_only(true), None).await,
        }
    }

    /// The object was put back from quarantine by somebody who knew what it holds: nothing happens to it without a
    /// person.
    async fn after_restore(&self, known: &Case, replaces: Option<&Case>) -> Result<Output> {
        match self.after_restore {
            AfterRestore::Join => self.join(known).await,
            AfterRestore::Ask => {
                let case = self.case.clone().only_by_people("put back from quarantine before");
                self.open(case, replaces).await
            }
        }
    }

    async fn join(&self, existing: &Case) -> Result<Output> {
        self.clients.cases.join(&existing.case_id, &self.case.finding.id).await?;
        Ok(Output::of(existing, TriageRoute::Joined))
    }

    async fn open(&self, case: Case, replaces: Option<&Case>) -> Result<Output> {
        let case = match replaces {
            Some(earlier) => case.after(earlier.clone()),
            None => case,
        };
        let case = self.vouched(self.without_a_person(case).await?).await?;
        match self.clients.cases.open(&case, replaces).await?.stands() {
            Some(case) => Ok(Output::of(&case, route(&case))),
            None => {
                self.give_back(&case).await?;
                Err(Error::Retryable("another run opened the case at the same moment".into()))
            }
        }
    }

    /// Puts the open case before people anew, or has it moved, as the stricter finding demands. Its run goes on with it.
    async fn renew(&self, case: Case, existing: &Case) -> Result<Output> {
        // In shadow mode policy changes nothing that people are at.
        if case.plan.shadow || existing.is_being_moved() {
            return self.join(existing).await;
        }
        if existing.approval.decided.is_some() {
            return Err(Error::Retryable("the case is being closed, as it was decided".into()));
        }
        let case = self.without_a_person(Case { generation: existing.generation, ..case }).await?;
        if case.approval.plan_hash == existing.approval.plan_hash && case.disposition == existing.disposition
        {
            return self.join(existing).await;
        }
        // Its run goes on with it.
        let case = self.vouched(Case { execution_arn: existing.execution_arn.clone(), ..case }).await?;
        let renewal = Renewal { at: clock::now(), why: self.why_renewed(existing) };
        let ends_at = self.clients.config.round_end();
        let Some(case) = self.clients.cases.renew(existing, &case, &renewal, ends_at).await?.stands() else {
            self.give_back(&case).await?;
            return Err(Error::Retryable("the case was decided or voted on at the same moment".into()));
        };
        // A run that cannot be woken now finds the record when its wait ends; one that is decided the reconciler wakes.
        if let Some(token) = &case.waits.task_token
            && let Err(error) = self.clients.step_functions.wake(token).await
        {
            tracing::warn!(case.id = case.case_id, error.message = %error, "run not woken");
        }
        Ok(Output::of(&case, TriageRoute::Joined))
    }

    /// The case with the worker's code over its plan.
    async fn vouched(&self, case: Case) -> Result<Case> {
        match self.clients.macs.generate(&case.plan_message()).await {
            Ok(mac) => Ok(Case { plan_mac: Some(mac), ..case }),
            Err(error) => {
                // The run ends with a terminal error, and a move that was counted does not come.
                if !matches!(error, Error::Retryable(_)) {
                    self.give_back(&case).await?;
                }
                Err(error)
            }
        }
    }

    /// What the newest finding changes, as a sentence.
    fn why_renewed(&self, existing: &Case) -> String {
        let (before, now) = (&existing.policy_answer, &self.case.policy_answer);
        let new: Vec<_> = now.categories.difference(&before.categories).map(String::as_str).collect();
        let rule = &self.case.plan.rule;
        if !now.is_stricter_than(before) {
            return format!("The bucket is exposed by now; rule {rule} applies.");
        }
        let found = if new.is_empty() { String::new() } else { format!(" found {} and", new.join(", ")) };
        format!("A newer finding{found} falls under rule {rule}, which is stricter.")
    }

    /// What policy moves by itself: versions of which each has a finding, and so many an hour, as too many look like a mistake in
    /// policy. Of all else, people decide.
    async fn without_a_person(&self, case: Case) -> Result<Case> {
        if case.disposition != Disposition::Quarantine || case.finding.sample || case.plan.shadow {
            return Ok(case);
        }
        if let Some(why) = unseen_versions::why_not(self.clients, &case).await? {
            return Ok(case.only_by_people(&why));
        }
        match rate_limits::count(self.clients, &case, &self.case.execution_arn, self.limits).await? {
            Some(limit) => Ok(case.above_limit(limit)),
            None => Ok(case),
        }
    }

    /// The move that was counted does not come about.
    async fn give_back(&self, case: &Case) -> Result<()> {
        if case.disposition != Disposition::Quarantine {
            return Ok(());
        }
        rate_limits::give_back(self.clients, case, &self.case.execution_arn).await
    }

    /// Whether the object of an ended case is at its place (again). Only asked where it matters: a finding that the
    /// case has seen, or that is older than its end, speaks of the time before.
    async fn object_is_there(&self, existing: &Case) -> Result<bool> {
        let moved = matches!(
            existing.outcome().map(|outcome| outcome.result),
            Some(OutcomeResult::Quarantined | OutcomeResult::ObjectMissing)
        );
        let case = &self.case;
        let seen = existing.finding_ids.contains(&case.finding.id)
            // To the second, as Macie tells times.
            || existing.closed_at().is_some_and(|closed| second(closed) > second(case.finding.created_at));
        if !moved || seen || case.finding.sample {
            return Ok(false);
        }
        // IAM gives no session for such a bucket, and there policy only tells.
        if case.plan.protected_by.is_some() {
            return Ok(true);
        }
        let object = case.object();
        let place = Place::of(object);
        let mover = self.clients.movers.open(&place, &case.case_id).await?;
        let versioning = match mover.versioning(&place).await {
            Ok(versioning) => versioning,
            Err(error) if error.code() == Some(Code::ObjectMissing) => return Ok(false),
            Err(error) => return Err(error),
        };
        let there = mover.head_object(&place, versioning.requested(object.version_id.as_deref())).await?;
        Ok(there.is_some_and(|there| there.etag == object.etag))
    }
}

/// Which way the run goes.
fn route(case: &Case) -> TriageRoute {
    match case.disposition {
        _ if case.plan.shadow => TriageRoute::Shadow,
        Disposition::Ignore => TriageRoute::Ignore,
        Disposition::Review => TriageRoute::Review,
        Disposition::Quarantine => TriageRoute::Quarantine,
    }
}

fn second(time: Time) -> i64 {
    time.timestamp().as_second()
}

/// 128 random bits: an action id that cannot be guessed.
fn approval_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}
