"""Encryption at rest.

AWS behavior restored:

- Every object is encrypted: as its request says, else as its bucket's configuration says, else with SSE-S3; with KMS
  keys also in two layers (``aws:kms:dsse``) and with a bucket key. Without a named key it is the AWS managed one.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html;
  docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html; botocore s3 PutObjectRequest.BucketKeyEnabled]
- Who reads an object or copies it needs ``kms:Decrypt`` on its key, also who asks HEAD for its checksum; who writes one
  needs ``kms:GenerateDataKey``, and ``kms:Decrypt`` for a multipart upload. A refusal names the KMS action, and the key
  must be usable. [docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html;
  botocore s3 HeadObjectRequest.ChecksumMode; docs.aws.amazon.com/kms/latest/developerguide/key-state.html]
"""

import json

from ministack.core import responses
from ministack.services import kms, s3

from .callers import refusal
from .patching import patch
from .s3_objects import version

_METHOD = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_BUCKET_KEY = "x-amz-server-side-encryption-bucket-key-enabled"
_CUSTOMER = "x-amz-server-side-encryption-customer-"
_WITH_KMS = ("aws:kms", "aws:kms:dsse")
_MANAGED = "alias/aws/s3"


def _configuration(bucket):
    """The bucket's default encryption: the text of its elements, by name."""
    raw = s3._bucket_encryption.get(bucket)
    return {element.tag.rpartition("}")[2]: element.text for element in s3.fromstring(raw).iter()} if raw else {}


def _via_s3():
    return {"kms:ViaService": f"s3.{responses.get_region()}.amazonaws.com",
            "kms:CallerAccount": responses.get_account_id()}


def _managed_key():
    """The AWS managed key of this account, which opens to everybody who comes from it by way of S3."""
    known = kms._resolve_key(_MANAGED)
    if known is None:
        policy = {"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*",
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            "Condition": {"StringEquals": _via_s3()}}]}
        _, _, created = kms._create_key({"Policy": json.dumps(policy)})
        kms._aliases[kms._alias_arn(_MANAGED)] = json.loads(created)["KeyMetadata"]["KeyId"]
        known = kms._resolve_key(_MANAGED)
    return known


def _closed(headers, named, *actions):
    """The error of a KMS key that does not let the caller do this; None when it does."""
    key = kms._resolve_key(named)
    if key is None:
        return s3._error("KMS.NotFoundException", f"Key {named} does not exist", 400)
    for action in actions:
        refused = refusal(headers, {}, action, key["Arn"], _via_s3())
        if refused:
            return s3._error("AccessDenied", refused, 403)
    unusable = kms._check_key_state(key)
    if unusable:
        answer = json.loads(unusable[2])
        return s3._error(f"KMS.{answer['__type']}", answer["message"], 400)
    return None


def _unreadable(headers, record):
    """The error of an object whose KMS key does not open to the caller."""
    key = (record or {}).get("preserved_headers", {}).get(_KEY)
    return _closed(headers, key, "kms:Decrypt") if key else None


def install():
    s3._SSE_STORED_HEADERS = (*s3._SSE_STORED_HEADERS, _BUCKET_KEY)

    @patch(s3, "_resolve_sse_write_headers")
    def resolve_sse_write_headers(original, headers, bucket):
        asked, configured = headers.get(_METHOD), _configuration(bucket)
        method = asked or configured.get("SSEAlgorithm") or "AES256"
        if any(name.startswith(_CUSTOMER) for name in headers) or method not in ("AES256", *_WITH_KMS):
            return original(headers, bucket)
        if method == "AES256":
            return {_METHOD: method}, None
        named = headers.get(_KEY) if asked else configured.get("KMSMasterKeyID")
        key = kms._resolve_key(named) if named else _managed_key()
        refused = _closed(headers, key["Arn"] if key else named, "kms:GenerateDataKey")
        if refused:
            return None, refused
        encryption = {_METHOD: method, _KEY: key["Arn"]}
        if (headers.get(_BUCKET_KEY) or configured.get("BucketKeyEnabled") or "").lower() == "true":
            encryption[_BUCKET_KEY] = "true"
        return encryption, None

    @patch(s3, "_get_object")
    def get_object(original, bucket, key, headers, query=None):
        found = version(bucket, key, s3._qp(query or {}, "versionId"))
        return _unreadable(headers, found) or original(bucket, key, headers, query)

    @patch(s3, "_head_object")
    def head_object(original, bucket, key, headers=None, query=None):
        found = version(bucket, key, s3._qp(query or {}, "versionId"))
        asks_for_checksum = (headers or {}).get("x-amz-checksum-mode", "").upper() == "ENABLED"
        refused = asks_for_checksum and _unreadable(headers, found)
        return refused or original(bucket, key, headers, query)

    @patch(s3, "_check_sse_c_copy_source")
    def check_sse_c_copy_source(original, headers, record):
        return original(headers, record) or _unreadable(headers, record)

    @patch(s3, "_check_sse_c_part")
    def check_sse_c_part(original, headers, upload):
        return original(headers, upload) or _unreadable(headers, upload)
