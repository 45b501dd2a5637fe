"""Service integrations: the calls that Step Functions itself makes, under the role of the state machine.

They never come by the front door, so its faults are asked for here, where it is recorded too. AWS behavior restored: what a call ends with while
its service is away. An SDK integration names an error without a class of its own after the service
(``DynamoDb.DynamoDbException``), an optimized one after the service's first client (``DynamoDB.AmazonDynamoDBException``,
``SNS.AmazonSNSException``); a call without an answer is ``…SdkClientException``.
[docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html]
"""

import json
import os
import time
import urllib.request

from ministack.services import stepfunctions as sfn

from .executions import current_run
from .patching import patch

_FRONT_DOOR_SECONDS = 5
_OPTIMIZED = {"dynamodb": "DynamoDB", "sns": "SNS", "sqs": "SQS"}


def _call(resource):
    """Service, operation and whether it is an SDK integration; None for a resource that is no service's."""
    parts = resource.removeprefix("arn:aws:states:::").split(":")
    if not resource.startswith("arn:aws:states:::") or len(parts) < 2:
        return None
    is_sdk = parts[0] == "aws-sdk"
    service, operation = parts[-2], parts[-1].split(".")[0]
    return service, operation[0].upper() + operation[1:], is_sdk


def _principal():
    """The session that the call is made in."""
    record = current_run().record
    machine = sfn._state_machines.get(record["stateMachineArn"].split("/")[0], {})
    account, _, role = machine.get("roleArn", ":::::").split(":", 4)[4].partition(":role/")
    return f"arn:aws:sts::{account}:assumed-role/{role.rsplit('/', 1)[-1]}/{record['name']}"


def _input(service, data):
    """What the service is asked: an object as a message goes as its text."""
    message = data.get("Message") if service == "sns" else None
    return data if message is None or isinstance(message, str) else {**data, "Message": json.dumps(message)}


def _fault(service, operation, data):
    """The fault that the front door has for this call, which is then used up once; None for a call that goes on."""
    call = {"service": service, "operation": operation, "principal": _principal(), "input": _input(service, data)}
    asked = json.dumps(call).encode()
    request = urllib.request.Request(f"{os.environ['SANDBOX_ENDPOINT']}/_sandbox/faults/next", asked, method="POST")
    with urllib.request.urlopen(request, timeout=_FRONT_DOOR_SECONDS) as answer:
        return json.load(answer)["fault"]


def _error(service, is_sdk, kind):
    prefix = sfn._AWS_SDK_ERROR_PREFIX.get(service, service.capitalize()) if is_sdk else _OPTIMIZED[service]
    name = {
        "throttle": "ThrottlingException",
        "internal_error": f"{prefix}Exception" if is_sdk else f"Amazon{prefix}Exception",
        "cut": "SdkClientException",
    }[kind]
    return sfn._ExecutionError(f"{prefix}.{name}", f"{service} is away ({kind}).")


def install():
    @patch(sfn, "_invoke_resource")
    def invoke_resource(original, resource, data):
        call = _call(resource)
        if call is not None:
            service, operation, is_sdk = call
            fault = _fault(service, operation, data)
            if fault is not None and fault["kind"] == "latency":
                time.sleep(fault["latency_ms"] / 1000)
            elif fault is not None:
                raise _error(service, is_sdk, fault["kind"])
        return original(resource, data)
