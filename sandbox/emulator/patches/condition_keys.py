"""Condition keys and resources that Cordon's own policies use.

AWS behavior restored:

- ``events:source`` holds the sources of all entries of a PutEvents call, so that a role can be kept to its own.
  [docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html]
- ``dynamodb:LeadingKeys`` holds the partition keys of all items that a call names, so that a role can be kept to a kind of
  item. [docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html]
- ``aws:ResourceAccount`` of a bucket or object is the account that owns the bucket, whoever asks, so that a role can
  be kept to the buckets of its own account.
  [docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount]
- ``ecs:cluster`` holds the ARN of the cluster that a call names, so that a role can be kept to one.
  [docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerservice.html]
- The ARN of a rule of the default event bus does not name the bus.
  [docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html]
- ``aws:PrincipalArn`` of a role's session is the ARN of the role and not of the session, so that a resource can be
  kept to one role.
  [docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn]
"""

import json

from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, ecs, iam, s3

from .patching import patch

_BUCKET = "arn:aws:s3:::"
_SESSION = ":assumed-role/"


def _sources(body):
    try:
        entries = json.loads(body)["Entries"]
        return [entry["Source"] for entry in entries if "Source" in entry]
    except (KeyError, TypeError, ValueError):
        return []


def _named_items(request):
    """Table and key, or whole item, of everything that a call reads or writes by its key."""
    for member in ("Key", "Item"):
        if member in request:
            yield request["TableName"], request[member]
    for table, wanted in request.get("RequestItems", {}).items():
        for key in wanted["Keys"] if isinstance(wanted, dict) else ():
            yield table, key
        for write in wanted if isinstance(wanted, list) else ():
            for detail in write.values():
                yield table, detail.get("Item") or detail["Key"]
    for write in request.get("TransactItems", ()):
        for detail in write.values():
            yield detail["TableName"], detail.get("Item") or detail["Key"]


def _leading_keys(body):
    keys = []
    try:
        for table, item in _named_items(json.loads(body)):
            schema = dynamodb._tables[table.rsplit("/", 1)[-1]]["KeySchema"]
            name = next(part["AttributeName"] for part in schema if part["KeyType"] == "HASH")
            keys += item[name].values()
    except (AttributeError, KeyError, StopIteration, TypeError, ValueError):
        return []
    return keys


def _cluster(body):
    try:
        name = ecs._resolve_cluster_name(json.loads(body).get("cluster", "default"))
        return (ecs._clusters.get(name) or {}).get("clusterArn")
    except (AttributeError, TypeError, ValueError):
        return None


def _bucket_owner(arn):
    """The account that owns the bucket of an S3 ARN; None for other ARNs and for buckets that do not exist."""
    if not arn.startswith(_BUCKET):
        return None
    return s3._bucket_owner_account(arn.removeprefix(_BUCKET).partition("/")[0])


def _role_of_session(arn):
    """The ARN of the role that an assumed-role ARN is a session of; None for other principals."""
    if _SESSION not in arn:
        return None
    name = iam_evaluator._role_name_from_assumed_arn(arn)
    role = iam._roles.get_scoped(arn.split(":")[4], None, name)
    return role and role["Arn"]


def install():
    @patch(iam_actions, "extract_resource_arn")
    def extract_resource_arn(original, service, *arguments, **named):
        arn = original(service, *arguments, **named)
        return arn.replace(":rule/default/", ":rule/") if service == "events" else arn

    @patch(iam_actions, "request_tag_context")
    def request_tag_context(original, service, action, body, params):
        context = original(service, action, body, params)
        if action == "events:PutEvents":
            return {**context, "events:source": _sources(body)}
        if service == "ecs" and (cluster := _cluster(body)):
            return {**context, "ecs:cluster": cluster}
        if service == "dynamodb" and (keys := _leading_keys(body)):
            return {**context, "dynamodb:LeadingKeys": keys}
        return context

    @patch(iam_evaluator, "_resolve_condition_key")
    def resolve_condition_key(original, key, context):
        name, resolved = key.lower(), None
        if name in ("aws:resourceaccount", "s3:resourceaccount"):
            resolved = _bucket_owner(context.resource_arn)
        elif name == "aws:principalarn":
            resolved = _role_of_session(context.principal_arn)
        return resolved or original(key, context)
