"""Checksums.

AWS behavior restored:

- Every object has a checksum: CRC64NVME when nobody asked for another.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html]
- A copy gets one of its whole content, by the algorithm that is asked for, or else by that of its source.
  [botocore s3 CopyObjectRequest.ChecksumAlgorithm]
- A multipart upload makes the type that was asked for when it began: FULL_OBJECT, which equals the checksum of the same
  content put at once and which CRC64NVME always is, or COMPOSITE, which SHA-1 and SHA-256 always are. Parts that are
  copied have checksums as parts that are sent, and completing with another type is refused with BadDigest.
  [botocore s3 CreateMultipartUploadRequest.ChecksumType, CompleteMultipartUploadRequest.ChecksumType, CopyPartResult]
- A version named by its id has the checksum type that it had when it was current.
"""

import base64
import re
from contextvars import ContextVar
from xml.etree.ElementTree import SubElement

from ministack.services import s3

from . import crc64nvme
from .patching import patch
from .s3_answers import answering
from .s3_objects import change, version

_CRC64NVME = "CRC64NVME"
_WHOLE, _PARTS = "FULL_OBJECT", "COMPOSITE"
_ONLY = {_CRC64NVME: _WHOLE, "SHA1": _PARTS, "SHA256": _PARTS}
_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)")
# The parts that are being put together to an object with a checksum over the whole of it.
_joining = ContextVar("cordon_s3_joining", default=None)


def _asked(headers):
    """The algorithm a request asks for, spelled as MiniStack does."""
    name = headers.get("x-amz-checksum-algorithm") or headers.get("x-amz-sdk-checksum-algorithm") or ""
    return name.upper().replace("_", "")


def _whole(algorithm, parts):
    """The checksum of all parts together."""
    if algorithm != _CRC64NVME:
        return s3._compute_s3_checksum(algorithm, b"".join(part["body"] for part in parts))
    whole = 0
    for part in parts:
        own = int.from_bytes(base64.b64decode(part["checksums"][algorithm]), "big")
        whole = crc64nvme.joined(whole, own, part["size"])
    return base64.b64encode(whole.to_bytes(8, "big")).decode()


def _show(root, checksums, kind=None):
    for algorithm, value in checksums.items():
        SubElement(root, f"Checksum{algorithm}").text = value
    if kind:
        SubElement(root, "ChecksumType").text = kind


def _begin(response, upload_id, headers):
    """Settles what checksum an upload makes; returns the answer to its request."""
    upload, asked = s3._multipart_uploads[upload_id], headers.get("x-amz-checksum-type")
    algorithm = upload["checksum_algorithm"] or _CRC64NVME
    kind = asked or _ONLY.get(algorithm, _PARTS)
    if kind != _ONLY.get(algorithm, kind):
        del s3._multipart_uploads[upload_id]
        return s3._error("InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm.lower()} "
                                           "checksum algorithm.", 400)
    if upload["checksum_algorithm"]:
        response[1]["x-amz-checksum-type"] = kind
    upload.update(checksum_algorithm=algorithm, checksum_type=kind)
    return response


def install():
    @patch(s3, "_crc64nvme")
    def fast(_, body):
        return crc64nvme.crc64nvme(body)

    @patch(s3, "_record_object_version")
    def record_object_version(original, bucket, key, prior, record, data):
        if not record.get("checksums"):
            record["checksums"] = {_CRC64NVME: s3._compute_s3_checksum(_CRC64NVME, data)}
        return original(bucket, key, prior, record, data)

    @patch(s3, "_version_entry_from_record")
    def version_entry_from_record(original, record, version_id, data):
        return {**original(record, version_id, data), "checksum_type": record.get("checksum_type")}

    @patch(s3, "_object_record_from_version")
    def object_record_from_version(original, entry):
        return {**original(entry), "checksum_type": entry.get("checksum_type")}

    @patch(s3, "_copy_object")
    def copy_object(original, bucket, key, headers):
        def compute(root):
            copied = version(bucket, key)
            known = copied["checksums"]
            algorithm = _asked(headers) or next(iter(known))
            value = known.get(algorithm, "-")
            if "-" in value:
                value = s3._compute_s3_checksum(algorithm, copied["body"])
            change(bucket, key, checksums={algorithm: value}, checksum_type=_WHOLE)
            _show(root, copied["checksums"], _WHOLE)

        with answering(compute):
            return original(bucket, key, headers)

    @patch(s3, "_create_multipart_upload")
    def create_multipart_upload(original, bucket, key, headers):
        begun = []
        with answering(lambda root: begun.append(root.findtext("UploadId"))):
            response = original(bucket, key, headers)
        return _begin(response, begun[0], headers) if begun else response

    @patch(s3, "_upload_part_copy")
    def upload_part_copy(original, bucket, key, query, headers):
        def compute(root):
            upload = s3._multipart_uploads[s3._qp(query, "uploadId")]
            part, algorithm = upload["parts"][int(s3._qp(query, "partNumber"))], upload["checksum_algorithm"]
            part["checksums"] = {algorithm: s3._compute_s3_checksum(algorithm, part["body"])}
            _show(root, part["checksums"])

        with answering(compute):
            return original(bucket, key, query, headers)

    @patch(s3, "_composite_checksum")
    def composite_checksum(original, algorithm, digests):
        parts = _joining.get()
        return original(algorithm, digests) if parts is None else _whole(algorithm, parts)

    @patch(s3, "_complete_multipart_upload")
    def complete_multipart_upload(original, bucket, key, body, query, headers=None):
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        if upload is None:
            return original(bucket, key, body, query, headers)
        kind = upload["checksum_type"]
        if (headers or {}).get("x-amz-checksum-type", kind) != kind:
            return s3._error("BadDigest", f"The upload was begun with the checksum type {kind}.", 400)

        def say(root):
            change(bucket, key, checksum_type=kind)
            root.find("ChecksumType").text = kind

        numbers = sorted(int(number) for number in _PART_NUMBER.findall(body))
        parts = [upload["parts"][number] for number in numbers if number in upload["parts"]]
        joining = _joining.set(parts if kind == _WHOLE else None)
        try:
            with answering(say):
                return original(bucket, key, body, query, headers)
        finally:
            _joining.reset(joining)
