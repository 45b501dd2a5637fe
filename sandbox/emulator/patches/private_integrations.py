"""HTTP APIs in front of what runs in a VPC.

AWS behavior restored:

- An ``HTTP_PROXY`` integration through a VPC link whose URI is a Cloud Map service goes to one of that service's healthy
  instances (``AWS_INSTANCE_IPV4``, ``AWS_INSTANCE_PORT``), or to any of them if none is healthy. Without an instance,
  without the link, or when it does not answer in time, the caller gets 503. Body, query and path go through unchanged, and
  so do the answer's headers.
- A stage throttles: past rate and burst of the route, or of the stage's default, the caller gets 429.
- A stage writes its access log.
- The API's endpoint is one that clients on this machine can reach, where AWS gives the API a host of its own.

[docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-private.html, .../http-api-throttling.html,
.../http-api-logging-variables.html, docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstances.html]
"""

import asyncio
import concurrent.futures
import contextvars
import http.client
import json
import os
import random
import re
import time
import urllib.parse

from ministack.core.responses import request_scope
from ministack.services import apigateway, cloudwatch_logs, servicediscovery

from .patching import patch
from .vpc_links import links

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
               "transfer-encoding", "upgrade", "content-length", "host", "expect"}
_JSON = {"Content-Type": "application/json"}
_UNAVAILABLE = (503, _JSON, b'{"message":"Service Unavailable"}')
_TOO_MANY = (429, _JSON, b'{"message":"Too Many Requests"}')

# What the access log says of one request.
_request = contextvars.ContextVar("sandbox_http_api_request", default=None)
# The loop's own pool has few threads, and a gateway may take seconds to answer.
_exchanges = concurrent.futures.ThreadPoolExecutor(128, "http-api")
# When each route of a stage was asked last, and how many requests it had left then.
_buckets = {}


def instances(service_arn):
    """Addresses of the healthy instances of a Cloud Map service, or of all if none is healthy."""
    service_id = service_arn.rpartition("/")[2]
    found = servicediscovery._instances.get(service_id, {})
    health = servicediscovery._instance_health_status.get(service_id, {})
    healthy = [one for one in found.values() if health.get(one["Id"], "HEALTHY") == "HEALTHY"]
    return [(one["Attributes"]["AWS_INSTANCE_IPV4"], int(one["Attributes"]["AWS_INSTANCE_PORT"]))
            for one in healthy or found.values()
            if {"AWS_INSTANCE_IPV4", "AWS_INSTANCE_PORT"} <= one["Attributes"].keys()]


def _exchange(address, timeout, method, target, headers, body):
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                connection.putheader(name, value)
        connection.putheader("via", "HTTP/1.1 AmazonAPIGateway")
        if body or method in ("POST", "PUT", "PATCH"):
            connection.putheader("content-length", str(len(body or b"")))
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer.status, {name: value for name, value in answer.getheaders()
                               if name.lower() not in _HOP_BY_HOP}, answer.read()
    finally:
        connection.close()


async def _through_link(integration, path, method, headers, body, query):
    known = instances(integration["integrationUri"]) if integration.get("connectionId") in links else []
    if not known:
        _note("integrationErrorMessage", "No instance of the service is registered, or the link is gone")
        return _UNAVAILABLE
    pairs = [(name, value) for name, values in (query or {}).items()
             for value in (values if isinstance(values, list) else [values])]
    target = urllib.parse.quote(path, safe="/%:@!$&'()*+,;=~-._")
    target += f"?{urllib.parse.urlencode(pairs)}" if pairs else ""
    timeout = int(integration.get("timeoutInMillis") or 30_000) / 1_000
    exchange = asyncio.get_running_loop().run_in_executor(
        _exchanges, _exchange, random.choice(known), timeout, method, target, headers, body)
    try:
        return await asyncio.wait_for(exchange, timeout)
    except (OSError, http.client.HTTPException, asyncio.TimeoutError) as error:
        _note("integrationErrorMessage", str(error) or "The integration did not answer in time")
        return _UNAVAILABLE


def _note(name, value):
    noted = _request.get()
    if noted is not None:
        noted[name] = value


def _is_throttled(api_id, stage_name, route_key):
    stage = apigateway._stages.get(api_id, {}).get(stage_name) or {}
    settings = {**(stage.get("defaultRouteSettings") or {}), **(stage.get("routeSettings") or {}).get(route_key, {})}
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    if rate is None or burst is None:
        return False
    now, key = time.monotonic(), (api_id, stage_name, route_key)
    at, left = _buckets.get(key, (now, float(burst)))
    left = min(float(burst), left + (now - at) * float(rate))
    _buckets[key] = (now, left - 1 if left >= 1 else left)
    return left < 1


def _write_access_log(api_id, stage, noted):
    settings = (apigateway._stages.get(api_id, {}).get(stage) or {}).get("accessLogSettings") or {}
    group = settings.get("destinationArn", "").rpartition(":log-group:")[2].removesuffix(":*")
    if group not in cloudwatch_logs._log_groups:
        return
    line = re.sub(r"\$context\.([A-Za-z.]+)", lambda name: str(noted.get(name[1], "-")), settings["format"])
    stream = f"{api_id}-{stage}"
    cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    cloudwatch_logs._put_log_events({
        "logGroupName": group, "logStreamName": stream,
        "logEvents": [{"timestamp": int(time.time() * 1_000), "message": line}]})


def install():
    @patch(apigateway, "_create_api")
    def create_api(original, data):
        status, headers, body = original(data)
        if status == 201 and data.get("protocolType") == "HTTP":
            api = apigateway._apis[json.loads(body)["apiId"]]
            api["apiEndpoint"] = f"{os.environ['SANDBOX_ENDPOINT']}/_aws/execute-api/{api['apiId']}"
            return apigateway._apigw_response(api, status)
        return status, headers, body

    @patch(apigateway, "_invoke_http_proxy")
    async def invoke_http_proxy(original, integration, path, method, headers, body, query_params):
        if integration.get("connectionType") != "VPC_LINK":
            return await original(integration, path, method, headers, body, query_params)
        return await _through_link(integration, path, method, headers, body, query_params)

    @patch(apigateway, "handle_execute")
    async def handle_execute(original, api_id, stage, path, method, headers, body, query_params,
                             raw_query_string=None):
        scope = apigateway.find_api_scope(api_id)
        if not scope:
            return await original(api_id, stage, path, method, headers, body, query_params, raw_query_string)
        began = time.monotonic()
        with request_scope(*scope):
            route = apigateway._match_route(api_id, method, "/" + path.lstrip("/")) or {}
        noted = {"requestId": apigateway.new_uuid(), "httpMethod": method, "path": path, "stage": stage,
                 "protocol": "HTTP/1.1", "identity.sourceIp": "127.0.0.1", "routeKey": route.get("routeKey", "-"),
                 "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())}
        with request_scope(*scope):
            throttled = route and _is_throttled(api_id, stage, route["routeKey"])
        token = _request.set(noted)
        try:
            answer = _TOO_MANY if throttled else await original(
                api_id, stage, path, method, headers, body, query_params, raw_query_string=raw_query_string)
        finally:
            _request.reset(token)
        noted.update(status=answer[0], responseLength=len(answer[2]),
                     responseLatency=int((time.monotonic() - began) * 1_000))
        with request_scope(*scope):
            _write_access_log(api_id, stage, noted)
        return answer
