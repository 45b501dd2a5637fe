//! Whether Cordon can work here: looked at before there is an installation, after each change of it, and when something is
//! amiss. Nothing is changed, and nothing is asked that costs money.

mod account;
mod buckets;
mod deployment;
mod slack;

use aws_config::SdkConfig;
use serde::Serialize;

pub use self::buckets::examine as examine_buckets;
use crate::{
    config::DoctorConfig,
    error::{Code, Error},
};

/// What came of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and something is worth knowing.
    Warning,
    /// It does not work.
    Failed,
    /// Nobody knows: it could not be looked at.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A stable name, such as `macie`.
    pub name: &'static str,
    /// What came of it.
    pub status: Status,
    /// What is the case, in one sentence.
    pub what: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, what: what.into(), mend: None }
    }

    fn warning(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, status: Status::Warning, what: what.into(), mend: Some(mend.into()) }
    }

    fn failed(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, status: Status::Failed, what: what.into(), mend: Some(mend.into()) }
    }

    fn unknown(name: &'static str, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, status: Status::Unknown, what: what.into(), mend: Some(mend.into()) }
    }

    /// What could not be asked for: for want of a permission or an answer nobody knows, and otherwise something is wrong.
    fn unanswered(name: &'static str, error: &Error) -> Self {
        match error.code() {
            Some(Code::AccessDenied) => Self::unknown(
                name,
                format!("your credentials may not look: {error}"),
                "run `cordon doctor` with the credentials that you deploy with",
            ),
            Some(_) => Self::failed(
                name,
                error.to_string(),
                "see what the message names, and run `cordon doctor` again",
            ),
            None => Self::unknown(
                name,
                error.to_string(),
                "run `cordon doctor` again; if it stays so, see the service's status",
            ),
        }
    }
}

/// Looks at everything but single buckets; `tell` gets each result as it comes. Gives back the account.
pub async fn run(aws: &SdkConfig, config: &DoctorConfig, tell: &mut dyn FnMut(Check)) -> Option<String> {
    let account = account::credentials(aws, config, tell).await?;
    account::macie(aws, tell).await;
    account::analyzer(aws, config, &account, tell).await;
    account::security_hub(aws, tell).await;
    let Some(installation) = &config.installation else {
        tell(Check::unknown(
            "installation",
            "no settings of an installation are given, so this is a look at the account alone",
            "after `terraform apply` set the variables of its output operator_environment, and run `cordon doctor` again",
        ));
        return Some(account);
    };
    deployment::event_rules(aws, installation, tell).await;
    deployment::others(aws, installation, tell).await;
    let channels = deployment::policy(aws, installation, tell).await;
    tell(buckets::protected(&installation.scope));
    deployment::services(aws, installation, tell).await;
    slack::look(aws, installation, &channels, tell).await;
    Some(account)
}
