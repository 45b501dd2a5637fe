"""Where MiniStack keeps the objects of S3, and how the patches get at them."""

from urllib.parse import parse_qs, unquote

from ministack.services import s3


def source(headers):
    """Bucket, key and version id that a copy reads; the version id is None for the current version."""
    path, _, query = headers.get("x-amz-copy-source", "").partition("?")
    bucket, _, key = unquote(path).lstrip("/").partition("/")
    return bucket, key, parse_qs(query).get("versionId", [None])[0]


def version(bucket, key, version_id=None):
    """What MiniStack has of an object version, or of the current one; None if it has nothing."""
    for entry in s3._object_versions.get((bucket, key), []):
        if entry["version_id"] == version_id:
            return entry
    owner = s3._ensure_bucket(bucket)
    current = owner and owner["objects"].get(key)
    is_null = current and version_id == "null" and not current.get("version_id")
    return current if is_null or not version_id else None


def change(bucket, key, **fields):
    """Changes the current version of an object, which MiniStack holds twice once its bucket has versions."""
    s3._buckets[bucket]["objects"][key].update(fields)
    for entry in s3._object_versions.get((bucket, key), []):
        if entry["is_latest"]:
            entry.update(fields)
