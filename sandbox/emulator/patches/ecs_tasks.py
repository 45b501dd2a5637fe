"""ECS tasks that the sandbox runs.

MiniStack 1.5.33 starts a task's containers through Docker, or, without Docker, calls every task RUNNING at once and
keeps it so for ever: no exit, no health, no failed deployment. Its agent operations (``SubmitTaskStateChange``,
``RegisterContainerInstance``) change nothing or are missing. Its service scheduler is a good one, though (rolling
deployments, circuit breaker, rollback), so it stays: here a task waits until an agent takes it, and goes on as the agent
reports.

AWS behavior restored:

- a task goes PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPED as its containers do; one that is to
  stop counts no more, but is not STOPPED before its containers are;
- a container with a health check is UNKNOWN until the check speaks; a deployment is complete only when its tasks are
  healthy; an unhealthy task is replaced, and counts for the circuit breaker;
- a new service's first deployment is in progress until its tasks are steady;
- a service's task that somebody stops is replaced;
- a task of a service with registries is an instance in Cloud Map from RUNNING until it is told to stop, with the health of
  its container.

[docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html, .../healthcheck.html,
.../deployment-circuit-breaker.html]

Two internal routes speak to the agent, which the sandbox is. Both want the sandbox's secret.

- ``GET /_sandbox/ecs/tasks?after=N&wait=SECONDS`` tells every task that is not STOPPED, with its task definition and its
  service's registries, as soon as something changed after change number N.
- ``POST /_sandbox/ecs/tasks`` reports one: ``{"task": ARN, "status": "ACTIVATING|RUNNING|STOPPED", "health": …,
  "address": …, "ports": {declared: actual}, "exitCode": …, "reason": …, "stopCode": …}``; 409 if the task is over already.
"""

import asyncio
import json
import threading
import time
from urllib.parse import parse_qs

from ministack import app
from ministack.core.arn import parse_arn
from ministack.core.concurrency import resource_lock
from ministack.core.responses import new_uuid, request_scope
from ministack.services import ecs, servicediscovery

from .patching import patch
from .secret import is_ours

_PATH = "/_sandbox/ecs/tasks"
_LONGEST_WAIT = 30.0
_POLL = 0.02


class _Changes:
    """Counts what an agent may want to know."""

    def __init__(self):
        self.number = 0
        self._lock = threading.Lock()

    def tell(self):
        with self._lock:
            self.number += 1


changes = _Changes()


class _Agent:
    """Stands where MiniStack keeps its Docker client: something runs containers."""

    def __bool__(self):
        return True


def _scope(task_arn):
    arn = parse_arn(task_arn)
    return arn.account_id, arn.region


def _service_of(task):
    cluster = ecs._cluster_name_from_arn(task["clusterArn"])
    group = task.get("group", "")
    key = f"{cluster}/{group.removeprefix('service:')}" if group.startswith("service:") else None
    return cluster, key, ecs._services.get(key) if key else None


def _has_health_check(task):
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    return any("healthCheck" in container for container in definition.get("containerDefinitions", []))


def _told(task):
    """A task as the agent needs it."""
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    _, _, service = _service_of(task)
    return {**{name: task.get(name) for name in (
                "taskArn", "clusterArn", "lastStatus", "desiredStatus", "group", "launchType", "availabilityZone",
                "overrides", "stoppedReason", "healthStatus")},
            "taskDefinition": definition,
            "serviceName": service and service["serviceName"],
            "serviceRegistries": (service or {}).get("serviceRegistries") or []}


def _open_tasks():
    told = []
    for (account, region, _), task in list(ecs._tasks.all_items()):
        if task.get("lastStatus") != "STOPPED":
            with request_scope(account, region):
                told.append(_told(task))
    return told


def _register(task, report):
    """Makes a task an instance of its service's registries."""
    _, _, service = _service_of(task)
    definition = ecs._task_defs.get(ecs._resolve_td_key(task["taskDefinitionArn"])) or {}
    for registry in (service or {}).get("serviceRegistries") or []:
        declared = registry.get("containerPort") or registry.get("port")
        servicediscovery._register_instance({
            "ServiceId": registry["registryArn"].rpartition("/")[2],
            "InstanceId": task["taskArn"].rpartition("/")[2],
            "Attributes": {
                "AWS_INSTANCE_IPV4": report["address"],
                "AWS_INSTANCE_PORT": str((report.get("ports") or {}).get(str(declared), declared)),
                "AWS_INIT_HEALTH_STATUS": "UNHEALTHY" if _has_health_check(task) else "HEALTHY",
                "AVAILABILITY_ZONE": task.get("availabilityZone") or "",
                "ECS_CLUSTER_NAME": ecs._cluster_name_from_arn(task["clusterArn"]),
                "ECS_SERVICE_NAME": service["serviceName"],
                "ECS_TASK_DEFINITION_FAMILY": definition.get("family", ""),
            }})


