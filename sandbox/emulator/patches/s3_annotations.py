"""Annotations of objects.

AWS behavior restored:

- A copy takes the annotations of its source along unless it is told not to, and then needs ``s3:GetObjectAnnotation`` at
  the source and ``s3:PutObjectAnnotation`` at the destination. Whether it needs them for an object that has none is not
  documented: here it does. [botocore s3 CopyObjectRequest.AnnotationDirective]
- Who names a version needs the action for versions; of a copy's source, where the documentation does not say which, both.
  [docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html]
- A copy of the ``null`` version has its annotations.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-overview.html]
"""

from ministack.core import iam_actions
from ministack.services import s3

from .patching import patch
from .s3_objects import source

_READ = "s3:GetObjectAnnotation"
_OF_A_VERSION = {
    "GetObjectAnnotation": "GetObjectVersionAnnotation",
    "ListObjectAnnotations": "ListObjectVersionAnnotations",
    "PutObjectAnnotation": "PutObjectVersionAnnotation",
    "DeleteObjectAnnotation": "DeleteObjectVersionAnnotation",
}


def _copied(headers, destination):
    """The checks for the annotations that a copy takes along."""
    if headers.get("x-amz-object-annotation-directive", "COPY").upper() == "EXCLUDE":
        return []
    bucket, key, version_id = source(headers)
    arn = f"arn:aws:s3:::{bucket}/{key}"
    of_the_version = [("s3:GetObjectVersionAnnotation", arn)] if version_id else []
    return [(_READ, arn), *of_the_version, ("s3:PutObjectAnnotation", destination)]


def install():
    iam_actions._S3_VERSIONED_ACTIONS.update(_OF_A_VERSION)

    @patch(iam_actions, "s3_additional_checks")
    def s3_additional_checks(original, method, path, headers, body, query):
        checks = original(method, path, headers, body, query)
        if "x-amz-copy-source" in headers and "uploadId" not in query:
            checks += _copied(headers, f"arn:aws:s3:::{path.lstrip('/')}")
        return checks

    @patch(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        # MiniStack keeps the annotations of a null version under None, and looks for them under its id.
        from_bucket, from_key, version_id = source(headers)
        kept = s3._object_annotations.get((from_bucket, from_key, None)) if version_id == "null" else None
        if kept:
            s3._object_annotations[(from_bucket, from_key, "null")] = kept
        try:
            return original(bucket, key, headers)
        finally:
            s3._object_annotations.pop((from_bucket, from_key, "null"), None)
