"""Permissions that a request needs beside that of its own action, and those that open parts of an answer.

AWS behavior restored:

- A conditional delete needs ``s3:GetObject`` too.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html]
- Writing tags needs ``s3:PutObjectTagging``, also when a copy brings them; then reading them at the source is needed as
  well. [docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html]
- Lock settings and the number of tags are shown only to those who may read them.
  [botocore s3 HeadObjectOutput.ObjectLockMode, HeadObjectOutput.ObjectLockLegalHoldStatus, HeadObjectOutput.TagCount]
"""

from ministack.core import iam_actions
from ministack.services import s3

from .callers import may
from .patching import patch
from .s3_objects import source, version

_OPENED_BY = {
    "x-amz-object-lock-mode": "s3:GetObjectRetention",
    "x-amz-object-lock-retain-until-date": "s3:GetObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:GetObjectLegalHold",
}


def _tagging(version_id):
    return "s3:GetObjectVersionTagging" if version_id else "s3:GetObjectTagging"


def _copied_tags(headers):
    """The checks for the tags that a copy takes along."""
    bucket, key, version_id = source(headers)
    found = version(bucket, key, version_id)
    if found is None or headers.get("x-amz-tagging-directive", "COPY").upper() == "REPLACE":
        return []
    own_id = found.get("version_id")
    if not s3._object_tags.get((bucket, key, None if own_id == "null" else own_id)):
        return []
    return [(_tagging(version_id), f"arn:aws:s3:::{bucket}/{key}")]


def install():
    @patch(iam_actions, "s3_additional_checks")
    def s3_additional_checks(original, method, path, headers, body, query):
        checks = original(method, path, headers, body, query)
        resource = f"arn:aws:s3:::{path.lstrip('/')}"
        if method == "DELETE" and "if-match" in headers:
            checks.append(("s3:GetObject", resource))
        copied = _copied_tags(headers) if "x-amz-copy-source" in headers and "uploadId" not in query else []
        if copied or headers.get("x-amz-tagging"):
            checks += [*copied, ("s3:PutObjectTagging", resource)]
        return checks

    @patch(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        status, answered, content = original(method, bucket, key, headers, body, query)
        if key and method in ("GET", "HEAD"):
            opened_by = {**_OPENED_BY, "x-amz-tagging-count": _tagging(s3._qp(query, "versionId"))}
            for name, action in opened_by.items():
                if name in answered and not may(headers, query, action, f"arn:aws:s3:::{bucket}/{key}"):
                    del answered[name]
        return status, answered, content
