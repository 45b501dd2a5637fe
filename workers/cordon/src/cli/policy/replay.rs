//! `cordon policy replay`.

mod changes;

use std::{collections::HashMap, process::ExitCode};

use clap::Args;
use cordon_domain::{
    finding::Finding,
    policy::{Decided, Policy, decide},
};
use jiff::Timestamp;

use self::changes::Changes;
use super::source::{Source, in_force};
use crate::{
    app::exposure::is_exposed,
    aws::macie::{self, Macie},
    cli::{
        operator::Operator,
        since::beginning,
        terminal::{self, Progress},
    },
    config::bucket_arn,
    store::Exposures,
};

/// Arguments of `cordon policy replay`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon policy replay --policy new-policy.json --since 30d
  cordon policy replay --policy new-policy.json --since 7d --json | jq '.groups[] | select(.proposed.disposition == \"quarantine\")'

Macie keeps findings for 90 days. Archived ones are left out: findings that a suppression rule archives never reach Cordon.
Rules that ask whether a bucket is exposed are asked about now; what was put back from quarantine, and the limits of
automatic moves, are not looked at.")]
pub(in crate::cli) struct ReplayArguments {
    /// The proposed policy; `-` is standard input. Where it is left out, the one in force is replayed alone.
    #[arg(long, value_name = "FILE")]
    policy: Option<Source>,
    /// Findings of this last length of time, such as 90m, 24h or 30d.
    #[arg(long, value_name = "DURATION", value_parser = beginning)]
    since: Timestamp,
    /// Print it as JSON: `findings`, `changed`, `unchanged`, `unreadable`, `groups` (each with `finding_ids`) and more.
    #[arg(long)]
    json: bool,
}

impl ReplayArguments {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let proposed = self.policy.as_ref().map(Source::policy).transpose()?;
        let operator = Operator::connect().await?;
        let in_force = in_force(&operator).await?.policy;
        let now = in_force.as_ref().map_err(String::as_str);
        let proposed = proposed.as_ref().map_or(now, Ok);
        let client = Macie::new(aws_sdk_macie2::Client::new(&operator.aws));
        terminal::note("Asking Macie which findings there are.");
        let ids = client.findings_created_since(self.since).await?;
        let mut replay = Replay {
            asks: [now, proposed].iter().any(|policy| policy.is_ok_and(Policy::asks_about_exposure)),
            exposures: Exposures::new(
                aws_sdk_dynamodb::Client::new(&operator.aws),
                operator.config.exposures_table.clone(),
            ),
            exposed: HashMap::new(),
            operator: &operator,
        };
        let mut changes = Changes::new(self.since, self.policy.is_some());
        let mut progress = Progress::new(ids.len());
        for page in ids.chunks(macie::PAGE) {
            let findings = client.page(page).await?;
            changes.unreadable(page.len().saturating_sub(findings.len()));
            for finding in &findings {
                if finding.sample || replay.is_about_cordon(finding) {
                    changes.left_out();
                    continue;
                }
                let exposed = replay.exposed(finding).await?;
                let fallback = &operator.config.fallback;
                let answer = |policy| -> Decided { decide(policy, finding, exposed, fallback) };
                changes.add(finding, &answer(now), &answer(proposed));
            }
            progress.advance(page.len());
        }
        drop(progress);
        if self.json {
            terminal::say_json(&changes.json())?;
        } else {
            for line in changes.lines() {
                terminal::say(&line)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is asked besides Macie.
struct Replay<'a> {
    /// Whether some rule asks whether a bucket is exposed.
    asks: bool,
    exposures: Exposures,
    /// What was asked before, by bucket and account.
    exposed: HashMap<(String, String), Option<bool>>,
    operator: &'a Operator,
}

impl Replay<'_> {
    /// As triage asks it.
    async fn exposed(&mut self, finding: &Finding) -> crate::error::Result<Option<bool>> {
        if !self.asks {
            return Ok(None);
        }
        let (object, config) = (&finding.object, &self.operator.config);
        let key = (object.bucket.clone(), object.account.clone());
        if let Some(known) = self.exposed.get(&key) {
            return Ok(*known);
        }
        let watched = object.account == config.account;
        let exposed =
            is_exposed(&self.exposures, &bucket_arn(&object.bucket, &self.operator.caller), watched).await?;
        self.exposed.insert(key, exposed);
        Ok(exposed)
    }

    /// Which triage leaves alone, whatever policy says.
    fn is_about_cordon(&self, finding: &Finding) -> bool {
        let config = &self.operator.config;
        [&config.quarantine_bucket, &config.state_bucket].contains(&&finding.object.bucket)
    }
}
