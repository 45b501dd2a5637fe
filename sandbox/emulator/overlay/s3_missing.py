"""Objects that are not there.

AWS behaviour restored: reading (GET or HEAD) an object that does not exist is 404 only for a caller who may list the
bucket, and 403 for everyone else, who must not learn what exists. [botocore s3 HeadObject]
"""

from ministack import app
from ministack.core import iam_evaluator, responses
from ministack.services import s3

from .mending import mend


def _may_list(bucket, access_key):
    refused = iam_evaluator.enforce(
        access_key, "s3:ListBucket", "s3", responses.get_region(), resource_arn=f"arn:aws:s3:::{bucket}")
    return refused is None


def install():
    @mend(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        response = original(method, bucket, key, headers, body, query)
        is_missing = response[0] == 404 and method in ("GET", "HEAD") and key and s3._ensure_bucket(bucket) is not None
        access_key = is_missing and app.AUTH and s3._request_access_key(method, key, headers, query, body)
        if access_key and "versionId" not in query and not _may_list(bucket, access_key):
            return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}/{key}")
        return response
