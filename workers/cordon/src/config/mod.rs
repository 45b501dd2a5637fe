//! Every setting, read once from the environment and checked whole.
//!
//! Terraform writes these settings (into the task definitions of worker and gateway, and into the output
//! `operator_environment`); a missing one is named by its key, and nothing has a default that quietly switches something off.

mod doctor;
mod gateway;
mod operator;
mod reader;
mod worker;

use cordon_domain::policy::Fallback;
use url::Url;

pub use self::{
    doctor::{DoctorConfig, Installation},
    gateway::GatewayConfig,
    operator::OperatorConfig,
    reader::{fallback_where_set, scope_where_set},
    worker::WorkerConfig,
};

/// What is wrong with the settings: every problem at once, a line each.
#[derive(Debug, thiserror::Error)]
#[error("the settings are not complete; set these environment variables ({held}):\n{}", .problems.join("\n"))]
pub struct ConfigError {
    /// Where they come from.
    held: &'static str,
    problems: Vec<String>,
}

/// What worker and gateway share.
#[derive(Clone, Debug)]
pub struct Common {
    /// The Region that Cordon runs in; everything that is joined lies in one.
    pub region: String,
    /// The account that Cordon runs in.
    pub account: String,
    /// The `cases` table.
    pub cases_table: String,
    /// Slack.
    pub slack: SlackConfig,
    /// Who decides and where, when policy does not say.
    pub fallback: Fallback,
}

/// How to reach Slack.
#[derive(Clone, Debug)]
pub struct SlackConfig {
    /// The secret in Secrets Manager with the bot's token and the signing secret.
    pub secret_arn: String,
    /// The Web API, `https://slack.com/api/` unless told otherwise; always with a trailing slash.
    pub api_url: Url,
    /// Where clicks are answered, `https://hooks.slack.com/` unless told otherwise: nothing is sent to a `response_url`
    /// that begins otherwise.
    pub hooks_url: Url,
    /// The workspace whose members may decide.
    pub team_id: String,
    /// The app whose buttons are taken: each installation has its own.
    pub app_id: String,
}

/// The ARN of a bucket, in the partition of another ARN.
pub fn bucket_arn(bucket: &str, sibling: &str) -> String {
    format!("arn:{}:s3:::{bucket}", sibling.split(':').nth(1).unwrap_or("aws"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_missing_setting_is_named_at_once() {
        let error = WorkerConfig::read(&HashMap::new()).unwrap_err().to_string();
        for key in [
            "AWS_REGION",
            "CORDON_ACCOUNT_ID",
            "CORDON_MOVER_ROLE_ARN",
            "CORDON_SLACK_SECRET_ARN",
            "CORDON_FALLBACK_APPROVERS",
        ] {
            assert!(error.contains(key), "{key} is not in {error}");
        }
        for key in ["CORDON_SLACK_API_URL", "CORDON_SLACK_HOOKS_URL"] {
            assert!(!error.contains(key), "{key} has a default");
        }
        let error = OperatorConfig::read(&HashMap::new()).unwrap_err().to_string();
        assert!(error.contains("the Terraform output `operator_environment`"), "{error}");
    }

    #[test]
    fn a_wrong_setting_is_shown_with_what_is_expected_and_no_secret_is() {
        let environment = HashMap::from([
            ("CORDON_ACCOUNT_ID".to_owned(), "12".to_owned()),
            ("CORDON_ROUND_SECONDS".to_owned(), "soon".to_owned()),
            ("CORDON_EXCLUSION_TAG".to_owned(), "none".to_owned()),
            ("CORDON_RESCAN_INTERVAL_SECONDS".to_owned(), "0".to_owned()),
            ("CORDON_SLACK_SECRET_ARN".to_owned(), "xoxb-a-token".to_owned()),
        ]);
        let error = WorkerConfig::read(&environment).unwrap_err().to_string();
        let slack = "CORDON_SLACK_SECRET_ARN";
        for says in ["12 digits", "\"soon\"", "key=value", "CORDON_RESCAN_INTERVAL_SECONDS", slack] {
            assert!(error.contains(says), "{says} is not in {error}");
        }
    }

    #[test]
    fn the_id_of_an_organization_is_refused_with_the_reason() {
        let told = |team: &str| {
            let environment = HashMap::from([("CORDON_SLACK_TEAM_ID".to_owned(), team.to_owned())]);
            let error = GatewayConfig::read(&environment).unwrap_err().to_string();
            error.lines().find(|line| line.contains("CORDON_SLACK_TEAM_ID")).map(str::to_owned)
        };
        let of_an_organization = told("E0ACME0001").unwrap();
        assert!(
            of_an_organization.contains("Enterprise Grid organization, which Cordon does not support yet")
        );
        assert!(of_an_organization.contains("the id of the workspace (T…)"), "{of_an_organization}");
        assert!(told("acme").unwrap().contains("is not a Slack workspace's id"));
        assert_eq!(told("T0ACME0001"), None);
    }
}