def _instances_of(task):
    """The Cloud Map services in which a task is an instance, and its id there."""
    instance = task["taskArn"].rpartition("/")[2]
    return [(service, instance) for service, found in list(servicediscovery._instances.items()) if instance in found]


def _deregister(task):
    for service, instance in _instances_of(task):
        servicediscovery._deregister_instance({"ServiceId": service, "InstanceId": instance})


def _begin_stop(task, reason, stop_code):
    """What follows from StopTask and from the scheduler's decisions: the task counts no more, its containers go on."""
    with resource_lock("ecs-task", task["taskArn"]):
        if not ecs._task_is_active(task["taskArn"], task):
            return False
        ecs._bump_task_version(task)
        # DEACTIVATING is none of the states that count as capacity.
        task.update(desiredStatus="STOPPED", lastStatus="DEACTIVATING", stoppingAt=ecs._iso(), stoppedReason=reason,
                    stopCode=stop_code)
    _deregister(task)
    cluster, _, _ = _service_of(task)
    ecs._recount_cluster(cluster)
    ecs._refresh_service_state(cluster, task.get("group", ""))
    changes.tell()
    return True


def _end(task, report):
    """The containers of a task that was to stop have ended."""
    with resource_lock("ecs-task", task["taskArn"]):
        ecs._bump_task_version(task)
        task.update(lastStatus="STOPPED", stoppedAt=ecs._iso(), executionStoppedAt=ecs._iso())
        for container in task.get("containers", []):
            container.update(lastStatus="STOPPED", exitCode=report.get("exitCode"))
    cluster, _, _ = _service_of(task)
    ecs._recount_cluster(cluster)
    ecs._refresh_service_state(cluster, task.get("group", ""))


def _running(task, report):
    address, subnet = report.get("address"), task.get("_subnet")
    if address:
        details = [{"name": "privateIPv4Address", "value": address}]
        details += [{"name": "subnetId", "value": subnet}] if subnet else []
        task["attachments"] = [{"id": new_uuid(), "type": "ElasticNetworkInterface", "status": "ATTACHED",
                                "details": details}]
    for container in task.get("containers", []):
        container["lastStatus"] = "RUNNING"
        container["runtimeId"] = report.get("runtimeId") or task["taskArn"].rpartition("/")[2]
    ecs._mark_task_running(task["taskArn"], task)
    if address:
        _register(task, report)
    if not _has_health_check(task):
        cluster, key, service = _service_of(task)
        if service:
            ecs._schedule_service_deployment_completion(cluster, key, *_scope(task["taskArn"]), healthy_task=task)


def _healthy_or_not(task, health):
    if task.get("healthStatus") == health:
        return
    task["healthStatus"] = health
    for container in task.get("containers", []):
        container["healthStatus"] = health
    for registry, instance in _instances_of(task):
        servicediscovery._update_instance_custom_health_status(
            {"ServiceId": registry, "InstanceId": instance, "Status": health})
    cluster, key, service = _service_of(task)
    if service and health == "HEALTHY":
        ecs._record_service_task_healthy(key, task)
        ecs._reconcile_service_tasks(cluster, key)
        ecs._complete_service_deployment(cluster, key)
        ecs._refresh_service_state(cluster, task["group"])
    elif service and health == "UNHEALTHY":
        _begin_stop(task, "Task failed container health checks", "ServiceSchedulerInitiated")
        ecs._record_service_task_failure(task)
        ecs._reconcile_service_tasks(cluster, key)


def report(told):
    """Takes one report; False if the task is over."""
    arn = told["task"]
    with request_scope(*_scope(arn)):
        task = ecs._tasks.get(arn)
        if task is None or task["lastStatus"] == "STOPPED":
            return False
        status, stops = told.get("status"), task["desiredStatus"] == "STOPPED"
        if status == "STOPPED" and stops:
            _end(task, told)
        elif status == "STOPPED":
            _deregister(task)
            ecs._mark_task_stopped(arn, task, told.get("reason", "Essential container in task exited"),
                                   told.get("stopCode", "EssentialContainerExited"), told.get("exitCode"))
        elif stops:
            pass
        elif status == "ACTIVATING":
            ecs._mark_task_activating(arn, task)
        elif status == "RUNNING":
            _running(task, told)
        if told.get("health") and task["desiredStatus"] == "RUNNING":
            _healthy_or_not(task, told["health"])
    changes.tell()
    return True


