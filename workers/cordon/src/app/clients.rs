//! What the worker talks to.

use std::sync::Arc;

use aws_config::SdkConfig;

use super::put_off::PutOff;
use crate::{
    aws::{
        access_analyzer::AccessAnalyzer,
        events::Events,
        macie::Macie,
        macs::Macs,
        object_session::{Mover, ObjectSessions, Restorer},
        queue::Queue,
        security_hub::client::SecurityHub,
        slack_secret::SlackSecret,
        state_bucket::StateBucket,
        step_functions::StepFunctions,
    },
    config::WorkerConfig,
    slack::{api::Slack, people::People},
    store::{Cases, Exposures},
};

/// Everything that the worker talks to.
#[derive(Clone, Debug)]
pub struct Clients {
    /// The `cases` table.
    pub cases: Cases,
    /// The `exposures` table.
    pub exposures: Exposures,
    /// The state bucket.
    pub state: StateBucket,
    /// Sessions of the mover's role, which only takes away.
    pub movers: ObjectSessions<Mover>,
    /// Sessions of the restorer's role, which only puts back.
    pub restorers: ObjectSessions<Restorer>,
    /// Codes by which the worker knows its own plans.
    pub macs: Macs,
    /// Macie.
    pub macie: Macie,
    /// The external-access analyzer.
    pub access_analyzer: AccessAnalyzer,
    /// Security Hub.
    pub security_hub: SecurityHub,
    /// Step Functions.
    pub step_functions: StepFunctions,
    /// The event bus.
    pub events: Events,
    /// Slack.
    pub slack: Slack,
    /// Who is who in Slack.
    pub people: Arc<People>,
    /// Slack channels that take nothing at the moment.
    pub put_off: PutOff,
    /// Requests of people: votes and snoozes.
    pub approvals_queue: Queue,
    /// Requests of people: putting objects back.
    pub restores_queue: Queue,
    /// Requests of people: deleting copies.
    pub purges_queue: Queue,
    /// The settings.
    pub config: WorkerConfig,
}

impl Clients {
    /// Whether this installation answers for a bucket, which its ARN names.
    pub fn answers_for(&self, bucket_arn: &str) -> bool {
        let bucket = bucket_arn.rsplit(':').next().unwrap_or_default();
        self.config.scope.answers_for(bucket)
    }

    /// Clients as configured.
    pub fn new(aws: &SdkConfig, config: WorkerConfig) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(aws);
        let account = &config.common.account;
        let secret = aws_sdk_secretsmanager::Client::new(aws);
        let secret = SlackSecret::new(secret, config.common.slack.secret_arn.clone());
        let slack = Slack::new(&config.common.slack, secret);
        let sqs = aws_sdk_sqs::Client::new(aws);
        let queue = |url: &str| Queue::new(sqs.clone(), url.to_owned());
        let (quarantine, part_bytes) = (config.quarantine_bucket.clone(), config.part_bytes);
        let (mover, restorer) = (config.mover_role_arn.clone(), config.restorer_role_arn.clone());
        Self {
            cases: Cases::new(dynamodb.clone(), config.common.cases_table.clone()),
            exposures: Exposures::new(dynamodb, config.exposures_table.clone()),
            state: StateBucket::new(
                aws_sdk_s3::Client::new(aws),
                config.state_bucket.clone(),
                account.clone(),
            ),
            movers: ObjectSessions::new(aws, mover, quarantine.clone(), account.clone(), part_bytes),
            restorers: ObjectSessions::new(aws, restorer, quarantine, account.clone(), part_bytes),
            macs: Macs::new(aws_sdk_kms::Client::new(aws), config.mac_key_arn.clone()),
            macie: Macie::new(aws_sdk_macie2::Client::new(aws)),
            access_analyzer: AccessAnalyzer::new(
                aws_sdk_accessanalyzer::Client::new(aws),
                config.analyzer_arn.clone(),
            ),
            security_hub: SecurityHub::new(aws_sdk_securityhub::Client::new(aws)),
            step_functions: StepFunctions::new(aws_sdk_sfn::Client::new(aws)),
            events: Events::new(aws_sdk_eventbridge::Client::new(aws), config.installation.clone()),
            people: Arc::new(People::new(slack.clone())),
            slack,
            put_off: PutOff::default(),
            approvals_queue: queue(&config.approvals_queue_url),
            restores_queue: queue(&config.restores_queue_url),
            purges_queue: queue(&config.purges_queue_url),
            config,
        }
    }
}
