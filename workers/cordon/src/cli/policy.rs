//! `cordon policy …`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use crate::domain::policy::{InvalidPolicy, Policy};

/// Work with policy documents.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Check a policy document, as the workers would read it, and name everything that is wrong with it.
    Check {
        /// The document (JSON).
        file: PathBuf,
        /// Print the result as JSON: `valid`, `errors` (each with its JSONPath, rule number and name), `rules`.
        #[arg(long)]
        json: bool,
    },
}

impl PolicyCommand {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Check { file, json } = self;
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let checked = Policy::parse(&bytes);
        let errors = checked.as_ref().err().map_or(&[][..], InvalidPolicy::problems);
        let rules = checked.as_ref().map_or(&[][..], |policy| &policy.rules);
        if json {
            let rules: Vec<_> = rules.iter().map(|rule| &rule.name).collect();
            println!("{}", json!({"valid": checked.is_ok(), "errors": errors, "rules": rules}));
        } else if checked.is_err() {
            eprintln!("{} is not a valid policy:", file.display());
            for problem in errors {
                eprintln!("  {problem}");
            }
        } else if rules.is_empty() {
            println!(
                "The policy is valid and has no rules: every finding is reviewed by the fallback approvers."
            );
        } else {
            println!("The policy is valid. First match wins:");
            for (number, rule) in (1..).zip(rules) {
                println!("  {number}. {} → {:?}", rule.name, rule.disposition);
            }
            println!("  Otherwise: review by the fallback approvers.");
        }
        Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
