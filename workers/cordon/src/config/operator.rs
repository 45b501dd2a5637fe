//! The settings of the commands that people run on their own machines.

use std::collections::HashMap;

use cordon_domain::policy::Fallback;

use super::{ConfigError, reader::Reader};

/// Where they come from.
pub(super) const HELD: &str = "the Terraform output `operator_environment` holds those of Cordon";

/// The settings of the commands that people run on their own machines.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// The Region that Cordon runs in.
    pub region: String,
    /// The account that Cordon runs in.
    pub account: String,
    /// The `cases` table.
    pub cases_table: String,
    /// The queue of approvals.
    pub approvals_queue_url: String,
    /// The queue of restores.
    pub restores_queue_url: String,
    /// The queue of purges.
    pub purges_queue_url: String,
    /// Where quarantined objects are.
    pub quarantine_bucket: String,
    /// The `exposures` table.
    pub exposures_table: String,
    /// Where the policy is.
    pub state_bucket: String,
    /// The policy object's key there.
    pub policy_key: String,
    /// Every state machine.
    pub state_machine_arns: Vec<String>,
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
            approvals_queue_url: from.approvals_queue_url(),
            restores_queue_url: from.restores_queue_url(),
            purges_queue_url: from.purges_queue_url(),
            quarantine_bucket: from.quarantine_bucket(),
            exposures_table: from.exposures_table(),
            state_bucket: from.state_bucket(),
            policy_key: from.policy_key(),
            state_machine_arns: from.state_machine_arns(),
            fallback: from.fallback(),
        };
        from.finish(config, HELD)
    }
}
