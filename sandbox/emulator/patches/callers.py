"""What the caller of a request may do beyond the one action that MiniStack checks for it."""

from ministack import app
from ministack.core import iam_evaluator, responses
from ministack.core.iam_actions import identity_denial_message
from ministack.core.router import extract_access_key_id


def refusal(headers, query, action, resource, context=None):
    """Why the caller may not do an action on a resource; None if it may.

    A request without an access key is anonymous, or made by MiniStack itself: it is not asked.
    """
    access_key = app.AUTH and extract_access_key_id(headers, query)
    if not access_key:
        return None
    refused = iam_evaluator.enforce(access_key, action, action.partition(":")[0], responses.get_region(),
                                    resource_arn=resource, service_context=context)
    if refused is None:
        return None
    if isinstance(refused, iam_evaluator.AuthError):
        return refused.message
    return identity_denial_message(action, refused.principal_arn, resource, refused.decision == "Deny")


def may(headers, query, action, resource):
    """Whether the caller may do an action on a resource."""
    return refusal(headers, query, action, resource) is None
