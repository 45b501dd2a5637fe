"""Copies.

AWS behavior restored:

- CopyObject honors ``If-None-Match`` and ``If-Match`` for its destination, with 412 PreconditionFailed.
  [botocore s3 CopyObjectRequest.IfNoneMatch, CopyObjectRequest.IfMatch]
- A copy is stored as STANDARD, and redirects nowhere, unless the request says otherwise, whatever its source is.
  [botocore s3 CopyObjectRequest.StorageClass, CopyObjectRequest.WebsiteRedirectLocation]
- A copy is of one part: its ETag is not that of a source of many, and with a KMS key it is no hash of the content.
  [docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html]
- Version id ``null`` names the source that was put while its bucket had no versions.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/manage-objects-versioned-bucket.html]
"""

import os
from hashlib import md5

from ministack.services import s3

from .patching import patch
from .s3_answers import answering
from .s3_objects import change, source, version

_REDIRECT = "x-amz-website-redirect-location"


def _etag(record):
    method = record["preserved_headers"].get("x-amz-server-side-encryption", "")
    return '"%s"' % md5(os.urandom(16) if method.startswith("aws:kms") else record["body"]).hexdigest()


def _of_the_null_version(headers):
    """The same request; without version id when that is ``null`` and MiniStack keeps no history of the object."""
    bucket, key, version_id = source(headers)
    found = version(bucket, key, version_id) if version_id == "null" else None
    if found is None or found.get("version_id"):
        return headers
    return {**headers, "x-amz-copy-source": headers["x-amz-copy-source"].partition("?")[0]}


def install():
    @patch(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        into = s3._ensure_bucket(bucket)
        refused = into and s3._check_put_preconditions(headers, into["objects"].get(key))
        if refused:
            return refused

        def make_its_own(root):
            copied = version(bucket, key)
            copied["preserved_headers"].pop(_REDIRECT, None)
            if _REDIRECT in headers:
                copied["preserved_headers"][_REDIRECT] = headers[_REDIRECT]
            change(bucket, key, etag=_etag(copied))
            root.find("ETag").text = copied["etag"]

        asked = _of_the_null_version({"x-amz-storage-class": "STANDARD", **headers})
        with answering(make_its_own):
            return original(bucket, key, asked)

    @patch(s3, "_upload_part_copy")
    def upload_part_copy(original, bucket, key, query, headers):
        return original(bucket, key, query, _of_the_null_version(headers))
