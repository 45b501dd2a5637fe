//! The settings of the commands that people run on their own machines.

use std::collections::HashMap;

use cordon_domain::policy::Fallback;

use super::{ConfigError, bucket_arn, reader::Reader};

/// Where they come from.
const HELD: &str = "the Terraform output `operator_environment` holds those of Cordon";

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
        from.finish(config, HELD)
    }

    /// The ARN of a bucket, in the partition of everything else.
    pub fn bucket_arn(&self, bucket: &str) -> String {
        bucket_arn(bucket, &self.object_restore_arn)
    }
}
