//! Which policy is in force: the newest version of its object that can be used.
//!
//! The versions of the object are the memory: whoever looks, at any time, finds the same.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use cordon_domain::policy::Policy;

use super::State;
use crate::{
    aws::error::{classify, status},
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
const TRIED: i32 = 20;

/// The stable name of an [`Unusable`] policy in logs and events.
pub const POLICY_UNUSABLE: &str = "PolicyUnusable";

/// A version of the policy object that was looked at: the policy in it, or why there is none.
struct Looked {
    version: Option<String>,
    policy: std::result::Result<Policy, String>,
}

impl State {
    /// The policy at `key` that is in force.
    ///
    /// # Errors
    /// As classified, where asking again may help.
    pub async fn policy(&self, key: &str) -> Result<InForce> {
        let newest = self.look(key, None).await?;
        let why = match newest.policy {
            Ok(policy) => {
                return Ok(InForce { policy: Ok(policy), version: newest.version, unusable: None });
            }
            Err(why) => why,
        };
        let good = self.last_good(key, newest.version.as_deref()).await?;
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
        Ok(InForce { policy, version, unusable: Some(unusable) })
    }

    async fn look(&self, key: &str, version: Option<&str>) -> Result<Looked> {
        let call = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_version_id(version.map(str::to_owned))
            .expected_bucket_owner(&self.account);
        let unread = |why: String| Looked { version: version.map(str::to_owned), policy: Err(why) };
        match call.send().await {
            Ok(object) => read(key, object).await,
            Err(error) if status(&error) == 404 => {
                Ok(unread(format!("there is no object {key} in the state bucket")))
            }
            Err(error) => match classify(&format!("s3:GetObject of {key} in the state bucket"), error) {
                error @ Error::Retryable(_) => Err(error),
                error => Ok(unread(error.to_string())),
            },
        }
    }

    /// The newest version with a policy that can be used, below the one that cannot.
    async fn last_good(&self, key: &str, bad: Option<&str>) -> Result<Option<(String, Policy)>> {
        let call = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(key)
            .max_keys(TRIED)
            .expected_bucket_owner(&self.account);
        let listed = match call.send().await {
            Ok(listed) => listed.versions.unwrap_or_default(),
            Err(error) => match classify("s3:ListBucketVersions of the state bucket", error) {
                error @ Error::Retryable(_) => return Err(error),
                error => {
                    tracing::error!(error.message = %error, "earlier policies cannot be listed");
                    return Ok(None);
                }
            },
        };
        for version in listed.into_iter().filter(|version| version.key.as_deref() == Some(key)) {
            let Some(id) = version.version_id.filter(|id| Some(id.as_str()) != bad) else { continue };
            if let Looked { policy: Ok(policy), .. } = self.look(key, Some(&id)).await? {
                return Ok(Some((id, policy)));
            }
        }
        Ok(None)
    }
}

async fn read(key: &str, object: GetObjectOutput) -> Result<Looked> {
    let version = object.version_id().map(str::to_owned);
    let body = object.body.collect().await.map_err(|error| {
        Error::Retryable(format!("s3:GetObject of {key} in the state bucket broke off: {error}"))
    })?;
    let policy = Policy::parse(&body.to_vec()).map_err(|invalid| invalid.to_string());
    Ok(Looked { version, policy })
}
