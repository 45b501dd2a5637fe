"""Who a caller is and what it may, for the services that the sandbox plays itself.

No AWS behavior of MiniStack's is patched here: two internal routes let the sandbox's doubles keep the same gate as the
services behind MiniStack, with its signature verification and its evaluation of identity policies, permission
boundaries and session policies. Both want the sandbox's secret.

- ``POST /_sandbox/authorize`` says whether a request, given as it arrived, may do an action on a resource.
- ``GET /_sandbox/principal?access_key=…`` says whose an access key is.
"""

import contextvars
import json
from urllib.parse import parse_qs

from ministack import app
from ministack.core import iam_evaluator, responses
from ministack.core.iam_actions import identity_denial_message
from ministack.core.router import extract_access_key_id

from .secret import is_ours

_CODES = {
    "ExpiredTokenException": "ExpiredTokenException",
    "RequestExpired": "ExpiredTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "IncompleteSignature": "InvalidSignatureException",
    "RequestTimeTooSkewed": "InvalidSignatureException",
    "CredentialDateMismatch": "InvalidSignatureException",
    "MissingAuthorizationParameter": "InvalidSignatureException",
    "UnsupportedSignature": "InvalidSignatureException",
}
_UNHASHED = ("UNSIGNED-PAYLOAD", "STREAMING-")


def _principal(access_key, account):
    """The ARN of an access key's principal, or None for a key nobody has."""
    found = iam_evaluator.resolve_principal(access_key, account)
    return None if isinstance(found, iam_evaluator.AuthError) else found.arn


def _scope_to(access_key, region=None):
    """Makes the caller's account (and region) those of this context, as for a request of its own."""
    responses.set_request_account_id(app._request_account_scope(access_key))
    responses.set_request_region(region)
    return responses.get_account_id()


def _refusal(code, message, principal):
    return {"allowed": False, "code": code, "message": message, "principal": principal}


def authorize(request):
    """Answers ``POST /_sandbox/authorize``."""
    headers, query = dict(request["headers"]), parse_qs(request.get("query", ""), keep_blank_values=True)
    access_key = extract_access_key_id(headers, query)
    account = _scope_to(access_key, request["region"])
    claimed = headers.get("x-amz-content-sha256", "")
    if claimed and not claimed.startswith(_UNHASHED) and claimed != request["body_sha256"]:
        return _refusal("InvalidSignatureException", "The provided hash does not match the body.", None)
    # The signature covers a hash of the body, so the hash stands in for the body itself.
    headers["x-amz-content-sha256"] = claimed or request["body_sha256"]
    iam_evaluator.pin_signed_request(
        request["method"], request["path"], query,
        [(name.encode(), value.encode()) for name, value in headers.items()])
    action, resource = request["action"], request.get("resource") or "*"
    refused = iam_evaluator.enforce(access_key, action, request["service"], request["region"], resource_arn=resource)
    if isinstance(refused, iam_evaluator.AuthError):
        return _refusal(_CODES.get(refused.code, "UnrecognizedClientException"), refused.message, None)
    principal = _principal(access_key, account)
    if refused is not None:
        message = identity_denial_message(action, principal, resource, refused.decision == "Deny")
        return _refusal("AccessDeniedException", message, principal)
    return {"allowed": True, "principal": principal, "account": account}


def principal(access_key):
    """Answers ``GET /_sandbox/principal``."""
    account = _scope_to(access_key)
    return {"principal": _principal(access_key, account), "account": account}


async def _body(receive):
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(scope, receive):
    method, path = scope["method"], scope["path"]
    if not is_ours(scope["headers"]):
        return 403, {"message": "This route is the sandbox's own."}
    # Each request in a copy of the context: a caller's account must not outlive its request.
    context = contextvars.copy_context()
    if (method, path) == ("POST", "/_sandbox/authorize"):
        request = json.loads(await _body(receive))
        return 200, context.run(authorize, request)
    if (method, path) == ("GET", "/_sandbox/principal"):
        query = parse_qs(scope["query_string"].decode())
        return 200, context.run(principal, query.get("access_key", [""])[0])
    return 404, {"message": f"There is no {method} {path}."}


def _with_routes(inner):
    async def serve(scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith("/_sandbox/"):
            await inner(scope, receive, send)
            return
        status, answer = await _answer(scope, receive)
        body = json.dumps(answer).encode()
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    return serve


def install():
    app.app = _with_routes(app.app)
