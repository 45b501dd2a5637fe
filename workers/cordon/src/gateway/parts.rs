//! What the gateway is made of.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::health::Health;
use crate::{
    app::clicks::Clicks,
    aws::{
        queue::Queue, slack_secret::SlackSecret, state_bucket::StateBucket, step_functions::StepFunctions,
    },
    config::GatewayConfig,
    slack::{api::Slack, people::People},
    store::Cases,
};

/// The most clicks in hand; each of them is recorded, if late.
const MAX_CLICKS: usize = 256;
/// How many people are told something at once.
const MAX_NOTES: usize = 16;

/// The gateway's parts.
#[derive(Debug)]
pub struct Gateway {
    pub(super) clicks: Clicks,
    pub(super) slack: Slack,
    pub(super) secret: SlackSecret,
    pub(super) config: GatewayConfig,
    pub(super) health: Health,
    /// Permits for clicks in hand.
    pub(super) in_hand: Arc<Semaphore>,
    /// Permits for telling people something.
    pub(super) notes: Semaphore,
    /// What goes on after the answer: late votes, wake-ups, private notes.
    pub(super) afterwards: TaskTracker,
}

impl Gateway {
    /// A gateway as configured.
    pub fn new(aws: &aws_config::SdkConfig, config: GatewayConfig) -> Self {
        let secret = aws_sdk_secretsmanager::Client::new(aws);
        let secret = SlackSecret::new(secret, config.common.slack.secret_arn.clone());
        let slack = Slack::new(&config.common.slack, secret.clone());
        let cases = Cases::new(aws_sdk_dynamodb::Client::new(aws), config.common.cases_table.clone());
        let step_functions = StepFunctions::new(aws_sdk_sfn::Client::new(aws));
        let s3 = aws_sdk_s3::Client::new(aws);
        let state = StateBucket::new(s3, config.state_bucket.clone(), config.common.account.clone());
        let restores = Queue::new(aws_sdk_sqs::Client::new(aws), config.restores_queue_url.clone());
        let people = People::new(slack.clone());
        Self {
            clicks: Clicks::new(cases, step_functions, people, state, restores, &config),
            slack,
            secret,
            config,
            health: Health::default(),
            in_hand: Arc::new(Semaphore::new(MAX_CLICKS)),
            notes: Semaphore::new(MAX_NOTES),
            afterwards: TaskTracker::new(),
        }
    }
}
