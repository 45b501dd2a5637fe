"""Cloud Map services as Terraform makes them.

AWS behavior restored: a service with DNS names its namespace inside ``DnsConfig`` (the outer member is for services
without DNS), tells its type and how many instances it has, keeps its health check when only the DNS records change, and
resists deletion while instances are registered. The failure threshold of a custom health check always is 1. An instance
that is registered with an initial health has it. A creation that is asked for once more, because the first answer got
lost, makes nothing new. [botocore servicediscovery CreateService, DeleteService,
RegisterInstance, Service]
"""

import json

from ministack.core.responses import error_response_json
from ministack.services import servicediscovery

from .patching import patch


def _whole(service):
    instances = servicediscovery._instances.get(service["Id"], {})
    kind = "DNS_HTTP" if service.get("DnsConfig") else "HTTP"
    return {name: value for name, value in {**service, "Type": kind, "InstanceCount": len(instances)}.items()
            if value is not None}


def install():
    @patch(servicediscovery, "_create_service")
    def create_service(original, data):
        dns = data.get("DnsConfig") or {}
        namespace = data.get("NamespaceId") or dns.get("NamespaceId")
        for service in servicediscovery._services.values():
            if (service["Name"], service["NamespaceId"]) == (data.get("Name"), namespace):
                if data.get("CreatorRequestId") and data["CreatorRequestId"] == service.get("CreatorRequestId"):
                    return servicediscovery.json_response({"Service": _whole(service)})
                return error_response_json("ServiceAlreadyExists", f"Service {data['Name']} already exists", 400)
        custom = data.get("HealthCheckCustomConfig")
        if custom is not None:
            data = {**data, "HealthCheckCustomConfig": {"FailureThreshold": 1}}
        if dns:
            data = {**data, "DnsConfig": {"RoutingPolicy": "MULTIVALUE", **dns, "NamespaceId": namespace}}
        status, headers, body = original({**data, "NamespaceId": namespace})
        if status != 200:
            return status, headers, body
        service = servicediscovery._services[json.loads(body)["Service"]["Id"]]
        service["CreatorRequestId"] = data.get("CreatorRequestId")
        return servicediscovery.json_response({"Service": _whole(service)})

    @patch(servicediscovery, "_get_service")
    def get_service(original, data):
        service = servicediscovery._services.get(data.get("Id"))
        return servicediscovery.json_response({"Service": _whole(service)}) if service else original(data)

    @patch(servicediscovery, "_update_service")
    def update_service(original, data):
        change, service = data.get("Service", {}), servicediscovery._services.get(data.get("Id"))
        if service and "DnsConfig" in change:
            change = {**change, "DnsConfig": {**(service.get("DnsConfig") or {}), **change["DnsConfig"]}}
        return original({**data, "Service": change})

    @patch(servicediscovery, "_delete_service")
    def delete_service(original, data):
        if servicediscovery._instances.get(data.get("Id")):
            return error_response_json(
                "ResourceInUse", "Service contains registered instances; delete the instances first", 400)
        return original(data)

    @patch(servicediscovery, "_register_instance")
    def register_instance(original, data):
        answer = original(data)
        health = data.get("Attributes", {}).get("AWS_INIT_HEALTH_STATUS")
        if answer[0] == 200 and health:
            servicediscovery._instance_health_status[data["ServiceId"]][data["InstanceId"]] = health
        return answer
