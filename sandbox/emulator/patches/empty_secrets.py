"""Secrets that nobody gave a value yet.

AWS behavior restored: reading such a secret fails with ``ResourceNotFoundException``; MiniStack 1.5.33 answers a version
without a value. [botocore secretsmanager GetSecretValue]
"""

import json

from ministack.core.responses import error_response_json
from ministack.services import secretsmanager

from .patching import patch


def install():
    @patch(secretsmanager, "_get_secret_value")
    def get_secret_value(original, data):
        status, headers, body = original(data)
        if status == 200 and not {"SecretString", "SecretBinary"} & json.loads(body).keys():
            stage = data.get("VersionStage", "AWSCURRENT")
            return error_response_json(
                "ResourceNotFoundException",
                f"Secrets Manager can't find the specified secret value for staging label: {stage}", 400)
        return status, headers, body
