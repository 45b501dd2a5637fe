"""CloudWatch alarms as Terraform reads them.

AWS behavior restored: DescribeAlarms answers whole alarms (actions, dimensions, period, statistic, description,
treatment of missing data) in the query protocol too, which Terraform's provider speaks; without them every plan would
change every alarm. An alarm on an expression keeps its queries, and has no metric, statistic and period of its own.
[botocore cloudwatch MetricAlarm, MetricDataQuery]
"""

import json
from datetime import datetime, timezone
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from .patching import patch


def _text(name, value):
    if isinstance(value, bool):
        return str(value).lower()
    if name.endswith("Timestamp") and isinstance(value, (int, float)):
        return datetime.fromtimestamp(value, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))


def _element(name, value):
    """A member of the JSON answer as the query protocol writes it; what is not set is left out."""
    if value is None or value == "":
        return ""
    if isinstance(value, dict):
        content = "".join(_element(member, inner) for member, inner in value.items())
    elif isinstance(value, list):
        content = "".join(_element("member", inner) for inner in value)
    else:
        content = _text(name, value)
    return f"<{name}>{content}</{name}>"


def _from_query(params):
    """The request as the JSON protocol writes it."""
    scalars = ("AlarmNamePrefix", "StateValue", "MaxRecords", "NextToken")
    request = {name: cloudwatch._p(params, name) for name in scalars}
    for name in ("AlarmNames", "AlarmTypes"):
        request[name] = [cloudwatch._p(params, key) for key in sorted(params) if key.startswith(f"{name}.member.")]
    return request


_NUMBERS = ("Period",)
_BOOLEANS = ("ReturnData",)
# What an alarm on an expression has in its queries instead.
_OF_ONE_METRIC = ("Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Unit")


def _tree(params, prefix):
    """What the query protocol flattens into names such as ``Metrics.member.1.MetricStat.Stat``."""
    tree = {}
    for key in params:
        if key.startswith(f"{prefix}."):
            node, *path = [tree, *key.removeprefix(f"{prefix}.").split(".")]
            for member in path[:-1]:
                node = node.setdefault(member, {})
            node[path[-1]] = _typed(path[-1], cloudwatch._p(params, key))
    return _lists(tree)


def _typed(name, value):
    if name in _NUMBERS:
        return int(value)
    return value == "true" if name in _BOOLEANS else value


def _lists(node):
    if not isinstance(node, dict):
        return node
    if set(node) == {"member"}:
        members = node["member"]
        return [_lists(members[number]) for number in sorted(members, key=int)]
    return {name: _lists(inner) for name, inner in node.items()}


def install():
    @patch(cloudwatch, "_put_metric_alarm")
    def put_metric_alarm(original, params, data, is_cbor, is_json=False):
        answer = original(params, data, is_cbor, is_json)
        if is_cbor or is_json:
            name, queries = data.get("AlarmName"), data.get("Metrics")
        else:
            name, queries = cloudwatch._p(params, "AlarmName"), _tree(params, "Metrics")
        if answer[0] == 200 and queries:
            cloudwatch._alarms[name].update({member: None for member in _OF_ONE_METRIC}, Metrics=queries)
        return answer

    @patch(cloudwatch, "_describe_alarms")
    def describe_alarms(original, params, data, is_cbor, is_json=False):
        if is_cbor or is_json:
            return original(params, data, is_cbor, is_json)
        status, headers, body = original(params, _from_query(params), False, True)
        if status != 200:
            return original(params, data, is_cbor, is_json)
        return cloudwatch._xml(
            200, "DescribeAlarmsResponse", _element("DescribeAlarmsResult", json.loads(body)))
