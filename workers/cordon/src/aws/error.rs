//! Where the SDKs' errors become ours.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};

use crate::error::{Code, Error};

/// Names under which AWS services say "too fast" or "my fault", past the statuses 429 and 5xx: what AWS's own SDKs repeat
/// (<https://github.com/boto/botocore/blob/develop/botocore/retries/standard.py>), and what S3 and DynamoDB say besides.
const TRANSIENT: &[&str] = &[
    "ThrottlingException",
    "ThrottledException",
    "Throttling",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "EC2ThrottledException",
    "KMS.ThrottlingException",
    "LimitExceededException",
    "InternalError",
    "InternalServerError",
    "InternalServerException",
    "ServiceUnavailable",
    "OperationAborted",
    "ConditionalRequestConflict",
    "TransactionConflictException",
    "ExpiredToken",
    "ExpiredTokenException",
];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "Forbidden",
    "UnauthorizedOperation",
    "InvalidAccessException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
];

/// Classifies the error of one call. `operation` is the API's name, like `s3:CopyObject`, followed by what it was
/// about.
pub(crate) fn classify<E>(operation: &str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = status(&error);
    if let SdkError::ConstructionFailure(_) = &error {
        // A key of white space only, for one, which the SDK takes for none.
        return Error::terminal(
            Code::RequestRejected,
            format!("{operation} cannot be asked for ({}); do it by hand.", chain(&error)),
        );
    }
    let Some(service) = error.as_service_error() else {
        return Error::Retryable(format!("{operation} did not get an answer: {}", chain(&error)));
    };
    let code = service.code().unwrap_or_default();
    let message = service.message().unwrap_or("no further message");
    if status == 429 || status >= 500 || TRANSIENT.contains(&code) {
        return Error::Retryable(format!("{operation} failed for now ({status} {code}: {message})"));
    }
    if status == 403 || status == 401 || DENIED.contains(&code) {
        return Error::terminal(
            Code::AccessDenied,
            format!(
                "AWS refused {operation} ({code}: {message}). Check the role's permissions, the bucket and key \
                 policies, and that the service is enabled in this Region."
            ),
        );
    }
    Error::terminal(
        Code::RequestRejected,
        format!(
            "AWS rejected {operation} ({status} {code}: {message}). If the settings are right, please report this."
        ),
    )
}

/// The error and its causes in one line, without the `Debug` text that the SDK's own display of causes appends.
fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// The error's code, empty without one. S3 begins to answer a copy with status 200 before it knows how the copy ends, so
/// there the status says nothing (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
pub(crate) fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> &str {
    error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

/// The HTTP status of an answer, 0 without one.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |response| response.status().as_u16())
}
