"""Tasks that wait for a callback with their token (``.waitForTaskToken``).

AWS behavior restored: the wait honors ``HeartbeatSeconds`` beside ``TimeoutSeconds``, ends with its execution, and
a token that has served, timed out or died is answered as ``tasks`` says; each attempt of a retried task has a token of
its own. The token is known before the call that hands it out is made, so that an answer as quick as the call itself is
not lost. [docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token]
"""

from ministack.services import stepfunctions as sfn

from .executions import current_run
from .patching import patch
from .states import current_task_state
from .tasks import Task, new_token


def install():
    @patch(sfn, "_apply_parameters")
    def apply_parameters(original, definition, data, context=None):
        state = current_task_state()
        if state is not None and state.is_callback and state.definition is definition:
            context["Task"] = {"Token": new_token()}
        return original(definition, data, context)

    @patch(sfn, "_invoke_with_callback")
    def invoke_with_callback(_original, resource, data, token, _definition):
        state = current_task_state()
        task = Task(current_run(), token, state.seconds("TimeoutSeconds"), state.seconds("HeartbeatSeconds"))
        task.start()
        try:
            sfn._invoke_resource(resource.removesuffix(".waitForTaskToken"), data)
        except BaseException:
            task.discard()
            raise
        return task.wait()
