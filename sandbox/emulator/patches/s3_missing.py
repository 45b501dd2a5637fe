"""Objects that are not there.

AWS behavior restored: reading (GET or HEAD) an object that does not exist is 404 only for a caller who may list the
bucket, and 403 for everyone else, who must not learn what exists. [botocore s3 HeadObject]
"""

from ministack.services import s3

from .callers import may
from .patching import patch


def install():
    @patch(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        response = original(method, bucket, key, headers, body, query)
        is_missing = response[0] == 404 and method in ("GET", "HEAD") and key and s3._ensure_bucket(bucket) is not None
        reveals = is_missing and "versionId" not in query
        if reveals and not may(headers, query, "s3:ListBucket", f"arn:aws:s3:::{bucket}"):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")
        return response
