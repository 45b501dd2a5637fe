"""Task tokens, and the tasks that wait behind them.

AWS behavior restored, for activities and for ``.waitForTaskToken`` alike:

- ``TimeoutSeconds`` and ``HeartbeatSeconds`` (or their Path twins) end a task with ``States.Timeout`` or
  ``States.HeartbeatTimeout``. For an activity both count from the moment a worker picks the task up, not from its
  scheduling. [docs.aws.amazon.com/step-functions/latest/dg/state-task.html]
- SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat answer ``TaskTimedOut`` for the token of a task that has
  ended in whatever way, ``TaskDoesNotExist`` for a token this engine never gave out, ``InvalidToken`` for what is not
  a token at all, and ``InvalidOutput`` for output that is not JSON. [botocore stepfunctions SendTaskSuccess]
- Output is at most 262,144 bytes, an error 256 and a cause 32,768 characters.
  [botocore stepfunctions SensitiveData, SensitiveError, SensitiveCause]
- A retried callback task has a new token.
"""

import base64
import hashlib
import hmac
import json
import os
import threading
import time

from ministack.services import stepfunctions as sfn

from .executions import ExecutionEnded
from .patching import patch

_MARK = b"\x00\x2a\x00\x00\x00\x03"
_ID_LENGTH = 320
_MAC_LENGTH = 32
_key = os.urandom(32)
_waiting = {}
_PENDING = object()


class Task:
    """One attempt of a Task state that only SendTask* can complete.

    Made on the thread of its run, which then blocks in ``wait``; everything else may be called from any thread.
    """

    def __init__(self, run, token, timeout, heartbeat):
        self.token = token
        self.run = run
        self._timeout = timeout
        self._heartbeat = heartbeat
        self._started = None
        self._last_beat = None
        self._outcome = _PENDING
        self._changed = threading.Condition()
        _waiting[token] = self
        run.hold(self)

    def start(self):
        """The task is in somebody's hands: its timeouts count from now."""
        with self._changed:
            self._started = self._last_beat = time.monotonic()
            self._changed.notify()

    def is_waiting(self):
        """Whether an answer to this task would still count."""
        with self._changed:
            return self._is_waiting()

    def beat(self):
        """Puts the heartbeat timeout off; False for a task that has ended."""
        with self._changed:
            if not self._is_waiting():
                return False
            self._last_beat = time.monotonic()
            return True

    def settle(self, outcome):
        """Ends the task with a result, or with the exception its run is to see; False if it had ended already."""
        with self._changed:
            if not self._is_waiting():
                return False
            self._outcome = outcome
            self._changed.notify()
            return True

    def run_ended(self):
        """The run has ended, and this task with it."""
        with self._changed:
            if self._outcome is _PENDING:
                self._outcome = ExecutionEnded()
                self._changed.notify()

    def wait(self):
        """Blocks until the task has ended: its result, or the exception that it ended with."""
        try:
            with self._changed:
                while self._outcome is _PENDING:
                    due, error = self._deadline()
                    left = due - time.monotonic()
                    if left <= 0:
                        self._outcome = sfn._ExecutionError(error, "")
                    else:
                        self._changed.wait(min(left, threading.TIMEOUT_MAX))
        finally:
            self.discard()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def discard(self):
        """Ends the task without a result; its token is dead from here on."""
        _waiting.pop(self.token, None)
        self.run.release(self)

    def _is_waiting(self):
        return self._outcome is _PENDING and self.run.is_open() and time.monotonic() < self._deadline()[0]

    def _deadline(self):
        """When the task times out, on the monotonic clock, and what it then fails with."""
        deadlines = [(float("inf"), "States.Timeout")]
        if self._started is not None:
            if self._timeout is not None:
                deadlines.append((self._started + self._timeout, "States.Timeout"))
            if self._heartbeat is not None:
                deadlines.append((self._last_beat + self._heartbeat, "States.HeartbeatTimeout"))
        return min(deadlines)


def new_token():
    """A task token in the alphabet and about the size of those of AWS, which clients must carry unharmed.

    It is signed, so that a token of ours can be told from any other without keeping those of ended tasks.
    """
    identity = os.urandom(_ID_LENGTH)
    return base64.b64encode(_MARK + identity + _mac(identity)).decode()


def _mac(identity):
    return hmac.new(_key, identity, hashlib.sha256).digest()


def _gone(token):
    """The answer to a token that no waiting task has."""
    try:
        raw = base64.b64decode(token, validate=True)
    except (TypeError, ValueError):
        raw = b""
    if not raw.startswith(_MARK) or len(raw) != len(_MARK) + _ID_LENGTH + _MAC_LENGTH:
        return sfn.error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)
    identity, mac = raw[len(_MARK):-_MAC_LENGTH], raw[-_MAC_LENGTH:]
    if not hmac.compare_digest(mac, _mac(identity)):
        return sfn.error_response_json("TaskDoesNotExist", "Task does not exist", 400)
    return sfn.error_response_json(
        "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400)


def _too_long(member, value, limit):
    if value is not None and len(value) > limit:
        return sfn.error_response_json(
            "ValidationException",
            f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
            f"Member must have length less than or equal to {limit}", 400)
    return None


def _answer(data, act):
    task = _waiting.get(data.get("taskToken"))
    if task is None or not act(task):
        return _gone(data.get("taskToken"))
    return sfn.json_response({})


def install():
    @patch(sfn, "_send_task_success")
    def send_task_success(_original, data):
        output = data.get("output")
        try:
            result = json.loads(output)
        except (TypeError, ValueError):
            return sfn.error_response_json("InvalidOutput", "Invalid Output: 'the output is not valid JSON'", 400)
        return (_too_long("output", output.encode(), 262_144)
                or _answer(data, lambda task: task.settle(result)))

    @patch(sfn, "_send_task_failure")
    def send_task_failure(_original, data):
        error, cause = data.get("error"), data.get("cause")
        return (_too_long("error", error, 256) or _too_long("cause", cause, 32_768)
                or _answer(data, lambda task: task.settle(sfn._ExecutionError(error or "", cause or ""))))

    @patch(sfn, "_send_task_heartbeat")
    def send_task_heartbeat(_original, data):
        return _answer(data, lambda task: task.beat())
