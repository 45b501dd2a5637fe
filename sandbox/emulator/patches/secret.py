"""The sandbox's own requests.

The sandbox makes a secret at every start (``SANDBOX_SECRET``); a request that carries it in ``x-sandbox-secret`` comes
from the sandbox itself and not from one of its clients.
"""

import hmac
import os

HEADER = b"x-sandbox-secret"


def is_ours(headers):
    """Whether a request with these raw ASGI headers comes from the sandbox itself."""
    given = dict(headers).get(HEADER, b"")
    return hmac.compare_digest(given, os.environ["SANDBOX_SECRET"].encode())
