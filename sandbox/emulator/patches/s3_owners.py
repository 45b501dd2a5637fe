"""Expected bucket owners.

AWS behavior restored: a request whose ``x-amz-expected-bucket-owner``, or a copy whose
``x-amz-source-expected-bucket-owner``, is not the account that owns the bucket is refused with 403 AccessDenied, which
is what guards against a bucket name that has changed hands. [botocore s3 ExpectedBucketOwner,
ExpectedSourceBucketOwner]
"""

from ministack.services import s3

from .patching import patch
from .s3_objects import source


def _is_not_owner(expected, bucket):
    owner = s3._bucket_owner_account(bucket)
    return expected is not None and owner is not None and owner != expected


def install():
    @patch(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        source_bucket, _, _ = source(headers)
        if (_is_not_owner(headers.get("x-amz-expected-bucket-owner"), bucket)
                or _is_not_owner(headers.get("x-amz-source-expected-bucket-owner"), source_bucket)):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}" if key else f"/{bucket}")
        return original(method, bucket, key, headers, body, query)
