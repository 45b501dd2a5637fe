"""Activities: how tasks are handed to the workers that poll for them.

AWS behavior restored:

- GetActivityTask holds a poll for up to 60 seconds, answers as soon as a task is scheduled, and answers a null token
  when none was. [botocore stepfunctions GetActivityTask]
- A task goes to a poller that is still there: a worker that hung up does not swallow one, and tasks of ended
  executions are handed to nobody.
- A task waits without limit until a worker picks it up; see ``tasks`` for the timeouts that count from then on.
- CreateActivity is idempotent: the name of an existing activity answers that activity, unless it is to be encrypted
  otherwise. Its encryption is told by DescribeActivity. [botocore stepfunctions CreateActivity, DescribeActivity]
"""

import asyncio
import json
from collections import defaultdict, deque

from ministack import app
from ministack.services import stepfunctions as sfn

from .executions import current_run
from .patching import patch
from .states import current_task_state
from .tasks import Task, new_token

_POLL_SECONDS = 60
_DEFAULT_TIMEOUT_SECONDS = 99_999_999
_AWS_OWNED = {"type": "AWS_OWNED_KEY"}


class _ActivityTask:
    """A scheduled task on its way to a worker."""

    def __init__(self, task, given):
        self.task = task
        self.given = given

    def pick_up(self, worker):
        """Starts the task's timeouts and answers what GetActivityTask returns."""
        self.task.start()
        sfn._add_event(self.task.run.record, "ActivityStarted",
                       {"activityStartedEventDetails": {"workerName": worker} if worker else {}})
        return {"taskToken": self.task.token, "input": self.given}


class _Queue:
    """Tasks without a worker and pollers without a task, of one activity; of the two at most one is not empty.

    Used on the server's loop only, so that no lock is needed and a poll is answered without polling anything here.
    """

    def __init__(self):
        self._tasks = deque()
        self._pollers = deque()

    def offer(self, scheduled):
        """Hands a task to the poller that waits longest, or keeps it for the next one."""
        while self._pollers:
            poller = self._pollers.popleft()
            if not poller.done():
                poller.set_result(scheduled)
                return
        self._tasks.append(scheduled)

    def offer_again(self, scheduled):
        """Takes back a task whose poller hung up before it got it; it is next in line."""
        self._tasks.appendleft(scheduled)
        if self._pollers:
            self.offer(self._tasks.popleft())

    async def take(self, patience):
        """The next task whose execution still runs, or None when none came in ``patience`` seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while True:
            scheduled = self._tasks.popleft() if self._tasks else await self._next(until - loop.time())
            if scheduled is None or scheduled.task.is_waiting():
                return scheduled

    async def _next(self, patience):
        poller = asyncio.get_running_loop().create_future()
        self._pollers.append(poller)
        try:
            await asyncio.wait([poller], timeout=patience)
        except asyncio.CancelledError:
            if poller.done():
                self.offer_again(poller.result())
            poller.cancel()
            raise
        if not poller.done():
            poller.cancel()
            return None
        return poller.result()


_queues = defaultdict(_Queue)


def _schedule(arn, given):
    state, run = current_task_state(), current_run()
    timeout, heartbeat = state.seconds("TimeoutSeconds"), state.seconds("HeartbeatSeconds")
    task = Task(run, new_token(), timeout, heartbeat)
    details = {"resource": arn, "input": given, "timeoutInSeconds": int(timeout or _DEFAULT_TIMEOUT_SECONDS)}
    if heartbeat is not None:
        details["heartbeatInSeconds"] = int(heartbeat)
    sfn._add_event(run.record, "ActivityScheduled", {"activityScheduledEventDetails": details})
    app._MAIN_LOOP.call_soon_threadsafe(lambda: _queues[arn].offer(_ActivityTask(task, given)))
    return task


def _cancelled_on_hang_up(inner):
    """Ends a long poll when its client goes away, which MiniStack would leave waiting for a task to swallow."""

    async def serve(scope, receive, send):
        target = dict(scope["headers"]).get(b"x-amz-target") if scope["type"] == "http" else None
        if target != b"AWSStepFunctions.GetActivityTask":
            await inner(scope, receive, send)
            return
        messages = deque()
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())

        async def replay():
            return messages.popleft() if messages else await asyncio.get_running_loop().create_future()

        poll = asyncio.ensure_future(inner(scope, replay, send))
        hang_up = asyncio.ensure_future(receive())
        await asyncio.wait({poll, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        hang_up.cancel()
        if not poll.done():
            poll.cancel()
        try:
            await poll
        except asyncio.CancelledError:
            pass

    return serve


def install():
    @patch(sfn, "_invoke_activity")
    def invoke_activity(_original, arn, data):
        if arn not in sfn._activities:
            raise sfn._ExecutionError("States.Runtime", f"The activity {arn} does not exist")
        return _schedule(arn, json.dumps(data)).wait()

    @patch(sfn, "_get_activity_task")
    async def get_activity_task(_original, data):
        arn = data.get("activityArn")
        if arn not in sfn._activities:
            return sfn.error_response_json("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'", 400)
        scheduled = await _queues[arn].take(_POLL_SECONDS)
        if scheduled is None:
            return sfn.json_response({"taskToken": None})
        return sfn.json_response(scheduled.pick_up(data.get("workerName")))

    @patch(sfn, "_create_activity")
    def create_activity(original, data):
        arn = f"arn:aws:states:{sfn.get_region()}:{sfn.get_account_id()}:activity:{data.get('name')}"
        existing, encryption = sfn._activities.get(arn), data.get("encryptionConfiguration") or _AWS_OWNED
        if existing and existing["encryptionConfiguration"] != encryption:
            return sfn.error_response_json("ActivityAlreadyExists", f"Activity already exists: {arn}", 400)
        if existing:
            return sfn.json_response({"activityArn": arn, "creationDate": existing["creationDate"]})
        answer = original(data)
        if arn in sfn._activities:
            sfn._activities[arn]["encryptionConfiguration"] = encryption
        return answer

    app.app = _cancelled_on_hang_up(app.app)
