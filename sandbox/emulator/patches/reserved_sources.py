"""Event sources of AWS itself.

AWS behavior restored: an event whose source begins with ``aws.`` is put by the service that owns the name and by
nobody else; an entry of anyone else is refused with NotAuthorizedForSourceException. MiniStack refuses them all, so
those of the services that the sandbox plays itself are let in, and only when the request carries the sandbox's secret.
[docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html]
"""

import contextvars

from ministack import app
from ministack.services import eventbridge

from .patching import patch
from .secret import is_ours

_PLAYED_BY_THE_SANDBOX = ("aws.macie", "aws.access-analyzer", "aws.securityhub")
_from_sandbox = contextvars.ContextVar("cordon_events_from_sandbox", default=False)


def _knowing_the_caller(inner):
    async def serve(scope, receive, send):
        if scope["type"] == "http":
            _from_sandbox.set(is_ours(scope["headers"]))
        await inner(scope, receive, send)

    return serve


def install():
    @patch(eventbridge, "_put_events")
    def put_events(original, data, allow_aws_source=False):
        ours = _from_sandbox.get() and all(
            entry.get("Source") in _PLAYED_BY_THE_SANDBOX for entry in data.get("Entries", []))
        return original(data, allow_aws_source=allow_aws_source or ours)

    app.app = _knowing_the_caller(app.app)
