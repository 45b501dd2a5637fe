//! Asks people to decide a case: begins the first round, looks who can still decide and who can reach the bucket, and
//! shows all that in Slack, in a message of its own or, in a burst, in a digest.
//!
//! Input / output: run and case → `posted`, yes or no; `notice`, what operators have to know, if anything.
//! Effects: round, reach and escalation written, message posted or brought up to date.
//! Idempotency: the first round is begun once, further ones by `advance_round`; the message is a function of the
//! record.
//! Errors: `AccessDenied`, `RequestRejected`; Slack's silence is none.  Undo: none.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use activity_worker::{Activity, TaskContext};
use cordon_domain::case::{Case, Escalation};
use serde::{Deserialize, Serialize};

use super::tells_operators;
use crate::{
    app::{
        approvers,
        clients::Clients,
        notifications::{self, Rendered, Shown},
        operator_notices,
    },
    clock,
    error::{Code, Error, Result},
    slack::api::SlackError,
};

pub(super) const TERMINAL: &[Code] = &[Code::AccessDenied, Code::RequestRejected];

/// See the module.
pub(super) struct PostApproval(pub(super) Arc<Clients>);

#[derive(Deserialize)]
pub(super) struct Input {
    execution_arn: String,
    case_id: String,
}

#[derive(Serialize)]
pub(super) struct Output {
    posted: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

/// How long Slack is given before the run goes on; the notifier keeps trying.
const SLACK_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the notifier is waited for when it is at the case, and how often it is looked at.
const NOTIFIER_PATIENCE: Duration = Duration::from_secs(3);
const NOTIFIER_POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long Slack is asked who is left to decide.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);
/// The most lines about who can reach a bucket.
const MAX_REACH_LINES: usize = 10;

impl Activity for PostApproval {
    const NAME: &'static str = "post_approval";
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(&self, input: Input, _: TaskContext) -> Result<Output> {
        let ours = |case: &Case| case.execution_arn == input.execution_arn && case.approval.decided.is_none();
        let Some(case) = self.0.cases.get(&input.case_id).await?.filter(ours) else {
            return Ok(Output { posted: "no", notice: None });
        };
        let begun = match case.approval.asked {
            0 => {
                notifications::list_in_burst(&self.0, &case).await?;
                let begun = self.0.cases.begin_round(&case, 1, self.0.config.round_end()).await?.stands();
                metrics::counter!("Rounds").increment(u64::from(begun.is_some()));
                begun
            }
            _ => Some(case),
        };
        let Some(case) = begun else { return Ok(Output { posted: "no", notice: None }) };
        let ends_at = case.approval.round_ends_at.filter(|ends_at| *ends_at > clock::now());
        let ends_at = ends_at.unwrap_or_else(|| self.0.config.round_end());
        let reach = self.reach(&case).await;
        let (escalation, too_few) = self.escalation(&case).await;
        let shown = self.0.cases.show_round(&case, ends_at, reach.as_deref(), escalation.as_ref()).await?;
        let Some(case) = shown else { return Ok(Output { posted: "no", notice: None }) };
        let shown = tokio::time::timeout(SLACK_TIMEOUT, self.rendered(&case.case_id)).await;
        let (shown, trouble) = match shown {
            Ok(rendered) => rendered.map(|rendered| (rendered.shown, rendered.trouble))?,
            Err(_) => (Shown::Away("no answer in time".into()), None),
        };
        let unseen = match (trouble, &shown) {
            (Some(trouble), _) => {
                let tell = operator_notices::claim(&self.0, &trouble.about, &teller(&case)).await?;
                tell.then_some(trouble.what)
            }
            (None, Shown::Away(why)) => self.away(&case, why).await?,
            (None, Shown::Yes | Shown::NotYet | Shown::Elsewhere) => None,
        };
        let posted = if shown == Shown::Yes { "yes" } else { "no" };
        let notice: Vec<String> =
            too_few.into_iter().chain(unseen).chain(self.limited(&case).await?).collect();
        Ok(Output { posted, notice: (!notice.is_empty()).then(|| notice.join(" ")) })
    }
}

