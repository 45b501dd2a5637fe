"""Session policies.

AWS behavior restored:

- STS takes the characters up to U+00FF only, and refuses others as invalid. [botocore sts AssumeRoleRequest.Policy]
- Whether what a policy names by escapes may be beyond that, or be a control character, is not documented: here it is
  refused with MalformedPolicyDocument.
- Keys and values of session tags are letters, blanks, digits and ``_.:/=+-@``. [botocore sts tagValueType]
"""

import json
import re

from ministack.services import sts

from .patching import patch

_WRITTEN = re.compile(r"[\t\n\r -\xff]*")
_NAMED = re.compile(r"[ -~\xa0-\xff]*")


def _strings(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for member in value:
            yield from _strings(member)
    elif isinstance(value, str):
        yield value


_TAG = re.compile(r"[\w\s.:/=+\-@]*")


def install():
    @patch(sts, "_session_tags")
    def session_tags(original, params, check=True):
        tags, error = original(params, check=check)
        if not error and any(not _TAG.fullmatch(part) for tag in tags for part in (tag["Key"], tag["Value"])):
            return None, sts._error(400, "ValidationError", "1 validation error detected: Value at 'tags' failed to "
                                    "satisfy constraint: Member must satisfy regular expression pattern: "
                                    "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+", ns="sts")
        return tags, error

    @patch(sts, "_session_policies")
    def session_policies(original, params, account_id=None, check=True):
        policy = sts._p(params, "Policy") if check else ""
        if not _WRITTEN.fullmatch(policy):
            return None, sts._error(400, "ValidationError", "1 validation error detected: Value at 'policy' failed to "
                                    "satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", ns="sts")
        answer = original(params, account_id, check)
        if policy and not answer[1] and not all(map(_NAMED.fullmatch, _strings(json.loads(policy)))):
            return None, sts._error(400, "MalformedPolicyDocument", "The policy contains invalid characters.", ns="sts")
        return answer
