"""States inside Map, Parallel and the child executions of a Distributed Map.

AWS behavior restored:

- They are in the history as those at the top level are, and a child execution has its own, from ExecutionStarted on.
- In a child execution ``$$.Execution`` is the child, not the execution that runs the Map.
  [docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html]
- None begins once the execution around it has ended.
"""

import contextvars
import copy
import json
from dataclasses import dataclass

from ministack.services import stepfunctions as sfn

from .executions import current_run, enter_child, leave_child
from .patching import patch


@dataclass(frozen=True)
class TaskState:
    """The Task state a thread is executing."""

    definition: dict
    raw_input: object
    execution: dict
    context: dict

    @property
    def resource(self):
        return self.definition.get("Resource", "")

    @property
    def is_activity(self):
        return ":activity:" in self.resource

    @property
    def is_callback(self):
        return ".waitForTaskToken" in self.resource

    def seconds(self, field):
        """A number of seconds given literally, or by its ``…Path`` twin; None when the state has neither."""
        if field in self.definition:
            return float(self.definition[field])
        if f"{field}Path" in self.definition:
            return float(sfn._resolve_path_or_ctx(self.definition[f"{field}Path"], self.raw_input, self.context))
        return None


_current = contextvars.ContextVar("cordon_current_task_state", default=None)


def current_task_state():
    """The Task state this thread is executing, or None."""
    return _current.get()


def _run_states(states, start_at, given, execution, context):
    data, name = copy.deepcopy(given), start_at
    while name:
        current_run().check_open()
        definition = states.get(name)
        if definition is None:
            raise sfn._ExecutionError("States.Runtime", f"State '{name}' not found")
        kind = definition.get("Type")
        context["State"] = {"Name": name, "EnteredTime": sfn.now_iso(), "RetryCount": 0}
        sfn._add_event(execution, f"{kind}StateEntered",
                       {"stateEnteredEventDetails": {"name": name, "input": json.dumps(data)}})
        if kind == "Fail":
            raise sfn._ExecutionError(*sfn._fail_state_error(definition, data, context))
        if kind == "Succeed":
            data = sfn._apply_output_path(definition, sfn._apply_input_path(definition, data, context), context)
            following = None
        elif kind in ("Task", "Parallel", "Map"):
            data, following = getattr(sfn, f"_execute_{kind.lower()}")(definition, data, execution, context)
        elif kind in ("Pass", "Choice", "Wait"):
            data, following = getattr(sfn, f"_execute_{kind.lower()}")(definition, data, context)
        else:
            raise sfn._ExecutionError("States.Runtime", f"Unknown state type: {kind}")
        sfn._add_event(execution, f"{kind}StateExited",
                       {"stateExitedEventDetails": {"name": name, "output": json.dumps(data)}})
        name = following
    return data


def _run_child(states, start_at, given, child, context):
    run, token = enter_child(child, parent_arn=context["Execution"]["Id"])
    try:
        context["Execution"] = {"Id": child["executionArn"], "Input": given, "Name": child["name"],
                                "StartTime": child["startDate"]}
        sfn._add_event(child, "ExecutionStarted",
                       {"executionStartedEventDetails": {"input": child["input"]}})
        output = _run_states(states, start_at, given, child, context)
        sfn._add_event(child, "ExecutionSucceeded",
                       {"executionSucceededEventDetails": {"output": json.dumps(output)}})
        return output
    except sfn._ExecutionError as failure:
        sfn._add_event(child, "ExecutionFailed",
                       {"executionFailedEventDetails": {"error": failure.error, "cause": failure.cause}})
        raise
    finally:
        leave_child(run, token)


def install():
    @patch(sfn, "_run_sub_machine")
    def run_sub_machine(_original, states, start_at, given, execution, context):
        is_new_child = "mapRunArn" in execution and not execution["events"]
        run = _run_child if is_new_child else _run_states
        return run(states, start_at, given, execution, context)

    @patch(sfn, "_execute_task")
    def execute_task(original, definition, raw_input, execution, context):
        token = _current.set(TaskState(definition, raw_input, execution, context))
        try:
            return original(definition, raw_input, execution, context)
        finally:
            _current.reset(token)
