//! `cordon quarantine show`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{operator::Operator, report::copy, terminal},
    clients::mover::{Movers, Place},
    domain::{
        case::{Case, Outcome, Purge, Restore, RestoreResult, Vote},
        manifest::{Entry, Manifest, manifest_beside},
        policy::Disposition,
    },
    error::Result,
};

/// Arguments of `cordon quarantine show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  cordon quarantine show 812a6a9f0f4300994de1842f17964a72315d9890c38018511b7a2644aaab8454

The manifest is shown where CORDON_INVESTIGATOR_ROLE_ARN is set and you may take that role. The object itself is not
read.")]
pub(in crate::cli) struct ShowArguments {
    /// The case.
    #[arg(value_name = "CASE_ID")]
    case_id: String,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

impl ShowArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::connect().await?;
        let case = match operator.case(&self.case_id).await? {
            Ok(case) => case,
            Err(refusal) => bail!(refusal.why),
        };
        let manifest = operator.manifest(&case).await;
        if self.json {
            terminal::say_json(&record(&case, &manifest))?;
        } else {
            for line in story(&case).into_iter().chain(proof(&manifest)) {
                terminal::say(&line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The manifest; why it cannot be read; `None` where there is none to be read.
type Read = Option<std::result::Result<Manifest, String>>;

impl Operator {
    /// The manifest beside the copies of a case, read under the investigator's role.
    async fn manifest(&self, case: &Case) -> Read {
        let role_arn = self.config.investigator_role_arn.as_ref()?;
        let key = manifest_beside(copy(case)?);
        let read = self.read_manifest(role_arn, case, &key).await;
        Some(match read {
            Ok(Some(manifest)) => Ok(manifest),
            Ok(None) => Err(format!("There is no manifest {key} in quarantine.")),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn read_manifest(&self, role_arn: &str, case: &Case, key: &str) -> Result<Option<Manifest>> {
        let (bucket, account) = (self.config.quarantine_bucket.clone(), self.config.account.clone());
        // Nothing is copied, so the size of parts does not matter.
        let investigators = Movers::new(&self.aws, role_arn.to_owned(), bucket, account, i64::MAX);
        let investigator = investigators.open(&Place::of(case.object()), &case.case_id).await?;
        Ok(investigator.manifest(key).await?.map(|(manifest, _)| manifest))
    }
}

/// The case for programs, without the tokens and button names that it holds.
fn record(case: &Case, manifest: &Read) -> Value {
    json!({
        "case_id": case.case_id,
        "generation": case.generation,
        "status": case.status,
        "state": super::state(case),
        "object": case.object(),
        "finding": case.finding,
        "finding_ids": case.finding_ids,
        "disposition": case.disposition,
        "plan": case.plan,
        "plan_hash": case.plan_hash,
        "run": case.execution_arn,
        "opened_at": case.opened_at,
        "decision": case.decision,
        "decided_at": case.decided_at,
        "votes": case.votes,
        "paused_at": case.paused_at,
        "outcome": case.outcome,
        "closed_at": case.closed_at,
        "restores": case.restores,
        "purge": case.purge,
        "history": case.history,
        "manifest": manifest.as_ref().and_then(|read| read.as_ref().ok()),
        "manifest_error": manifest.as_ref().and_then(|read| read.as_ref().err()),
    })
}

/// The case for people, a line each.
fn story(case: &Case) -> Vec<String> {
    let (object, finding) = (case.object(), &case.finding);
    let version = object.version_id.as_deref().unwrap_or("none (unversioned)");
    let found: Vec<_> = finding.detections.iter().map(|d| format!("{} × {}", d.count, d.name)).collect();
    let state = super::state(case).map_or_else(
        || format!("{} (nothing in quarantine)", case.status.name()),
        |state| state.replace('_', " "),
    );
    let mut lines = vec![
        field("Case", &format!("{}, generation {}", case.case_id, case.generation)),
        field("State", &state),
        field("Object", &format!("{}/{}", object.bucket, object.key)),
        field("Version", &format!("{version}, ETag {}", object.etag)),
        field("Account", &format!("{}, {}", object.account, finding.region)),
        field("Finding", &format!("{}, {:?}: {}", finding.finding_type, finding.severity, found.join(", "))),
        field("Finding ids", &case.finding_ids.join(", ")),
        field("Rule", &rule(case)),
        field("Opened", &format!("{} by the run {}", case.opened_at, case.execution_arn)),
    ];
    lines.extend(case.votes.iter().map(|vote| field("Vote", &voted(vote))));
    if let Some(since) = &case.paused_at {
        lines.push(field("Paused", &format!("since {since}; it goes on after `cordon resume`")));
    }
    if let Some(outcome) = &case.outcome {
        lines.push(field("Outcome", &ended(outcome, case.closed_at.as_deref())));
        lines.extend(copy(case).map(|key| field("Copy", key)));
    }
    lines.extend(case.restores.iter().map(|restore| field("Restore", &asked_back(restore))));
    lines.extend(case.purge.as_ref().map(|purge| field("Purge", &purged(purge))));
    for past in &case.history {
        let end = past.outcome.as_ref().map_or_else(
            || "without an outcome".to_owned(),
            |outcome| ended(outcome, past.closed_at.as_deref()),
        );
        lines.push(field("Earlier", &format!("generation {}: {end}", past.generation)));
        let copy = past.outcome.as_ref().and_then(|outcome| outcome.quarantine_key.as_ref());
        lines.extend(copy.map(|key| field("", &format!("its copy {key}"))));
        lines.extend(
            past.restores.iter().map(|restore| field("", &format!("restore {}", asked_back(restore)))),
        );
    }
    lines
}

fn proof(manifest: &Read) -> Vec<String> {
    match manifest {
        None => Vec::new(),
        Some(Err(why)) => vec![field("Manifest", &format!("not shown: {why}"))],
        Some(Ok(manifest)) => {
            let left = match manifest.versions_left {
                0 => String::new(),
                n => format!("; {n} other versions were left where they are"),
            };
            let verified = format!("verified at {}{left}", manifest.verified_at);
            let mut lines = vec![field("Manifest", &verified)];
            lines.extend(manifest.entries.iter().map(|entry| field("Moved", &moved(entry))));
            lines
        }
    }
}

fn field(name: &str, value: &str) -> String {
    format!("{name:<12} {value}")
}

fn rule(case: &Case) -> String {
    let policy = case.plan.policy_version.as_deref().unwrap_or("unknown");
    let what = match case.disposition {
        Disposition::Quarantine => "quarantines at once",
        Disposition::Review => "asks people",
        Disposition::Ignore => "ignores",
    };
    format!("{} {what} (policy version {policy})", case.plan.rule)
}

fn voted(vote: &Vote) -> String {
    format!("{} by slack:{}/{} at {}", vote.decision.name(), vote.team, vote.user, vote.at)
}

fn ended(outcome: &Outcome, at: Option<&str>) -> String {
    let code = outcome.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    format!("{}{code} at {}: {}", outcome.result.name(), at.unwrap_or("an unknown time"), outcome.detail)
}

fn asked_back(restore: &Restore) -> String {
    let options = [(restore.replace, ", --replace"), (restore.even_if_exposed, ", --even-if-exposed")];
    let options: String = options.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect();
    let end = restore.outcome.as_ref().map_or_else(
        || "under way".to_owned(),
        |outcome| {
            let code = outcome.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            let result = match outcome.result {
                RestoreResult::Restored => "put back",
                RestoreResult::Failed => "not put back",
            };
            format!("{result}{code} at {}: {}", outcome.at, outcome.detail)
        },
    );
    format!("by {} at {} ({}{options}): {end}", restore.requested_by, restore.requested_at, restore.reason)
}

fn purged(purge: &Purge) -> String {
    let end = purge.done_at.as_ref().map_or_else(
        || "not finished; run `cordon quarantine purge` again".to_owned(),
        |at| format!("done at {at}"),
    );
    format!("by {} at {} ({}): {end}", purge.requested_by, purge.requested_at, purge.reason)
}

fn moved(entry: &Entry) -> String {
    format!(
        "{} bytes, version {} to {} (version {}); {}",
        entry.object.size,
        entry.source.version_id.as_deref().unwrap_or("none"),
        entry.quarantine.key,
        entry.quarantine.version_id.as_deref().unwrap_or("none"),
        entry.verification.guarantee
    )
}
