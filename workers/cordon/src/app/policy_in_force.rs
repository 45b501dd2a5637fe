//! Which policy is in force: the newest version of its object that can be used.
//!
//! The versions of the object are the memory: whoever looks, at any time, finds the same.

use cordon_domain::policy::Policy;
use sha2::{Digest, Sha256};

use crate::{
    aws::state_bucket::StateBucket,
    error::{Error, Result},
};

/// The policy in force.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// It, or why there is none.
    pub policy: std::result::Result<Policy, String>,
    /// The version of its object.
    pub version: Option<String>,
    /// What is the matter with the newest version, where that is not the one in force.
    pub unusable: Option<Unusable>,
    /// The newest version, where Terraform has not written it.
    pub by_hand: Option<String>,
}

/// A newest version that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Which; `None` where nobody knows, or the object was removed.
    pub version: Option<String>,
    /// Why.
    pub why: String,
}

/// How many versions are tried, newest first. Who writes more bad ones in a row gets review by the fallback approvers.
const MAX_TRIED: i32 = 20;

/// The stable name of an [`Unusable`] policy in logs and events.
pub const POLICY_UNUSABLE: &str = "PolicyUnusable";
/// The stable name of a policy that Terraform has not written.
pub const POLICY_CHANGED: &str = "PolicyChanged";

/// A version of the policy object that was looked at: the policy in it, or why there is none.
struct Looked {
    version: Option<String>,
    /// Whether it lacks what Terraform writes beside it: the sum of its bytes.
    by_hand: bool,
    policy: std::result::Result<Policy, String>,
}

/// The policy at `key` that is in force.
///
/// # Errors
/// As classified, where asking again may help.
pub async fn policy_in_force(state: &StateBucket, key: &str) -> Result<InForce> {
    let newest = look(state, key, None).await?;
    let by_hand = newest.version.clone().filter(|_| newest.by_hand);
    let why = match newest.policy {
        Ok(policy) => {
            return Ok(InForce { policy: Ok(policy), version: newest.version, unusable: None, by_hand });
        }
        Err(why) => why,
    };
    let good = last_good(state, key, newest.version.as_deref()).await?;
    let unusable = Unusable { version: newest.version, why };
    tracing::error!(
        error.code = POLICY_UNUSABLE,
        error.message = unusable.why,
        policy.version = unusable.version,
        policy.in_force = good.as_ref().map(|(version, _)| version),
        "the newest policy cannot be used"
    );
    let (version, policy) = match good {
        Some((version, policy)) => (Some(version), Ok(policy)),
        None => (None, Err(unusable.why.clone())),
    };
    Ok(InForce { policy, version, unusable: Some(unusable), by_hand })
}

async fn look(state: &StateBucket, key: &str, version: Option<&str>) -> Result<Looked> {
    let unread =
        |why: String| Looked { version: version.map(str::to_owned), by_hand: false, policy: Err(why) };
    match state.get_version(key, version).await {
        Ok(Some(object)) => {
            let policy = Policy::parse(&object.bytes).map_err(|invalid| invalid.to_string());
            let by_hand = object.claimed_sha256 != Some(hex::encode(Sha256::digest(&object.bytes)));
            Ok(Looked { version: object.version, by_hand, policy })
        }
        Ok(None) => Ok(unread(format!("there is no object {key} in the state bucket"))),
        Err(error @ Error::Retryable(_)) => Err(error),
        Err(error) => Ok(unread(error.to_string())),
    }
}

/// The newest version with a policy that can be used, below the one that cannot.
async fn last_good(state: &StateBucket, key: &str, bad: Option<&str>) -> Result<Option<(String, Policy)>> {
    let versions = match state.versions(key, MAX_TRIED).await {
        Ok(versions) => versions,
        Err(error @ Error::Retryable(_)) => return Err(error),
        Err(error) => {
            tracing::error!(error.message = %error, "earlier policies cannot be listed");
            return Ok(None);
        }
    };
    for id in versions.into_iter().filter(|id| Some(id.as_str()) != bad) {
        if let Looked { policy: Ok(policy), .. } = look(state, key, Some(&id)).await? {
            return Ok(Some((id, policy)));
        }
    }
    Ok(None)
}
