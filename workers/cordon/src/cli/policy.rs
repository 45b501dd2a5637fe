//! `cordon policy …`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use crate::domain::policy::Policy;

/// Work with policy documents.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check a policy document, as the workers would read it.
    Check {
        /// The document (JSON).
        file: PathBuf,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

impl PolicyCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Check { file, json } = self;
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let checked = Policy::parse(&bytes);
        if json {
            let rules: Vec<_> =
                checked.iter().flat_map(|policy| policy.rules.iter().map(|rule| &rule.name)).collect();
            println!(
                "{}",
                json!({"valid": checked.is_ok(), "error": checked.as_ref().err(), "rules": rules})
            );
        } else {
            match &checked {
                Ok(policy) if policy.rules.is_empty() => {
                    println!(
                        "The policy is valid and has no rules: every finding is reviewed by the fallback approvers."
                    );
                }
                Ok(policy) => {
                    println!("The policy is valid. First match wins:");
                    for (number, rule) in (1..).zip(&policy.rules) {
                        println!("  {number}. {} → {:?}", rule.name, rule.disposition);
                    }
                    println!("  Otherwise: review by the fallback approvers.");
                }
                Err(why) => eprintln!("{}: {why}", file.display()),
            }
        }
        Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
