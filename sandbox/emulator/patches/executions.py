"""How executions begin and end.

AWS behavior restored:

- A state machine's top-level ``TimeoutSeconds`` ends a run as ``TIMED_OUT``, with its history event and its Execution
  Status Change event. Without it an activity that nobody polls waits up to a year.
  [docs.aws.amazon.com/step-functions/latest/dg/state-task.html]
- Whatever ends a run (StopExecution, its timeout, the deletion of its state machine) ends all that runs inside it:
  no further state begins, tasks are dead, the child executions of a Distributed Map are ``ABORTED``, and nothing that
  was under way changes how the run ended.
- StartExecution is idempotent while an execution with the same name and the same input is running, and is
  ``ExecutionAlreadyExists`` otherwise; input that is not JSON is ``InvalidExecutionInput``, and a name of more than 80
  characters, or with others than it may have, ``InvalidName``. [botocore stepfunctions StartExecution]
- The Execution Status Change event of a state machine under a KMS key of the customer tells neither input nor output,
  error or cause. [docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html]
"""

import contextvars
import json
import re
import threading

from ministack import app
from ministack.services import stepfunctions as sfn

from .patching import patch

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_runs = {}
_current = contextvars.ContextVar("cordon_current_run")


class ExecutionEnded(SystemExit):
    """Unwinds a thread of a run that was ended from outside.

    No Catch of the definition and no ``except Exception`` of the engine may hold it up, so it is not an Exception;
    and it is a SystemExit because that is what a thread may end with without a word on stderr.
    """


class Run:
    """What waits inside one execution, so that it can be woken when the execution ends."""

    def __init__(self, record, parent=None):
        self.record = record
        self._parent = parent
        self._ended = False
        self._lock = threading.Lock()
        self._inside = set()
        if parent is not None:
            parent.hold(self)

    def is_open(self):
        """Whether the execution still runs, and all those it runs inside of."""
        return self.record["status"] == "RUNNING" and (self._parent is None or self._parent.is_open())

    def check_open(self):
        """Raises ExecutionEnded in an execution that was ended from outside."""
        if not self.is_open():
            raise ExecutionEnded

    def hold(self, inner):
        """Has ``inner.run_ended()`` called when the execution ends, until ``release``."""
        with self._lock:
            self._inside.add(inner)
            ended = self._ended
        if ended:
            inner.run_ended()

    def release(self, inner):
        """Undoes ``hold``."""
        with self._lock:
            self._inside.discard(inner)

    def end(self):
        """Wakes everything that waits in the execution, whose record has left RUNNING by now."""
        with self._lock:
            self._ended = True
            inside, self._inside = self._inside, set()
        for inner in inside:
            inner.run_ended()

    def run_ended(self):
        """The execution this one is a child of has ended."""
        if self.record["status"] == "RUNNING":
            self.record.update(status="ABORTED", stopDate=sfn.now_iso())
            sfn._add_event(self.record, "ExecutionAborted", {"executionAbortedEventDetails": {}})
        self.end()


def current_run():
    """The run on whose thread this is called."""
    return _current.get()


def enter_child(record, parent_arn):
    """Makes a child execution of a Distributed Map the current run, and has it end with its parent."""
    run = Run(record, parent=_runs.get(parent_arn))
    _runs[record["executionArn"]] = run
    return run, _current.set(run)


def leave_child(run, token):
    """Undoes ``enter_child``."""
    _current.reset(token)
    if run._parent is not None:
        run._parent.release(run)
    _runs.pop(run.record["executionArn"], None)


def _end(arn):
    run = _runs.get(arn)
    if run is not None:
        run.end()


class _Deadline:
    """Ends a run as TIMED_OUT after its machine's TimeoutSeconds, on the server's loop."""

    def __init__(self, run, seconds):
        self._run = run
        self._seconds = seconds
        self._timer = None
        # The loop runs what it is handed in the context of the caller, so the account and region go along.
        app._MAIN_LOOP.call_soon_threadsafe(self._arm)

    def _arm(self):
        self._timer = app._MAIN_LOOP.call_later(self._seconds, self._time_out)

    def cancel(self):
        app._MAIN_LOOP.call_soon_threadsafe(lambda: self._timer.cancel())

    def _time_out(self):
        record = self._run.record
        if record["status"] != "RUNNING":
            return
        record.update(status="TIMED_OUT", stopDate=sfn.now_iso())
        sfn._add_event(record, "ExecutionTimedOut", {"executionTimedOutEventDetails": {"error": "States.Timeout"}})
        sfn._emit_execution_status_event(record)
        self._run.end()


def _machine_timeout(record):
    machine = sfn._state_machines.get(record["stateMachineArn"])
    try:
        return json.loads(machine["definition"]).get("TimeoutSeconds")
    except (TypeError, ValueError):
        return None


def _is_under_a_key(machine_arn):
    machine = sfn._state_machines.get(machine_arn) or {}
    return (machine.get("encryptionConfiguration") or {}).get("type") == "CUSTOMER_MANAGED_KMS_KEY"


def install():
    @patch(sfn, "_emit_execution_status_event")
    def emit_execution_status_event(original, execution):
        if _is_under_a_key(execution["stateMachineArn"]):
            execution = {**execution, "input": None, "output": None, "error": None, "cause": None}
        original(execution)

    @patch(sfn, "_run_execution")
    def run_execution(original, arn):
        record = sfn._executions.get(arn)
        if record is None:
            return
        run = _runs[arn] = Run(record)
        token = _current.set(run)
        seconds = _machine_timeout(record)
        deadline = _Deadline(run, seconds) if seconds else None
        try:
            original(arn)
        except ExecutionEnded:
            pass
        finally:
            if deadline is not None:
                deadline.cancel()
            _current.reset(token)
            _runs.pop(arn, None)

    @patch(sfn, "_fail_execution")
    def fail_execution(original, record, error, cause):
        # A run that was stopped or timed out keeps that status, whatever its last state makes of it.
        if record["status"] == "RUNNING":
            original(record, error, cause)

    @patch(sfn, "_stop_execution")
    def stop_execution(original, data):
        response = original(data)
        if response[0] == 200:
            _end(data["executionArn"])
        return response

    @patch(sfn, "_delete_state_machine")
    def delete_state_machine(original, data):
        machine = data.get("stateMachineArn")
        stopped = [record for record in sfn._executions.values()
                   if record["stateMachineArn"] == machine and record["status"] == "RUNNING"]
        response = original(data)
        if response[0] == 200:
            for record in stopped:
                record.update(status="ABORTED", stopDate=sfn.now_iso())
                _end(record["executionArn"])
        return response

    @patch(sfn, "_start_execution")
    def start_execution(original, data):
        given = data.get("input", "{}")
        try:
            json.loads(given)
        except (TypeError, ValueError):
            return sfn.error_response_json(
                "InvalidExecutionInput", "Invalid State Machine Execution Input: 'the input is not valid JSON'", 400)
        machine = sfn._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        if data.get("name") and not _NAME.fullmatch(data["name"]):
            return sfn.error_response_json("InvalidName", f"Invalid Name: '{data['name']}'", 400)
        if machine and data.get("name"):
            arn = f"{machine.replace(':stateMachine:', ':execution:')}:{data['name']}"
            record = sfn._executions.get(arn)
            if record and record["status"] == "RUNNING" and record["input"] == given:
                return sfn.json_response({"executionArn": arn, "startDate": record["startDate"]})
        return original(data)
