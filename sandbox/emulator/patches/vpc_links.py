"""VPC links of HTTP APIs.

AWS behavior restored: API Gateway keeps VPC links (create, read, list, rename, delete, tags), and an integration keeps
which link it goes through. MiniStack 1.5.33 knows neither the paths under ``/v2/vpclinks`` nor an integration's
``connectionId``, ``tlsConfig`` and ``passthroughBehavior``. A link here is available at once; AWS takes minutes.
[botocore apigatewayv2 CreateVpcLink, CreateIntegration]
"""

import time
import urllib.parse

from ministack.core.responses import AccountRegionScopedDict, get_region, new_uuid
from ministack.services import apigateway

from .patching import patch

links = AccountRegionScopedDict()
_MORE_OF_AN_INTEGRATION = ("connectionId", "tlsConfig", "passthroughBehavior", "credentialsArn", "integrationSubtype")


def _missing(link_id):
    return apigateway._apigw_error("NotFoundException", f"VPC link {link_id} not found", 404)


def _create(data):
    if not data.get("name") or not data.get("subnetIds"):
        return apigateway._apigw_error("BadRequestException", "A VPC link has a name and subnets.", 400)
    link = {
        "vpcLinkId": new_uuid()[:6],
        "name": data["name"],
        "subnetIds": data["subnetIds"],
        "securityGroupIds": data.get("securityGroupIds", []),
        "tags": data.get("tags", {}),
        "createdDate": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "vpcLinkStatus": "AVAILABLE",
        "vpcLinkStatusMessage": "VPC link is ready to route traffic",
        "vpcLinkVersion": "V2",
    }
    links[link["vpcLinkId"]] = link
    return apigateway._apigw_response(link, 201)


def _in_use(link_id):
    return any(
        integration.get("connectionId") == link_id
        for integrations in apigateway._integrations.values() for integration in integrations.values())


def _one(method, link_id, data):
    if link_id not in links:
        return _missing(link_id)
    if method == "PATCH":
        links[link_id]["name"] = data.get("name") or links[link_id]["name"]
    elif method == "DELETE":
        if _in_use(link_id):
            return apigateway._apigw_error(
                "BadRequestException", "Cannot delete VPC link. It is used by an integration.", 400)
        links.pop(link_id)
        return 202, {}, b""
    return apigateway._apigw_response(links[link_id])


def _serve(method, path, data):
    _, _, link_id = path.strip("/").partition("vpclinks")
    link_id = link_id.strip("/")
    if link_id:
        return _one(method, link_id, data)
    if method == "POST":
        return _create(data)
    return apigateway._apigw_response({"items": list(links.values())})


def _tagged_link(resource_arn):
    prefix = f"arn:aws:apigateway:{get_region()}::/vpclinks/"
    return links.get(resource_arn.removeprefix(prefix)) if resource_arn.startswith(prefix) else None


def _serve_tags(link, method, data, query):
    if method == "POST":
        link["tags"] = {**link["tags"], **data.get("tags", {})}
        return 201, {}, b""
    if method == "DELETE":
        keys = query.get("tagKeys", [])
        for key in [keys] if isinstance(keys, str) else keys:
            link["tags"].pop(key, None)
        return 204, {}, b""
    return apigateway._apigw_response({"tags": link["tags"]})


def install():
    @patch(apigateway, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        if path.startswith("/v2/vpclinks"):
            return _serve(method, path, apigateway.json.loads(body or b"{}"))
        if path.startswith("/v2/tags/"):
            link = _tagged_link(urllib.parse.unquote(path.removeprefix("/v2/tags/")))
            if link is not None:
                return _serve_tags(link, method, apigateway.json.loads(body or b"{}"), query_params)
        return await original(method, path, headers, body, query_params)

    def keep(api_id, answer, data):
        """The answer to a created or changed integration, and the record itself, with what MiniStack dropped."""
        status, _, body = answer
        if status >= 300:
            return answer
        integration = apigateway._integrations[api_id][apigateway.json.loads(body)["integrationId"]]
        integration.update({name: data[name] for name in _MORE_OF_AN_INTEGRATION if name in data})
        return apigateway._apigw_response(integration, status)

    @patch(apigateway, "_create_integration")
    def create_integration(original, api_id, data):
        if data.get("connectionType") == "VPC_LINK" and data.get("connectionId") not in links:
            return apigateway._apigw_error("BadRequestException", "Invalid VpcLink id", 400)
        return keep(api_id, original(api_id, data), data)

    @patch(apigateway, "_update_integration")
    def update_integration(original, api_id, int_id, data):
        return keep(api_id, original(api_id, int_id, data), data)
