//! Every setting, read once from the environment and checked whole.
//!
//! Terraform writes these settings (outputs `worker_environment`, `gateway_environment` and `operator_environment`); a
//! missing one is named by its key, and nothing has a default that quietly switches something off.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use cordon_domain::{policy::Fallback, quoted::quoted, time};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use url::Url;

use crate::aws::security_hub::asff::Reporter;

/// What is wrong with the settings: every problem at once, a line each.
#[derive(Debug, thiserror::Error)]
#[error("the settings are not complete; set these environment variables ({held}):\n{}", .problems.join("\n"))]
pub struct ConfigError {
    /// Where they come from.
    held: &'static str,
    problems: Vec<String>,
}

/// Where the settings of each part come from.
const OF_THE_WORKER: &str =
    "the Terraform outputs `worker_environment` and `worker_secrets` hold those of Cordon";
const OF_THE_GATEWAY: &str =
    "the Terraform outputs `gateway_environment` and `gateway_secrets` hold those of Cordon";
const OF_AN_OPERATOR: &str = "the Terraform output `operator_environment` holds those of Cordon";

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
    /// The bot's token.
    pub bot_token: SecretString,
    /// The Web API, `https://slack.com/api/` unless told otherwise; always with a trailing slash.
    pub api_url: Url,
    /// Where clicks are answered, `https://hooks.slack.com/` unless told otherwise: nothing is sent to a `response_url`
    /// that begins otherwise.
    pub hooks_url: Url,
    /// The workspace whose members may decide.
    pub team_id: String,
}

/// The worker's settings.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Shared ones.
    pub common: Common,
    /// What activity ARNs begin with.
    pub activity_arn_prefix: String,
    /// The states' `HeartbeatSeconds`.
    pub heartbeat: Duration,
    /// How long tasks in hand may go on after SIGTERM.
    pub shutdown_grace: Duration,
    /// The `exposures` table.
    pub exposures_table: String,
    /// Where objects are moved.
    pub quarantine_bucket: String,
    /// Where policy, plans and summaries are.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// The role under which objects are moved.
    pub mover_role_arn: String,
    /// The role under which objects are put back.
    pub restorer_role_arn: String,
    /// Objects larger than this many bytes are copied in parts of at least this size.
    pub part_bytes: i64,
    /// The external-access analyzer.
    pub analyzer_arn: String,
    /// The state machine that responds to findings.
    pub finding_response_arn: String,
    /// The state machine that puts objects back.
    pub object_restore_arn: String,
    /// How long one round of asking lasts.
    pub round: Duration,
    /// How long a Macie job is waited for.
    pub scan_timeout: Duration,
    /// Buckets with this tag are not scanned.
    pub exclusion_tag: (String, String),
    /// A bucket that stays shared is scanned again when its last complete scan is older than this.
    pub rescan_interval: SignedDuration,
    /// The company name shown in Security Hub.
    pub company: String,
}

/// The gateway's settings.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Shared ones.
    pub common: Common,
    /// Slack's signing secrets: the current one, then the previous one while it is being replaced.
    pub signing_secrets: Vec<SecretString>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the policy is, which says who may have objects put back.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// The state machine that puts objects back.
    pub object_restore_arn: String,
}

/// The settings of the commands that people run on their own machines.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// The Region that Cordon runs in.
    pub region: String,
    /// The account that Cordon runs in.
    pub account: String,
    /// The `cases` table.
    pub cases_table: String,
    /// The state machine that puts objects back.
    pub object_restore_arn: String,
    /// Where quarantined objects are.
    pub quarantine_bucket: String,
    /// The `exposures` table.
    pub exposures_table: String,
    /// Where the policy is.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// Who decides and where, when policy does not say.
    pub fallback: Fallback,
    /// The role in which named people look into quarantine, where there are such people.
    pub investigator_role_arn: Option<String>,
    /// The role in which named people delete from quarantine, where there are such people.
    pub purger_role_arn: Option<String>,
}

/// The least and the most bytes of a part, which S3 sets
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>), and those where nothing is set.
const PART_BYTES: std::ops::RangeInclusive<i64> = 5 << 20..=5 << 30;
const USUAL_PART_BYTES: i64 = 512 << 20;

const APPROVERS: &str = "CORDON_FALLBACK_APPROVERS";
const CHANNEL: &str = "CORDON_SLACK_CHANNEL";

