//! The worker's settings.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use cordon_domain::{policy::scope::BucketScope, time::Time};
use jiff::SignedDuration;
use url::Url;

use super::{Common, ConfigError, bucket_arn, reader::Reader};
use crate::{aws::security_hub::asff::Reporter, clock};

/// Where they come from.
const HELD: &str = "Terraform writes them into the worker's task definition";
/// The least and the most bytes of a part, which S3 sets
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>), and those where nothing is set.
const PART_BYTES: std::ops::RangeInclusive<i64> = 5 << 20..=5 << 30;
const USUAL_PART_BYTES: i64 = 512 << 20;

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
    pub drain_timeout: Duration,
    /// Where the worker answers health checks, if at all.
    pub health_listen: Option<SocketAddr>,
    /// What Slack calls the gateway, where there is one.
    pub gateway_url: Option<Url>,
    /// How often the gateway is probed there, where it is not the usual hour.
    pub probe_interval: Option<Duration>,
    /// The installation's name, which its events carry.
    pub installation: String,
    /// The buckets that the installation answers for, and those that nothing is moved from.
    pub scope: BucketScope,
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
    /// The KMS key of the worker's message authentication codes.
    pub mac_key_arn: String,
    /// Objects larger than this many bytes are copied in parts of at least this size.
    pub part_bytes: i64,
    /// The external-access analyzer.
    pub analyzer_arn: String,
    /// The state machine that responds to findings.
    pub finding_response_arn: String,
    /// The state machine that puts objects back.
    pub object_restore_arn: String,
    /// Every state machine of the installation.
    pub state_machine_arns: Vec<String>,
    /// The queues of requests.
    pub approvals_queue_url: String,
    /// See above.
    pub restores_queue_url: String,
    /// See above.
    pub purges_queue_url: String,
    /// The id of the gateway's role, which asks for nothing by itself.
    pub gateway_principal_id: String,
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
        let drain_timeout = from
            .optional("CORDON_DRAIN_TIMEOUT_SECONDS")
            .map_or(Duration::from_secs(110), |_| from.seconds("CORDON_DRAIN_TIMEOUT_SECONDS"));
        let part_bytes = from.optional("CORDON_PART_BYTES").map_or(USUAL_PART_BYTES, |_| {
            let parse = |text: &str| text.parse().ok().filter(|bytes| PART_BYTES.contains(bytes));
            from.parsed("CORDON_PART_BYTES", "a number of bytes from 5 MiB to 5 GiB", parse, USUAL_PART_BYTES)
        });
        let config = Self {
            common: from.common(),
            activity_arn_prefix: from
                .arn("CORDON_ACTIVITY_ARN_PREFIX", "the ARN of an activity without its stem"),
            heartbeat: from.seconds("CORDON_ACTIVITY_HEARTBEAT_SECONDS"),
            drain_timeout,
            health_listen: from.optional("CORDON_HEALTH_LISTEN").map(|_| from.listen("CORDON_HEALTH_LISTEN")),
            gateway_url: from
                .optional("CORDON_GATEWAY_URL")
                .map(|_| from.url("CORDON_GATEWAY_URL", "https://gateway.invalid/")),
            probe_interval: from
                .optional("CORDON_GATEWAY_PROBE_SECONDS")
                .map(|_| from.seconds("CORDON_GATEWAY_PROBE_SECONDS")),
            installation: from
                .required("CORDON_INSTALLATION", "the installation's name, as Terraform's name_prefix"),
            scope: from.scope(),
            exposures_table: from.exposures_table(),
            quarantine_bucket: from.quarantine_bucket(),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            mover_role_arn: from.arn("CORDON_MOVER_ROLE_ARN", "the ARN of the mover role"),
            restorer_role_arn: from.arn("CORDON_RESTORER_ROLE_ARN", "the ARN of the restorer role"),
            mac_key_arn: from
                .arn("CORDON_MAC_KEY_ARN", "the ARN of the KMS key for message authentication codes"),
            part_bytes,
            analyzer_arn: from.analyzer_arn(),
            finding_response_arn: from
                .arn("CORDON_FINDING_RESPONSE_ARN", "the ARN of the state machine finding_response"),
            object_restore_arn: from.object_restore_arn(),
            state_machine_arns: from.state_machine_arns(),
            approvals_queue_url: from.approvals_queue_url(),
            restores_queue_url: from.restores_queue_url(),
            purges_queue_url: from.purges_queue_url(),
            gateway_principal_id: from
                .required("CORDON_GATEWAY_PRINCIPAL_ID", "the id of the gateway's role, like AROA…"),
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
        from.finish(config, HELD)
    }

    /// The ARN of a bucket, in the partition of everything else.
    pub fn bucket_arn(&self, bucket: &str) -> String {
        bucket_arn(bucket, &self.analyzer_arn)
    }

    /// Until when a cycle has the buckets of a batch whose job begins now.
    pub fn scan_claim_end(&self) -> Time {
        from_now(self.scan_timeout.saturating_add(Duration::from_secs(3_600)))
    }

    /// When a round of asking that begins now ends.
    pub fn round_end(&self) -> Time {
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

fn from_now(length: Duration) -> Time {
    clock::now() + SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
