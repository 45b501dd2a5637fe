//! How many objects policy moves in an hour without a person: above that, people are asked.

use cordon_domain::{case::Case, policy::Policy};

use super::clients::Clients;
use crate::{
    error::Result,
    store::{AutomaticMove, Counted, LimitScope, RateLimits, ReachedLimit},
};

/// The limits of a policy.
pub(crate) fn limits(policy: &Policy) -> RateLimits {
    RateLimits {
        per_hour: policy.max_automatic_per_hour,
        per_bucket_per_hour: policy.max_automatic_per_bucket_per_hour,
    }
}

/// Counts the move of a case by this execution, once. The limit that keeps it from being moved, as a sentence's end, if one
/// does.
///
/// # Errors
/// As classified; retryable when other moves are counted at the same moment.
pub(crate) async fn count(
    clients: &Clients,
    case: &Case,
    execution_arn: &str,
    limits: RateLimits,
) -> Result<Option<String>> {
    let counted = clients.cases.count_automatic(AutomaticMove { case, execution_arn }, limits).await?;
    Ok(match counted {
        Counted::Within => None,
        Counted::Over(reached) => Some(words(reached)),
    })
}

/// Gives the place of a move back that does not come about.
///
/// # Errors
/// As [`count`].
pub(crate) async fn give_back(clients: &Clients, case: &Case, execution_arn: &str) -> Result<()> {
    clients.cases.give_back_automatic(AutomaticMove { case, execution_arn }).await
}

fn words(ReachedLimit { limit, of }: ReachedLimit) -> String {
    let of = match of {
        LimitScope::All => "",
        LimitScope::Bucket => " in this bucket",
        LimitScope::Prefix => " below one prefix of this bucket",
    };
    format!("more than {limit} automatic moves{of} in this hour")
}
