"""ECS services as Terraform reads them.

AWS behavior restored: a service tells whether it balances its tasks over zones, which MiniStack 1.5.33 drops, and an
update changes registries, tags' propagation and the like, not only what a deployment needs. Of the deployment's settings
an update changes those that it names and leaves the others. [botocore ecs Service, UpdateService]
"""

from ministack.services import ecs

from .patching import patch

_KEPT = ("availabilityZoneRebalancing", "serviceRegistries", "propagateTags", "enableECSManagedTags",
         "placementConstraints", "placementStrategy")


def _service(data):
    cluster, service = ecs._resolve_cluster_name(data.get("cluster", "default")), data.get("service")
    name = data.get("serviceName") or (ecs._resolve_service_ref(service) or (None,))[0]
    return ecs._services.get(f"{cluster}/{name}")


def _keep(data):
    service = _service(data)
    if service is not None:
        service.setdefault("availabilityZoneRebalancing", "DISABLED")
        service.update({member: data[member] for member in _KEPT if data.get(member) is not None})


def install():
    for name, action in (("_create_service", "CreateService"), ("_update_service", "UpdateService")):
        @patch(ecs, name)
        def change(original, data):
            service = _service(data) if "service" in data else None
            if service is not None and "deploymentConfiguration" in data:
                data = {**data, "deploymentConfiguration": {
                    **service["deploymentConfiguration"], **data["deploymentConfiguration"]}}
            answer = original(data)
            if answer[0] == 200:
                _keep(data)
            return answer

        # The table of actions holds the functions themselves.
        ecs._ACTION_MAP[action] = change
