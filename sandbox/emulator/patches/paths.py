"""Paths that lead nowhere.

AWS behavior restored: a path that a state refers to and that its data does not have fails the execution with
``States.Runtime``, which no ``States.ALL`` catches; only a Choice's ``IsPresent`` may ask for one, and it finds a
member that is null. MiniStack resolves such a path to null and goes on, which would hide a definition that fails on AWS.
[docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html,
docs.aws.amazon.com/step-functions/latest/dg/state-choice.html]
"""

from ministack.services import stepfunctions as sfn

from .patching import patch

_NOTHING = object()


def _step(value, kind, name):
    if kind == "field" and isinstance(value, dict):
        return value.get(name, _NOTHING)
    if kind == "index" and isinstance(value, list) and name < len(value):
        return value[name]
    return _NOTHING


def _find(path, data):
    """What a path without wildcards leads to, or ``_NOTHING``."""
    tokens = sfn._parse_jsonpath_tokens(path)
    for kind, name in [("invalid", None)] if tokens is None else tokens:
        data = _step(data, kind, name)
    return data


def install():
    @patch(sfn, "_resolve_path")
    def resolve_path(original, path, data):
        if not path or not path.startswith("$") or "*" in path:
            return original(path, data)
        found = _find(path, data)
        if found is _NOTHING:
            raise sfn._ExecutionError("States.Runtime", f"The JSONPath '{path}' could not be found in the input")
        return found

    @patch(sfn, "_evaluate_rule")
    def evaluate_rule(original, rule, data, context=None):
        if "IsPresent" not in rule:
            return original(rule, data, context)
        variable = rule["Variable"]
        found = _find(variable[1:], context) if variable.startswith("$$.") else _find(variable, data)
        return (found is not _NOTHING) == rule["IsPresent"]