struct Reader<'a> {
    environment: &'a HashMap<String, String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn optional(&self, key: &str) -> Option<String> {
        self.environment.get(key).filter(|value| !value.trim().is_empty()).cloned()
    }

    fn required(&mut self, key: &str, what: &str) -> String {
        self.optional(key).unwrap_or_else(|| {
            self.problems.push(format!("  {key}: missing; {what}"));
            String::new()
        })
    }

    fn parsed<T>(&mut self, key: &str, what: &str, parse: impl Fn(&str) -> Option<T>, absent: T) -> T {
        let value = self.required(key, what);
        if value.is_empty() {
            return absent;
        }
        parse(&value).unwrap_or_else(|| {
            self.problems.push(format!("  {key}: {} is not {what}", quoted(&value)));
            absent
        })
    }

    fn seconds(&mut self, key: &str) -> Duration {
        let parse = |text: &str| text.parse().ok().filter(|&n| n > 0).map(Duration::from_secs);
        self.parsed(key, "a whole number of seconds above 0", parse, Duration::ZERO)
    }

    fn arn(&mut self, key: &str, what: &str) -> String {
        self.parsed(key, what, |text| text.starts_with("arn:").then(|| text.to_owned()), String::new())
    }

    fn region(&mut self) -> String {
        self.required("AWS_REGION", "the Region that Cordon runs in, like eu-central-1")
    }

    fn account(&mut self) -> String {
        let parse = |text: &str| {
            (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
        };
        self.parsed("CORDON_ACCOUNT_ID", "an account id of 12 digits", parse, String::new())
    }

    fn cases_table(&mut self) -> String {
        self.required("CORDON_CASES_TABLE", "the name of the cases table")
    }

    fn quarantine_bucket(&mut self) -> String {
        self.required("CORDON_QUARANTINE_BUCKET", "the name of the quarantine bucket")
    }

    fn exposures_table(&mut self) -> String {
        self.required("CORDON_EXPOSURES_TABLE", "the name of the exposures table")
    }

    fn state_bucket(&mut self) -> String {
        self.required("CORDON_STATE_BUCKET", "the name of the state bucket")
    }

    fn policy_key(&mut self) -> String {
        self.required("CORDON_POLICY_KEY", "the key of the policy object in the state bucket")
    }

    fn fallback(&mut self) -> Fallback {
        let must = "a list of Slack user ids with commas between them";
        Fallback {
            approvers: self.parsed(APPROVERS, must, approvers, Vec::new()),
            channel: self.required(CHANNEL, "the Slack channel's id, like C0123ABCD"),
        }
    }

    fn object_restore_arn(&mut self) -> String {
        self.arn("CORDON_OBJECT_RESTORE_ARN", "the ARN of the state machine object_restore")
    }

    fn common(&mut self) -> Common {
        Common {
            region: self.region(),
            account: self.account(),
            cases_table: self.cases_table(),
            slack: SlackConfig {
                bot_token: self
                    .required("CORDON_SLACK_BOT_TOKEN", "the Slack app's bot token (a secret)")
                    .into(),
                api_url: self.url("CORDON_SLACK_API_URL", "https://slack.com/api/"),
                hooks_url: self.url("CORDON_SLACK_HOOKS_URL", "https://hooks.slack.com/"),
                team_id: self.team_id(),
            },
            fallback: self.fallback(),
        }
    }

    /// A URL that ends with a slash; `usual` where it is not set.
    fn url(&mut self, key: &str, usual: &str) -> Url {
        let url = self.optional(key).unwrap_or_else(|| usual.into());
        let with_slash = if url.ends_with('/') { url } else { format!("{url}/") };
        Url::parse(&with_slash).unwrap_or_else(|error| {
            self.problems.push(format!("  {key}: {} is not a URL ({error})", quoted(&with_slash)));
            Url::parse(usual).expect("a constant")
        })
    }

    /// The workspace's id. That of an organization names many workspaces, and people would be taken for strangers.
    fn team_id(&mut self) -> String {
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

    fn finish<T>(self, config: T, held: &'static str) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(config) } else { Err(ConfigError { held, problems: self.problems }) }
    }
}

impl WorkerConfig {
    /// Reads the worker's settings.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        let tag = |text: &str| {
            let (key, value) = text.split_once('=')?;
            (!key.is_empty()).then(|| (key.to_owned(), value.to_owned()))
        };
        let grace = from
            .optional("CORDON_SHUTDOWN_GRACE_SECONDS")
            .map_or(Duration::from_secs(110), |_| from.seconds("CORDON_SHUTDOWN_GRACE_SECONDS"));
        let part_bytes = from.optional("CORDON_PART_BYTES").map_or(USUAL_PART_BYTES, |_| {
            let parse = |text: &str| text.parse().ok().filter(|bytes| PART_BYTES.contains(bytes));
            from.parsed("CORDON_PART_BYTES", "a number of bytes from 5 MiB to 5 GiB", parse, USUAL_PART_BYTES)
        });
        let config = Self {
            common: from.common(),
            activity_arn_prefix: from
                .arn("CORDON_ACTIVITY_ARN_PREFIX", "the ARN of an activity without its stem"),
            heartbeat: from.seconds("CORDON_ACTIVITY_HEARTBEAT_SECONDS"),
            shutdown_grace: grace,
            exposures_table: from.exposures_table(),
            quarantine_bucket: from.quarantine_bucket(),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            mover_role_arn: from.arn("CORDON_MOVER_ROLE_ARN", "the ARN of the mover role"),
            restorer_role_arn: from.arn("CORDON_RESTORER_ROLE_ARN", "the ARN of the restorer role"),
            part_bytes,
            analyzer_arn: from.arn("CORDON_ANALYZER_ARN", "the ARN of the external-access analyzer"),
            finding_response_arn: from
                .arn("CORDON_FINDING_RESPONSE_ARN", "the ARN of the state machine finding_response"),
            object_restore_arn: from.object_restore_arn(),
            round: from.seconds("CORDON_ROUND_SECONDS"),
            scan_timeout: from.seconds("CORDON_SCAN_TIMEOUT_SECONDS"),
            exclusion_tag: from.parsed(
                "CORDON_EXCLUSION_TAG",
                "a tag like key=value",
                tag,
                Default::default(),
            ),
            rescan_interval: SignedDuration::try_from(from.seconds("CORDON_RESCAN_INTERVAL_SECONDS"))
                .unwrap_or(SignedDuration::MAX),
            company: from.required("CORDON_COMPANY_NAME", "the company name shown in Security Hub"),
        };
        from.finish(config, OF_THE_WORKER)
    }
}

