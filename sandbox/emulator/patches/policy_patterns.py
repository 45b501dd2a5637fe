"""Patterns in policies.

AWS behavior restored:

- ``${*}``, ``${?}`` and ``${$}`` stand for the characters themselves, so that a policy can name a key that contains
  them. [docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars]
- ``*`` and ``?`` match any character, a line break in a key too.
- ``${aws:PrincipalTag/NAME}`` in a resource stands for the value of a tag of the caller's session or role; a statement
  whose variable has no value matches nothing. [the same page, policy-vars-no-value]
"""

import contextvars
import re

from ministack.core import iam_evaluator

from .patching import patch

_TAG = re.compile(r"\$\{aws:PrincipalTag/([^}]+)\}", re.IGNORECASE)
_CALLER = contextvars.ContextVar("caller", default={})
_PARTS = re.compile(r"\$\{([*?$])\}|(\*)|(\?)", re.DOTALL)


def _expression(pattern):
    expression, end = "", 0
    for part in _PARTS.finditer(pattern):
        literal, any_run, _ = part.groups()
        expression += re.escape(pattern[end:part.start()])
        expression += re.escape(literal) if literal else ".*" if any_run else "."
        end = part.end()
    return expression + re.escape(pattern[end:])


def _with_tags(pattern):
    """The pattern with the caller's tags in it; None where one has no value."""
    tags, values = _CALLER.get(), {}
    for name in _TAG.findall(pattern):
        value = tags.get(f"aws:principaltag/{name.lower()}")
        if not value:
            return None
        # What is in a value is no pattern.
        values[name] = re.sub(r"[*?$]", lambda sign: f"${{{sign.group()}}}", value)
    return _TAG.sub(lambda named: values[named.group(1)], pattern)


def install():
    @patch(iam_evaluator, "_first_match")
    def first_match(original, context, statements, effect):
        token = _CALLER.set(context.principal_keys or {})
        try:
            return original(context, statements, effect)
        finally:
            _CALLER.reset(token)

    @patch(iam_evaluator, "_resource_matches")
    def resource_matches(original, resource, resources, not_resources):
        if not any(map(_TAG.search, resources or [])):
            return original(resource, resources, not_resources)
        known = [pattern for pattern in map(_with_tags, resources) if pattern]
        return bool(known) and original(resource, known, not_resources)

    @patch(iam_evaluator, "_fnmatch_compile")
    def fnmatch_compile(_, pattern, ignore_case):
        return re.compile(f"^{_expression(pattern)}\\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))
