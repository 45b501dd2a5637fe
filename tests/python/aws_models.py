"""Holds recorded requests, and the answers of our doubles, to AWS's published service models (botocore).

Reads ``requests-*.jsonl`` of the directory that is its argument (sandbox/src/front_door/records.rs writes them), and prints JSON:
``requests``, ``integrations`` (those of state machines), ``answers`` (of our doubles), ``operations``, ``violations`` (of each kind one, with how often it came). What a model says: members that are
required and unknown, types, enumerations, patterns, lengths and ranges. What models do not say: reserved words and unused values in
expressions of DynamoDB, the size of session policies and of S3's user metadata, limits of findings for Security Hub, subjects.
"""

import base64
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml
from urllib.parse import parse_qs, parse_qsl, unquote, unquote_plus

from botocore.loaders import Loader
from botocore.model import ServiceModel
from ministack.services._dynamodb_keywords import AWS_KEYWORDS as RESERVED_WORDS

NAMES = {"states": "stepfunctions", "access-analyzer": "accessanalyzer", "monitoring": "cloudwatch"}
# The longest of each: docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html, .../AmazonS3/latest/userguide/UsingMetadata.html,
# .../securityhub/1.0/APIReference/API_AwsSecurityFinding.html (the size of one finding), .../sns/latest/api/API_Publish.html
SESSION_POLICY, USER_METADATA, FINDING, HEADERS = 2_048, 2_048, 240 * 1_024, 8_192
# The model says of names nothing but their length: docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
EXECUTION_NAME = re.compile(r"[0-9A-Za-z_-]{1,80}")
SIGNED = re.compile(r"[A-Za-z0-9+/]*={0,2}")

_loader = Loader()
_models = {}


def model(service):
    if service not in _models:
        name = NAMES.get(service, service)
        _models[service] = ServiceModel(_loader.load_service_model(name, "service-2"), name)
    return _models[service]


class Checked:
    """What is wrong with one request or answer."""

    def __init__(self, lenient=False):
        self.wrong = []
        self.lenient = lenient

    def add(self, at, what):
        self.wrong.append(f"{at}: {what}")

    def check(self, shape, value, at):
        kind = shape.type_name
        if value is None:
            return
        getattr(self, "_" + kind, self._other)(shape, value, at)

    def _other(self, shape, value, at):
        self.add(at, f"this checker does not know {shape.type_name}")

    def _structure(self, shape, value, at):
        if shape.metadata.get("document"):
            return
        if not isinstance(value, dict):
            return self.add(at, "is no structure")
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name in value:
            if name not in members:
                self.add(at, f"has the unknown member {name}")
        required = [] if self.lenient else shape.required_members
        for name in required:
            wire = shape.members[name].serialization.get("name", name)
            if value.get(wire) is None:
                self.add(at, f"lacks {name}")
        if shape.metadata.get("union") and len([one for one in value.values() if one is not None]) != 1:
            self.add(at, "is a union and has not exactly one member")
        for name, member in value.items():
            if name in members:
                self.check(members[name], member, f"{at}.{name}")

    def _length(self, shape, length, at):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and length < least or most is not None and length > most:
            self.add(at, f"has {length}, and {least} to {most} are allowed")

    def _list(self, shape, value, at):
        if not isinstance(value, list):
            return self.add(at, "is no list")
        self._length(shape, len(value), at)
        for member in value:
            self.check(shape.member, member, at + "[]")

    def _map(self, shape, value, at):
        if not isinstance(value, dict):
            return self.add(at, "is no map")
        self._length(shape, len(value), at)
        for key, member in value.items():
            self.check(shape.key, key, at + "{key}")
            self.check(shape.value, member, at + "{}")

    def _string(self, shape, value, at):
        if not isinstance(value, str):
            return self.add(at, "is no text")
        if shape.enum and value not in shape.enum and not self.lenient:
            self.add(at, f"is {value[:40]!r}, which is none of {', '.join(shape.enum[:8])}")
        self._length(shape, len(value), at)
        pattern = shape.metadata.get("pattern")
        if pattern:
            try:
                # Models are written for Java's regular expressions.
                expression = re.compile(pattern.replace("\\p{L}", "\\w").replace("\\p{Z}", " ").replace("\\p{N}", "0-9").replace("\\p{ASCII}", "[\\x00-\\x7f]"), re.DOTALL)
            except re.error:
                return self.add(at, f"cannot be compared with {pattern}")
            if not expression.fullmatch(value):
                self.add(at, f"does not match {pattern}")

    def _number(self, shape, value, at, kinds):
        if isinstance(value, str) and self.from_text:
            try:
                value = float(value)
            except ValueError:
                return self.add(at, "is no number")
        if isinstance(value, bool) or not isinstance(value, kinds):
            return self.add(at, "is no number")
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and value < least or most is not None and value > most:
            self.add(at, f"is {value}, and {least} to {most} are allowed")

    from_text = False

    def _integer(self, shape, value, at):
        self._number(shape, value, at, (int, float) if self.from_text else int)

    _long = _integer

    def _double(self, shape, value, at):
        self._number(shape, value, at, (int, float))

    _float = _double

    def _boolean(self, shape, value, at):
        if not isinstance(value, bool) and not (self.from_text and value in ("true", "false")):
            self.add(at, "is neither true nor false")

    def _timestamp(self, shape, value, at):
        if not isinstance(value, (int, float, str)):
            self.add(at, "is no time")

    def _blob(self, shape, value, at):
        try:
            base64.b64decode(value, validate=True)
        except (ValueError, TypeError):
            self.add(at, "is not base64")


