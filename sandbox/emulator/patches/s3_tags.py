"""Tags of objects.

AWS behavior restored:

- The tags that CreateMultipartUpload names are those of the object, each percent-encoded. Whether a ``+`` there is a space
  or itself is not documented: it is refused. [botocore s3 CreateMultipartUploadRequest.Tagging]
- An object that takes the place of another has none of its tags.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html]
- A copy of the ``null`` version has its tags. [botocore s3 CopyObjectRequest.TaggingDirective]
- HeadObject says how many tags there are. [botocore s3 HeadObjectOutput.TagCount]
"""

import re
from urllib.parse import parse_qsl

from ministack.services import s3

from .patching import patch
from .s3_answers import answering
from .s3_objects import source, version

_UNENCODED = re.compile(r"[^-\w.~%=&]", re.ASCII)


def install():
    @patch(s3, "_record_object_version")
    def record_object_version(original, bucket, key, prior, record, data):
        version_id = original(bucket, key, prior, record, data)
        if not record.get("version_id"):
            s3._object_tags.pop((bucket, key, None), None)
        return version_id

    @patch(s3, "_create_multipart_upload")
    def create_multipart_upload(original, bucket, key, headers):
        tagging = headers.get("x-amz-tagging", "")
        if _UNENCODED.search(tagging):
            return s3._error("InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                                                "query parameters without tag name duplicates.", 400)
        tags = dict(parse_qsl(tagging, keep_blank_values=True))
        if len(tags) > 10:
            return s3._error("BadRequest", "Object tags cannot be greater than 10", 400)

        def keep(root):
            s3._multipart_uploads[root.findtext("UploadId")]["tags"] = tags

        with answering(keep):
            return original(bucket, key, headers)

    @patch(s3, "_complete_multipart_upload")
    def complete_multipart_upload(original, bucket, key, body, query, headers=None):
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"), {})

        def tag(_root):
            if upload.get("tags"):
                s3._object_tags[(bucket, key, version(bucket, key).get("version_id"))] = upload["tags"]

        with answering(tag):
            return original(bucket, key, body, query, headers)

    @patch(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        # MiniStack keeps the tags of a null version under None, and looks for them under its id.
        from_bucket, from_key, version_id = source(headers)
        tags = s3._object_tags.get((from_bucket, from_key, None)) if version_id == "null" else None
        if tags:
            s3._object_tags[(from_bucket, from_key, "null")] = tags
        try:
            return original(bucket, key, headers)
        finally:
            s3._object_tags.pop((from_bucket, from_key, "null"), None)

    @patch(s3, "_head_object")
    def head_object(original, bucket, key, headers=None, query=None):
        status, answered, body = original(bucket, key, headers, query)
        found = version(bucket, key, s3._qp(query or {}, "versionId")) if status == 200 else None
        if found is not None:
            own_id = found.get("version_id")
            answered.update(s3._object_tagging_count_header(bucket, key, None if own_id == "null" else own_id))
        return status, answered, body
