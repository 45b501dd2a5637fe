"""HTTP APIs whose settings change.

AWS behavior restored:

- Deleting the settings of one route of a stage, or a stage's access log, leaves the stage. MiniStack 1.5.33 takes both
  for the deletion of the stage, which Terraform asks for with every change of a route's throttling.
- What is tagged tells its tags: an API and a stage in their own answers too.

[botocore apigatewayv2 DeleteRouteSettings, DeleteAccessLogSettings, TagResource]
"""

import re
import urllib.parse

from ministack.services import apigateway

from .patching import patch

_PART_OF_A_STAGE = re.compile(r"/v2/apis/([^/]+)/stages/([^/]+)/(routesettings|accesslogsettings)(?:/(.+))?")


def _delete_part(api_id, name, part, key):
    stage = apigateway._stages.get(api_id, {}).get(urllib.parse.unquote(name))
    if stage is None:
        return apigateway._apigw_error("NotFoundException", f"Stage '{name}' not found", 404)
    if part == "accesslogsettings":
        stage.pop("accessLogSettings", None)
    else:
        stage["routeSettings"].pop(urllib.parse.unquote(key or ""), None)
    return 204, {}, b""


def _tell(resource_arn):
    """Copies the tags of an API or a stage to where its own answer tells them."""
    arn, failed = apigateway._validate_tag_resource_arn(resource_arn)
    if failed:
        return
    parts = arn.partition("::/apis/")[2].split("/")
    tagged = apigateway._apis.get(parts[0]) if len(parts) == 1 else apigateway._stages.get(parts[0], {}).get(parts[-1])
    if tagged is not None:
        tagged["tags"] = dict(apigateway._api_tags.get(arn, {}))


def install():
    @patch(apigateway, "handle_request")
    async def handle_request(original, method, path, headers, body, query_params):
        part = _PART_OF_A_STAGE.fullmatch(path)
        if part and method == "DELETE":
            return _delete_part(*part.groups())
        return await original(method, path, headers, body, query_params)

    @patch(apigateway, "_update_stage")
    def update_stage(original, api_id, stage_name, data):
        stage = apigateway._stages.get(api_id, {}).get(stage_name, {})
        # A change names the routes whose settings change, and leaves the others.
        if data.get("routeSettings"):
            data = {**data, "routeSettings": {**stage.get("routeSettings", {}), **data["routeSettings"]}}
        return original(api_id, stage_name, data)

    for name in ("_tag_resource", "_untag_resource"):
        @patch(apigateway, name)
        def tag_resource(original, resource_arn, change):
            answer = original(resource_arn, change)
            _tell(resource_arn)
            return answer