def from_uri(operation, target, headers, body):
    """The members of an input that travels by URI, headers and body; what is left of the body is under ``None``."""
    shape, given = operation.input_shape, {}
    path, _, query = target.partition("?")
    template = operation.http["requestUri"].partition("?")[0]
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda found: f"(?P<{found.group(1)}>{'.+' if found.group(2) else '[^/]+'})", re.escape(template))
    matched = re.fullmatch(pattern + "/?", path)
    parts = matched.groupdict() if matched else {}
    asked = parse_qs(query, keep_blank_values=True)
    rest = json.loads(body) if body else {}
    payload = shape.serialization.get("payload")
    for name, member in shape.members.items():
        wire = member.serialization.get("name", name)
        where = member.serialization.get("location")
        if where == "uri" and wire in parts:
            given[wire] = unquote(parts[wire])
        elif where == "querystring" and wire in asked:
            given[wire] = asked[wire] if member.type_name == "list" else asked[wire][0]
        elif where == "header" and wire.lower() in headers:
            given[wire] = headers[wire.lower()]
        elif where is None and name == payload:
            given[wire] = rest
        elif where is None and isinstance(rest, dict) and wire in rest:
            given[wire] = rest.pop(wire)
    if payload is None and isinstance(rest, dict):
        given.update({name: value for name, value in rest.items()})
    return given


def from_xml(shape, element):
    """An XML element as its shape reads it."""
    local = lambda one: one.tag.rpartition("}")[2]
    if shape.type_name == "structure":
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        found = {}
        for child in element:
            name = local(child)
            member = members.get(name)
            if member is None:
                found[name] = child.text
            elif member.type_name == "list" and member.serialization.get("flattened"):
                found.setdefault(name, []).append(from_xml(member.member, child))
            else:
                found[name] = from_xml(member, child)
        for name, member in members.items():
            if member.serialization.get("xmlAttribute"):
                value = next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name.rpartition(":")[2]), None)
                if value is not None:
                    found[name] = value
        return found
    if shape.type_name == "list":
        return [from_xml(shape.member, child) for child in element]
    return element.text or ""


