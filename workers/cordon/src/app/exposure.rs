//! Whether somebody outside can reach a bucket.

use cordon_domain::exposure::access_finding::AccessFinding;
use jiff::SignedDuration;

use crate::{
    clock,
    error::{Error, Result},
    store::Exposures,
};

/// For how long it is known that nobody outside can reach a bucket, once the list of the analyzer has been read. Cycles
/// may be days apart, or off.
const SYNC_COUNTS: SignedDuration = SignedDuration::from_hours(48);

/// Whether somebody outside can reach a bucket now; `None` when that is unknown. That nobody can is known only of buckets
/// that the analyzer is `watched` to cover, when its list has been read whole of late, and as long as the records can be
/// read.
///
/// # Errors
/// As classified, where asking again may help.
pub(crate) async fn is_exposed(
    exposures: &Exposures,
    bucket_arn: &str,
    watched: bool,
) -> Result<Option<bool>> {
    match known(exposures, bucket_arn, watched).await {
        Err(error @ Error::Terminal { .. }) => {
            tracing::error!(error.message = %error, "whether a bucket is exposed is unknown");
            Ok(None)
        }
        known => known,
    }
}

async fn known(exposures: &Exposures, bucket_arn: &str, watched: bool) -> Result<Option<bool>> {
    let findings = exposures.access(bucket_arn).await?;
    let counts = clock::now() - SYNC_COUNTS;
    let complete = watched && exposures.synced_until().await?.is_some_and(|synced| synced > counts);
    Ok(AccessFinding::exposed(&findings, complete))
}
