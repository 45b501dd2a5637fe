"""Policies that demand TLS.

AWS behavior restored: a policy that denies what comes in clear text (``aws:SecureTransport``) lets clients of the
service's endpoint through. The sandbox speaks plain HTTP, on loopback alone, where AWS speaks TLS; so every request,
and every delivery from one service to another, counts as made over TLS.
[docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport]
"""

import contextvars

from ministack import app
from ministack.core import iam_evaluator

from .patching import patch


def install():
    iam_evaluator._request_origin = contextvars.ContextVar("cordon_request_origin", default=("127.0.0.1", True))

    @patch(app, "pin_request_origin")
    def pin_request_origin(original, source_ip, _secure_transport):
        original(source_ip, True)
