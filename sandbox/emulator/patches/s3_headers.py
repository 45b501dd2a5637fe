"""The headers of a request.

AWS behavior restored:

- S3 takes about 8 KB of them in all, and refuses more with RequestHeaderSectionTooLarge. A session token counts as AWS's
  own do, which are longer than MiniStack's. [docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html,
  docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html]
- Refusals of HEAD have no body, and so no error code. [botocore s3 HeadObject]
"""

from ministack.services import s3

from .patching import patch

_MOST = 8 << 10
_TOKEN = 2 << 10
_LINE = len(": \r\n")


def _size(headers):
    token = len(headers.get("x-amz-security-token", ""))
    longer = max(_TOKEN - token, 0) if token else 0
    return longer + sum(len(name) + len(str(value).encode()) + _LINE for name, value in headers.items())


def install():
    @patch(s3, "_dispatch")
    def dispatch(original, method, bucket, key, headers, body, query):
        if _size(headers) > _MOST:
            return s3._error("RequestHeaderSectionTooLarge", "Your request header section exceeds the maximum allowed "
                                                             "request header section size.", 400)
        return original(method, bucket, key, headers, body, query)
