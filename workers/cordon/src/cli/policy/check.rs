//! `cordon policy check`.

use std::process::ExitCode;

use clap::Args;
use cordon_domain::policy::{InvalidPolicy, Mode, Policy};
use serde_json::json;

use super::source::{Source, refusal, warn};
use crate::{
    cli::{self, terminal},
    config::scope_where_set,
};

/// Arguments of `cordon policy check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cordon policy check policy.json
  aws s3 cp s3://cordon-state-111122223333-eu-central-1/policy.json - | cordon policy check -

Where CORDON_PROTECTED_BUCKETS is set, as by Terraform's output `operator_environment`, rules that could reach these are named.")]
pub(in crate::cli) struct CheckArguments {
    /// The document (JSON); `-` is standard input.
    file: Source,
    /// Print the result as JSON: `valid`, `errors` and `warnings` (each with its JSONPath, rule number and name), `rules`, and
    /// `protected` (the rules that could reach protected buckets).
    #[arg(long)]
    json: bool,
}

impl CheckArguments {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let checked = Policy::parse(&self.file.read()?);
        let scope = scope_where_set(&cli::environment());
        let reached = checked.as_ref().map(|policy| scope.reached_by(policy)).unwrap_or_default();
        if self.json {
            let errors = checked.as_ref().err().map_or(&[][..], InvalidPolicy::problems);
            let rules = checked.as_ref().map_or(&[][..], |policy| &policy.rules);
            let rules: Vec<_> = rules.iter().map(|rule| &rule.name).collect();
            let warnings = checked.as_ref().map(Policy::warnings).unwrap_or_default();
            let protected: Vec<_> = reached
                .iter()
                .map(|(number, rule, globs)| json!({"rule": number, "name": rule, "buckets": globs}))
                .collect();
            terminal::say_json(
                &json!({"valid": checked.is_ok(), "errors": errors, "warnings": warnings, "rules": rules,
                    "protected": protected}),
            )?;
        } else {
            match &checked {
                Ok(policy) => {
                    say(policy)?;
                    for (number, rule, globs) in &reached {
                        terminal::note(&format!(
                            "Note: rule {number} ({rule}) could reach protected buckets ({}): of findings there it would only \
                             be told what it says.",
                            globs.join(", ")
                        ));
                    }
                    warn(policy);
                }
                Err(invalid) => terminal::complain(&refusal(&self.file, invalid)),
            }
        }
        Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn say(policy: &Policy) -> std::io::Result<()> {
    if policy.rules.is_empty() {
        terminal::say(
            "The policy is valid and has no rules: every finding is reviewed by the fallback approvers.",
        )?;
    } else {
        terminal::say("The policy is valid. First match wins:")?;
        for (number, rule) in (1..).zip(&policy.rules) {
            terminal::say(&format!("  {number}. {} → {}", rule.name, rule.effect.disposition))?;
        }
        terminal::say("  Otherwise: review by the fallback approvers.")?;
    }
    if policy.mode == Mode::Shadow {
        terminal::say("It is in shadow mode: it tells what it would do, and nothing is touched.")?;
    }
    Ok(())
}
