//! `DeleteObject` at the source, which only the mover does.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    operation::delete_object::DeleteObjectError,
};

use super::{Mover, ObjectSession, Place};
use crate::{
    aws::error::{classify, status},
    error::{Code, Error, Result},
};

/// What a conditional removal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// It is gone.
    Deleted,
    /// The condition does not hold: something else is there now, or nothing.
    Changed,
}

impl ObjectSession<Mover> {
    /// Deletes the key without a version id, if its current version has this ETag. In a bucket with versions this puts
    /// a delete marker.
    ///
    /// # Errors
    /// As classified.
    pub async fn delete_current(&self, place: &Place, etag: &str) -> Result<DeleteOutcome> {
        let call = self
            .client
            .delete_object()
            .bucket(&place.bucket)
            .key(&place.key)
            .expected_bucket_owner(&place.owner)
            .if_match(format!("\"{etag}\""));
        match call.send().await {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(error) if matches!(status(&error), 404 | 412) => Ok(DeleteOutcome::Changed),
            Err(error) => Err(removal_error(place, error)),
        }
    }

    /// Deletes exactly this version.
    ///
    /// # Errors
    /// As classified.
    pub async fn delete_version(&self, place: &Place, version_id: &str) -> Result<()> {
        let call = self
            .client
            .delete_object()
            .bucket(&place.bucket)
            .key(&place.key)
            .version_id(version_id)
            .expected_bucket_owner(&place.owner);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == 404 => Ok(()),
            Err(error) => Err(removal_error(place, error)),
        }
    }
}

fn removal_error(place: &Place, error: SdkError<DeleteObjectError, HttpResponse>) -> Error {
    let locked = error
        .as_service_error()
        .and_then(|service| service.message())
        .is_some_and(|message| message.contains("object protected by object lock"));
    if locked {
        return Error::terminal(
            Code::ObjectLocked,
            "Object Lock refuses the removal: the object is still at its source, and a complete copy is in quarantine. \
             Lift the hold, or wait until the retention ends, then start the response again.",
        );
    }
    match classify(&format!("s3:DeleteObject in {}", place.bucket), error) {
        Error::Terminal { code, cause } => Error::terminal(
            code,
            format!("{cause} The object is still at its source, and a complete copy is in quarantine."),
        ),
        retryable => retryable,
    }
}
