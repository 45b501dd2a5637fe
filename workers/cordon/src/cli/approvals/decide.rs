//! `cordon approvals approve`, `dismiss` and `snooze`: the votes of Slack's buttons, by people whom IAM lets.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::case::{
    Case, Decision,
    vote::{Undecidable, Voter},
};

use crate::{
    app::approvals::{Approvals, Ballot, SnoozeOutcome, VoteOutcome, Waiting},
    aws::step_functions::StepFunctions,
    cli::{
        operator::{Operator, case_id_or_input, case_ids, reason},
        report::{Refusal, Report},
        terminal::{self, JsonArray},
    },
    error::Result,
};

/// Arguments of the commands that decide.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon approvals list --bucket 'scratch-*' | cordon approvals approve - --reason \"INC-4711: Slack is down\"

The vote is the one of Slack's button: what has been decided stays decided, and a rule that asks for two people gets two.
The exit code is 0 when every vote is on record, 1 when one is not.")]
pub(in crate::cli) struct DecideArguments {
    /// The cases; `-` reads them from standard input, the first word of each line.
    #[arg(required = true, value_name = "CASE_ID", value_parser = case_id_or_input)]
    case_ids: Vec<String>,
    /// Why; it is kept in the case and shown in Slack.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Print a JSON array: `case_id`, `bucket`, `key`, `result` (decided, counted, snoozed, refused, failed),
    /// `detail`, `code`.
    #[arg(long)]
    json: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The objects away.
    Quarantine,
    /// The objects left where they are.
    Dismiss,
    /// To be asked later.
    Snooze,
}

/// Nothing more is to be said of a case than of all.
#[derive(Clone, Debug, Default, serde::Serialize)]
struct Nothing {}

impl DecideArguments {
    pub(super) async fn run(self, action: Action) -> anyhow::Result<ExitCode> {
        let ids = case_ids(&self.case_ids)?;
        let operator = Operator::connect().await?;
        let step_functions = StepFunctions::new(aws_sdk_sfn::Client::new(&operator.aws));
        let approvals = Approvals::new(operator.cases.clone(), step_functions);
        let by = Voter::Iam { arn: operator.caller.clone(), slack_user: operator.slack_user().await };
        let (mut array, mut all_recorded) = (JsonArray::default(), true);
        for id in &ids {
            let deciding = Deciding { operator: &operator, approvals: &approvals, by: &by, action };
            let report = deciding.decide(id, &self.reason).await;
            all_recorded &= !matches!(report.result, "refused" | "failed");
            if self.json {
                array.push(&report)?;
            } else {
                terminal::say(&report.line())?;
            }
        }
        if self.json {
            array.end()?;
        }
        Ok(if all_recorded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

struct Deciding<'a> {
    operator: &'a Operator,
    approvals: &'a Approvals,
    by: &'a Voter,
    action: Action,
}

impl Deciding<'_> {
    async fn decide(&self, case_id: &str, reason: &str) -> Report<Nothing> {
        let case = match self.operator.case(case_id).await {
            Ok(Ok(case)) => case,
            Ok(Err(refusal)) => return Report::on(case_id, None).refused(refusal),
            Err(error) => return Report::on(case_id, None).failed(&error),
        };
        let report = Report::on(case_id, Some(&case));
        if let Some(refusal) = undecidable(&case).or_else(|| self.unknown_person(&case)) {
            return report.refused(refusal);
        }
        match self.record(&case, reason).await {
            Ok(Ok((result, detail))) => Report { result, detail, ..report },
            Ok(Err(refusal)) => report.refused(refusal),
            Err(error) => report.failed(&error),
        }
    }

    async fn record(
        &self,
        case: &Case,
        reason: &str,
    ) -> Result<std::result::Result<(&'static str, String), Refusal>> {
        let decision = match self.action {
            Action::Quarantine => Decision::Quarantine,
            Action::Dismiss => Decision::Dismiss,
            Action::Snooze => return self.snooze(case).await,
        };
        let ballot = Ballot {
            decision,
            by: self.by.clone(),
            reason: Some(reason.to_owned()),
            plan_hash: case.approval.plan_hash.clone(),
        };
        Ok(match self.approvals.vote(case, ballot).await? {
            VoteOutcome::Decided(case) => {
                self.approvals.wake(&Waiting::from(&*case)).await;
                Ok(("decided", format!("{} is decided; the run goes on.", decision.name())))
            }
            VoteOutcome::Counted(missing) => {
                Ok(("counted", format!("The vote is on record; {missing} more must say the same.")))
            }
            VoteOutcome::Repeated => Err(Refusal {
                code: "VotedBefore",
                why: "Your vote is on record already; another person has to say the same.".into(),
            }),
            VoteOutcome::NotTaken(case) => Err(undecidable(&case).unwrap_or_else(Refusal::overtaken)),
            VoteOutcome::UnknownCase => Err(Refusal::overtaken()),
        })
    }

    async fn snooze(&self, case: &Case) -> Result<std::result::Result<(&'static str, String), Refusal>> {
        Ok(match self.approvals.snooze(case, self.by.clone()).await? {
            SnoozeOutcome::Snoozed(case, snooze) => {
                self.approvals.wake(&Waiting::from(&*case)).await;
                Ok(("snoozed", format!("Nobody is asked until {}.", snooze.until)))
            }
            SnoozeOutcome::NotTaken(case) => Err(undecidable(&case).unwrap_or_else(Refusal::overtaken)),
            SnoozeOutcome::UnknownCase => Err(Refusal::overtaken()),
        })
    }

    /// Where two people have to decide, somebody who may be either of them cannot.
    fn unknown_person(&self, case: &Case) -> Option<Refusal> {
        let unknown = matches!(self.by, Voter::Iam { slack_user: None, .. });
        (unknown && case.plan.effect.approvals > 1 && self.action != Action::Snooze).then(|| Refusal {
            code: "UnknownPerson",
            why: format!(
                "Two people have to decide it, and policy does not say who {} is in Slack: have it added to `operators`.",
                self.by
            ),
        })
    }
}

/// Why there is nothing to decide.
fn undecidable(case: &Case) -> Option<Refusal> {
    Some(match case.undecidable()? {
        Undecidable::Decided(decision) => {
            let at = case.approval.decided.as_ref().map(|decided| format!(" at {}", decided.at));
            let why = format!("It was decided{}: {}.", at.unwrap_or_default(), decision.name());
            Refusal { code: "DecidedBefore", why }
        }
        Undecidable::Closed | Undecidable::NobodyIsAsked => Refusal {
            code: "NothingToDecide",
            why: "It does not wait for a decision; `cordon approvals show` tells why.".into(),
        },
    })
}
