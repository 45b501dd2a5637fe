//! Reads settings one by one, and collects what is wrong with them.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use cordon_domain::{
    policy::{Fallback, scope::BucketScope},
    quoted::quoted,
};
use url::Url;

use super::{Common, ConfigError, SlackConfig};

const APPROVERS: &str = "CORDON_FALLBACK_APPROVERS";
const CHANNEL: &str = "CORDON_SLACK_CHANNEL";

pub(super) struct Reader<'a> {
    pub(super) environment: &'a HashMap<String, String>,
    pub(super) problems: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn optional(&self, key: &str) -> Option<String> {
        self.environment.get(key).filter(|value| !value.trim().is_empty()).cloned()
    }

    pub(super) fn required(&mut self, key: &str, what: &str) -> String {
        self.optional(key).unwrap_or_else(|| {
            self.problems.push(format!("  {key}: missing; {what}"));
            String::new()
        })
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
        absent: T,
    ) -> T {
        let value = self.required(key, what);
        if value.is_empty() {
            return absent;
        }
        parse(&value).unwrap_or_else(|| {
            self.problems.push(format!("  {key}: {} is not {what}", quoted(&value)));
            absent
        })
    }

    pub(super) fn seconds(&mut self, key: &str) -> Duration {
        let parse = |text: &str| text.parse().ok().filter(|&n| n > 0).map(Duration::from_secs);
        self.parsed(key, "a whole number of seconds above 0", parse, Duration::ZERO)
    }

    pub(super) fn arn(&mut self, key: &str, what: &str) -> String {
        self.parsed(key, what, |text| text.starts_with("arn:").then(|| text.to_owned()), String::new())
    }

    pub(super) fn listen(&mut self, key: &str) -> SocketAddr {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        self.parsed(key, "an address and port like 0.0.0.0:8080", |text| text.parse().ok(), nowhere)
    }

    pub(super) fn region(&mut self) -> String {
        self.required("AWS_REGION", "the Region that Cordon runs in, like eu-central-1")
    }

    pub(super) fn account(&mut self) -> String {
        let parse = |text: &str| {
            (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
        };
        self.parsed("CORDON_ACCOUNT_ID", "an account id of 12 digits", parse, String::new())
    }

    pub(super) fn cases_table(&mut self) -> String {
        self.required("CORDON_CASES_TABLE", "the name of the cases table")
    }

    pub(super) fn quarantine_bucket(&mut self) -> String {
        self.required("CORDON_QUARANTINE_BUCKET", "the name of the quarantine bucket")
    }

    pub(super) fn exposures_table(&mut self) -> String {
        self.required("CORDON_EXPOSURES_TABLE", "the name of the exposures table")
    }

    pub(super) fn state_bucket(&mut self) -> String {
        self.required("CORDON_STATE_BUCKET", "the name of the state bucket")
    }

    pub(super) fn policy_key(&mut self) -> String {
        self.required("CORDON_POLICY_KEY", "the key of the policy object in the state bucket")
    }

    pub(super) fn fallback(&mut self) -> Fallback {
        let must = "a list of Slack user ids with commas between them";
        Fallback {
            approvers: self.parsed(APPROVERS, must, approvers, Vec::new()),
            channel: self.required(CHANNEL, "the Slack channel's id, like C0123ABCD"),
        }
    }

    /// Without settings every bucket, and none of them protected.
    pub(super) fn scope(&self) -> BucketScope {
        let globs = |key: &str| {
            let text = self.optional(key)?;
            Some(text.split(',').map(|glob| glob.trim().to_owned()).filter(|glob| !glob.is_empty()).collect())
        };
        let all = BucketScope::default();
        BucketScope {
            buckets: globs("CORDON_BUCKETS").unwrap_or(all.buckets),
            protected: globs("CORDON_PROTECTED_BUCKETS").unwrap_or(all.protected),
        }
    }

    pub(super) fn approvals_queue_url(&mut self) -> String {
        self.queue_url("CORDON_APPROVALS_QUEUE_URL", "the URL of the queue of approvals")
    }

    pub(super) fn restores_queue_url(&mut self) -> String {
        self.queue_url("CORDON_RESTORES_QUEUE_URL", "the URL of the queue of restores")
    }

    pub(super) fn purges_queue_url(&mut self) -> String {
        self.queue_url("CORDON_PURGES_QUEUE_URL", "the URL of the queue of purges")
    }

    fn queue_url(&mut self, key: &str, what: &str) -> String {
        self.parsed(key, what, |text| Url::parse(text).is_ok().then(|| text.to_owned()), String::new())
    }

    pub(super) fn object_restore_arn(&mut self) -> String {
        self.arn("CORDON_OBJECT_RESTORE_ARN", "the ARN of the state machine object_restore")
    }

    pub(super) fn state_machine_arns(&mut self) -> Vec<String> {
        let parse = |text: &str| {
            let arns: Vec<_> = text.split(',').map(|arn| arn.trim().to_owned()).collect();
            arns.iter().all(|arn| arn.starts_with("arn:")).then_some(arns)
        };
        let must = "the ARNs of the state machines with commas between them";
        self.parsed("CORDON_STATE_MACHINE_ARNS", must, parse, Vec::new())
    }

    pub(super) fn common(&mut self) -> Common {
        Common {
            region: self.region(),
            account: self.account(),
            cases_table: self.cases_table(),
            slack: self.slack(),
            fallback: self.fallback(),
        }
    }

    pub(super) fn slack(&mut self) -> SlackConfig {
        SlackConfig {
            secret_arn: self.arn(
                "CORDON_SLACK_SECRET_ARN",
                "the ARN of the secret with Slack's bot token and signing secret",
            ),
            api_url: self.url("CORDON_SLACK_API_URL", "https://slack.com/api/"),
            hooks_url: self.url("CORDON_SLACK_HOOKS_URL", "https://hooks.slack.com/"),
            team_id: self.team_id(),
            app_id: self.app_id(),
        }
    }

    /// The app's id, as Slack's pages show it.
    fn app_id(&mut self) -> String {
        let of_slack = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let parse = |text: &str| {
            (text.len() >= 3 && text.starts_with('A') && text.chars().all(of_slack)).then(|| text.to_owned())
        };
        self.parsed("CORDON_SLACK_APP_ID", "a Slack app's id, like A0123ABCD", parse, String::new())
    }

    pub(super) fn analyzer_arn(&mut self) -> String {
        self.arn("CORDON_ANALYZER_ARN", "the ARN of the external-access analyzer")
    }

    /// A URL that ends with a slash; `usual` where it is not set.
    pub(super) fn url(&mut self, key: &str, usual: &str) -> Url {
        let url = self.optional(key).unwrap_or_else(|| usual.into());
        let with_slash = if url.ends_with('/') { url } else { format!("{url}/") };
        Url::parse(&with_slash).unwrap_or_else(|error| {
            self.problems.push(format!("  {key}: {} is not a URL ({error})", quoted(&with_slash)));
            Url::parse(usual).expect("a constant")
        })
    }

    /// The workspace's id. That of an organization names many workspaces, and people would be taken for strangers.
    pub(super) fn team_id(&mut self) -> String {
        const KEY: &str = "CORDON_SLACK_TEAM_ID";
        let valid = |text: &str, kind: char| {
            let of_slack = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
            text.len() >= 3 && text.starts_with(kind) && text.chars().all(of_slack)
        };
        if let Some(organization) = self.optional(KEY).filter(|text| valid(text, 'E')) {
            self.problems.push(format!(
                "  {KEY}: {} is the id of an Enterprise Grid organization, which Cordon does not support yet; give the \
                 id of the workspace (T…) whose members decide",
                quoted(&organization)
            ));
            return organization;
        }
        let parse = |text: &str| valid(text, 'T').then(|| text.to_owned());
        self.parsed(KEY, "a Slack workspace's id, like T0123ABCD", parse, String::new())
    }

    pub(super) fn finish<T>(self, config: T, held: &'static str) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError { held, problems: self.problems }) }
    }
}

/// Who decides and where, when policy does not say, as far as it is set: for commands that need no settings.
pub fn fallback_where_set(environment: &HashMap<String, String>) -> Fallback {
    let from = Reader { environment, problems: Vec::new() };
    Fallback {
        approvers: from.optional(APPROVERS).and_then(|text| approvers(&text)).unwrap_or_default(),
        channel: from.optional(CHANNEL).unwrap_or_default(),
    }
}

/// Which buckets are protected, as far as it is set: likewise.
pub fn scope_where_set(environment: &HashMap<String, String>) -> BucketScope {
    Reader { environment, problems: Vec::new() }.scope()
}

fn approvers(text: &str) -> Option<Vec<String>> {
    let users: Vec<_> = text.split(',').map(|user| user.trim().to_owned()).collect();
    users.iter().all(|user| !user.is_empty()).then_some(users)
}
