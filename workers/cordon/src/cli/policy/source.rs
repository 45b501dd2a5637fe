//! Where policies and findings come from: files, standard input, and the state bucket.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, anyhow, bail};
use cordon_domain::policy::{InvalidPolicy, Policy, encoding::decode};

use crate::{
    app::policy_in_force::{InForce, policy_in_force},
    aws::state_bucket::StateBucket,
    cli::{operator::Operator, terminal},
};

/// A file, or standard input.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(PathBuf),
    Stdin,
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => Path::display(path).fmt(formatter),
            Self::Stdin => formatter.write_str("standard input"),
        }
    }
}

impl Source {
    pub(super) fn is_stdin(&self) -> bool {
        matches!(self, Self::Stdin)
    }

    pub(super) fn read(&self) -> anyhow::Result<Vec<u8>> {
        let read = match self {
            Self::File(path) => std::fs::read(path),
            Self::Stdin => {
                let mut bytes = Vec::new();
                io::stdin().read_to_end(&mut bytes).map(|_| bytes)
            }
        };
        read.with_context(|| format!("cannot read {self}"))
    }

    /// What it says, however it is encoded.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        decode(&self.read()?).map_err(|why| anyhow!("{self} cannot be read as text: {why}"))
    }

    /// The policy in it, which has to be valid.
    pub(super) fn policy(&self) -> anyhow::Result<Policy> {
        match Policy::parse(&self.read()?) {
            Ok(policy) => {
                warn(&policy);
                Ok(policy)
            }
            Err(invalid) => bail!(refusal(self, &invalid)),
        }
    }
}

/// What is valid in a policy and probably not what was meant, a line each.
pub(super) fn warn(policy: &Policy) {
    for warning in policy.warnings() {
        terminal::note(&format!("Warning: {warning}."));
    }
}

/// Everything that is wrong with a policy, a line each.
pub(super) fn refusal(source: &Source, invalid: &InvalidPolicy) -> String {
    let problems: Vec<_> = invalid.problems().iter().map(|problem| format!("\n  {problem}")).collect();
    format!("{source} is not a valid policy:{}", problems.concat())
}

/// The policy in force. What is the matter with a newer version is told.
pub(super) async fn in_force(operator: &Operator) -> anyhow::Result<InForce> {
    let config = &operator.config;
    let client = aws_sdk_s3::Client::new(&operator.aws);
    let state = StateBucket::new(client, config.state_bucket.clone(), config.account.clone());
    let in_force = policy_in_force(&state, &config.policy_key).await?;
    if let Some(unusable) = &in_force.unusable {
        let instead = match &in_force.version {
            Some(version) => format!("version {version} is in force instead"),
            None => "every finding is reviewed by the fallback approvers".into(),
        };
        terminal::note(&format!("The newest policy cannot be used ({}); {instead}.", unusable.why));
    }
    Ok(in_force)
}
