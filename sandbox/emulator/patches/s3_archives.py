"""Archived objects.

AWS behavior restored:

- Copying an object from GLACIER or DEEP_ARCHIVE is refused with 403 InvalidObjectState until it is restored.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/restoring-objects.html; botocore s3 CopyObjectRequest.StorageClass]
- A restored object is restored for those who name its version, too. [botocore s3 HeadObjectOutput.Restore]
"""

from ministack.services import s3

from .patching import patch
from .s3_objects import change, source, version


def _refusal(headers):
    bucket, key, version_id = source(headers)
    found = version(bucket, key, version_id) or {}
    storage_class = found.get("storage_class")
    if storage_class not in s3._ARCHIVE_STORAGE_CLASSES or s3._sync_restore(bucket, key, found) == "restored":
        return None
    return s3._invalid_object_state(bucket, key, storage_class)


def install():
    @patch(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        return _refusal(headers) or original(bucket, key, headers)

    @patch(s3, "_upload_part_copy")
    def upload_part_copy(original, bucket, key, query, headers):
        return _refusal(headers) or original(bucket, key, query, headers)

    @patch(s3, "_restore_object")
    def restore_object(original, bucket, key, body):
        response = original(bucket, key, body)
        if response[0] < 300:
            change(bucket, key, restore=version(bucket, key)["restore"])
        return response

    @patch(s3, "_object_record_from_version")
    def object_record_from_version(original, entry):
        return {**original(entry), "restore": entry.get("restore")}