def from_form(shape, fields, prefix=""):
    """The members of an input in the query protocol."""
    found = {}
    for name, member in shape.members.items():
        wire = prefix + member.serialization.get("name", name)
        nested = {key: value for key, value in fields.items() if key.startswith(wire + ".")}
        if member.type_name == "structure" and nested:
            found[name] = from_form(member, fields, wire + ".")
        elif member.type_name == "list" and fields.get(wire) == "":
            found[name] = []
        elif member.type_name == "list" and nested:
            members, number = [], 1
            inner = "" if member.serialization.get("flattened") else ".member"
            while any(key.startswith(f"{wire}{inner}.{number}") for key in fields):
                at = f"{wire}{inner}.{number}"
                members.append(from_form(member.member, fields, at + ".") if member.member.type_name == "structure" else fields[at])
                number += 1
            found[name] = members
        elif member.type_name == "map" and nested:
            found[name] = {}
        elif wire in fields:
            found[name] = fields[wire]
    return found


def of_s3(operation, target, headers, body, checked):
    """S3: a bucket in the path, members in query and headers, sometimes XML."""
    shape = operation.input_shape
    path, _, query = target.partition("?")
    bucket, _, key = path.lstrip("/").partition("/")
    asked = dict(parse_qsl(query, keep_blank_values=True))
    given = {"Bucket": bucket} if bucket else {}
    if key:
        given["Key"] = unquote(key)
    known_queries, payload = set(), shape.serialization.get("payload")
    for name, member in shape.members.items():
        wire, where = member.serialization.get("name", name), member.serialization.get("location")
        if where == "querystring":
            known_queries.add(wire)
            if wire in asked:
                given[name] = asked[wire]
        elif where == "header" and wire.lower() in headers:
            given[name] = headers[wire.lower()]
        elif where == "headers":
            given[name] = {one[len(wire):]: value for one, value in headers.items() if one.startswith(wire)}
        elif name == payload and member.type_name == "structure" and body:
            given[name] = from_xml(member, xml.fromstring(body))
    fixed = {one.partition("=")[0] for one in operation.http["requestUri"].partition("?")[2].split("&")}
    for name in asked:
        if name not in known_queries and name not in fixed and name != "x-id" and not name.startswith("X-Amz-"):
            checked.add("query", f"has the unknown parameter {name}")
    # What is XML was read by member names of the model, the rest by wire names of no use here.
    for name, member in shape.members.items():
        if name in given:
            checked.from_text = True
            checked.check(member, given[name], name)
        elif name in shape.required_members and member.type_name != "blob":
            checked.add("input", f"lacks {name}")
    metadata = sum(len(name) - len("x-amz-meta-") + len(value.encode()) for name, value in headers.items() if name.startswith("x-amz-meta-"))
    if metadata > USER_METADATA:
        checked.add("headers", f"hold {metadata} bytes of user metadata")


EXPRESSIONS = ("KeyConditionExpression", "FilterExpression", "ConditionExpression", "UpdateExpression", "ProjectionExpression")
FUNCTIONS = {"ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "REMOVE", "SET", "ATTRIBUTE_EXISTS", "ATTRIBUTE_NOT_EXISTS",
             "ATTRIBUTE_TYPE", "BEGINS_WITH", "CONTAINS", "IF_NOT_EXISTS", "LIST_APPEND", "SIZE"}


def expressions(request, checked, at="input"):
    """Reserved words that are not named by a placeholder, and placeholders that are not used."""
    if isinstance(request, list):
        for one in request:
            expressions(one, checked, at)
        return
    if not isinstance(request, dict):
        return
    texts = [request[name] for name in EXPRESSIONS if isinstance(request.get(name), str)]
    if texts:
        text = " ".join(texts)
        names, values = set(request.get("ExpressionAttributeNames") or {}), set(request.get("ExpressionAttributeValues") or {})
        used = set(re.findall(r"[#:]\w+", text))
        for unused in (names | values) - used:
            checked.add(at, f"does not use {unused}")
        for unknown in used - names - values:
            checked.add(at, f"does not say what {unknown} is")
        for word in re.findall(r"(?<![#:\w])[A-Za-z_]\w*", text):
            if word.upper() in RESERVED_WORDS and word.upper() not in FUNCTIONS:
                checked.add(at, f"names the reserved word {word}")
    for name, member in request.items():
        if name in ("TransactItems", "Put", "Update", "Delete", "ConditionCheck", "Get"):
            expressions(member, checked, f"{at}.{name}")