impl PostApproval {
    /// Shows the case. Where the notifier is at it, it is waited for a moment: whether Slack takes the message is said here.
    async fn rendered(&self, case_id: &str) -> Result<Rendered> {
        let until = Instant::now() + NOTIFIER_PATIENCE;
        loop {
            let rendered = notifications::render_case(&self.0, case_id).await?;
            let waits = rendered.shown == Shown::Elsewhere && Instant::now() < until;
            if !waits || self.0.cases.is_shown(case_id).await? {
                return Ok(rendered);
            }
            tokio::time::sleep(NOTIFIER_POLL_INTERVAL).await;
        }
    }

    /// Who can reach the bucket from outside, a line each; `None` when that cannot be read, which delays no approval.
    async fn reach(&self, case: &Case) -> Option<Vec<String>> {
        let bucket_arn = self.0.config.bucket_arn(&case.object().bucket);
        let findings = match self.0.exposures.access(&bucket_arn).await {
            Ok(findings) => findings,
            Err(error) => {
                tracing::warn!(case.id = case.case_id, error.message = %error, "who can reach the bucket is not known");
                return None;
            }
        };
        let mut lines: Vec<String> =
            findings.iter().filter(|finding| finding.is_exposing()).map(|finding| finding.who()).collect();
        lines.sort_unstable();
        lines.dedup();
        let more = lines.len().saturating_sub(MAX_REACH_LINES);
        lines.truncate(MAX_REACH_LINES);
        lines.extend((more > 0).then(|| format!("and {more} more")));
        Some(lines)
    }

    /// Why the fallback approvers are to decide too, if too few others are left or time runs out; and what operators
    /// have to know of it.
    async fn escalation(&self, case: &Case) -> (Option<Escalation>, Option<String>) {
        if case.approval.escalation.is_some() {
            return (None, None);
        }
        let asked = tokio::time::timeout(LOOKUP_TIMEOUT, approvers::count(&self.0.people, case)).await;
        let left = match asked.unwrap_or_else(|_| Err(SlackError::Unreachable("no answer in time".into()))) {
            Ok(left) => Some(left),
            Err(error) => {
                tracing::warn!(case.id = case.case_id, error.message = %error, "who can still decide is not known");
                None
            }
        };
        let needed = usize::try_from(case.plan.effect.approvals.max(1)).unwrap_or(usize::MAX);
        let too_few = left.filter(|left| *left < needed).map(|left| {
            format!(
                "{needed} of the approvers that rule {} names must decide, and {left} are left in Slack",
                case.plan.rule
            )
        });
        let last = (case.plan.effect.rounds > 1 && case.approval.round == case.plan.effect.rounds)
            .then(|| "the last round has begun, and nobody has decided".to_owned());
        let told = too_few.as_ref().map(|why| {
            format!("The fallback approvers have to decide case {}: {why}. Mend the policy.", case.case_id)
        });
        (too_few.or(last).map(|why| Escalation { at: clock::now(), why }), told)
    }

    /// What operators have to know of a limit because of which people are asked.
    async fn limited(&self, case: &Case) -> Result<Option<String>> {
        let Some(limit) = case.approval.over_limit.as_ref().filter(|_| case.approval.asked <= 1) else {
            return Ok(None);
        };
        Ok(tells_operators(&self.0, "rate_limit", &teller(case)).await?.then(|| over_limit(limit)))
    }

    /// What operators have to know when Slack does not take a message; they are told once in a while.
    async fn away(&self, case: &Case, why: &str) -> Result<Option<String>> {
        let about = format!("slack#{}", case.plan.channel);
        let tell = tells_operators(&self.0, &about, &teller(case)).await?;
        Ok(tell.then(|| {
            format!(
                "Slack does not show approvals in channel {} ({why}). Nothing is lost: they are shown once it does. Until \
                 then decide by `cordon approvals list` and `cordon approvals show {}`.",
                case.plan.channel, case.case_id
            )
        }))
    }
}

/// Who tells operators: this asking of this run, and the repetition of its task if its answer is lost.
pub(super) fn teller(case: &Case) -> String {
    format!("{}#{}", case.execution_arn, case.approval.asked)
}

/// What operators have to know of a limit on automatic moves that is reached.
fn over_limit(limit: &str) -> String {
    format!(
        "Policy would move more objects than it may: {limit}. Until the next hour people are asked instead, in Slack and by \
         `cordon approvals list`. If the findings are right, raise the limit in the policy; if not, mend the rule."
    )
}