impl GatewayConfig {
    /// Reads the gateway's settings.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        let mut signing_secrets = vec![
            from.required("CORDON_SLACK_SIGNING_SECRET", "the Slack app's signing secret (a secret)").into(),
        ];
        signing_secrets.extend(from.optional("CORDON_SLACK_SIGNING_SECRET_PREVIOUS").map(SecretString::from));
        let config = Self {
            common: from.common(),
            signing_secrets,
            listen: from.parsed(
                "CORDON_GATEWAY_LISTEN",
                "an address and port like 0.0.0.0:8080",
                |text| text.parse().ok(),
                SocketAddr::from(([127, 0, 0, 1], 0)),
            ),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            object_restore_arn: from.object_restore_arn(),
        };
        from.finish(config, OF_THE_GATEWAY)
    }
}

impl OperatorConfig {
    /// Reads the settings of a person's commands.
    ///
    /// # Errors
    /// Every setting that is missing or wrong.
    pub fn read(environment: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut from = Reader { environment, problems: Vec::new() };
        let mut role = |key: &str, what: &str| from.optional(key).map(|_| from.arn(key, what));
        let config = Self {
            investigator_role_arn: role("CORDON_INVESTIGATOR_ROLE_ARN", "the ARN of the investigator role"),
            purger_role_arn: role("CORDON_PURGER_ROLE_ARN", "the ARN of the purger role"),
            region: from.region(),
            account: from.account(),
            cases_table: from.cases_table(),
            object_restore_arn: from.object_restore_arn(),
            quarantine_bucket: from.quarantine_bucket(),
            exposures_table: from.exposures_table(),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            fallback: from.fallback(),
        };
        from.finish(config, OF_AN_OPERATOR)
    }

    /// The ARN of a bucket, in the partition of everything else.
    pub fn bucket_arn(&self, bucket: &str) -> String {
        bucket_arn(bucket, &self.object_restore_arn)
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

fn approvers(text: &str) -> Option<Vec<String>> {
    let users: Vec<_> = text.split(',').map(|user| user.trim().to_owned()).collect();
    users.iter().all(|user| !user.is_empty()).then_some(users)
}

fn bucket_arn(bucket: &str, sibling: &str) -> String {
    format!("arn:{}:s3:::{bucket}", sibling.split(':').nth(1).unwrap_or("aws"))
}

impl WorkerConfig {
    /// The ARN of a bucket, in the partition of everything else.
    pub fn bucket_arn(&self, bucket: &str) -> String {
        bucket_arn(bucket, &self.analyzer_arn)
    }

    /// Until when a cycle has the buckets of a batch whose job begins now; as [`time::stored`].
    pub fn scan_claim_end(&self) -> String {
        from_now(self.scan_timeout.saturating_add(Duration::from_secs(3_600)))
    }

    /// When a round of asking that begins now ends; as [`time::stored`].
    pub fn round_end(&self) -> String {
        from_now(self.round)
    }

    /// Who reports to Security Hub.
    pub fn reporter(&self) -> Reporter {
        Reporter {
            account: self.common.account.clone(),
            region: self.common.region.clone(),
            company: self.company.clone(),
            analyzer_arn: self.analyzer_arn.clone(),
        }
    }
}

fn from_now(length: Duration) -> String {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    time::stored(Timestamp::now().saturating_add(length).expect("a span of time saturates"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_setting_is_named_at_once() {
        let error = WorkerConfig::read(&HashMap::new()).unwrap_err().to_string();
        for key in [
            "AWS_REGION",
            "CORDON_ACCOUNT_ID",
            "CORDON_MOVER_ROLE_ARN",
            "CORDON_SLACK_BOT_TOKEN",
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
            ("CORDON_SLACK_BOT_TOKEN".to_owned(), "xoxb-very-secret".to_owned()),
        ]);
        let error = WorkerConfig::read(&environment).unwrap_err().to_string();
        for says in ["12 digits", "\"soon\"", "key=value", "CORDON_RESCAN_INTERVAL_SECONDS"] {
            assert!(error.contains(says), "{says} is not in {error}");
        }
        assert!(!error.contains("very-secret"));
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