def beyond_the_model(operation, line, given, checked):
    size = sum(len(name) + len(value) + 4 for name, value in line["headers"].items())
    if size > HEADERS:
        checked.add("headers", f"are {size} bytes")
    if line["service"] == "dynamodb":
        expressions(given, checked)
    if operation == "AssumeRole" and len(given.get("Policy") or "") > SESSION_POLICY:
        checked.add("Policy", f"has {len(given['Policy'])} characters")
    if operation == "BatchImportFindings":
        for finding in given.get("Findings") or []:
            if len(json.dumps(finding)) > FINDING:
                checked.add("Findings[]", "is larger than 240 KB")
        # The lengths of a finding's parts are in no model; our double holds them. What it refuses on purpose has another code.
        for failed in (line["answer"] or {}).get("FailedFindings") or []:
            if failed["ErrorCode"] in ("InvalidInput", "InvalidAccess"):
                checked.add("Findings[]", f"was refused: {failed['ErrorMessage']}")
    name = given.get("name") if operation in ("StartExecution", "CreateStateMachine", "CreateActivity") else None
    if name and not EXECUTION_NAME.fullmatch(name):
        checked.add("name", f"is {name!r}, which CloudWatch does not take")
    subject = given.get("Subject") if operation == "Publish" else None
    if subject and not (len(subject) <= 100 and subject.isascii() and subject.isprintable()):
        checked.add("Subject", "is no subject")


# A value that Macie may know one day, which a test has it answer.
NEW_TYPE = "is 'SensitiveData:S3Object/SomethingNew'"


def check(line):
    """What is wrong with a request, and with a double's answer."""
    name, checked = line["operation"], Checked()
    operation = model(line["service"]).operation_model(name)
    protocol = operation.service_model.metadata["protocol"]
    body, headers = line["body"] or "", line["headers"]
    given = {}
    if operation.input_shape is None:
        pass
    elif line["service"] == "s3":
        of_s3(operation, line["target"], headers, body, checked)
    elif protocol == "rest-json":
        checked.from_text = True
        given = from_uri(operation, line["target"], headers, body)
        checked.check(operation.input_shape, given, name)
    elif "x-amz-target" in headers:
        given = json.loads(body) if body else {}
        checked.check(operation.input_shape, given, name)
    else:
        fields = dict(parse_qsl(body, keep_blank_values=True))
        given = from_form(operation.input_shape, fields)
        checked.from_text = True
        checked.check(operation.input_shape, given, name)
    beyond_the_model(name, line, given, checked)
    wrong = [f"request {one}" for one in checked.wrong]
    if line["answer"] is not None and operation.output_shape is not None:
        answered = Checked()
        answered.check(operation.output_shape, line["answer"], name)
        wrong += [f"answer {one}" for one in answered.wrong if NEW_TYPE not in one]
    return wrong


def main(directory, roles):
    ours = re.compile(roles)
    requests, integrations, answers, operations, violations = 0, 0, 0, collections.Counter(), collections.Counter()
    for file in sorted(pathlib.Path(directory).glob("requests-*.jsonl")):
        for text in file.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if not ours.search(line["principal"]):
                continue
            requests += 1
            # Only state machines have an underscore in their names.
            integrations += "_" in line["principal"].split("/")[1]
            answers += line["answer"] is not None
            operations[f"{line['service']}:{line['operation']}"] += 1
            try:
                wrong = check(line)
            except Exception as error:  # noqa: BLE001 - what cannot be checked is a violation too
                wrong = [f"cannot be checked: {type(error).__name__}: {error}"]
            for one in wrong:
                violations[f"{line['service']}:{line['operation']} {one}"] += 1
    print(json.dumps({"requests": requests, "integrations": integrations, "answers": answers, "operations": dict(operations), "violations": dict(violations)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
