"""Versions.

AWS behavior restored:

- An object that was put without versions, in a bucket that has them now or had them, has version id ``null``.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html]
- A listing goes on behind its markers, also when they name an object without history, or a version that was deleted
  since the page before. [docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html]
- MFA delete is kept and shown; enabling it, changing the versioning state and deleting versions then need ``x-amz-mfa``.
  [docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html]
"""

from xml.etree.ElementTree import SubElement

from ministack.services import s3

from .patching import patch
from .s3_answers import answering

_MFA_DELETE = "cordon_mfa_delete"
# The version that was next newer than a deleted one, by bucket, key and version id.
_next_newer = {}


def _key_before(bucket, key):
    keys = [*s3._buckets[bucket]["objects"], *(k for name, k in s3._object_versions if name == bucket)]
    return max((other for other in keys if other < key), default="")


def _markers(bucket, query):
    """The query, with markers that MiniStack finds."""
    key, marker = s3._qp(query, "key-marker"), s3._qp(query, "version-id-marker")
    versions = [entry["version_id"] for entry in s3._object_versions.get((bucket, key), [])]
    if not marker or marker in versions:
        return query
    rest = {name: value for name, value in query.items() if name != "version-id-marker"}
    if not versions:
        return rest
    while marker and marker not in versions:
        marker = _next_newer.get((bucket, key, marker))
    if marker:
        return {**rest, "version-id-marker": [marker]}
    return {**rest, "key-marker": [_key_before(bucket, key)]}


def _needs_mfa(method, bucket, key, body, query):
    is_on = (s3._ensure_bucket(bucket) or {}).get(_MFA_DELETE) == "Enabled"
    if method == "DELETE":
        return is_on and key and "versionId" in query
    return method == "PUT" and not key and "versioning" in query and (is_on or b"MfaDelete" in body)


def install():
    @patch(s3, "_object_response_headers")
    def object_response_headers(original, record, bucket="", key="", include_checksums=False):
        versioning = s3._bucket_versioning.get(bucket)
        return {**({"x-amz-version-id": "null"} if versioning else {}),
                **original(record, bucket, key, include_checksums)}

    @patch(s3, "_delete_object_version")
    def delete_object_version(original, record, bucket, key, version_id):
        versions = [entry["version_id"] for entry in s3._object_versions.get((bucket, key), [])]
        newer = dict(zip(versions, versions[1:]))
        if version_id in versions:
            _next_newer[bucket, key, version_id] = newer.get(version_id)
        return original(record, bucket, key, version_id)

    @patch(s3, "_list_object_versions")
    def list_object_versions(original, bucket, query):
        known = s3._ensure_bucket(bucket) is not None
        return original(bucket, _markers(bucket, query) if known else query)

    @patch(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        if _needs_mfa(method, bucket, key, body, query) and not headers.get("x-amz-mfa"):
            return s3._error("AccessDenied", "Mfa Authentication must be used for this request", 403)
        return original(method, bucket, key, headers, body, query)

    @patch(s3, "_put_bucket_versioning")
    def put_bucket_versioning(original, bucket, body):
        response = original(bucket, body)
        asked = s3._find_xml_tag(s3.fromstring(body), "MfaDelete") if response[0] == 200 else None
        if asked is not None:
            s3._buckets[bucket][_MFA_DELETE] = asked.text
        return response

    @patch(s3, "_get_bucket_versioning")
    def get_bucket_versioning(original, bucket):
        def show(root):
            state = s3._buckets[bucket].get(_MFA_DELETE)
            if state:
                SubElement(root, "MfaDelete").text = state

        with answering(show):
            return original(bucket)
