"""Who has sent a message.

AWS behavior restored: ``SenderId`` is the id of the IAM user, or of the role with the name of the session
(``AROA…:session``), as ``GetCallerIdentity`` tells it. MiniStack gives the account.
[docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html]
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator, responses
from ministack.core.router import extract_access_key_id
from ministack.services import sqs

from .patching import patch

_SENDER = contextvars.ContextVar("sender", default=None)


def _principal_id(headers, query):
    """The id of a request's caller; None where it is made by MiniStack itself."""
    access_key = app.AUTH and extract_access_key_id(headers, query)
    if not access_key:
        return None
    found = iam_evaluator.resolve_credential(access_key, responses.get_account_id())
    return getattr(found, "principal_id", None) or None


def install():
    @patch(sqs, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        token = _SENDER.set(_principal_id(headers, query_params))
        try:
            return await original(method, path, headers, body, query_params)
        finally:
            _SENDER.reset(token)

    @patch(sqs, "_build_send_sys_attrs")
    def build_send_sys_attrs(original, now, given):
        attributes = original(now, given)
        sender = _SENDER.get()
        return {**attributes, "SenderId": sender} if sender else attributes
