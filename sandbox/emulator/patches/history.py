"""Execution history events of tasks.

AWS behavior restored: an activity task is in the history as ActivityScheduled (with its input and both timeouts),
ActivityStarted (with the worker's name), and ActivitySucceeded, ActivityFailed or ActivityTimedOut; another task that
times out is TaskTimedOut; every event names the one before it.
[botocore stepfunctions HistoryEvent, HistoryEventType]
"""

import threading

from ministack.services import stepfunctions as sfn

from .patching import patch
from .states import current_task_state

_TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")
_lock = threading.Lock()


def _rename(prefix, kind, details):
    """The event of a task that ended, as ``prefix`` (Activity or Task) spells it."""
    given = next(iter(details.values()))
    ending = kind.removeprefix("Task")
    if ending == "Failed" and given.get("error") in _TIMEOUTS:
        ending = "TimedOut"
    kept = {key: value for key, value in given.items() if prefix == "Task" or key != "resource"}
    if ending == "Succeeded":
        kept["outputDetails"] = {"truncated": False}
    return f"{prefix}{ending}", {f"{prefix.lower()}{ending}EventDetails": kept}


def install():
    @patch(sfn, "_add_event")
    def add_event(original, execution, kind, details=None):
        state = current_task_state()
        if kind in ("TaskSucceeded", "TaskFailed") and state is not None:
            kind, details = _rename("Activity" if state.is_activity else "Task", kind, details)
        elif kind == "TaskScheduled" and state is not None and state.is_activity:
            return None  # ActivityScheduled stands for it, with details that only the task itself knows
        if execution["status"] != "RUNNING" and not kind.startswith("Execution"):
            return None  # nothing happens in an execution after its end
        with _lock:  # the states of a Map add to one history from many threads
            event = original(execution, kind, details)
            event["previousEventId"] = event["id"] - 1
        return event
