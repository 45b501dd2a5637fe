"""Which resource a caller of CloudWatch Logs has to be allowed.

AWS behavior restored: writing to and reading from a log stream is allowed on the stream
(``…:log-group:NAME:log-stream:STREAM``), which the usual ``…:log-group:NAME:*`` covers. MiniStack 1.5.33 asks for the
group alone, so that a role with that usual policy may not write. [docs.aws.amazon.com/service-authorization/latest/
reference/list_amazoncloudwatchlogs.html]
"""

from ministack.core import iam_actions

from .patching import patch

_OF_A_STREAM = ("CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents")


def install():
    @patch(iam_actions, "extract_resource_arn")
    def extract_resource_arn(original, service, method, path, headers, body, *more):
        arn = original(service, method, path, headers, body, *more)
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if service != "logs" or action not in _OF_A_STREAM or ":log-group:" not in arn:
            return arn
        return f"{arn}:log-stream:{iam_actions._safe_json_field(body, 'logStreamName') or ''}"
