"""What was allowed to whom by which statement, for the proof that every grant is needed.

No AWS behavior of MiniStack's is patched here. Where ``SANDBOX_RECORDS`` names a directory, each new triple of role, action and
statement that an evaluation allowed is written there, a JSON line each; so is each action that no statement allowed.
"""

import contextvars
import json
import os
import threading

from ministack.core import iam_evaluator

from .patching import patch

_SESSION = ":assumed-role/"
_OF_RESOURCE = contextvars.ContextVar("of_resource", default=False)


def install():
    directory = os.environ.get("SANDBOX_RECORDS")
    if not directory:
        return
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"decisions-{os.getpid()}.jsonl")
    seen, lock = set(), threading.Lock()

    @patch(iam_evaluator, "evaluate_resource_policy")
    def evaluate_resource_policy(original, *arguments, **named):
        token = _OF_RESOURCE.set(True)
        try:
            return original(*arguments, **named)
        finally:
            _OF_RESOURCE.reset(token)

    @patch(iam_evaluator, "evaluate")
    def evaluate(original, context, policies, *limits):
        result = original(context, policies, *limits)
        # What a bucket's, a queue's or a key's own policy allows is no grant of the role.
        if _SESSION not in context.principal_arn or _OF_RESOURCE.get():
            return result
        role, session = context.principal_arn.split(_SESSION)[1].split("/", 1)
        # Who a session is for matters only where it was refused.
        allowed = result.decision == "Allow"
        found = (role, None if allowed else session, context.action, result.matched_sid if allowed else None)
        with lock:
            if found not in seen:
                seen.add(found)
                with open(path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(dict(zip(("role", "session", "action", "statement"), found))) + "\n")
        return result
