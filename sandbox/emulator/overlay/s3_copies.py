"""Conditional copies.

AWS behaviour restored: CopyObject honours ``If-None-Match`` and ``If-Match`` for its destination, with 412
PreconditionFailed. [botocore s3 CopyObjectRequest.IfNoneMatch, CopyObjectRequest.IfMatch]
"""

from ministack.services import s3

from .mending import mend


def install():
    @mend(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        record = s3._ensure_bucket(bucket)
        refused = record and s3._check_put_preconditions(headers, record["objects"].get(key))
        return refused or original(bucket, key, headers)
