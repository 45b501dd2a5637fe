"""What a user would write instead of the gateway: slack_bolt, boto3, Flask; served by gunicorn."""

import os
import re
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from flask import Flask, request
from slack_bolt import App
from slack_bolt.adapter.flask import SlackRequestHandler
from slack_sdk import WebClient

TABLE = os.environ["CASES_TABLE"]
# As many connections as there are threads.
CONFIG = Config(max_pool_connections=50)
dynamodb = boto3.client("dynamodb", config=CONFIG)
step_functions = boto3.client("stepfunctions", config=CONFIG)

token = os.environ["SLACK_BOT_TOKEN"]
app = App(
    client=WebClient(token=token, base_url=os.environ["SLACK_API_URL"]),
    signing_secret=os.environ["SLACK_SIGNING_SECRET"],
)


@app.action(re.compile("^quarantine:"))
def quarantine(ack, body, action):
    user, approval_id = body["user"], action["action_id"].removeprefix("quarantine:")
    case_id, plan_hash = action["value"].split(":", 1)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    voter = {"via": {"S": "slack"}, "team": {"S": user["team_id"]}, "user": {"S": user["id"]}}
    vote = {"decision": {"S": "quarantine"}, "by": {"M": voter}, "at": {"S": now}, "plan_hash": {"S": plan_hash}}
    try:
        case = dynamodb.update_item(
            TableName=TABLE,
            Key={"id": {"S": "approval#" + case_id}},
            UpdateExpression="SET decided = :decided, votes = list_append(votes, :votes), "
            "slack_due = :yes, slack_due_at = :at",
            ConditionExpression="#status = :open AND attribute_not_exists(decided) AND plan_hash = :plan AND "
            "approval_id = :approval AND contains(sole_approvers, :user)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":decided": {"M": {"what": {"S": "quarantine"}, "at": {"S": now}}},
                ":at": {"S": now},
                ":votes": {"L": [{"M": vote}]},
                ":yes": {"S": "yes"},
                ":open": {"S": "open"},
                ":plan": {"S": plan_hash},
                ":approval": {"S": approval_id},
                ":user": {"S": user["id"]},
            },
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        ack()
        return
    ack()
    if "task_token" in case:
        step_functions.send_task_success(taskToken=case["task_token"]["S"], output="{}")


flask_app = Flask(__name__)
handler = SlackRequestHandler(app)


@flask_app.post("/slack/interactions")
def interactions():
    return handler.handle(request)


@flask_app.get("/healthz")
def healthz():
    return "ok\n"
