"""Patterns in policies.

AWS behavior restored:

- ``${*}``, ``${?}`` and ``${$}`` stand for the characters themselves, so that a policy can name a key that contains
  them. [docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars]
- ``*`` and ``?`` match any character, a line break in a key too.
"""

import re

from ministack.core import iam_evaluator

from .patching import patch

_PARTS = re.compile(r"\$\{([*?$])\}|(\*)|(\?)", re.DOTALL)


def _expression(pattern):
    expression, end = "", 0
    for part in _PARTS.finditer(pattern):
        literal, any_run, _ = part.groups()
        expression += re.escape(pattern[end:part.start()])
        expression += re.escape(literal) if literal else ".*" if any_run else "."
        end = part.end()
    return expression + re.escape(pattern[end:])


def install():
    @patch(iam_evaluator, "_fnmatch_compile")
    def fnmatch_compile(_, pattern, ignore_case):
        return re.compile(f"^{_expression(pattern)}\\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))
