//! The objects of a report: what a scan found, and what S3 has where the last one found nothing any more.

use std::collections::HashMap;

use cordon_domain::{
    case::{Case, OutcomeResult},
    exposure::{
        PlannedBucket, ScanRecord, SensitiveObject,
        reported_object::{AtKey, Newest, ReportedObject, Standing},
    },
    finding::Finding,
};
use futures::{StreamExt, TryStreamExt, stream};

use super::ReportExposures;
use crate::{
    aws::object_session::{ObjectHead, Place},
    error::{Code, Error, Result},
};

/// Objects that are looked at, or put on record, at once.
const MAX_CONCURRENCY: usize = 16;

impl ReportExposures {
    /// Reads what a job found in a bucket and puts it on record; says if some of it cannot be read.
    pub(super) async fn read(&self, bucket: &PlannedBucket, scan: &ScanRecord) -> Result<Option<Error>> {
        let (findings, unreadable) = self.0.macie.findings_of_job(&scan.job_id, &bucket.name).await?;
        let mut newest: HashMap<String, Finding> = HashMap::new();
        for finding in findings {
            let known = newest.entry(finding.object.case_id()).or_insert_with(|| finding.clone());
            if finding.created_at > known.created_at {
                *known = finding;
            }
        }
        for object in self.0.exposures.reported_objects(&bucket.arn).await? {
            if object.scanned_at >= scan.scanned_at {
                newest.remove(&object.finding.object.case_id());
            }
        }
        stream::iter(newest.into_values())
            .map(|finding| async {
                let object = ReportedObject { finding, scanned_at: scan.scanned_at };
                self.0.exposures.record_object(&bucket.arn, &object).await
            })
            .buffer_unordered(MAX_CONCURRENCY)
            .try_collect::<()>()
            .await?;
        Ok((unreadable > 0).then(|| {
            Error::terminal(
                Code::ScanFailed,
                format!(
                    "{unreadable} Macie findings about {} cannot be read, so nothing is taken for clean. Look at them in \
                     Macie; they are read again later, without a new scan.",
                    bucket.name
                ),
            )
        }))
    }

    /// The objects that are to be reported of a bucket: those that the last scans found, and those of earlier ones
    /// without evidence that they are over.
    pub(super) async fn objects(
        &self,
        bucket: &PlannedBucket,
        complete: Option<&ScanRecord>,
    ) -> Result<Vec<SensitiveObject>> {
        let listed = self.0.exposures.reported_objects(&bucket.arn).await?;
        stream::iter(listed)
            .map(|object| self.object(bucket, object, complete))
            .buffer_unordered(MAX_CONCURRENCY)
            .try_filter_map(async |object| Ok(object))
            .try_collect()
            .await
    }

    async fn object(
        &self,
        bucket: &PlannedBucket,
        object: ReportedObject,
        complete: Option<&ScanRecord>,
    ) -> Result<Option<SensitiveObject>> {
        let case = self.0.cases.get(&object.finding.object.case_id()).await?;
        if complete.is_none_or(|scan| object.scanned_at >= scan.scanned_at) {
            return Ok(Some(SensitiveObject::new(object.finding, case.as_ref())));
        }
        let at_key = self.at_key(&object).await?;
        let standing = match object.standing(&at_key, complete) {
            Standing::Stays(_)
                if matches!(at_key, AtKey::Unknown(_)) && case.as_ref().is_some_and(is_quarantined) =>
            {
                Standing::Over("it was quarantined")
            }
            standing => standing,
        };
        match standing {
            Standing::Over(because) => {
                self.0.exposures.end_object(&bucket.arn, &object, because).await?;
                Ok(None)
            }
            Standing::Stays(why) => {
                let unconfirmed = Some(why);
                Ok(Some(SensitiveObject {
                    unconfirmed,
                    ..SensitiveObject::new(object.finding, case.as_ref())
                }))
            }
        }
    }

    /// What is at the key of an object now, as the mover sees it: the worker itself reads no object.
    async fn at_key(&self, object: &ReportedObject) -> Result<AtKey> {
        match self.look(object).await {
            Ok(at_key) => Ok(at_key),
            Err(error) => match error.code() {
                None => Err(error),
                // The whole bucket is gone.
                Some(Code::ObjectMissing) => Ok(AtKey::Nothing),
                Some(Code::UnsupportedEncryption) => Ok(AtKey::Unknown(
                    "it is encrypted with a key that Cordon cannot use, and perhaps Macie neither (SSE-C, or a KMS key)"
                        .into(),
                )),
                Some(code) => {
                    tracing::warn!(bucket.name = object.finding.object.bucket, error.message = %error, "object not looked at");
                    Ok(AtKey::Unknown(format!("Cordon could not look at it ({})", code.name())))
                }
            },
        }
    }

    async fn look(&self, object: &ReportedObject) -> Result<AtKey> {
        let reported = &object.finding.object;
        let place = Place::of(reported);
        let mover = self.0.movers.open(&place, &reported.case_id()).await?;
        let versioning = mover.versioning(&place).await?;
        let newest = mover.head_object(&place, None).await?;
        let is_newest =
            |id: &str| newest.as_ref().is_some_and(|seen| seen.version_id.as_deref().unwrap_or("null") == id);
        if let Some(id) = versioning.requested(reported.version_id.as_deref())
            && !is_newest(id)
            && let Some(below) = mover.head_object(&place, Some(id)).await?
            && below.etag == reported.etag
        {
            return Ok(AtKey::BelowNewer);
        }
        let describe = |seen: ObjectHead| {
            let archived = seen.obstacle.as_ref().and_then(Error::code) == Some(Code::ObjectArchived);
            let is_reported =
                reported.version_id.as_deref().is_none_or(is_newest) && seen.etag == reported.etag;
            AtKey::Newest(Newest::new(is_reported, &seen.etag, &seen.facts, archived))
        };
        Ok(newest.clone().map_or(AtKey::Nothing, describe))
    }
}

/// Whether the object of a case was moved away, and nobody has asked for it since.
fn is_quarantined(case: &Case) -> bool {
    let result = case.outcome().map(|outcome| outcome.result);
    result == Some(OutcomeResult::Quarantined) && case.quarantine.restores.is_empty()
}
