"""Keys of any form.

AWS behavior restored:

- Policies see a key as it is, with leading, doubled and trailing slashes.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html: the resource is bucket/key]
- Listings of versions and of uploads percent-encode their keys when asked to (``encoding-type=url``), a space as ``+``.
  [botocore s3 ListObjectVersionsOutput.EncodingType, ListMultipartUploadsOutput.EncodingType;
  botocore.handlers.decode_list_object_versions]
- Characters that XML cannot hold are written as references.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html]
"""

import re
from urllib.parse import quote_plus
from xml.etree.ElementTree import SubElement

from ministack.core import iam_actions
from ministack.services import s3

from .patching import patch
from .s3_answers import answering

_KEYS = {"Key", "Prefix", "Delimiter", "KeyMarker", "NextKeyMarker"}
_UNWRITABLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def _split(path):
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def _encode(root):
    for element in root.iter():
        if element.tag in _KEYS and element.text:
            element.text = s3._url_encode(element.text)
    SubElement(root, "EncodingType").text = "url"


def _list(original, bucket, query):
    if s3._qp(query, "encoding-type") != "url":
        return original(bucket, query)
    with answering(_encode):
        return original(bucket, query)


def install():
    @patch(iam_actions, "_s3_action")
    def s3_action(original, method, path, query):
        bucket, key = _split(path)
        return original(method, f"/{bucket}/key" if key else path, query)

    @patch(iam_actions, "extract_resource_arn")
    def extract_resource_arn(original, service, method, path, *rest):
        bucket, key = _split(path)
        return f"arn:aws:s3:::{bucket}/{key}" if service == "s3" and key else original(service, method, path, *rest)

    @patch(s3, "_url_encode")
    def url_encode(_, value):
        return quote_plus(value, safe="/")

    patch(s3, "_list_object_versions")(_list)
    patch(s3, "_list_multipart_uploads")(_list)

    @patch(s3, "_xml_body")
    def xml_body(original, root):
        return _UNWRITABLE.sub(lambda found: b"&#x%x;" % ord(found.group()), original(root))
