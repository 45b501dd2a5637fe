"""Multipart uploads.

AWS behavior restored:

- An upload belongs to one key, and is no more once it is completed: NoSuchUpload.
  [docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html]
- Every part but the last has at least 5 MiB, or completing is refused with EntityTooSmall. [the same]
- Listings name the principal that began an upload, of a role's session its ARN. [botocore s3 Initiator.ID]
- A key marker without an upload id marker skips all uploads to that key.
  [botocore s3 ListMultipartUploadsRequest.KeyMarker]
"""

import re

from ministack.core import iam_evaluator
from ministack.services import s3

from .patching import patch
from .s3_answers import answering

_SMALLEST_PART = 5 << 20
_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)")
# Greater than every upload id.
_BEHIND_ALL = "\U0010ffff"


def _upload(query):
    return s3._multipart_uploads.get(s3._qp(query, "uploadId"), {})


def _initiator():
    arn = iam_evaluator.caller_arn()
    return s3._canonical_owner_id() if arn.endswith(":root") else arn


def _name_initiators(root):
    for element in (root, *root.iter("Upload")):
        upload = s3._multipart_uploads.get(element.findtext("UploadId"))
        if upload:
            element.find("Initiator/ID").text = upload["initiator"]


def install():
    @patch(s3, "_create_multipart_upload")
    def create_multipart_upload(original, bucket, key, headers):
        def keep(root):
            s3._multipart_uploads[root.findtext("UploadId")]["initiator"] = _initiator()

        with answering(keep):
            return original(bucket, key, headers)

    @patch(s3, "_upload_part_copy")
    def upload_part_copy(original, bucket, key, query, headers):
        upload = _upload(query)
        if (upload.get("bucket"), upload.get("key")) != (bucket, key):
            return s3._error("NoSuchUpload", "The specified multipart upload does not exist.", 404, f"/{bucket}/{key}")
        return original(bucket, key, query, headers)

    @patch(s3, "_complete_multipart_upload")
    def complete_multipart_upload(original, bucket, key, body, query, headers=None):
        s3._completed_multipart_uploads.pop(s3._qp(query, "uploadId"), None)
        parts = _upload(query).get("parts", {})
        *all_but_last, _ = sorted(int(number) for number in _PART_NUMBER.findall(body)) or [None]
        if any(parts[number]["size"] < _SMALLEST_PART for number in all_but_last if number in parts):
            return s3._error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400)
        return original(bucket, key, body, query, headers)

    @patch(s3, "_list_multipart_uploads")
    def list_multipart_uploads(original, bucket, query):
        def repeat_the_marker(root):
            root.find("UploadIdMarker").text = s3._qp(query, "upload-id-marker")

        with answering(_name_initiators), answering(repeat_the_marker):
            return original(bucket, {"upload-id-marker": [_BEHIND_ALL], **query})

    @patch(s3, "_list_parts")
    def list_parts(original, bucket, key, query):
        with answering(_name_initiators):
            return original(bucket, key, query)