async def _wait_for_change(after, seconds):
    end = time.monotonic() + min(seconds, _LONGEST_WAIT)
    while changes.number <= after and time.monotonic() < end:
        await asyncio.sleep(_POLL)


async def _answer(scope, receive):
    if not is_ours(scope["headers"]):
        return 403, {"message": "This route is the sandbox's own."}
    if scope["method"] == "GET":
        query = parse_qs(scope["query_string"].decode())
        await _wait_for_change(int(query.get("after", ["-1"])[0]), float(query.get("wait", ["0"])[0]))
        number = changes.number
        return 200, {"change": number, "tasks": await asyncio.to_thread(_open_tasks)}
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    taken = await asyncio.to_thread(report, json.loads(body))
    return (200, {}) if taken else (409, {"message": "The task is over."})


def _with_routes(inner):
    async def serve(scope, receive, send):
        if scope["type"] != "http" or scope["path"] != _PATH:
            await inner(scope, receive, send)
            return
        status, answer = await _answer(scope, receive)
        body = json.dumps(answer, default=str).encode()
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    return serve


def install():
    agent = _Agent()
    ecs._get_docker = lambda: agent
    ecs._ensure_ecs_reaper_thread = lambda: None
    # The first task of a deployment need not find out the image's digest before the others start.
    ecs._deployment_needs_first_task = lambda deployment, definition, context=None: False

    @patch(ecs, "_run_task_worker")
    def run_task_worker(_original, task, _td, _overrides, _docker, account, region):
        with request_scope(account, region):
            ecs._mark_task_pending(task["taskArn"], task)
        changes.tell()

    @patch(ecs, "_mark_task_stopped")
    def mark_task_stopped(original, task_arn, task, reason, stop_code, exit_code=None):
        if stop_code == "UserInitiated" and not getattr(asked, "by_a_user", False):
            stop_code = "ServiceSchedulerInitiated"
        if stop_code.endswith("Initiated") and task.get("lastStatus") in ("ACTIVATING", "RUNNING"):
            return _begin_stop(task, reason, stop_code)
        stopped = original(task_arn, task, reason, stop_code, exit_code)
        changes.tell()
        return stopped

    asked = threading.local()

    def stop_task(data):
        asked.by_a_user = True
        try:
            answer = ecs._stop_task(data)
        finally:
            asked.by_a_user = False
        task = ecs._resolve_task(data.get("task", ""), ecs._resolve_cluster_name(data.get("cluster", "default")))
        cluster, key, service = _service_of(task) if task else (None, None, None)
        if service:
            ecs._reconcile_service_tasks(cluster, key)
        return answer

    # The table of actions holds the functions themselves.
    ecs._ACTION_MAP["StopTask"] = stop_task

    # Reports and requests come at the same time; two of them at once would start a task too many.
    one_at_a_time = threading.RLock()

    @patch(ecs, "_reconcile_service_tasks")
    def reconcile_service_tasks(original, cluster_name, svc_key):
        with one_at_a_time:
            original(cluster_name, svc_key)

    @patch(ecs, "_refresh_service_state")
    def refresh_service_state(original, cluster_name, group):
        original(cluster_name, group)
        service = ecs._services.get(f"{cluster_name}/{group.removeprefix('service:')}")
        primary = service and ecs._primary_deployment(service)
        if primary and primary["rolloutState"] == "COMPLETED":
            # A deployment that failed is told of until another one is complete.
            service["deployments"] = [
                deployment for deployment in service["deployments"]
                if deployment is primary or deployment["rolloutState"] != "FAILED" or deployment["runningCount"]]

    @patch(ecs, "_make_deployment")
    def make_deployment(original, task_definition, desired_count, status="PRIMARY"):
        deployment = original(task_definition, desired_count, status)
        deployment["rolloutState"] = "IN_PROGRESS"
        deployment["rolloutStateReason"] = f"ECS deployment {deployment['id']} in progress."
        return deployment

    app.app = _with_routes(app.app)
