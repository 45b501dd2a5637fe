//! What every command of a person starts from: settings, credentials, who they are, and the cases that they name.

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Read},
};

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;

use super::report::Refusal;
use crate::{
    clients::{self, store::Cases, sts},
    config::OperatorConfig,
    domain::case::Case,
    error::Result,
};

/// A person at work.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) config: OperatorConfig,
    pub(super) aws: SdkConfig,
    pub(super) cases: Cases,
    /// Their ARN.
    pub(super) caller: String,
}

/// The digits of a case id: SHA-256 in hex.
const CASE_ID: usize = 64;
/// The longest reason.
const REASON: usize = 1_000;

impl Operator {
    /// Reads the settings and asks AWS whose credentials these are.
    pub(super) async fn connect() -> anyhow::Result<Self> {
        let config = OperatorConfig::read(&super::environment())?;
        let aws = clients::aws_config(&config.region).await.map_err(|error| {
            anyhow!(
                "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with \
                 SSO run `eval \"$(aws configure export-credentials --format env)\"` first ({})",
                error.root_cause()
            )
        })?;
        let caller = sts::caller(&aws).await?;
        if caller.account != config.account {
            bail!(
                "your AWS credentials are of account {}, and Cordon runs in {}; choose others with AWS_PROFILE",
                caller.account,
                config.account
            );
        }
        let cases = Cases::new(aws_sdk_dynamodb::Client::new(&aws), config.cases_table.clone());
        Ok(Self { config, aws, cases, caller: caller.arn })
    }

    /// The case of this id, or why there is none.
    ///
    /// # Errors
    /// As classified.
    pub(super) async fn case(&self, case_id: &str) -> Result<std::result::Result<Case, Refusal>> {
        let digits = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if case_id.len() != CASE_ID || !digits(case_id) {
            return Ok(Err(unknown(
                "This is not a case id, which has 64 hexadecimal digits; `cordon quarantine list` shows them whole.",
            )));
        }
        Ok(self.cases.get(case_id).await?.ok_or_else(|| {
            unknown("There is no such case; `cordon quarantine list` shows what is in quarantine.")
        }))
    }
}

fn unknown(why: &str) -> Refusal {
    Refusal { code: "UnknownCase", why: why.into() }
}

/// A reason as given on the command line.
///
/// # Errors
/// When it says nothing, or too much.
pub(super) fn reason(text: &str) -> std::result::Result<String, String> {
    let reason = text.trim();
    match reason.chars().count() {
        0 => Err("say why, for those who read the record later".into()),
        n if n > REASON => {
            Err(format!("it has {n} characters; {REASON} are the most: name a ticket instead"))
        }
        _ => Ok(reason.to_owned()),
    }
}

/// The case ids that were named, each once. `-` stands for those on standard input: the first word of each line.
pub(super) fn case_ids(named: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for name in named {
        if name != "-" {
            ids.push(name.clone());
            continue;
        }
        let mut text = String::new();
        if io::stdin().is_terminal() {
            super::terminal::note("Case ids, one a line; end with Ctrl-D:");
        }
        io::stdin().read_to_string(&mut text).context("standard input cannot be read as text")?;
        ids.extend(first_words(&text));
    }
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if ids.is_empty() {
        bail!("no case ids came from standard input; `cordon quarantine list` prints them");
    }
    Ok(ids)
}

fn first_words(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something() {
        for nothing in ["", "  \n"] {
            assert!(reason(nothing).is_err());
        }
        assert!(reason(&"x".repeat(1_001)).unwrap_err().contains("1001"));
        assert_eq!(reason(" it was a test file ").unwrap(), "it was a test file");
    }

    #[test]
    fn a_list_of_cases_can_be_piped_in_as_it_is() {
        let words: Vec<_> = first_words("aa  finance/a b.txt\n\n  bb\n").collect();
        assert_eq!(words, ["aa", "bb"]);
    }
}
